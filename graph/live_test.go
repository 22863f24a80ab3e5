package graph_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/transport"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// measured has the graph's figures kept, for figure.
func measured(o *testOptions) { o.transport.Metrics = prometheus.NewRegistry() }

// figure returns a figure of subscriptions, without the prefix of their names.
func (g *testGraph) figure(name string) float64 {
	g.Helper()
	families, err := g.metrics.(*prometheus.Registry).Gather()
	if err != nil {
		g.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			full := family.GetName()
			for _, label := range metric.GetLabel() {
				full += fmt.Sprintf("{%s=%q}", label.GetName(), label.GetValue())
			}
			if full == "goalgraph_live_"+name {
				return metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// await polls until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("still not after %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

// Equal subscriptions are one computation, however they are written, and who comes later
// gets what is known. A site at which nothing happens is looked at once a second, for
// all of them.
func TestEqualSubscriptionsAreOne(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), measured)
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	const readers = 30
	var wires []*wire
	for i := range readers {
		w := g.connect()
		text := cards
		if i%2 == 1 {
			text = "# another client's\n" + strings.ReplaceAll(cards, "\n", " ")
		}
		w.subscribe("1", text, vars{"site": site})
		w.want("next", "1")
		wires = append(wires, w)
	}
	if n, questions := g.figure("computations_total"), g.figure("questions"); n > 2 || questions != 1 {
		t.Errorf("%v computations of %v questions for equal subscriptions", n, questions)
	}
	other := g.connect()
	other.subscribe("1", cards, vars{"site": site, "goals": []string{}})
	other.want("next", "1")
	if questions, subscriptions := g.figure("questions"), g.figure("subscriptions"); questions != 2 || subscriptions != readers+1 {
		t.Errorf("%v questions of %v subscriptions", questions, subscriptions)
	}

	await(t, "the site is quiet", func() bool { return g.figure("looks_total") >= 2 })
	looks, computations, begin := g.figure("looks_total"), g.figure("computations_total"), time.Now()
	await(t, "the site was looked at four times", func() bool { return g.figure("looks_total") >= looks+4 })
	n := g.figure("looks_total") - looks
	if took := time.Since(begin); n > 2+took.Seconds() { // one at each end
		t.Errorf("a quiet site was looked at %v times in %v", n, took)
	}
	if n := g.figure("computations_total") - computations; n != 0 {
		t.Errorf("%v computations where nothing has changed", n)
	}

	g.write("shop.example", page("v1", "2026-05-17T10:00:00Z", "/"))
	for _, w := range wires {
		w.wantData("1", `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":1,"conversions":1}]}]}`)
	}
	if n := g.figure("computations_total") - computations; n > 3 {
		t.Errorf("%v computations of two questions for one change", n)
	}
	for _, w := range wires {
		w.conn.CloseNow()
	}
	await(t, "the others have left", func() bool { return g.figure("questions") == 1 && g.figure("connections") == 1 })
}

// Equal subscriptions are computed once, whoever has them, by a principal that may do no more than it takes.
func TestPrincipalsShareAnswers(t *testing.T) {
	t.Parallel()
	engine := new(askers)
	g := newGraph(t, storetest.SQLite(t), measured, func(o *testOptions) {
		engine.Engine = o.Engine
		o.Engine = engine
	})
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	for n, p := range []*model.Principal{nil, keyOf(1, model.ReadScope, 1), keyOf(2, model.AdminScope, 1), keyOf(3, model.EditScope, model.AllSites)} {
		w := g.as(p).connect()
		w.subscribe("1", cards, vars{"site": site})
		w.want("next", "1")
		if questions, subscriptions := g.figure("questions"), g.figure("subscriptions"); questions != 1 || subscriptions != float64(n+1) {
			t.Errorf("%v questions of %v subscriptions of %d principals", questions, subscriptions, n+1)
		}
	}
	engine.mu.Lock()
	defer engine.mu.Unlock()
	for _, p := range engine.principals {
		if !slices.Equal(p.Grants, []model.Grant{{Site: 1, Scope: model.ReadScope}}) {
			t.Errorf("it is computed by one who may do %v", p.Grants)
		}
	}
}

// askers is an engine that notes who asks.
type askers struct {
	graph.Engine
	mu         sync.Mutex
	principals []*model.Principal
}

func (a *askers) Count(ctx context.Context, questions []count.Question) ([]count.Answer, error) {
	a.mu.Lock()
	a.principals = append(a.principals, model.ActorOf(ctx).Principal)
	a.mu.Unlock()
	return a.Engine.Count(ctx, questions)
}

// While much is written, answers come once a second, and computedAt alone is no change.
func TestPace(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy", raw(`{"events":{"all":["buy"]}}`))
	w := g.connect()
	begin := time.Now()
	w.subscribe("1", `subscription($site: ID!) { goalCards(siteId: $site, range: { from: "2026-05-17T00:00:00Z" }) { at: computedAt cells { sessions } } }`, vars{"site": site})
	var written atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for n := 1; ctx.Err() == nil; n++ {
			g.write("shop.example", page(fmt.Sprint("v", n), "2026-05-17T10:00:00Z", "/"))
			written.Store(int64(n))
		}
	}()
	type answer struct {
		Data struct {
			GoalCards []struct {
				At    time.Time
				Cells []struct{ Sessions int }
			}
		}
	}
	read := func() (a answer) {
		if err := json.Unmarshal(w.want("next", "1"), &a); err != nil {
			t.Fatal(err)
		}
		if behind := time.Since(a.Data.GoalCards[0].At); behind < -time.Second || behind > limit {
			t.Errorf("computedAt is %v ago", behind)
		}
		return a
	}
	const answers = 5
	for range answers {
		read()
	}
	if took := time.Since(begin); took < (answers-1)*time.Second {
		t.Errorf("%d answers within %v", answers, took)
	}
	stop()
	<-writing
	for read().Data.GoalCards[0].Cells[0].Sessions != int(written.Load()) {
	}
	// A segment that is not active changes no figure, and so is not told.
	g.must(`mutation($s: ID!) { createSegment(input: { siteId: $s, name: "x", filters: [], active: false }) { segment { id } } }`, vars{"s": site})
	g.must(`mutation($s: ID!) { createGoal(input: { siteId: $s, key: "later", name: "later" }) { goal { id } } }`, vars{"s": site})
	if n := len(read().Data.GoalCards); n != 2 {
		t.Errorf("%d cards", n)
	}
}

// A bus that tells of nothing costs freshness only.
func TestNothingIsHeard(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) { o.transport.Bus = nil })
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	w := g.connect()
	w.subscribe("1", cards, vars{"site": site})
	w.want("next", "1")
	g.write("shop.example", page("v1", "2026-05-17T10:00:00Z", "/"))
	begin := time.Now()
	w.wantData("1", `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":1,"conversions":1}]}]}`)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// flaky is an engine that fails, or hangs, as long as it is told to.
type flaky struct {
	graph.Engine
	fails, hangs atomic.Bool
	hung         atomic.Int64
}

func (f *flaky) Results(ctx context.Context, questions []experiment.Question) ([]experiment.Answer, error) {
	if f.hangs.Load() {
		<-ctx.Done()
		f.hung.Add(1)
		return nil, ctx.Err()
	}
	return f.Engine.Results(ctx, questions)
}

func (f *flaky) Count(ctx context.Context, questions []count.Question) ([]count.Answer, error) {
	if f.fails.Load() {
		return nil, errors.New("the disk is on fire")
	}
	return f.Engine.Count(ctx, questions)
}

// What fails for a while is told, and is told to be over when it is.
func TestPassingFailure(t *testing.T) {
	t.Parallel()
	engine := new(flaky)
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		engine.Engine = o.Engine
		o.Engine = engine
	})
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	w := g.connect()
	w.subscribe("1", cards, vars{"site": site})
	const whole = `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":%d,"conversions":%d}]}]}`
	w.wantData("1", fmt.Sprintf(whole, 0, 0))
	engine.fails.Store(true)
	g.write("shop.example", page("v1", "2026-05-17T10:00:00Z", "/"))
	var failed answer
	if err := json.Unmarshal(w.want("next", "1"), &failed); err != nil || string(failed.Data) != strings.ReplaceAll(whole, "%d", "null") || len(failed.Errors) == 0 || failed.Errors[0].Extensions.Code != "INTERNAL" {
		t.Errorf("%v %s %v", err, failed.Data, failed.Errors)
	}
	engine.fails.Store(false)
	w.wantData("1", fmt.Sprintf(whole, 1, 1))
}

// A subscription whose answers take too long for a while keeps what it has, and goes on.
func TestAnswersTakeTooLong(t *testing.T) {
	t.Parallel()
	engine := new(flaky)
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		engine.Engine = o.Engine
		o.Engine, o.transport.Timeout = engine, 2*time.Second
	})
	site := g.site("a.example", "UTC")
	e := g.experiment(site, "headline", g.tracked(site, "buy"))
	g.start(e, "2026-05-01T00:00:00Z")
	w := g.connect()
	w.subscribe("1", `subscription($e: ID!) { experimentResults(experimentId: $e) { visitors } }`, vars{"e": e})
	w.wantData("1", `{"experimentResults":{"visitors":0}}`)
	engine.hangs.Store(true)
	g.write("a.example", assignment("ann", "2026-05-01T10:00:00Z", "headline", "a"))
	await(t, "answers have taken too long", func() bool { return engine.hung.Load() >= 2 })
	engine.hangs.Store(false)
	w.wantData("1", `{"experimentResults":{"visitors":1}}`)
}

// wide is a subscription with large answers.
var wide = strings.Replace(cards, "goal { name }", "goal { name "+wideFields()+" }", 1)

// trustsWide has wide carried out, which is larger than anybody may send.
func trustsWide(t *testing.T) func(*testOptions) {
	t.Helper()
	manifest, err := manifestOf(t, mustJSON(map[string]string{"wide": wide}))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *testOptions) { o.Documents = manifest }
}

// describedGoal makes a goal with a long description, for wide.
func (g *testGraph) describedGoal(site string) {
	g.Helper()
	g.must(`mutation($s: ID!, $d: String!) { createGoal(input: { siteId: $s, key: "buy", name: "buy", description: $d }) { goal { id } } }`, vars{"s": site, "d": strings.Repeat("long ", 900)})
}

func wideFields() string {
	var b strings.Builder
	for n := range 2000 {
		fmt.Fprintf(&b, "a%d: description ", n)
	}
	return b.String()
}

// A client that does not read is sent the newest state at the most, and is closed after a
// while. Nobody waits for it.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Write: 10 * time.Second}), measured, trustsWide(t))
	site := g.site("shop.example", "UTC")
	g.describedGoal(site)
	g.stalled(wide, vars{"site": site})
	w := g.connect()
	w.subscribe("1", cards, vars{"site": site})
	w.want("next", "1")
	for n := 1; g.figure(`closed_total{reason="stalled"}`) == 0; n++ {
		begin := time.Now()
		g.write("shop.example", page(fmt.Sprint("v", n), "2026-05-17T10:00:00Z", "/"))
		w.wantData("1", fmt.Sprintf(`{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":%d,"conversions":0}]}]}`, n))
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("an answer took %v beside a client that does not read", took)
		}
	}
	if n := g.figure("dropped_total"); n == 0 {
		t.Error("no answer was dropped")
	}
	await(t, "it has left", func() bool { return g.figure("connections") == 1 && g.figure("subscriptions") == 1 })
}

// When the server stops, clients are told by a code after which they connect again, and
// those that do not listen hold it up for a few seconds at most. Nothing goes on behind.
func TestClose(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), measured)
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	var wires []*wire
	for range 20 {
		w := g.connect()
		w.subscribe("1", cards, vars{"site": site})
		w.want("next", "1")
		wires = append(wires, w)
	}
	g.stalled(cards, vars{"site": site})
	events := g.events(cards, vars{"site": site})
	lines := bufio.NewReader(events.Body)
	mustEvent(t, lines, "next")
	closed := make(chan time.Duration)
	begin := time.Now()
	go func() {
		g.graph.Close(context.Background())
		closed <- time.Since(begin)
	}()
	for _, w := range wires {
		w.wantClosed(websocket.StatusServiceRestart)
	}
	for {
		line, err := lines.ReadString('\n')
		if strings.Contains(line, "complete") {
			t.Error("the event stream is complete, so its client does not connect again")
		}
		if err != nil {
			break
		}
	}
	if took := <-closed; took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	g.dial("graphql-transport-ws").wantClosed(websocket.StatusTryAgainLater)
	g.graph.Close(context.Background())
	if n := g.figure("questions") + g.figure("subscriptions") + g.figure("connections"); n != 0 {
		t.Errorf("%v of something are left", n)
	}
}

// events sends an operation that is answered by events.
func (g *testGraph) events(query string, variables vars) *http.Response {
	g.Helper()
	request, err := http.NewRequestWithContext(g.Context(), http.MethodPost, g.url, strings.NewReader(mustJSON(map[string]any{"query": query, "variables": variables})))
	if err != nil {
		g.Fatal(err)
	}
	request.Header = g.headers()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { response.Body.Close() })
	return response
}

// mustEvent reads the next event, which is of the kind, and returns its data.
func mustEvent(t *testing.T, lines *bufio.Reader, kind string) (data string) {
	t.Helper()
	event := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == "" && event != "":
			if event != kind {
				t.Fatalf("event %s with %s, want %s", event, data, kind)
			}
			return data
		case strings.HasPrefix(line, "event: "):
			event = line[len("event: "):]
		case strings.HasPrefix(line, "data:"):
			data = strings.TrimPrefix(line[len("data:"):], " ")
		}
	}
}

func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Ping: 20 * time.Millisecond}), measured)
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	response := g.events(cards, vars{"site": site})
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || !strings.HasPrefix(kind, "text/event-stream") {
		t.Fatalf("%d %s", response.StatusCode, kind)
	}
	lines := bufio.NewReader(response.Body)
	want := func(lines *bufio.Reader, kind, data string) {
		t.Helper()
		if got := mustEvent(t, lines, kind); data != "" && !sameJSON(t, []byte(got), []byte(data)) {
			t.Fatalf("got %s\nwant %s", got, data)
		}
	}
	want(lines, "next", `{"data":{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":0,"conversions":0}]}]}}`)
	g.write("shop.example", page("v1", "2026-05-17T10:00:00Z", "/"))
	want(lines, "next", `{"data":{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":1,"conversions":1}]}]}}`)
	gone := g.events(cards, vars{"site": site})
	want(bufio.NewReader(gone.Body), "next", "")
	gone.Body.Close()
	await(t, "who went is missed", func() bool { return g.figure("subscriptions") == 1 })

	query := bufio.NewReader(g.events("{ sites { name } }", nil).Body)
	want(query, "next", `{"data":{"sites":[{"name":"shop.example"}]}}`)
	want(query, "complete", "")
	wrong := bufio.NewReader(g.events("{ nothing }", nil).Body)
	if data := mustEvent(t, wrong, "next"); !strings.Contains(data, `"errors"`) || !strings.Contains(data, "BAD_USER_INPUT") {
		t.Error(data)
	}
	want(wrong, "complete", "")
	g.must(`mutation($id: ID!) { deleteSite(id: $id) { deletedId } }`, vars{"id": site})
	if data := mustEvent(t, lines, "next"); !strings.Contains(data, "NOT_FOUND") {
		t.Error(data)
	}
	want(lines, "complete", "")

	// By GET, as browsers' EventSource asks.
	get := func(accept string, params url.Values) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"?"+params.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", accept)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	other := g.site("other.example", "UTC")
	asked := url.Values{"query": {strings.Replace(cards, "subscription", "query Other { __typename } subscription Cards", 1)}, "operationName": {"Cards"}, "variables": {mustJSON(vars{"site": other})}}
	lines = bufio.NewReader(get("text/event-stream", asked).Body)
	want(lines, "next", `{"data":{"goalCards":[]}}`)
	g.goal(other, "look")
	want(lines, "next", `{"data":{"goalCards":[{"goal":{"name":"look"},"cells":[{"segment":{"name":"All"},"sessions":0,"conversions":0}]}]}}`)
	if data := mustEvent(t, bufio.NewReader(get("text/event-stream", url.Values{"query": {`mutation { deleteSite(id: "` + other + `") { deletedId } }`}}).Body), "next"); !strings.Contains(data, "by POST") {
		t.Errorf("a mutation by GET: %s", data)
	}
	g.want(`query($s: ID!) { site(id: $s) { name } }`, vars{"s": other}, `{"site": {"name": "other.example"}}`)
	for variables, status := range map[string]int{"{": 400, "[]": 400} {
		if response := get("text/event-stream", url.Values{"query": {cards}, "variables": {variables}}); response.StatusCode != status {
			t.Errorf("variables %s: %d", variables, response.StatusCode)
		}
	}
	if kind := get("application/json, text/event-stream", url.Values{"query": {"{ __typename }"}}).Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("who takes JSON too gets %s", kind)
	}

	for body, status := range map[string]int{"{": 400, `{"variables":{}}`: 400, `[]`: 400, strings.Repeat(" ", 1<<20+1): 413} {
		request, err := http.NewRequest(http.MethodPost, g.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "text/event-stream")
		if a := g.do(request); a.status != status || len(a.Errors) != 1 {
			t.Errorf("%.20s: %d %v", body, a.status, a.Errors)
		}
		request.Body = http.NoBody
		request.Header.Set("Content-Type", "text/plain")
		if a := g.do(request); a.status != http.StatusUnsupportedMediaType {
			t.Errorf("text/plain: %d", a.status)
		}
	}
}
