//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/goalgraph/goalgraph/server/app/sample"
)

const sampleDomain = sample.Domain

// threat is an attack on the server.
type threat struct {
	name string
	// count is how many requests or connections there are, and processes how many send them.
	count, processes int
	// gets are the answers that the server may give.
	gets []string
}

var threats = []threat{
	{"fragment bomb", 200, 1, []string{"400"}},
	{"hours over aliases", 200, 1, []string{"400"}},
	{"repeated field", 200, 1, []string{"400", "413", "429", "503"}},
	{"introspection aliases", 200, 1, []string{"400", "413", "429", "503"}},
	{"documents of 60 KB", 1000, 1, []string{"200", "400", "413", "429", "503"}},
	{"documents of 1 MB", 1000, 1, []string{"400", "413", "429", "503"}},
	{"heavy queries", 100, 1, []string{"answered", "refused", "closed"}},
	// A process may not have so many open.
	{"sockets", 21_000, 2, []string{"open", "1013", "503"}},
	{"slow clients", 2000, 1, []string{"408", "closed"}},
	{"slow readers", 500, 1, []string{"closed"}},
}

// result is what came of an attack.
type result struct {
	threat
	got       map[string]int
	took      time.Duration
	latencies []time.Duration // of the client
	rss       int64           // at the most
	freed     time.Duration
}

// The bounds of an attack: how much slower the client is answered, the p99 that is no failure however short it was before,
// the server's memory, and the time until it has all back. Two waits for a processor, which the Go scheduler takes from
// another after 10 ms, are within calm.
const (
	mostSlower   = 2
	calm         = 25 * time.Millisecond
	mostResident = 1 << 30
	mostFreeing  = 10 * time.Second
)

// attacked is a server that is attacked, beside a client who asks for goal cards fifty times a second.
type attacked struct {
	*testing.T
	*server
	admin       string
	key, attack string // of the client and of the attackers
	// goal and segment are ids of the sample's.
	goal, segment string
	ask           *http.Request
	client        *http.Client
	// failures are how many of the client's questions were not answered.
	failures atomic.Int64
}

// TestAttacks attacks a server that asks for keys, in one way after another. Beside each a client is answered, nearly as
// fast as ever; the server's memory has a bound, and it has all back soon afterwards. It is for make soak-limits: the tests
// that docs/security.md names hold each bound alone.
func TestAttacks(t *testing.T) {
	only := os.Getenv("GOALGRAPH_ATTACKS")
	if only == "" {
		t.Skip("it takes two minutes of a machine that does nothing else: make soak-limits")
	}
	a := newAttacked(t)
	var idle []time.Duration
	var results []result
	a.beside(time.Second) // warms it
	for _, threat := range threats {
		if only != "all" && only != threat.name {
			continue
		}
		idle = append(idle, a.beside(5*time.Second)...)
		results = append(results, a.suffer(threat))
	}
	p99 := p99Of(idle)
	a.report(results, p99)
	for _, r := range results {
		for answer := range r.got {
			if !slices.Contains(r.gets, answer) {
				t.Errorf("%s: the server answers %s", r.name, answer)
			}
		}
		if r.rss > mostResident {
			t.Errorf("%s: the server has %d MiB", r.name, r.rss>>20)
		}
		if p99Of(r.latencies) > max(mostSlower*p99, calm) {
			t.Errorf("%s: the client's p99 is %v, and %v without", r.name, p99Of(r.latencies), p99)
		}
		if r.freed > mostFreeing {
			t.Errorf("%s: all is freed after %v", r.name, r.freed)
		}
	}
	a.mustStop(t)
}

func newAttacked(t *testing.T) *attacked {
	t.Helper()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	admin := freeAddress(t)
	p := program(t, "serve", "--auth", "keys", "--listen", "127.0.0.1:0", "--admin-listen", admin, "--database", database, "--sample")
	p.Path = checked
	a := &attacked{T: t, server: p.mustServe(t), admin: "http://" + admin}
	key := func(scope string) string {
		return strings.TrimSpace(program(t, "--database", database, "key", "create", "--scope", scope, scope).mustRun(t, done).stdout.String())
	}
	a.key, a.attack = key("read"), key("read")
	const cards = `{ site(domain: "` + sampleDomain + `") { goalCards(range: { from: "2015-05-01T00:00:00Z" }) { goal { id } cells { segment { id } sessions conversions conversionRate } } } }`
	var err error
	// A query by GET is sent again where its connection was closed, as browsers do.
	if a.ask, err = http.NewRequest(http.MethodGet, a.url+"/graphql?query="+url.QueryEscape(cards), nil); err != nil {
		t.Fatal(err)
	}
	a.ask.Header.Set("Authorization", "Bearer "+a.key)
	a.client = &http.Client{Timeout: limit, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	t.Cleanup(a.client.CloseIdleConnections)
	ids := idIn.FindAllStringSubmatch(a.mustAnswer(a.ask), 2)
	if len(ids) < 2 {
		t.Fatal("the sample has no goals or no segments")
	}
	a.goal, a.segment = strings.Trim(ids[0][1], `"`), strings.Trim(ids[1][1], `"`)
	return a
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// mustAnswer returns the body of an answer that has no errors.
func (a *attacked) mustAnswer(request *http.Request) string {
	body, err := a.answer(request)
	if err != nil && a.failures.Add(1) == 1 { // many would be alike
		a.Errorf("the client is not answered: %v", err)
	}
	return body
}

func (a *attacked) answer(request *http.Request) (string, error) {
	response, err := a.client.Do(request.Clone(a.Context()))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || bytes.Contains(body, []byte(`"errors"`))) {
		err = fmt.Errorf("%s, %.300s", response.Status, body)
	}
	return string(body), err
}

// beside has the client ask for a while, fifty times a second whenever the answers come, and returns how long each took.
func (a *attacked) beside(while time.Duration) []time.Duration {
	ctx, cancel := context.WithTimeout(a.Context(), while)
	defer cancel()
	return a.askUntil(ctx)
}

func (a *attacked) askUntil(ctx context.Context) (latencies []time.Duration) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	defer asking.Wait()
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			asking.Wait()
			return latencies
		case <-tick.C:
		}
		asking.Go(func() {
			begin := time.Now()
			a.mustAnswer(a.ask)
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, time.Since(begin))
		})
	}
}

func p99Of(latencies []time.Duration) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(latencies))
	return sorted[len(sorted)*99/100]
}

// holdings are what the server has: goroutines, connections and other files, and the bytes of what is not garbage.
type holdings struct{ goroutines, files, heap float64 }

func (a *attacked) holdings() holdings {
	a.Helper()
	admin := &server{a.process, a.admin}
	if answer := admin.get(a, "/debug/pprof/heap?gc=1"); answer.status != http.StatusOK {
		a.Fatalf("%+v", answer)
	}
	return holdings{admin.figure(a, "go_goroutines"), admin.figure(a, "process_open_fds"), admin.figure(a, "go_memstats_heap_alloc_bytes")}
}

// isLike tells whether there is hardly more than before. What may have come is caches and the client's connections.
func (h holdings) isLike(before holdings) bool {
	return h.goroutines <= before.goroutines+100 && h.files <= before.files+100 && h.heap <= before.heap+48<<20
}

// suffer has the server attacked, with the client beside it.
func (a *attacked) suffer(attack threat) result {
	a.Helper()
	r := result{threat: attack, got: map[string]int{}}
	before, begin := a.holdings(), time.Now()
	ctx, cancel := context.WithCancel(a.Context())
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() { r.latencies = a.askUntil(ctx) })
	watching.Go(func() {
		for tick := time.Tick(20 * time.Millisecond); ctx.Err() == nil; <-tick {
			r.rss = max(r.rss, residentBytes(a.Process.Pid))
		}
	})
	outputs := make([]bytes.Buffer, attack.processes)
	var attacking sync.WaitGroup
	for i := range outputs {
		each := attack.count / attack.processes
		given, err := json.Marshal(assault{attack.name, strings.TrimPrefix(a.url, "http://"), a.attack, a.goal, a.segment, each, i * each})
		if err != nil {
			a.Fatal(err)
		}
		// It gives way to the server and the client, whose processors real attackers do not use.
		attacker := exec.CommandContext(ctx, "nice", "-n", "19", os.Args[0])
		attacker.Env = append(os.Environ(), attackVariable+"="+string(given))
		attacker.Stdout, attacker.Stderr = &outputs[i], os.Stderr
		attacking.Go(func() {
			if err := attacker.Run(); err != nil {
				a.Errorf("%s: %v", attack.name, err)
			}
		})
	}
	attacking.Wait()
	r.took = time.Since(begin)
	cancel()
	watching.Wait()
	for i := range outputs {
		var got map[string]int
		if err := json.Unmarshal(outputs[i].Bytes(), &got); err != nil {
			a.Errorf("%s: %v: %s", attack.name, err, &outputs[i])
		}
		for answer, times := range got {
			r.got[answer] += times
		}
	}
	ended := time.Now()
	await(a, attack.name+": all is freed", func() bool { return a.holdings().isLike(before) })
	r.freed = time.Since(ended)
	return r
}

// report logs a table of the results.
func (a *attacked) report(results []result, idle time.Duration) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "attack\ttook\tp99 idle\tp99 under attack\tratio\tresident\tfreed after\tgot")
	for _, r := range results {
		var got []string
		for _, answer := range slices.Sorted(maps.Keys(r.got)) {
			got = append(got, fmt.Sprintf("%d × %s", r.got[answer], answer))
		}
		p99 := p99Of(r.latencies)
		fmt.Fprintf(table, "%d %s\t%v\t%v\t%v\t%.1f\t%d MiB\t%v\t%s\n", r.count, r.name, r.took.Round(100*time.Millisecond), idle.Round(100*time.Microsecond), p99.Round(100*time.Microsecond),
			float64(p99)/float64(max(idle, 1)), r.rss>>20, r.freed.Round(10*time.Millisecond), strings.Join(got, ", "))
	}
	table.Flush()
	a.Logf("%d questions of the client were not answered\n%s", a.failures.Load(), &text)
}
