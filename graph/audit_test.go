package graph_test

import (
	"fmt"
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// The audit log names other objects by their ids, and leaves a filter type's own arguments alone.
func TestAuditLogShowsIDs(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	inner := g.segment(site, "Inner", raw(`{"country": {"is": ["RO"]}}`))
	outer := g.segment(site, "Outer", raw(`{"not": {"segment": "`+inner+`"}}`), raw(`{"pageViews": {"min": 2}}`))
	buy, look := g.goal(site, "buy"), g.goal(site, "look")
	experiment := g.experiment(site, "headline", buy, look)
	bare := g.experiment(site, "bare")
	var guarded struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	g.into(&guarded, `mutation($s: ID!, $g: ID!) { createExperiment(input: {siteId: $s, key: "guarded", name: "Guarded", guardrails: [{goal: $g, margin: 0.02}]}) { experiment { id } } }`,
		vars{"s": site, "g": look})

	var data struct {
		Site struct {
			AuditLog struct {
				Nodes []struct {
					ObjectID string
					After    map[string]any
				}
			}
		}
	}
	g.into(&data, `query($s: ID!) { site(id: $s) { auditLog { nodes { objectId after } } } }`, vars{"s": site})
	after := map[string]map[string]any{}
	for _, node := range data.Site.AuditLog.Nodes {
		after[node.ObjectID] = node.After
	}
	for what, test := range map[string]struct {
		got  any
		want string
	}{
		"primary metric":    {after[experiment]["primaryMetric"], fmt.Sprintf("%q", buy)},
		"secondary metrics": {after[experiment]["secondaryMetrics"], fmt.Sprintf("[%q]", look)},
		"guardrails":        {after[guarded.CreateExperiment.Experiment.ID]["guardrails"], fmt.Sprintf(`[{"goal": %q, "margin": 0.02}]`, look)},
		"no metric":         {after[bare]["primaryMetric"], "null"},
		"filters": {after[outer]["filters"],
			fmt.Sprintf(`[{"parts": [{"segmentId": %q, "type": "segment"}], "type": "not"}, {"args": {"min": 2}, "type": "pageViews"}]`, inner)},
	} {
		if got := mustJSON(test.got); !sameJSON(t, []byte(got), []byte(test.want)) {
			t.Errorf("%s: %s, want %s", what, got, test.want)
		}
	}
}
