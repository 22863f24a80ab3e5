package graph_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

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
