//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// prompt is how soon a change of the folder of plugins must show.
const prompt = 2 * time.Second

// mustDrop copies a plugin into the folder, the way that the guide says.
func mustDrop(tb testing.TB, program, folder string) {
	tb.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		tb.Fatal(err)
	}
	hidden := filepath.Join(folder, ".coming")
	if err := os.WriteFile(hidden, text, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(folder, filepath.Base(program))); err != nil {
		tb.Fatal(err)
	}
}

// mustRemove takes a plugin out of the folder.
func mustRemove(tb testing.TB, program, folder string) {
	tb.Helper()
	if err := os.Remove(filepath.Join(folder, filepath.Base(program))); err != nil {
		tb.Fatal(err)
	}
}

// mustServeVisits starts a server with the folder of plugins, which is empty, and a
// site shop.example to which four paid visits came and three others.
func mustServeVisits(t *testing.T) (s *server, folder string) {
	t.Helper()
	folder = t.TempDir()
	p := program(t, "serve", "--auth", "none", "--listen", "127.0.0.1:0", "--plugins", folder)
	p.Path = checked
	imported := program(t, "import", "--site", "shop.example", "--format", "messages", mustWriteFile(t, "visits.jsonl", visits(
		`"source": "google", "medium": "cpc"`, `"source": "google", "medium": "cpc"`, `"source": "bing", "medium": "ppc"`,
		`"source": "t.co", "medium": "paid_social"`, `"source": "google", "medium": "organic"`, `"medium": "unpaid"`, ``,
	)))
	imported.Dir = p.Dir
	imported.mustRun(t, done)
	return p.mustServe(t), folder
}

// graphQL is what a server answers to a query.
type graphQL struct {
	Data   json.RawMessage
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code string }
	}
}

func (s *server) try(query string) (g graphQL, err error) {
	a, err := do(graphQLRequest(s.url, query))
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal([]byte(a.body), &g); err != nil || a.status != http.StatusOK && a.status != http.StatusBadRequest {
		return g, fmt.Errorf("status %d: %s: %w", a.status, a.body, err)
	}
	return g, nil
}

// awaitAnswer asks until the answer is so, and returns how long that took.
func (s *server) awaitAnswer(t *testing.T, query string, so func(graphQL) bool) time.Duration {
	t.Helper()
	began := time.Now()
	await(t, "the answer to "+query+" has changed", func() bool {
		g, err := s.try(query)
		if err != nil {
			t.Fatal(err)
		}
		return so(g)
	})
	return time.Since(began)
}

const (
	paidInput   = `{ __type(name: "PaidTrafficFilter") { kind inputFields { name } } }`
	paidCount   = `{ site(domain: "shop.example") { sessionCount(filters: [{ paidTraffic: {} }], range: { from: "2000-01-01T00:00:00Z" }) } }`
	paidSegment = `{ plugins { name status } site(domain: "shop.example") { segments(search: "Paid") { nodes {
		name filters { args label type { name } } sessionCount(range: { from: "2000-01-01T00:00:00Z" }) } } } }`
)

// A plugin that is put into the folder of a running server is there soon, typed,
// and counts; and is gone as soon when it is taken out. What was saved with it
// waits for it.
func TestPluginOfARunningServer(t *testing.T) {
	t.Parallel()
	paid := filepath.Join(mustMakeExamples(t), "paidtraffic")
	s, folder := mustServeVisits(t)
	absent := func(g graphQL) bool { return string(g.Data) == `{"__type":null}` }
	present := func(g graphQL) bool { return !absent(g) }
	if g, err := s.try(paidInput); err != nil || !absent(g) {
		t.Fatalf("%s %v, %v", g.Data, g.Errors, err)
	}

	// The machine has others to serve: the fastest time counts.
	added, removed := 2*prompt, 2*prompt
	for try := 0; try < 20 && (added > prompt || removed > prompt); try++ {
		began := time.Now()
		mustDrop(t, paid, folder)
		s.awaitAnswer(t, paidInput, present)
		if data := s.mustAsk(t, paidInput); data != `{"__type":{"kind":"INPUT_OBJECT","inputFields":[{"name":"source"}]}}` {
			t.Errorf("%s", data)
		}
		if data := s.mustAsk(t, paidCount); data != `{"site":{"sessionCount":4}}` {
			t.Errorf("%s", data)
		}
		added = min(added, time.Since(began))
		began = time.Now()
		mustRemove(t, paid, folder)
		s.awaitAnswer(t, paidInput, absent)
		removed = min(removed, time.Since(began))
	}
	t.Logf("added, and counted by, after %s; removed after %s", added, removed)
	if added > prompt || removed > prompt {
		t.Errorf("added after %s, removed after %s", added, removed)
	}

	mustDrop(t, paid, folder)
	s.awaitAnswer(t, paidInput, present)
	site := s.mustAsk(t, `{ site(domain: "shop.example") { id } }`)
	id := strings.Split(site, `"`)[5]
	s.mustAsk(t, fmt.Sprintf(`mutation { createSegment(input: { siteId: %q, name: "Paid", filters: [{ paidTraffic: { source: "google" } }] }) { segment { id } } }`, id))
	saved := s.mustAsk(t, paidSegment)
	if !strings.Contains(saved, `"sessionCount":2`) {
		t.Errorf("%s", saved)
	}

	mustRemove(t, paid, folder)
	s.awaitAnswer(t, paidInput, absent)
	if g, err := s.try(paidCount); err != nil || len(g.Errors) != 1 || !strings.Contains(g.Errors[0].Message, "paidTraffic") {
		t.Errorf("%v, %v", g.Errors, err)
	}
	g, err := s.try(`{ plugins { name } site(domain: "shop.example") { name segments(search: "Paid") { nodes { name filters { args } } }
		sessionCount(filters: [{ utm: { medium: "cpc" } }], range: { from: "2000-01-01T00:00:00Z" }) } }`)
	if err != nil || len(g.Errors) > 0 || !strings.Contains(string(g.Data), `{"name":"Paid","filters":[{"args":{"source":["google"]}}]}`) {
		t.Errorf("what needs no plugin: %s %v, %v", g.Data, g.Errors, err)
	}
	if g, err = s.try(paidSegment); err != nil || len(g.Errors) == 0 {
		t.Errorf("%s, %v", g.Data, err)
	}
	for _, e := range g.Errors {
		if e.Extensions.Code != "UNAVAILABLE" || !strings.Contains(e.Message, "paidTraffic") {
			t.Errorf("%+v", e)
		}
	}

	if data := s.mustAsk(t, `{ plugins { name status reason } }`); !strings.Contains(data, `{"name":"paidTraffic","status":"FAILED","reason":"no plugin offers the filter type paidTraffic, which 1 segments, 0 goals and 0 experiments use (\"Paid\", for example)`) {
		t.Errorf("%s", data)
	}
	await(t, "the log says what is missing", func() bool {
		return strings.Contains(s.stderr.String(), `"a filter type in use is missing" type=paidTraffic`)
	})

	mustDrop(t, paid, folder)
	s.awaitAnswer(t, paidSegment, func(g graphQL) bool { return string(g.Data) == saved && len(g.Errors) == 0 })
	s.mustStop(t)
}

// A subscription that is open when its plugin is taken out goes on as it began.
func TestSubscriptionOutlivesItsPlugin(t *testing.T) {
	t.Parallel()
	paid := filepath.Join(mustMakeExamples(t), "paidtraffic")
	s, folder := mustServeVisits(t)
	mustDrop(t, paid, folder)
	s.awaitAnswer(t, paidCount, func(g graphQL) bool { return len(g.Errors) == 0 })
	site := s.siteID(t)
	s.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "paid", name: "Paid", filters: [{ paidTraffic: {} }] }) { goal { id } } }`, site))
	request, err := graphQLRequest(s.url, fmt.Sprintf(`subscription { goalCards(siteId: %q, range: { from: "2000-01-01T00:00:00Z" }) { cells { conversions } } }`, site))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	mustHear := func(want string) {
		t.Helper()
		for lines.Scan() {
			if data, found := strings.CutPrefix(lines.Text(), "data:"); found {
				if strings.TrimSpace(data) != want {
					t.Fatalf("got %s, want %s", data, want)
				}
				return
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
	}
	mustHear(`{"data":{"goalCards":[{"cells":[{"conversions":4}]}]}}`)
	mustRemove(t, paid, folder)
	s.awaitAnswer(t, paidInput, func(g graphQL) bool { return string(g.Data) == `{"__type":null}` })
	s.mustTrack(t, "shop.example", "/v1/page", []byte(`{"anonymousId":"late","properties":{"path":"/"},"context":{"campaign":{"source":"google","medium":"cpc"}}}`))
	mustHear(`{"data":{"goalCards":[{"cells":[{"conversions":5}]}]}}`)
	s.mustStop(t)
}

// While plugins come, are replaced and go, no request has an error but for the
// filter type that is gone, and no answer is wrong. GOALGRAPH_RELOADS=100 is the
// whole of it.
func TestRequestsDuringReloads(t *testing.T) {
	t.Parallel()
	reloads := mustInt(t, "GOALGRAPH_RELOADS", 9)
	paid := filepath.Join(mustMakeExamples(t), "paidtraffic")
	s, folder := mustServeVisits(t)
	var answered, absent atomic.Int64
	begun, ended := make(chan struct{}), make(chan struct{})
	var asking sync.WaitGroup
	var first sync.Once
	for range 4 {
		asking.Go(func() {
			defer first.Do(func() { close(begun) })
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				default:
				}
				query, want := paidCount, `{"site":{"sessionCount":4}}`
				if n%2 == 0 {
					// A new text each time, which must be checked against the schema.
					query = fmt.Sprintf(`{ n%d: sites { name } site(domain: "shop.example") { sessionCount(filters: [{ utm: { source: "google" } }], range: { from: "2000-01-01T00:00:00Z" }) } }`, n)
					want = fmt.Sprintf(`{"n%d":[{"name":"shop.example"}],"site":{"sessionCount":3}}`, n)
				}
				g, err := s.try(query)
				answered.Add(1)
				switch {
				case err != nil:
					t.Error(err)
					return
				case len(g.Errors) == 1 && n%2 == 1 && strings.Contains(g.Errors[0].Message, `"paidTraffic" is not defined`):
					absent.Add(1)
				case len(g.Errors) > 0 || string(g.Data) != want:
					t.Errorf("%s: %s %v", query, g.Data, g.Errors)
					return
				}
				first.Do(func() { close(begun) })
			}
		})
	}
	end := sync.OnceFunc(func() {
		close(ended)
		asking.Wait()
	})
	defer end()
	<-begun
	var slowest time.Duration
	for n := range reloads {
		query, so := paidInput, func(g graphQL) bool { return strings.Contains(string(g.Data), "inputFields") }
		switch n % 3 {
		case 0:
			mustDrop(t, paid, folder)
		case 1: // the same file anew, which only its restart shows
			before := s.mustAsk(t, `{ plugins { name version } }`)
			runs := strings.Count(s.stderr.String(), "a plugin is running")
			mustDrop(t, paid, folder)
			query, so = `{ plugins { name version } }`, func(g graphQL) bool {
				return string(g.Data) == before && strings.Count(s.stderr.String(), "a plugin is running") > runs
			}
		case 2:
			mustRemove(t, paid, folder)
			so = func(g graphQL) bool { return string(g.Data) == `{"__type":null}` }
		}
		slowest = max(slowest, s.awaitAnswer(t, query, so))
	}
	await(t, "a hundred requests a reload were answered", func() bool { return t.Failed() || answered.Load() >= int64(100*reloads) })
	end()
	t.Logf("%d requests during %d reloads; %d without the type that was removed; the slowest reload took %s", answered.Load(), reloads, absent.Load(), slowest)
	if absent.Load() == 0 {
		t.Error("no request came while the type was gone")
	}
	s.mustStop(t)
}

// mustInt reads a number from the environment.
func mustInt(tb testing.TB, variable string, otherwise int) (n int) {
	tb.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil {
		tb.Fatalf("%s=%q: %v", variable, text, err)
	}
	return n
}

// pidsOf returns the processes that run a program of the name.
func (s *server) pidsOf(t *testing.T, name string) (pids []int) {
	t.Helper()
	for _, pid := range children(t, s.Process.Pid) {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(text), name) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// A plugin that is killed in the midst of a thousand requests costs the fields that
// needed it, and no other; and soon not even those. GOALGRAPH_CLIENTS=1000 sends all of
// them at once.
func TestPluginKilledAmidRequests(t *testing.T) {
	t.Parallel()
	paid := filepath.Join(mustMakeExamples(t), "paidtraffic")
	s, folder := mustServeVisits(t)
	mustDrop(t, paid, folder)
	s.awaitAnswer(t, paidCount, func(g graphQL) bool { return len(g.Errors) == 0 })
	// Each source is another filter, of which the plugin must be asked.
	query := func(n int) string {
		return fmt.Sprintf(`{ other: site(domain: "shop.example") { name sessionCount(filters: [{ utm: { source: "google" } }], range: { from: "2000-01-01T00:00:00Z" }) }
			paid: site(domain: "shop.example") { sessionCount(filters: [{ paidTraffic: { source: ["google", "%d"] } }], range: { from: "2000-01-01T00:00:00Z" }) } }`, n)
	}
	var failures, last atomic.Int64
	const requests, at = 1000, 300
	clients := mustInt(t, "GOALGRAPH_CLIENTS", 50)
	var killed atomic.Int64 // the time
	var asked atomic.Int64
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			for n := asked.Add(1); n <= requests; n = asked.Add(1) {
				if n == at {
					pids := s.pidsOf(t, "paidtraffic")
					if len(pids) != 1 {
						t.Errorf("processes %v", pids)
						return
					}
					if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
						t.Error(err)
					}
					killed.Store(time.Now().UnixNano())
				}
				g, err := s.try(query(int(n)))
				if err != nil {
					t.Error(err)
					return
				}
				if !strings.Contains(string(g.Data), `"other":{"name":"shop.example","sessionCount":3}`) {
					t.Errorf("%s %v", g.Data, g.Errors)
					return
				}
				for _, e := range g.Errors {
					if e.Extensions.Code != "UNAVAILABLE" || len(e.Path) != 2 || e.Path[0] != "paid" {
						t.Errorf("%+v", e)
					}
					failures.Add(1)
					last.Store(time.Now().UnixNano())
				}
				if len(g.Errors) == 0 && !strings.Contains(string(g.Data), `"paid":{"sessionCount":2}`) {
					t.Errorf("%s", g.Data)
				}
			}
		})
	}
	asking.Wait()
	n := requests
	await(t, "the plugin answers again", func() bool {
		n++
		g, err := s.try(query(n))
		return err == nil && len(g.Errors) == 0
	})
	recovered := time.Since(time.Unix(0, killed.Load()))
	for range 100 {
		n++
		if g, err := s.try(query(n)); err != nil || len(g.Errors) > 0 {
			t.Errorf("after the restart: %v %v", g.Errors, err)
		}
	}
	t.Logf("%d of %d requests failed on the field that needed the plugin, the last %s after it was killed; it answered again within %s",
		failures.Load(), requests, time.Duration(max(0, last.Load()-killed.Load())).Round(time.Millisecond), recovered.Round(time.Millisecond))
	s.mustStop(t)
}

// A plugin that hangs delays nobody who does not need it; and no plugin is asked for
// a goal card that is known.
func TestPluginThatHangsDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	paid := filepath.Join(mustMakeExamples(t), "paidtraffic")
	s, folder := mustServeVisits(t)
	mustDrop(t, paid, folder)
	s.awaitAnswer(t, paidCount, func(g graphQL) bool { return len(g.Errors) == 0 })
	site := strings.Split(s.mustAsk(t, `{ site(domain: "shop.example") { id } }`), `"`)[5]
	s.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "paid", name: "Paid", filters: [{ paidTraffic: {} }] }) { goal { id } } }`, site))
	const cards = `{ site(domain: "shop.example") { goalCards(range: { from: "2000-01-01T00:00:00Z" }) { cells { conversions merged { label } } } } }`
	s.mustAsk(t, cards)
	calls := func() (lines string) {
		for line := range strings.Lines(s.get(t, "/metrics").body) {
			if strings.HasPrefix(line, "goalgraph_plugin_calls_total") {
				lines += line
			}
		}
		return lines
	}
	before := calls()
	if data := s.mustAsk(t, cards); !strings.Contains(data, `"conversions":4`) {
		t.Errorf("%s", data)
	}
	if after := calls(); before == "" || after != before {
		t.Errorf("calls for a goal card that is known:\n%s%s", before, after)
	}

	others := func() (p99 time.Duration) {
		const requests = 400
		took := make([]time.Duration, requests)
		for n := range took {
			began := time.Now()
			s.mustAsk(t, fmt.Sprintf(`{ site(domain: "shop.example") { sessionCount(filters: [{ utm: { source: ["google", "%d"] } }], range: { from: "2000-01-01T00:00:00Z" }) } }`, began.UnixNano()))
			took[n] = time.Since(began)
		}
		slices.Sort(took)
		return took[requests*99/100]
	}
	others()
	delayed := true
	// The machine has others to serve: a wait for the plugin would show each time.
	for try := 0; try < 3 && delayed && !t.Failed(); try++ {
		without := others()
		resume := s.mustHang(t, "paidtraffic")
		with := others()
		resume()
		t.Logf("p99 of other queries: %s without, %s with a plugin that hangs", without, with)
		delayed = with > 2*without+200*time.Millisecond
	}
	if delayed {
		t.Error("other queries wait for a plugin that hangs")
	}
	s.mustStop(t)
}

// mustHang stops the plugin's process, and has clients ask for its filters. What it
// returns ends them, and waits until the plugin has been started again.
func (s *server) mustHang(t *testing.T, name string) (resume func()) {
	t.Helper()
	pids := s.pidsOf(t, name)
	if len(pids) != 1 {
		t.Fatalf("processes %v", pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ask := func() (graphQL, error) {
		return s.try(fmt.Sprintf(`{ site(domain: "shop.example") { sessionCount(filters: [{ paidTraffic: { source: "%d" } }], range: { from: "2000-01-01T00:00:00Z" }) } }`, time.Now().UnixNano()))
	}
	ended := make(chan struct{})
	var hanging sync.WaitGroup
	for range 3 {
		hanging.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				g, err := ask()
				if err != nil || len(g.Errors) > 0 && g.Errors[0].Extensions.Code != "UNAVAILABLE" {
					t.Errorf("%v %v", g.Errors, err)
					return
				}
				if len(g.Errors) == 0 {
					return // it was started again
				}
			}
		})
	}
	return func() {
		t.Helper()
		close(ended)
		hanging.Wait()
		await(t, "the plugin that hangs is started again", func() bool {
			g, err := ask()
			return err == nil && len(g.Errors) == 0
		})
	}
}
