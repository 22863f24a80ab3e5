package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

const liveResults = `subscription($e: ID!, $filters: [FilterInput!]) {
	experimentResults(experimentId: $e, filters: $filters) { visitors unknownVariants experiment { name status } metrics { goal { name } variants { conversions } } }
}`

// An experiment's results follow what visitors do, the experiment itself, and its metrics.
func TestExperimentResultsSubscription(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		g := newGraph(t, url)
		g.columns()
		site := g.site("a.example", "UTC")
		e := g.experiment(site, "headline", g.tracked(site, "buy"))
		w := g.connect()
		w.subscribe("all", liveResults, vars{"e": e})
		want := func(name, status, metrics string, visitors, unknown int) {
			t.Helper()
			w.wantData("all", fmt.Sprintf(`{"experimentResults":{"visitors":%d,"unknownVariants":%d,"experiment":{"name":%q,"status":%q},"metrics":[%s]}}`, visitors, unknown, name, status, metrics))
		}
		metric := func(name string, a, b int) string {
			return fmt.Sprintf(`{"goal":{"name":%q},"variants":[{"conversions":%d},{"conversions":%d}]}`, name, a, b)
		}
		want("Test of headline", "DRAFT", metric("buy", 0, 0), 0, 0)
		g.start(e, "2026-05-01T00:00:00Z")
		want("Test of headline", "RUNNING", metric("buy", 0, 0), 0, 0)
		g.write("a.example", append(crowd("a", "buy", 3, 1, "2026-05-01T10:00:00Z"), crowd("b", "buy", 2, 2, "2026-05-01T10:00:00Z")...)...)
		want("Test of headline", "RUNNING", metric("buy", 1, 2), 5, 0)
		g.write("a.example", assignment("z", "2026-05-02T10:00:00Z", "headline", "typo"))
		want("Test of headline", "RUNNING", metric("buy", 1, 2), 5, 1)
		g.must(`mutation($e: ID!) { updateExperiment(input: { id: $e, name: "Headline" }) { experiment { id } } }`, vars{"e": e})
		want("Headline", "RUNNING", metric("buy", 1, 2), 5, 1)
		look := g.goal(site, "look", raw(`{"events": {"all": "look"}}`))
		g.must(`mutation($e: ID!, $m: [ID!]) { updateExperiment(input: { id: $e, secondaryMetrics: $m }) { experiment { id } } }`, vars{"e": e, "m": []string{look}})
		want("Headline", "RUNNING", metric("buy", 1, 2)+","+metric("look", 0, 0), 5, 1)
		g.must(`mutation($g: ID!) { updateGoal(input: { id: $g, name: "bought", filters: [{ events: { all: "buy" } }] }) { goal { id } } }`, vars{"g": look})
		want("Headline", "RUNNING", metric("buy", 1, 2)+","+metric("bought", 1, 2), 5, 1)

		// For a segment, beside it.
		w.subscribe("segment", liveResults, vars{"e": e, "filters": raw(`[{"country": {"is": "RO"}}]`)})
		w.wantData("segment", `{"experimentResults":{"visitors":0,"unknownVariants":1,"experiment":{"name":"Headline","status":"RUNNING"},"metrics":[`+metric("buy", 0, 0)+","+metric("bought", 0, 0)+`]}}`)

		w.subscribe("filter", liveResults, vars{"e": e, "filters": raw(`[{"country": {"is": "Atlantis"}}]`)})
		w.wantError("filter", "BAD_USER_INPUT")
		w.subscribe("kind", liveResults, vars{"e": site})
		w.wantError("kind", "NOT_FOUND")

		g.must(`mutation($e: ID!) { stopExperiment(id: $e, at: "2026-05-20T00:00:00Z") { experiment { id } } }`, vars{"e": e})
		first, second := w.nextOf("all", "segment")
		for _, got := range []json.RawMessage{first, second} {
			if !strings.Contains(string(got), `"status":"STOPPED"`) {
				t.Errorf("got %s", got)
			}
		}
		g.must(`mutation($e: ID!) { deleteExperiment(id: $e) { deletedId } }`, vars{"e": e})
		ended := map[string]bool{}
		for range 2 {
			m, err := w.read()
			if err != nil || m.Type != "error" || !strings.Contains(string(m.Payload), "NOT_FOUND") {
				t.Fatalf("%s %s %s %v", m.Type, m.ID, m.Payload, err)
			}
			ended[m.ID] = true
		}
		if !ended["all"] || !ended["segment"] {
			t.Errorf("ended %v", ended)
		}
		w.subscribe("gone", liveResults, vars{"e": e})
		if e := w.wantError("gone", "NOT_FOUND"); e.Extensions.Field != "experimentId" {
			t.Errorf("field %q", e.Extensions.Field)
		}
	})
}

// The lists of a site are followed by themselves.
func TestDefinitionsChanged(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	w := g.connect()
	w.subscribe("1", `subscription($s: ID!) { definitionsChanged(siteId: $s) { site { name segments { nodes { name } } goals { nodes { key } } } } }`, vars{"s": site})
	const lists = `{"definitionsChanged":{"site":{"name":"a.example","segments":{"nodes":[%s]},"goals":{"nodes":[%s]}}}}`
	w.wantData("1", fmt.Sprintf(lists, `{"name":"All"}`, ``))
	goal := g.goal(site, "buy")
	w.wantData("1", fmt.Sprintf(lists, `{"name":"All"}`, `{"key":"buy"}`))
	g.segment(site, "RO")
	w.wantData("1", fmt.Sprintf(lists, `{"name":"All"},{"name":"RO"}`, `{"key":"buy"}`))
	g.must(`mutation($g: [ID!]!) { archiveGoals(ids: $g) { site { id } } }`, vars{"g": []string{goal}})
	w.wantData("1", fmt.Sprintf(lists, `{"name":"All"},{"name":"RO"}`, ``))

	other := g.connect()
	revision := func(id string) string {
		t.Helper()
		var next struct {
			Data struct{ DefinitionsChanged struct{ Revision string } }
		}
		if err := json.Unmarshal(other.want("next", id), &next); err != nil || next.Data.DefinitionsChanged.Revision == "" {
			t.Fatal(next, err)
		}
		return next.Data.DefinitionsChanged.Revision
	}
	other.subscribe("2", `subscription($s: ID!) { definitionsChanged(siteId: $s) { revision } }`, vars{"s": site})
	first := revision("2")
	g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, description: "not selected"}) { site { id } } }`, vars{"g": goal})
	if next := revision("2"); next == first {
		t.Errorf("the revision stays %s", next)
	}
	g.must(`mutation($s: ID!) { deleteSite(id: $s) { deletedId } }`, vars{"s": site})
	w.wantError("1", "NOT_FOUND")
	other.wantError("2", "NOT_FOUND")
}

// heldEngine breaks nothing down until it is released.
type heldEngine struct {
	graph.Engine
	released chan struct{}
}

func (e *heldEngine) Breakdown(ctx context.Context, query count.BreakdownQuery) (count.Breakdown, error) {
	select {
	case <-e.released:
		return e.Engine.Breakdown(ctx, query)
	case <-ctx.Done():
		return count.Breakdown{}, ctx.Err()
	}
}

// However many heavy subscriptions wait for their turn, others are answered.
func TestHeavySubscriptionsWaitAlone(t *testing.T) {
	t.Parallel()
	held := heldEngine{released: make(chan struct{})}
	g := newGraph(t, storetest.SQLite(t), measured, func(o *testOptions) {
		held.Engine = o.Engine
		o.Engine = &held
	})
	defer close(held.released)
	site := g.site("shop.example", "UTC")
	g.goal(site, "a")
	const perConnection = 90
	heavy := 2 * 16 * runtime.GOMAXPROCS(0) // twice as many as are computed at a time
	for begun := 0; begun < heavy; begun += perConnection {
		w := g.connect()
		for i := range min(perConnection, heavy-begun) {
			w.subscribe(fmt.Sprint(i), `subscription($s: ID!, $n: Int!) { breakdown(siteId: $s, by: [PAGE], first: $n, range: {from: "2026-05-01T00:00:00Z"}) { nodes { sessions } } }`,
				vars{"s": site, "n": begun + i + 1})
		}
	}
	await(t, "all heavy subscriptions have begun", func() bool { return g.figure("questions") == float64(heavy) })
	w := g.connect()
	w.subscribe("cards", `subscription($s: ID!) { goalCards(siteId: $s, range: {from: "2026-05-01T00:00:00Z"}) { cells { sessions } } }`, vars{"s": site})
	w.want("next", "cards")
}
