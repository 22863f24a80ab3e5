package graph_test

import (
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

const assignmentFields = `{ assignment seed trafficShare layer { key from to } forcedVariants { visitor variant } rollout onlyEvaluated variants { key value } }`

// How Goalgraph assigns is said when an experiment is made, and changed as far as it may be.
func TestAssignment(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		goal := g.goal(site, "buy")
		g.want(`mutation($s: ID!) { createExperiment(input: {siteId: $s, key: "plain", name: "Plain", variants: [{key: "a"}]}) { experiment `+assignmentFields+` } }`, vars{"s": site},
			`{"createExperiment": {"experiment": {"assignment": "EXTERNAL", "seed": "plain", "trafficShare": 1, "layer": null, "forcedVariants": [], "rollout": false, "onlyEvaluated": false,
				"variants": [{"key": "a", "value": "a"}]}}}`)
		var data struct {
			CreateExperiment struct{ Experiment struct{ ID string } }
		}
		g.into(&data, `mutation($s: ID!, $g: ID!) { createExperiment(input: {siteId: $s, key: "x", name: "X", assignment: GOALGRAPH, seed: "s", trafficShare: 0.5, layer: {key: "l", from: 0, to: 0.5},
			forcedVariants: {visitor: "ada", variant: "b"}, onlyEvaluated: true, primaryMetric: $g, variants: [{key: "a", value: {size: 1.5}}, {key: "b", value: true}],
			audience: [{country: {is: "RO"}}, {pages: {all: ["/a"]}}, {anyOf: [{tags: {all: ["t"]}}, {country: {is: "DE"}}]}]}) { experiment { id } } }`, vars{"s": site, "g": goal})
		v := vars{"e": data.CreateExperiment.Experiment.ID}
		refused := func(mutation string, code model.Code, field, says string) {
			t.Helper()
			if e := g.refused(`mutation($e: ID!) { `+mutation+` { experiment { id } } }`, v, code, field); !strings.Contains(e.Message, says) {
				t.Errorf("%s: %s", mutation, e.Message)
			}
		}
		refused(`startExperiment(id: $e)`, model.FailedPrecondition, "audience[1].pages", "known only later: pages, anyOf;")
		g.must(`mutation($e: ID!) { updateExperiment(input: {id: $e, audience: [{country: {is: "RO"}}]}) { experiment { id } } }`, v)
		g.must(`mutation($e: ID!) { startExperiment(id: $e) { experiment { id } } }`, v)
		refused(`updateExperiment(input: {id: $e, seed: "t"})`, model.FailedPrecondition, "input.seed", "started")
		refused(`updateExperiment(input: {id: $e, layer: null})`, model.FailedPrecondition, "input.layer", "started")
		refused(`updateExperiment(input: {id: $e, seed: ""})`, model.BadInput, "input.seed", "is empty")
		refused(`updateExperiment(input: {id: $e, trafficShare: 2})`, model.BadInput, "input.trafficShare", "is 2")
		refused(`updateExperiment(input: {id: $e, forcedVariants: {visitor: "ada", variant: "c"}})`, model.BadInput, "input.forcedVariants[0].variant", `use one of "a", "b"`)
		g.want(`mutation($e: ID!) { updateExperiment(input: {id: $e, trafficShare: 0.25, rollout: true, forcedVariants: []}) { experiment `+assignmentFields+` } }`, v,
			`{"updateExperiment": {"experiment": {"assignment": "GOALGRAPH", "seed": "s", "trafficShare": 0.25, "layer": {"key": "l", "from": 0, "to": 0.5}, "forcedVariants": [], "rollout": true,
				"onlyEvaluated": true, "variants": [{"key": "a", "value": {"size": 1.5}}, {"key": "b", "value": true}]}}}`)
		e := g.experiment(site, "y", goal)
		g.must(`mutation($e: ID!) { updateExperiment(input: {id: $e, assignment: GOALGRAPH, layer: {key: "l", from: 0.4, to: 1}}) { experiment { id } } }`, vars{"e": e})
		g.refused(`mutation($e: ID!) { startExperiment(id: $e) { experiment { id } } }`, vars{"e": e}, model.FailedPrecondition, "layer")
		// The results of what Goalgraph assigns tell of assignments that nothing follows.
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { results { unjoinedAssignments } } } }`, v, `{"node": {"results": {"unjoinedAssignments": 0}}}`)
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { results { unjoinedAssignments } } } }`, vars{"e": e}, `{"node": {"results": {"unjoinedAssignments": null}}}`)
		g.want(`mutation($s: ID!) { updateSite(input: {id: $s, holdout: {share: 0.1}}) { site { holdout { share seed } } } }`, vars{"s": site},
			`{"updateSite": {"site": {"holdout": {"share": 0.1, "seed": "holdout"}}}}`)
		g.want(`mutation($s: ID!) { updateSite(input: {id: $s, holdout: {share: 0}}) { site { holdout { share } } } }`, vars{"s": site}, `{"updateSite": {"site": {"holdout": null}}}`)
		g.refused(`mutation($s: ID!) { updateSite(input: {id: $s, holdout: {share: 2}}) { site { id } } }`, vars{"s": site}, model.BadInput, "input.holdout.share")
	})
}
