package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// withPoints gives each caller so many points for good.
func withPoints(t *testing.T, points int) func(*testOptions) {
	t.Helper()
	memory, err := allowance.NewMemory(allowance.Rate{PerSecond: 1, Burst: points})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *testOptions) { o.transport.Points = memory }
}

// Whoever has used up his points is told when to come again, by all ways, and others are not.
func TestPoints(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), withPoints(t, 200))
	ask := func(g *testGraph) (*http.Response, answer) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url, strings.NewReader(`{"query": "{ __schema { queryType { name } directives { name } } }"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = g.headers()
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		a := answer{status: response.StatusCode}
		if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
		return response, a
	}
	a, b := g.as(readingKey("a")), g.as(readingKey("b"))
	refused := false
	for range 100 {
		response, a := ask(a)
		if refused = response.StatusCode == http.StatusTooManyRequests; !refused {
			continue
		}
		if wait, err := strconv.Atoi(response.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 200 {
			t.Errorf("Retry-After: %q", response.Header.Get("Retry-After"))
		}
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "RESOURCE_EXHAUSTED" || len(a.Data) > 0 {
			t.Errorf("%+v", a)
		}
		break
	}
	if !refused {
		t.Fatal("there is no end of points")
	}
	if response, a := ask(b); response.StatusCode != http.StatusOK || len(a.Errors) > 0 {
		t.Errorf("another caller: %+v", a)
	}
	w := a.connect()
	w.subscribe("1", `{ __schema { queryType { name } directives { name } } }`, nil)
	var problems []struct {
		Extensions struct {
			Code       string
			RetryAfter int
		}
	}
	if payload := w.want("error", "1"); json.Unmarshal(payload, &problems) != nil || problems[0].Extensions.Code != "RESOURCE_EXHAUSTED" || problems[0].Extensions.RetryAfter < 1 {
		t.Errorf("%s", payload)
	}
}

// ledger is an Allowance without an end that adds up what is taken.
type ledger struct{ taken atomic.Int64 }

func (l *ledger) Take(_ context.Context, _ string, points int) (time.Duration, bool) {
	l.taken.Add(int64(points))
	return 0, true
}

func (l *ledger) Settle(_ context.Context, _ string, points int) { l.taken.Add(int64(points)) }

// The time in which filters are evaluated is paid for, and what others have evaluated is not.
func TestPointsOfEvaluation(t *testing.T) {
	t.Parallel()
	var paid ledger
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) { o.transport.Points = &paid }).columns()
	site := g.site("shop.example", "UTC")
	var visits []model.Message
	for i := range 1000 {
		visits = append(visits, page(fmt.Sprint(i), "2026-05-02T10:00:00Z", fmt.Sprintf("/%d/%d", i%50, i)))
	}
	g.write("shop.example", visits...)
	const count = `query($s: ID!) { site(id: $s) { sessionCount(filters: [{pages: {all: ["/*1*/*2*", "/*3*/*4*", "/*5*/*6*"]}}], range: {from: "2026-05-01T00:00:00Z"}) } }`
	asked := func() int64 {
		before := paid.taken.Load()
		g.must(count, vars{"s": site})
		return paid.taken.Load() - before
	}
	if cold, warm := asked(), asked(); cold <= warm || warm != 2 {
		t.Errorf("a count costs %d points, and %d again", cold, warm)
	}
}

// A subscription is paid for when it begins, by who begins it. Its answers are shared.
func TestPointsOfSubscriptions(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), withPoints(t, 200))
	site := g.site("shop.example", "UTC")
	g.goal(site, "a")
	const cards = `subscription($s: ID!) { goalCards(siteId: $s, range: {from: "2026-05-01T00:00:00Z"}) { goal { key } cells { sessions } } }`
	a, b := g.as(readingKey("a")).connect(), g.as(readingKey("b")).connect()
	refused := false
	for i := 0; i < 100 && !refused; i++ {
		a.subscribe(fmt.Sprint(i), cards, vars{"s": site})
		m, err := a.read()
		if err != nil {
			t.Fatal(err)
		}
		refused = m.Type == "error"
	}
	if !refused {
		t.Error("subscriptions cost nothing")
	}
	b.subscribe("1", cards, vars{"s": site})
	b.want("next", "1")
	for i := range 20 {
		g.write("shop.example", page(fmt.Sprint(i), "2026-05-02T10:00:00Z", "/"))
	}
	b.subscribe("q", `{ __type(name: "Site") { name } }`, nil)
	for { // among answers
		m, err := b.read()
		if err != nil || m.Type == "error" {
			t.Fatalf("%+v, %v", m, err)
		}
		if m.Type == "complete" {
			return
		}
	}
}

// readingKey returns the bearer of a key that reads all sites.
func readingKey(name string) *model.Principal {
	id := int64(0)
	for _, letter := range name {
		id = id*31 + int64(letter)
	}
	return &model.Principal{Kind: model.KeyPrincipal, ID: id, Name: name, Grants: []model.Grant{{Site: model.AllSites, Scope: model.ReadScope}}}
}

// parallel counts how many counts are made at the same time, and makes each wait until it is let go.
type parallel struct {
	graph.Engine
	running, most atomic.Int64
	wait          chan struct{}
}

func (p *parallel) Count(ctx context.Context, questions []count.Question) ([]count.Answer, error) {
	n := p.running.Add(1)
	defer p.running.Add(-1)
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
	select {
	case <-p.wait:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.Engine.Count(ctx, questions)
}

// A hundred queries on one socket run a few at a time, and others are answered meanwhile.
func TestQueriesOfOneSocketTakeTurns(t *testing.T) {
	t.Parallel()
	engine := &parallel{wait: make(chan struct{})}
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		engine.Engine = o.Engine
		o.Engine = engine
	})
	g.site("shop.example", "UTC")
	w := g.connect()
	for i := range 100 {
		w.subscribe(fmt.Sprint(i), `{ site(domain: "shop.example") { sessionCount(range: {from: "2026-05-01T00:00:00Z"}) } }`, nil)
	}
	await(t, "queries run", func() bool { return engine.running.Load() == 4 })
	for range 10 {
		g.want(`{ site(domain: "shop.example") { name } }`, nil, `{"site": {"name": "shop.example"}}`)
	}
	close(engine.wait)
	for answered := 0; answered < 100; {
		m, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == "complete" {
			answered++
		}
	}
	if most := engine.most.Load(); most != 4 {
		t.Errorf("%d ran at the same time", most)
	}
}
