package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/transport"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// testGraph is a Graph behind a real HTTP server, over a real store and real plugins.
type testGraph struct {
	*testing.T
	url    string
	store  *store.Store
	host   *host.Host
	engine *watchedEngine
	log    *watchedLog
	bus    live.Bus // nil where nobody is told of changes
	graph  *transport.Handler
	// metrics are those that the options have.
	metrics prometheus.Registerer
	// actor is who asks, one of actors.
	actor  *model.Principal
	actors *sync.Map
}

// testOptions are those of the parts of a testGraph.
type testOptions struct {
	graph.Options
	transport transport.Options
}

// actorHeader names the principal of a request to a testGraph; without it, that is everyone.
const actorHeader = "Test-Actor"

// as returns the graph as a principal asks it; nil for everyone.
func (g *testGraph) as(p *model.Principal) *testGraph {
	other := *g
	other.actor = p
	if p != nil {
		g.actors.Store(fmt.Sprintf("%p", p), p)
	}
	return &other
}

// headers are those of a request of the graph's actor.
func (g *testGraph) headers() http.Header {
	if g.actor == nil {
		return http.Header{}
	}
	return http.Header{actorHeader: {fmt.Sprintf("%p", g.actor)}}
}

// withActor gives requests their actor.
func (g *testGraph) withActor(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor := model.Actor{Principal: model.Everyone(), Address: "192.0.2.7"}
		if p, ok := g.actors.Load(r.Header.Get(actorHeader)); ok {
			actor.Principal = p.(*model.Principal)
		}
		next.ServeHTTP(w, r.WithContext(model.WithActor(graph.WithRequestID(r.Context(), "request-1"), actor)))
	})
}

// graphs runs the test on SQLite and on PostgreSQL.
func graphs(t *testing.T, test func(t *testing.T, g *testGraph), options ...func(*testOptions)) {
	t.Helper()
	storetest.Databases(t, func(t *testing.T, url string) { test(t, newGraph(t, url, options...)) })
}

// newGraph returns a graph over an empty, migrated database.
func newGraph(t *testing.T, url string, options ...func(*testOptions)) *testGraph {
	t.Helper()
	bus := live.NewMemory()
	st, err := store.Open(t.Context(), url, store.Options{Defined: func(site int64) { bus.Publish(live.Change{Site: site}) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	options = append([]func(*testOptions){func(o *testOptions) { o.transport.Bus = bus }}, options...)
	return newGraphOver(t, st, hosttest.Shared(t), options...)
}

func newGraphOver(t *testing.T, st *store.Store, plugins *host.Host, options ...func(*testOptions)) *testGraph {
	t.Helper()
	g := &testGraph{T: t, store: st, host: plugins, engine: &watchedEngine{Engine: naive.New(st, nil, graph.NewDefinitions(st, plugins))}, log: new(watchedLog), actors: new(sync.Map)}
	log := slog.New(slog.NewTextHandler(g.log, nil))
	o := testOptions{graph.Options{Store: st, Engine: g.engine, Host: g.host, Log: log}, transport.Options{Log: log}}
	for _, change := range options {
		change(&o)
	}
	g.bus = o.transport.Bus
	executor, err := graph.New(o.Options)
	if err != nil {
		t.Fatal(err)
	}
	if err := executor.CheckDocuments(t.Context()); err != nil {
		t.Fatal(err)
	}
	handler := transport.New(executor, o.transport)
	server := httptest.NewServer(g.withActor(handler))
	t.Cleanup(server.Close)
	t.Cleanup(func() { handler.Close(context.Background()) })
	g.url, g.graph, g.metrics = server.URL, handler, o.transport.Metrics
	return g
}

// watchedEngine counts the calls of Count and Results, and the questions in them.
type watchedEngine struct {
	graph.Engine
	mu               sync.Mutex
	calls, questions int
	breakdown        count.BreakdownQuery
}

func (e *watchedEngine) Count(ctx context.Context, questions []count.Question) ([]count.Answer, error) {
	e.note(len(questions))
	return e.Engine.Count(ctx, questions)
}

func (e *watchedEngine) Results(ctx context.Context, questions []experiment.Question) ([]experiment.Answer, error) {
	e.note(len(questions))
	return e.Engine.Results(ctx, questions)
}

func (e *watchedEngine) Breakdown(ctx context.Context, query count.BreakdownQuery) (count.Breakdown, error) {
	e.mu.Lock()
	e.breakdown = query
	e.mu.Unlock()
	return e.Engine.Breakdown(ctx, query)
}

// takenBreakdown returns what was asked for last.
func (e *watchedEngine) takenBreakdown() count.BreakdownQuery {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.breakdown
}

func (e *watchedEngine) note(questions int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
	e.questions += questions
}

// taken returns what was counted since it was last called.
func (e *watchedEngine) taken() (calls, questions int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls, questions = e.calls, e.questions
	e.calls, e.questions = 0, 0
	return calls, questions
}

// watchedLog keeps what is logged.
type watchedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *watchedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *watchedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// in returns the graph for a subtest.
func (g *testGraph) in(t *testing.T) *testGraph {
	other := *g
	other.T = t
	return &other
}

// vars are the variables of an operation.
type vars map[string]any

func (v vars) String() string {
	text, err := json.Marshal(map[string]any(v))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// answer is what a request gets.
type answer struct {
	status int
	Data   json.RawMessage
	Errors []answerError
	// Extensions are those of the whole answer.
	Extensions json.RawMessage
}

type answerError struct {
	Message    string
	Path       []any
	Locations  []struct{ Line, Column int }
	Extensions struct{ Code, Field string }
}

func (e answerError) String() string {
	return fmt.Sprintf("%s [%s %s] at %v %v", e.Message, e.Extensions.Code, e.Extensions.Field, e.Path, e.Locations)
}

// ask sends a query by POST.
func (g *testGraph) ask(query string, variables vars) answer {
	g.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		g.Fatal(err)
	}
	return g.post(string(body), "application/json")
}

func (g *testGraph) post(body, contentType string) answer {
	g.Helper()
	request, err := http.NewRequestWithContext(g.Context(), http.MethodPost, g.url, strings.NewReader(body))
	if err != nil {
		g.Fatal(err)
	}
	request.Header = g.headers()
	request.Header.Set("Content-Type", contentType)
	return g.do(request)
}

func (g *testGraph) do(request *http.Request) answer {
	g.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.Fatal(err)
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		g.Fatal(err)
	}
	if err := json.Unmarshal(text.Bytes(), &a); err != nil {
		g.Fatalf("%d %q: %v", response.StatusCode, text.String(), err)
	}
	return a
}

// must asks what must be answered, and returns the data.
func (g *testGraph) must(query string, variables vars) json.RawMessage {
	g.Helper()
	a := g.ask(query, variables)
	if len(a.Errors) > 0 {
		g.Fatalf("%s\n%s: %v", query, variables, a.Errors)
	}
	return a.Data
}

// into asks what must be answered, and reads the data into a value.
func (g *testGraph) into(value any, query string, variables vars) {
	g.Helper()
	if err := json.Unmarshal(g.must(query, variables), value); err != nil {
		g.Fatal(err)
	}
}

// want asks what must be answered as the JSON text says.
func (g *testGraph) want(query string, variables vars, want string) {
	g.Helper()
	if got := g.must(query, variables); !sameJSON(g.T, got, []byte(want)) {
		g.Errorf("%s\n%s\n got %s\nwant %s", query, variables, got, compact(want))
	}
}

// refused asks what must be refused with the code, about the field where that is
// not empty, and returns the error.
func (g *testGraph) refused(query string, variables vars, code model.Code, field string) answerError {
	g.Helper()
	a := g.ask(query, variables)
	if len(a.Errors) == 0 {
		g.Fatalf("%s\n%.200s: not refused: %s", query, variables, a.Data)
	}
	e := a.Errors[0]
	if e.Extensions.Code != string(code) || e.Extensions.Field != field {
		g.Errorf("%s\n%.200s: refused with %s %q, want %s %q: %s", query, variables, e.Extensions.Code, e.Extensions.Field, code, field, e)
	}
	if e.Message == "" || strings.Contains(e.Message, "sql") || len(e.Message) > 1000 {
		g.Errorf("message %.2000q", e.Message)
	}
	return e
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}

func compact(text string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return text
	}
	return b.String()
}

// site makes a site and returns its id.
func (g *testGraph) site(domain, zone string) string {
	g.Helper()
	var data struct {
		CreateSite struct{ Site struct{ ID string } }
	}
	g.into(&data, `mutation($d: String!, $z: String) { createSite(input: {name: $d, domains: [$d], timezone: $z}) { site { id } } }`, vars{"d": domain, "z": zone})
	return data.CreateSite.Site.ID
}

// segment makes a segment of filters and returns its id.
func (g *testGraph) segment(site, name string, filters ...any) string {
	g.Helper()
	var data struct {
		CreateSegment struct{ Segment struct{ ID string } }
	}
	g.into(&data, `mutation($s: ID!, $n: String!, $f: [FilterInput!]!) { createSegment(input: {siteId: $s, name: $n, filters: $f}) { segment { id } } }`,
		vars{"s": site, "n": name, "f": listOf(filters)})
	return data.CreateSegment.Segment.ID
}

// goal makes a goal of filters and returns its id.
func (g *testGraph) goal(site, key string, filters ...any) string {
	g.Helper()
	var data struct {
		CreateGoal struct{ Goal struct{ ID string } }
	}
	g.into(&data, `mutation($s: ID!, $k: String!, $f: [FilterInput!]) { createGoal(input: {siteId: $s, key: $k, name: $k, filters: $f}) { goal { id } } }`,
		vars{"s": site, "k": key, "f": listOf(filters)})
	return data.CreateGoal.Goal.ID
}

// segmentNamed returns the id of the site's segment of the name.
func (g *testGraph) segmentNamed(site, name string) string {
	g.Helper()
	var data struct {
		Site struct {
			Segments struct{ Nodes []struct{ ID, Name string } }
		}
	}
	g.into(&data, `query($s: ID!, $n: String) { site(id: $s) { segments(search: $n) { nodes { id name } } } }`, vars{"s": site, "n": name})
	for _, segment := range data.Site.Segments.Nodes {
		if segment.Name == name {
			return segment.ID
		}
	}
	g.Fatalf("there is no segment %s", name)
	return ""
}

func listOf(filters []any) []any { return append([]any{}, filters...) }

// raw is a value given as JSON text.
func raw(text string) json.RawMessage { return json.RawMessage(text) }

// write stores hits of a site.
func (g *testGraph) write(domain string, messages ...model.Message) {
	g.Helper()
	site, err := g.store.SiteByDomain(g.Context(), domain)
	if err != nil {
		g.Fatal(err)
	}
	if _, err := g.store.Write(g.Context(), site.ID, messages); err != nil {
		g.Fatal(err)
	}
	if g.bus != nil {
		g.bus.Publish(live.Change{Site: site.ID})
	}
}

// at returns the instant of an RFC 3339 text.
func at(text string) model.Millis {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return model.MillisOf(t)
}

// page returns a message of a page view.
func page(visitor, when, path string, change ...func(*model.Hit)) model.Message {
	return message(visitor, model.Hit{At: at(when), Kind: model.PageView, Name: path, Knows: model.KnowsAll}, change...)
}

// event returns a message of an event; a value of 0 is none.
func event(visitor, when, name string, value float64, change ...func(*model.Hit)) model.Message {
	decimal, _ := model.SumOf(value).Decimal()
	return message(visitor, model.Hit{At: at(when), Kind: model.Event, Name: name, Value: decimal, HasValue: value != 0, Knows: model.KnowsAll &^ model.KnowsPage}, change...)
}

func message(visitor string, hit model.Hit, change ...func(*model.Hit)) model.Message {
	for _, do := range change {
		do(&hit)
	}
	hit.ID = model.MessageIDOf(visitor, fmt.Sprint(hit.At), hit.Name)
	return model.Message{AnonymousID: visitor, Hit: hit}
}

func tagged(tags ...string) func(*model.Hit) { return func(hit *model.Hit) { hit.Tags = tags } }

func from(referrer string) func(*model.Hit) {
	return func(hit *model.Hit) { hit.Origin.Referrer = referrer }
}

func country(code string) func(*model.Hit) {
	return func(hit *model.Hit) { hit.Origin.Country = code }
}

func mustJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}
