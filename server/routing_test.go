//go:build system

// The tests in this file run HAProxy, and one of them the server, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// nodeNames are those of the servers in docs/haproxy.cfg, and nodeAddresses where they listen.
var (
	nodeNames     = []string{"one", "two", "three"}
	nodeAddresses = []string{"10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"}
)

// proxy is a run of HAProxy.
type proxy struct {
	*server
	// logFile takes its log. A pipe would not do: HAProxy drops what does not fit into it.
	logFile string
}

// mustRoute starts HAProxy as docs/haproxy.cfg has it, before the servers at the addresses. edits are texts of the file
// with what takes their place.
func mustRoute(tb testing.TB, addresses []string, edits ...string) *proxy {
	tb.Helper()
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		haproxy, err = exec.LookPath("/usr/sbin/haproxy") // Debian's, which is not in everybody's PATH
	}
	if err != nil {
		tb.Fatalf("install HAProxy 2.6 or later, or run make test-system, which does: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	text, err := os.ReadFile("../docs/haproxy.cfg")
	if err != nil {
		tb.Fatal(err)
	}
	configuration := string(text)
	edits = append(edits, "bind :8080", "bind fd@3") // it inherits the listener, so that nobody else takes its port
	for i, address := range addresses {
		edits = append(edits, nodeAddresses[i], address)
	}
	for i := 0; i < len(edits); i += 2 {
		if n := strings.Count(configuration, edits[i]); n != 1 {
			tb.Fatalf("docs/haproxy.cfg has %q %d times, want once", edits[i], n)
		}
		configuration = strings.Replace(configuration, edits[i], edits[i+1], 1)
	}
	p := program(tb)
	p.Path, p.Args = haproxy, []string{"haproxy", "-db", "-f", mustWriteFile(tb, "haproxy.cfg", configuration)}
	p.ExtraFiles = []*os.File{file}
	log, err := os.Create(filepath.Join(p.Dir, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	p.Stdout = log
	p.mustStart(tb)
	s := &proxy{&server{process: p, url: "http://" + listener.Addr().String()}, log.Name()}
	await(tb, "HAProxy answers", func() bool {
		select {
		case <-p.ended:
			tb.Fatalf("HAProxy ended: %v\n%s", p.err, &p.stderr)
		default:
		}
		a, err := do(http.NewRequest(http.MethodGet, s.url+"/readyz", nil))
		return err == nil && a.status == http.StatusOK
	})
	return s
}

// log returns what HAProxy has logged.
func (p *proxy) log(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// awaitHealth waits until HAProxy has said often enough that a server is DOWN or UP.
func (p *proxy) awaitHealth(tb testing.TB, node, health string, times int) {
	tb.Helper()
	await(tb, fmt.Sprintf("HAProxy finds %s %s", node, health), func() bool {
		return strings.Count(p.log(tb), fmt.Sprintf("Server servers/%s is %s", node, health)) >= times
	})
}

// backend is a server that says which one it is.
type backend struct {
	*httptest.Server
	isUnready atomic.Bool
	// cut counts the requests whose connections it has cut.
	cut atomic.Int32
}

func newBackend(tb testing.TB, name string) *backend {
	s := &backend{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/readyz" && s.isUnready.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Query().Has("cut"):
			s.cut.Add(1)
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprint(w, name, " ", r.Header.Get("X-Forwarded-Proto"), "://", r.Host, r.Header.Get("X-Forwarded-Host"), " for ", r.Header.Get("X-Forwarded-For"))
		}
	}))
	tb.Cleanup(s.Close)
	return s
}

// Requests go where docs/haproxy.cfg says: by the header, by the path, or to any server.
func TestProxyRoutes(t *testing.T) {
	t.Parallel()
	var backends []*backend
	var addresses []string
	for _, name := range nodeNames {
		s := newBackend(t, name)
		backends, addresses = append(backends, s), append(addresses, s.Listener.Addr().String())
	}
	proxy := mustRoute(t, addresses, "#use-server", "use-server")
	// node returns which server a request comes to.
	node := func(path, header string) string {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, proxy.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-Proto", "made")
		request.Header.Set("X-Forwarded-Host", "up.example")
		if header != "" {
			request.Header.Set("Goalgraph-Site", header)
		}
		a, err := do(request, nil)
		if err != nil || a.status != http.StatusOK {
			t.Fatalf("%s: %v %+v", path, err, a)
		}
		name, told, _ := strings.Cut(a.body, " ")
		if want := proxy.url + " for 127.0.0.1"; told != want {
			t.Errorf("the server is told %q, want %q", told, want)
		}
		return name
	}
	const domains = 1000
	domain := func(n int) string { return fmt.Sprintf("shop-%d.example", n) }
	home, shares := map[string]string{}, map[string]int{}
	for n := range domains {
		home[domain(n)] = node("/graphql/"+domain(n), "")
		shares[home[domain(n)]]++
	}
	t.Logf("of %d sites the servers have %v", domains, shares)
	for _, name := range nodeNames {
		if most := domains / 3 * 5 / 4; shares[name] > most {
			t.Errorf("%s has %d of %d sites, want %d at most", name, shares[name], domains, most)
		}
	}
	for n := range 20 {
		d := domain(n)
		for _, hint := range [][2]string{
			{"/graphql", d}, {"/graphql?query=/a/b", d}, {"/graphql/" + domain(n+1), d}, {"/graphql", strings.ToUpper(d)},
			{"/graphql/" + strings.ToUpper(d), ""}, {"/graphql/" + strings.Replace(d, "shop", "%73hop", 1) + "?query=x", ""},
		} {
			if name := node(hint[0], hint[1]); name != home[d] {
				t.Errorf("%s with the header %q comes to %s, want %s", hint[0], hint[1], name, home[d])
			}
		}
	}
	for _, hint := range [][2]string{{"/graphql", ""}, {"/graphql/", ""}, {"/v1/page", domain(0)}, {"/", domain(0)}} {
		reached := map[string]bool{}
		for range 100 {
			reached[node(hint[0], hint[1])] = true
		}
		if len(reached) != 3 {
			t.Errorf("%s comes to %v only", hint[0], slices.Collect(maps.Keys(reached)))
		}
	}
	if name := node("/graphql/large.example", ""); name != "two" {
		t.Errorf("the site that has its place comes to %s", name)
	}

	// What changes something is not asked twice.
	cuts := func() (n int32) {
		for _, s := range backends {
			n += s.cut.Load()
		}
		return n
	}
	if a, err := do(http.NewRequest(http.MethodPost, proxy.url+"/graphql?cut", strings.NewReader("{}"))); err == nil && a.status != 502 || cuts() != 1 {
		t.Errorf("a POST was sent %d times: %v %+v", cuts(), err, a)
	}
	if a, err := do(http.NewRequest(http.MethodGet, proxy.url+"/graphql?cut", nil)); err != nil || a.status < 500 || cuts() != 1+4 {
		t.Errorf("a GET was sent %d times: %v %+v", cuts()-1, err, a)
	}

	// A server that is not ready has its sites moved, and only those; they come back.
	backends[1].isUnready.Store(true)
	proxy.awaitHealth(t, "two", "DOWN", 1)
	moved := map[string]int{}
	for d, was := range home {
		switch now := node("/graphql/"+d, ""); {
		case was == "two":
			moved[now]++
		case now != was:
			t.Errorf("%s has moved from %s to %s", d, was, now)
		}
	}
	t.Logf("the sites of two have moved: %v", moved)
	if moved["two"] > 0 || moved["one"] == 0 || moved["three"] == 0 {
		t.Errorf("the sites of two have moved to %v, want both others", moved)
	}
	if name := node("/graphql/large.example", ""); name == "two" {
		t.Error("the site that has its place still comes there")
	}
	backends[1].isUnready.Store(false)
	proxy.awaitHealth(t, "two", "UP", 1)
	for d, was := range home {
		if now := node("/graphql/"+d, ""); now != was {
			t.Errorf("%s comes to %s, want %s as before", d, now, was)
		}
	}
}

// The sites of TestRoutingBySite, of one size, and how many days and sessions a day they have.
const (
	routedSites    = 30
	routedDays     = 3
	routedSessions = 100
	routedPages    = 7
)

func routedDomain(site int) string { return fmt.Sprintf("site%d.example", site+1) }

// routedPage is the page that a session of a site visits.
func routedPage(site, session int) int { return session * (site + 3) % routedPages % (site%3 + 3) }

// routing is a HAProxy before servers.
type routing struct {
	*testing.T
	proxy *proxy
	nodes map[string]*server
	// asked counts the questions, of which each is another one.
	asked atomic.Int64
}

// ask asks for a count of a site, again if the answer is lost with a server, and checks it.
func (r *routing) ask(site int) {
	n := int(r.asked.Add(1))
	page, domain := n%routedPages, routedDomain(site)
	want := 0
	for session := range routedSessions {
		if routedPage(site, session) == page {
			want += routedDays
		}
	}
	// No session has so many page views: the limit makes a question that nothing but columns can answer.
	query := fmt.Sprintf(`{ site(domain: %q) { sessionCount(filters: [{ pages: { all: ["/%d"] } }, { pageViews: { max: %d } }], range: { from: "2020-01-01T00:00:00Z" }) } }`,
		domain, page, 100+n)
	for begin := time.Now(); ; {
		var a answer
		var err error
		switch n % 3 {
		case 0:
			var request *http.Request
			if request, err = graphQLRequest(r.proxy.url, query); err == nil {
				request.URL.Path += "/" + domain
			}
			a, err = do(request, err)
		case 1:
			a, err = do(http.NewRequest(http.MethodGet, r.proxy.url+"/graphql/"+domain+"?query="+url.QueryEscape(query), nil))
		default:
			var request *http.Request
			if request, err = http.NewRequest(http.MethodGet, r.proxy.url+"/graphql?query="+url.QueryEscape(query), nil); err == nil {
				request.Header.Set("Goalgraph-Site", domain)
			}
			a, err = do(request, err)
		}
		if isLost := err != nil || a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable; isLost && time.Since(begin) < limit {
			continue
		}
		if answered := fmt.Sprintf(`"sessionCount":%d}`, want); err != nil || a.status != http.StatusOK || !strings.Contains(a.body, answered) {
			r.Errorf("%s is answered with %v, %d %s; want %s", query, err, a.status, a.body, answered)
		}
		return
	}
}

// askAll asks about each site, and returns where its question went.
func (r *routing) askAll() (homes map[string]string) {
	r.Helper()
	before := len(r.log())
	for site := range routedSites {
		r.ask(site)
	}
	homes = map[string]string{}
	for _, question := range r.log()[before:] {
		homes[question.site] = question.node
	}
	return homes
}

// routedQuestion is a question that HAProxy has seen answered.
type routedQuestion struct{ site, node string }

// routedLine is the line of its log, for an answer that was not cut off.
var routedLine = regexp.MustCompile(` goalgraph servers/(\w+) \S+ 200 \d+ - - ---- .*"(?:GET|POST) /graphql\S*(site\d+\.example)`)

// log returns the questions about sites that were answered, in their order, when HAProxy has logged them all.
func (r *routing) log() (questions []routedQuestion) {
	r.Helper()
	await(r, "HAProxy has logged every answer", func() bool {
		questions = nil
		for _, found := range routedLine.FindAllStringSubmatch(r.proxy.log(r), -1) {
			questions = append(questions, routedQuestion{found[2], found[1]})
		}
		return int64(len(questions)) >= r.asked.Load()
	})
	return questions
}

// holds waits until each server holds the columns of all sites that it was asked about, and of no other. It returns the
// bytes.
func (r *routing) holds() (bytes map[string]float64) {
	r.Helper()
	sites := map[string]map[string]bool{}
	for _, question := range r.log() {
		if sites[question.node] == nil {
			sites[question.node] = map[string]bool{}
		}
		sites[question.node][question.site] = true
	}
	bytes = map[string]float64{}
	for name, node := range r.nodes {
		want, partitions := float64(routedDays*len(sites[name])), -1.0
		await(r, fmt.Sprintf("%s holds %v partitions", name, want), func() bool {
			if now := node.figure(r, "goalgraph_columns_partitions"); now != partitions {
				r.Logf("%s holds %v partitions; it was asked about %d sites of %d days", name, now, len(sites[name]), routedDays)
				partitions = now
			}
			return partitions == want
		})
		bytes[name] = node.figure(r, "goalgraph_columns_bytes")
	}
	r.Logf("the servers hold bytes of columns: %v", bytes)
	return bytes
}

// watch opens a subscription about a site, by WebSocket or as an event stream. next returns the conversions that it is
// told next.
func (r *routing) watch(site int, id, protocol string) (next func() (conversions int, err error)) {
	r.Helper()
	query, err := json.Marshal(map[string]string{
		"query": fmt.Sprintf(`subscription { goalCards(siteId: %q, range: { from: "2020-01-01T00:00:00Z" }) { cells { conversions sessions } } }`, id),
	})
	if err != nil {
		r.Fatal(err)
	}
	address := r.proxy.url + "/graphql/" + routedDomain(site)
	ctx, cancel := context.WithCancel(r.Context())
	r.Cleanup(cancel)
	if protocol == "SSE" {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(string(query)))
		if err != nil {
			r.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "text/event-stream")
		response, err := client.Do(request)
		if err != nil || response.StatusCode != http.StatusOK {
			r.Fatalf("%v %+v", err, response)
		}
		r.Cleanup(func() { response.Body.Close() })
		lines := bufio.NewScanner(response.Body)
		return func() (int, error) {
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "data: {") {
					return ticksIn(lines.Bytes())
				}
			}
			return 0, fmt.Errorf("the stream has ended: %w", lines.Err())
		}
	}
	conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { conn.CloseNow() })
	for _, message := range []string{`{"type":"connection_init"}`, `{"id":"1","type":"subscribe","payload":` + string(query) + `}`} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			r.Fatal(err)
		}
	}
	return func() (int, error) {
		for {
			_, message, err := conn.Read(ctx)
			if err != nil {
				return 0, err
			}
			if strings.Contains(string(message), `"type":"next"`) {
				return ticksIn(message)
			}
		}
	}
}

// Three servers over one database each hold the columns of their sites. When one is killed, every question is answered,
// and nothing but its sites is loaded by the others.
func TestRoutingBySite(t *testing.T) {
	t.Parallel()
	database, redis := storetest.PostgreSQL(t), storetest.RedisServer(t)
	r := &routing{T: t, nodes: map[string]*server{}}
	var addresses []string
	serve := func(listen string) *server {
		return program(t, "serve", "--auth", "none", "--listen", listen, "--database", database, "--redis", redis.URL, "--trusted-proxies", "127.0.0.1").mustServe(t)
	}
	for _, name := range nodeNames {
		r.nodes[name] = serve("127.0.0.1:0")
		addresses = append(addresses, strings.TrimPrefix(r.nodes[name].url, "http://"))
	}
	r.proxy = mustRoute(t, addresses)
	t.Cleanup(func() {
		if t.Failed() {
			for name, node := range r.nodes {
				t.Logf("%s:\n%s", name, &node.stderr)
			}
		}
	})
	for site := range routedSites {
		r.proxy.mustAsk(t, fmt.Sprintf(`mutation { createSite(input: { name: "Site", domains: [%q] }) { site { id } } }`, routedDomain(site)))
		var batch []string
		for day := range routedDays {
			for session := range routedSessions {
				batch = append(batch, fmt.Sprintf(`{"type":"page","messageId":"%d-%d","anonymousId":"v%[2]d","timestamp":"2025-01-0%dT12:00:00Z","properties":{"path":"/%d"}}`,
					day, session, day+1, routedPage(site, session)))
			}
		}
		if a := r.proxy.mustTrack(t, routedDomain(site), "/v1/batch", []byte(`{"batch":[`+strings.Join(batch, ",")+`]}`)); a.status != http.StatusOK {
			t.Fatalf("%+v", a)
		}
	}
	// Any server may store columns. None keeps them for that.
	db := openSQL(t, database)
	await(t, "all columns are stored", func() bool {
		return number(t, db, "SELECT count(*) FROM partitions WHERE columns_revision < revision") == 0
	})
	r.holds()

	homes := r.askAll()
	for range 2 {
		if again := r.askAll(); !maps.Equal(again, homes) {
			t.Errorf("the sites have moved: %v, and then %v", homes, again)
		}
	}
	bytes, all := r.holds(), 0.0
	for _, name := range nodeNames {
		all += bytes[name]
	}
	for _, name := range nodeNames {
		if most := all / 3 * 1.25; bytes[name] > most {
			t.Errorf("%s holds %v bytes of %v, want %v at most", name, bytes[name], all, most)
		}
	}

	const killed = "two"
	// site returns one of the sites of the server, or one of another server, with a goal to watch.
	site := func(isKilled bool) (site int, id string) {
		for homes[routedDomain(site)] == killed != isKilled {
			site++
		}
		var data struct{ Site struct{ ID string } }
		if err := json.Unmarshal([]byte(r.proxy.mustAsk(t, fmt.Sprintf(`{ site(domain: %q) { id } }`, routedDomain(site)))), &data); err != nil {
			t.Fatal(err)
		}
		r.proxy.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "tick", name: "Tick" }) { goal { id } } }`, data.Site.ID))
		return site, data.Site.ID
	}
	stays, staysID := site(false)
	moves, movesID := site(true)
	watching := map[string]func() (int, error){}
	for _, protocol := range []string{"SSE", "WebSocket"} {
		for name, next := range map[string]func() (int, error){
			protocol + " that stays": r.watch(stays, staysID, protocol), protocol + " that is lost": r.watch(moves, movesID, protocol),
		} {
			if ticks, err := next(); err != nil || ticks != 0 {
				t.Errorf("%s: %d, %v", name, ticks, err)
			}
			watching[name] = next
		}
	}

	stop := make(chan struct{})
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.ask(rand.IntN(routedSites))
				}
			}
		})
	}
	goOn := func() {
		before := r.asked.Load()
		await(t, "questions are answered", func() bool { return r.asked.Load() > before+routedSites || t.Failed() })
	}
	goOn()
	if err := r.nodes[killed].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	goOn()
	r.proxy.awaitHealth(t, killed, "DOWN", 1)
	goOn()
	close(stop)
	asking.Wait()
	address := addresses[slices.Index(nodeNames, killed)]
	delete(r.nodes, killed)

	moved := r.askAll()
	for domain, home := range homes {
		if now := moved[domain]; now == killed || home != killed && now != home {
			t.Errorf("%s was at %s, and is at %s", domain, home, now)
		}
	}
	for _, question := range r.log() {
		if home := homes[question.site]; home != killed && question.node != home {
			t.Errorf("%s answered a question about %s, which is at %s", question.node, question.site, home)
		}
	}
	r.holds()

	if a := r.proxy.mustTrack(t, routedDomain(stays), "/v1/track", []byte(`{"anonymousId":"a","event":"tick"}`)); a.status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
	for name, next := range watching {
		ticks, err := next()
		if isLost := strings.HasSuffix(name, "lost"); isLost != (err != nil) || !isLost && ticks != 1 {
			t.Errorf("%s: %d, %v", name, ticks, err)
		}
	}
	if ticks, err := r.watch(moves, movesID, "WebSocket")(); err != nil || ticks != 0 {
		t.Errorf("a WebSocket that connects again: %d, %v", ticks, err)
	}

	// The server's sites come back with it.
	r.nodes[killed] = serve(address)
	r.proxy.awaitHealth(t, killed, "UP", 1)
	if again := r.askAll(); !maps.Equal(again, homes) {
		t.Errorf("the sites were %v, and are %v", homes, again)
	}
}
