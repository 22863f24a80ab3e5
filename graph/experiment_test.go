package graph_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

const experimentFields = `{ key name description status variants { key name weight baseline } primaryMetric { key } secondaryMetrics { key }
	audience { type { name } args label } attribution winner { key name } startedAt stoppedAt }`

// experiment makes an experiment of variants a and b, by session, and returns its id.
func (g *testGraph) experiment(site, key string, metrics ...string) string {
	g.Helper()
	input := map[string]any{"siteId": site, "key": key, "name": "Test of " + key, "variants": raw(`[{"key": "a"}, {"key": "b"}]`), "attribution": "SESSION"}
	if len(metrics) > 0 {
		input["primaryMetric"], input["secondaryMetrics"] = metrics[0], metrics[1:]
	}
	var data struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	g.into(&data, `mutation($i: CreateExperimentInput!) { createExperiment(input: $i) { experiment { id } } }`, vars{"i": input})
	return data.CreateExperiment.Experiment.ID
}

// mutationOf returns the mutation with the ids that it uses declared, and these.
func mutationOf(mutation string, ids vars) (query string, used vars) {
	definitions, used := "", vars{}
	for name, id := range ids {
		if strings.Contains(mutation, "$"+name) {
			definitions += " $" + name + ": ID!"
			used[name] = id
		}
	}
	if definitions != "" {
		definitions = "(" + definitions + ")"
	}
	return "mutation" + definitions + " { " + mutation + " }", used
}

func TestExperimentLifeCycle(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		buy, look := g.goal(site, "buy"), g.goal(site, "look")
		g.want(`mutation($s: ID!, $b: ID!, $l: ID!) { createExperiment(input: {siteId: $s, key: " headline ", name: " Headline ", description: "Which one?",
			variants: [{key: "a", name: "Old"}, {key: " b ", weight: 2.5}, {key: "c", weight: null}], baseline: "b", primaryMetric: $b, secondaryMetrics: [$l, $b, $l],
			audience: {country: {is: "RO"}}, attribution: EXPERIMENT}) { experiment `+experimentFields+` } }`, vars{"s": site, "b": buy, "l": look},
			`{"createExperiment": {"experiment": {"key": "headline", "name": "Headline", "description": "Which one?", "status": "DRAFT",
				"variants": [{"key": "a", "name": "Old", "weight": 1, "baseline": false}, {"key": "b", "name": "b", "weight": 2.5, "baseline": true}, {"key": "c", "name": "c", "weight": 1, "baseline": false}],
				"primaryMetric": {"key": "buy"}, "secondaryMetrics": [{"key": "look"}], "audience": [{"type": {"name": "country"}, "args": {"is": ["RO"]}, "label": "Country is RO"}],
				"attribution": "EXPERIMENT", "winner": null, "startedAt": null, "stoppedAt": null}}}`)

		var data struct {
			CreateExperiment struct{ Experiment struct{ ID string } }
		}
		g.into(&data, `mutation($s: ID!) { createExperiment(input: {siteId: $s, key: "button", name: "Button"}) { experiment { id } } }`, vars{"s": site})
		v := vars{"e": data.CreateExperiment.Experiment.ID, "b": buy, "l": look}
		fields := `{ name description variants { key baseline } primaryMetric { key } secondaryMetrics { key } audience { args } attribution status winner { key } startedAt stoppedAt }`
		state := func(change, want string) {
			t.Helper()
			query, used := mutationOf(`e: `+change+` { experiment `+fields+` }`, v)
			g.want(query, used, `{"e": {"experiment": `+want+`}}`)
		}
		update := func(input string) string { return `updateExperiment(input: {id: $e, ` + input + `})` }
		refused := func(change string, code model.Code, field, says string) {
			t.Helper()
			e := g.refused(`mutation($e: ID!) { `+change+` }`, vars{"e": v["e"]}, code, field)
			if !strings.Contains(e.Message, says) {
				t.Errorf("%s: %q does not say %q", change, e.Message, says)
			}
		}
		state(update(`name: null`), `{"name": "Button", "description": "", "variants": [], "primaryMetric": null, "secondaryMetrics": [], "audience": [], "attribution": "EXPERIMENT",
			"status": "DRAFT", "winner": null, "startedAt": null, "stoppedAt": null}`)
		refused(`startExperiment(id: $e) { experiment { id } }`, model.FailedPrecondition, "", "it needs a primary metric and at least 2 variants (it has 0)")
		refused(`stopExperiment(id: $e) { experiment { id } }`, model.FailedPrecondition, "", "has not started")
		state(update(`variants: [{key: "a"}, {key: "b"}, {key: "c"}], baseline: "b", primaryMetric: $b, secondaryMetrics: [$l], audience: [{country: {is: "RO"}}], attribution: EXPERIMENT`),
			`{"name": "Button", "description": "", "variants": [{"key": "a", "baseline": false}, {"key": "b", "baseline": true}, {"key": "c", "baseline": false}],
			"primaryMetric": {"key": "buy"}, "secondaryMetrics": [{"key": "look"}], "audience": [{"args": {"is": ["RO"]}}], "attribution": "EXPERIMENT",
			"status": "DRAFT", "winner": null, "startedAt": null, "stoppedAt": null}`)
		// The baseline stays with its key, a metric moves to the first place, and nulls change nothing but the primary metric.
		state(update(`variants: [{key: "b"}, {key: "a"}], primaryMetric: $l, name: "B", description: "d", audience: null, attribution: null, secondaryMetrics: null, baseline: null`),
			`{"name": "B", "description": "d", "variants": [{"key": "b", "baseline": true}, {"key": "a", "baseline": false}],
			"primaryMetric": {"key": "look"}, "secondaryMetrics": [], "audience": [{"args": {"is": ["RO"]}}], "attribution": "EXPERIMENT",
			"status": "DRAFT", "winner": null, "startedAt": null, "stoppedAt": null}`)
		state(update(`variants: [{key: "a"}, {key: "c"}], primaryMetric: null, audience: []`),
			`{"name": "B", "description": "d", "variants": [{"key": "a", "baseline": true}, {"key": "c", "baseline": false}],
			"primaryMetric": null, "secondaryMetrics": [], "audience": [], "attribution": "EXPERIMENT", "status": "DRAFT", "winner": null, "startedAt": null, "stoppedAt": null}`)
		refused(update(`baseline: "b"`)+` { experiment { id } }`, model.BadInput, "input.baseline", `use one of "a", "c"`)
		refused(`startExperiment(id: $e) { experiment { id } }`, model.FailedPrecondition, "", "it needs a primary metric")
		g.must(`mutation($e: ID!, $b: ID!) { updateExperiment(input: {id: $e, primaryMetric: $b}) { experiment { id } } }`, vars{"e": v["e"], "b": buy})

		refused(`startExperiment(id: $e, at: "2999-01-01T00:00:00Z") { experiment { id } }`, model.BadInput, "at", "is in the future")
		running := `{"name": "B", "description": "d", "variants": [{"key": "a", "baseline": true}, {"key": "c", "baseline": false}], "primaryMetric": {"key": "buy"}, "secondaryMetrics": [], "audience": [],
			"attribution": "EXPERIMENT", "status": "RUNNING", "winner": null, "startedAt": "2026-05-01T08:00:00Z", "stoppedAt": null}`
		state(`startExperiment(id: $e, at: "2026-05-01T10:00:00+02:00")`, running)
		refused(`startExperiment(id: $e) { experiment { id } }`, model.FailedPrecondition, "", "has been running since 2026-05-01T08:00:00Z")
		refused(`archiveExperiment(id: $e) { experiment { id } }`, model.FailedPrecondition, "", "stop it")
		refused(`deleteExperiment(id: $e) { deletedId }`, model.FailedPrecondition, "", "stop it")
		for input, field := range map[string]string{
			`variants: [{key: "a"}, {key: "b"}]`: "input.variants", `baseline: "c"`: "input.baseline",
			`audience: {country: {is: "RO"}}`: "input.audience", `attribution: SESSION`: "input.attribution", `primaryMetric: null`: "input.primaryMetric",
		} {
			refused(update(input)+` { experiment { id } }`, model.FailedPrecondition, field, "started")
		}
		state(update(`variants: [{key: "a"}, {key: "c"}], baseline: "a", attribution: EXPERIMENT, audience: []`), running) // as it is
		state(update(`name: "R", description: "r", primaryMetric: $l, secondaryMetrics: [$b]`), strings.NewReplacer(`"B"`, `"R"`, `"d"`, `"r"`, `"buy"`, `"look"`,
			`"secondaryMetrics": []`, `"secondaryMetrics": [{"key": "buy"}]`).Replace(running))

		refused(`stopExperiment(id: $e, winner: "x") { experiment { id } }`, model.BadInput, "winner", `use one of "a", "c"`)
		refused(`stopExperiment(id: $e, winner: "") { experiment { id } }`, model.BadInput, "winner", "leave it out")
		refused(`stopExperiment(id: $e, at: "2026-05-01T07:59:59Z") { experiment { id } }`, model.BadInput, "at", "before the experiment started")
		refused(`stopExperiment(id: $e, at: "2999-01-01T00:00:00Z") { experiment { id } }`, model.BadInput, "at", "is in the future")
		g.want(`mutation($e: ID!) { stopExperiment(id: $e, winner: "c", at: "2026-05-02T00:00:00Z") { experiment { status winner { key } startedAt stoppedAt } } }`, vars{"e": v["e"]},
			`{"stopExperiment": {"experiment": {"status": "STOPPED", "winner": {"key": "c"}, "startedAt": "2026-05-01T08:00:00Z", "stoppedAt": "2026-05-02T00:00:00Z"}}}`)
		refused(`updateExperiment(input: {id: $e, variants: [{key: "a"}, {key: "c", weight: 2}]}) { experiment { id } }`, model.FailedPrecondition, "input.variants", "only while the experiment runs")
		refused(`startExperiment(id: $e, at: "2026-05-01T23:59:59Z") { experiment { id } }`, model.BadInput, "at", "before the run before stopped")
		refused(`stopExperiment(id: $e) { experiment { id } }`, model.FailedPrecondition, "", "already stopped")
		g.want(`mutation($e: ID!) { updateExperiment(input: {id: $e, name: "S"}) { experiment { name } } }`, vars{"e": v["e"]}, `{"updateExperiment": {"experiment": {"name": "S"}}}`)
		g.want(`mutation($e: ID!) { archiveExperiment(id: $e) { experiment { status winner { key } } } }`, vars{"e": v["e"]}, `{"archiveExperiment": {"experiment": {"status": "ARCHIVED", "winner": {"key": "c"}}}}`)
		for _, change := range []string{update(`name: "x"`), `startExperiment(id: $e)`, `stopExperiment(id: $e)`, `archiveExperiment(id: $e)`} {
			refused(change+` { experiment { id } }`, model.FailedPrecondition, "", "archived")
		}
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { name site { name } } } }`, vars{"e": v["e"]}, `{"node": {"name": "S", "site": {"name": "a.example"}}}`)
		g.want(`mutation($e: ID!) { deleteExperiment(id: $e) { deletedId } }`, vars{"e": v["e"]}, fmt.Sprintf(`{"deleteExperiment": {"deletedId": %q}}`, v["e"]))
		g.want(`query($e: ID!) { node(id: $e) { id } }`, vars{"e": v["e"]}, `{"node": null}`)
		refused(`deleteExperiment(id: $e) { deletedId }`, model.NotFound, "id", "")
	})
}

func TestExperimentStartsAndStopsNow(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	e := g.experiment(site, "headline", g.goal(site, "buy"))
	var data struct {
		Start, Stop struct {
			Experiment struct{ StartedAt, StoppedAt time.Time }
		}
	}
	before := time.Now().Truncate(time.Millisecond)
	g.into(&data, `mutation($e: ID!) { start: startExperiment(id: $e) { experiment { startedAt } } stop: stopExperiment(id: $e) { experiment { startedAt stoppedAt } } }`, vars{"e": e})
	start, stop := data.Start.Experiment, data.Stop.Experiment
	if start.StartedAt.Before(before) || stop.StoppedAt.Before(start.StartedAt) || stop.StoppedAt.After(time.Now()) || !stop.StartedAt.Equal(start.StartedAt) {
		t.Errorf("after %v: %+v", before, data)
	}
}

func TestRefusedExperimentsChangeNothing(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, other := g.site("a.example", "UTC"), g.site("b.example", "UTC")
		goal, elsewhere := g.goal(site, "buy"), g.goal(other, "buy")
		e := g.experiment(site, "headline", goal)
		everything := `{ sites { experiments { nodes ` + experimentFields + ` } } }`
		before := string(g.must(everything, nil))
		v := vars{"s": site, "e": e, "g": goal, "x": elsewhere}
		create := func(input string) string {
			return `createExperiment(input: {siteId: $s, key: "k", name: "n", ` + input + `}) { experiment { id } }`
		}
		update := func(input string) string {
			return `updateExperiment(input: {id: $e, ` + input + `}) { experiment { id } }`
		}
		long := strings.Repeat("x", 201)
		for _, test := range []struct {
			mutation string
			code     model.Code
			field    string
		}{
			{`createExperiment(input: {siteId: $g, key: "k", name: "n"}) { experiment { id } }`, model.NotFound, "input.siteId"},
			{`createExperiment(input: {siteId: "` + encode("Site:999") + `", key: "k", name: "n"}) { experiment { id } }`, model.NotFound, "input.siteId"},
			{`createExperiment(input: {siteId: $s, key: "headline", name: "n"}) { experiment { id } }`, model.Conflict, "input.key"},
			{`createExperiment(input: {siteId: $s, key: " ", name: "n"}) { experiment { id } }`, model.BadInput, "input.key"},
			{`createExperiment(input: {siteId: $s, key: "` + long + `", name: "n"}) { experiment { id } }`, model.BadInput, "input.key"},
			{`createExperiment(input: {siteId: $s, key: "k", name: ""}) { experiment { id } }`, model.BadInput, "input.name"},
			{create(`variants: [{key: "a"}, {key: ""}]`), model.BadInput, "input.variants[1].key"},
			{create(`variants: [{key: "a"}, {key: " a"}]`), model.BadInput, "input.variants[1].key"},
			{create(`variants: [{key: "a", name: ""}]`), model.BadInput, "input.variants[0].name"},
			{create(`variants: [{key: "a", weight: 0}]`), model.BadInput, "input.variants[0].weight"},
			{create(`variants: [{key: "a", weight: 1e7}]`), model.BadInput, "input.variants[0].weight"},
			{create(`variants: [` + strings.Repeat(`{key: "a"}, `, 21) + `]`), model.BadInput, "input.variants"},
			{create(`variants: [{key: "a"}], baseline: "b"`), model.BadInput, "input.baseline"},
			{create(`baseline: "b"`), model.BadInput, "input.baseline"},
			{create(`primaryMetric: $x`), model.NotFound, "input.primaryMetric"},
			{create(`primaryMetric: $s`), model.NotFound, "input.primaryMetric"},
			{create(`secondaryMetrics: [$g, $x]`), model.NotFound, "input.secondaryMetrics[1]"},
			{create(`secondaryMetrics: ["nothing"]`), model.NotFound, "input.secondaryMetrics[0]"},
			{create(`audience: [{country: {is: "RO"}}, {ip: {is: "x"}}]`), model.BadInput, "input.audience[1].ip.is[0]"},
			{update(`name: ""`), model.BadInput, "input.name"},
			{update(`variants: [{key: "a"}, {key: "a"}], name: "x"`), model.BadInput, "input.variants[1].key"},
			{update(`primaryMetric: $x, name: "x"`), model.NotFound, "input.primaryMetric"},
			{update(`audience: {ip: {is: "x"}}`), model.BadInput, "input.audience[0].ip.is[0]"},
			{`updateExperiment(input: {id: $g, name: "x"}) { experiment { id } }`, model.NotFound, "input.id"},
			{`updateExperiment(input: {id: "` + encode("Experiment:999") + `", name: "x"}) { experiment { id } }`, model.NotFound, "input.id"},
			{`startExperiment(id: "` + encode("Experiment:999") + `") { experiment { id } }`, model.NotFound, "id"},
			{`startExperiment(id: $g) { experiment { id } }`, model.NotFound, "id"},
			{`stopExperiment(id: $g) { experiment { id } }`, model.NotFound, "id"},
			{`archiveExperiment(id: $s) { experiment { id } }`, model.NotFound, "id"},
			{`deleteExperiment(id: $s) { deletedId }`, model.NotFound, "id"},
		} {
			query, used := mutationOf(test.mutation, v)
			g.refused(query, used, test.code, test.field)
		}
		if after := string(g.must(everything, nil)); after != before {
			t.Errorf("before %s\nafter %s", before, after)
		}
		if log := g.log.String(); log != "" {
			t.Errorf("logged: %s", log)
		}
	})
}

func TestGoalOfAnExperimentStays(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		buy, look := g.goal(site, "buy"), g.goal(site, "look")
		first := g.experiment(site, "first", buy, look)
		second := g.experiment(site, "second", look)
		for _, mutation := range []string{`deleteGoal(id: $g) { deletedId }`, `convertGoalToSegment(goalId: $g) { segment { id } }`} {
			e := g.refused(`mutation($g: ID!) { `+mutation+` }`, vars{"g": look}, model.FailedPrecondition, "")
			if !strings.Contains(e.Message, `"Test of first", "Test of second"`) {
				t.Errorf("%s does not name the experiments: %s", mutation, e.Message)
			}
		}
		g.want(`query($s: ID!) { site(id: $s) { goals { nodes { key experiments { key } } } segments { totalCount } } }`, vars{"s": site},
			`{"site": {"goals": {"nodes": [{"key": "buy", "experiments": [{"key": "first"}]}, {"key": "look", "experiments": [{"key": "first"}, {"key": "second"}]}]}, "segments": {"totalCount": 1}}}`)
		// An archived goal measures on, and can be chosen.
		g.want(`mutation($g: ID!) { archiveGoal(id: $g) { goal { archived experiments { key primaryMetric { key } } } } }`, vars{"g": look},
			`{"archiveGoal": {"goal": {"archived": true, "experiments": [{"key": "first", "primaryMetric": {"key": "buy"}}, {"key": "second", "primaryMetric": {"key": "look"}}]}}}`)
		g.want(`mutation($e: ID!, $l: ID!) { updateExperiment(input: {id: $e, primaryMetric: $l}) { experiment { primaryMetric { key } } } }`, vars{"e": first, "l": look},
			`{"updateExperiment": {"experiment": {"primaryMetric": {"key": "look"}}}}`)
		g.want(`mutation($g: ID!) { deleteGoal(id: $g) { deletedId } }`, vars{"g": buy}, fmt.Sprintf(`{"deleteGoal": {"deletedId": %q}}`, buy))
		for _, e := range []string{first, second} {
			g.must(`mutation($e: ID!) { deleteExperiment(id: $e) { deletedId } }`, vars{"e": e})
		}
		g.must(`mutation($g: ID!) { convertGoalToSegment(goalId: $g) { segment { id } } }`, vars{"g": look})
	})
}

func TestExperimentLists(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, other := g.site("a.example", "UTC"), g.site("b.example", "UTC")
		goal := g.goal(site, "buy")
		for _, key := range []string{"a", "Ä", "c"} {
			g.experiment(site, key, goal)
		}
		g.experiment(other, "a")
		g.must(`mutation($e: ID!) { startExperiment(id: $e) { experiment { id } } }`, vars{"e": g.experiment(site, "running", goal)})
		for arguments, want := range map[string]string{
			``: `"a", "Ä", "c", "running"`, `(search: "ä")`: `"Ä"`, `(search: "TEST of")`: `"a", "Ä", "c", "running"`, `(status: RUNNING)`: `"running"`,
			`(status: [DRAFT, STOPPED], search: "c")`: `"c"`, `(status: [])`: ``, `(status: null, search: null)`: `"a", "Ä", "c", "running"`, `(search: "nothing")`: ``,
		} {
			want := strings.ReplaceAll(`[`+want+`]`, `"`, ``)
			var data struct {
				Site struct {
					Experiments struct {
						Nodes      []struct{ Key string }
						TotalCount int
					}
				}
			}
			g.into(&data, `query($s: ID!) { site(id: $s) { experiments`+arguments+` { nodes { key } totalCount } } }`, vars{"s": site})
			var keys []string
			for _, node := range data.Site.Experiments.Nodes {
				keys = append(keys, node.Key)
			}
			if got := `[` + strings.Join(keys, ", ") + `]`; got != want || data.Site.Experiments.TotalCount != len(keys) {
				t.Errorf("experiments%s: %s, %d in all; want %s", arguments, got, data.Site.Experiments.TotalCount, want)
			}
		}
		var page struct {
			Site struct{ Experiments connection }
		}
		ask := `query($s: ID!, $a: String) { site(id: $s) { experiments(first: 3, after: $a) ` + connectionFields + ` } }`
		g.into(&page, ask, vars{"s": site})
		if p := page.Site.Experiments; len(p.Nodes) != 3 || len(p.Edges) != 3 || !p.PageInfo.HasNextPage || p.TotalCount != 4 {
			t.Errorf("first page %+v", p)
		}
		g.into(&page, ask, vars{"s": site, "a": page.Site.Experiments.PageInfo.EndCursor})
		if p := page.Site.Experiments; len(p.Nodes) != 1 || p.PageInfo.HasNextPage || !p.PageInfo.HasPreviousPage {
			t.Errorf("second page %+v", p)
		}
		g.want(`query($s: ID!) { site(id: $s) { a: experiment(key: "Ä") { key status } b: experiment(key: "A") { key } } }`, vars{"s": site},
			`{"site": {"a": {"key": "Ä", "status": "DRAFT"}, "b": null}}`)
		g.refused(`query($s: ID!) { site(id: $s) { experiments(first: 501) { totalCount } } }`, vars{"s": site}, model.BadInput, "first")
		g.refused(`query($s: ID!) { site(id: $s) { experiments(after: "x") { totalCount } } }`, vars{"s": site}, model.BadInput, "after")
		g.must(`mutation($s: ID!) { deleteSite(id: $s) { deletedId } }`, vars{"s": site})
		g.want(`{ sites { experiments { nodes { key } } } }`, nil, `{"sites": [{"experiments": {"nodes": [{"key": "a"}]}}]}`)
	})
}

// Of starts and stops at the same time one wins.
func TestExperimentTransitionsRace(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		e := g.experiment(site, "headline", g.goal(site, "buy"))
		for _, mutation := range []string{`startExperiment`, `stopExperiment`} {
			answers := make([]answer, 6)
			var done sync.WaitGroup
			for i := range answers {
				done.Go(func() {
					answers[i] = g.ask(`mutation($e: ID!) { `+mutation+`(id: $e) { experiment { status } } }`, vars{"e": e})
				})
			}
			done.Wait()
			won := 0
			for _, a := range answers {
				if len(a.Errors) == 0 {
					won++
				} else if a.Errors[0].Extensions.Code != string(model.FailedPrecondition) {
					t.Errorf("%s: %s", mutation, a.Errors[0])
				}
			}
			if won != 1 {
				t.Errorf("%s: %d won", mutation, won)
			}
		}
	})
}

// What says how an experiment is decided is set with it, and stays once it has started.
func TestExperimentDecisionSettings(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		buy, look, refund := g.tracked(site, "buy"), g.goal(site, "look"), g.tracked(site, "refund")
		g.want(`mutation($g: ID!) { updateGoal(input: {id: $g, direction: LOWER_IS_BETTER}) { goal { direction } } }`, vars{"g": refund},
			`{"updateGoal": {"goal": {"direction": "LOWER_IS_BETTER"}}}`)
		g.want(`mutation($s: ID!) { createGoal(input: {siteId: $s, key: "complaint", name: "Complaint", direction: LOWER_IS_BETTER}) { goal { direction } } }`, vars{"s": site},
			`{"createGoal": {"goal": {"direction": "LOWER_IS_BETTER"}}}`)
		g.want(`mutation($s: ID!) { convertSegmentToGoal(input: {segmentId: $s, key: "leaves", direction: LOWER_IS_BETTER}) { goal { key direction } } }`,
			vars{"s": g.segment(site, "Leaves", raw(`{"pages": {"all": "/bye"}}`))}, `{"convertSegmentToGoal": {"goal": {"key": "leaves", "direction": "LOWER_IS_BETTER"}}}`)
		e := g.experiment(site, "price", buy, look)
		fields := ` { experiment { primaryMetric { key } secondaryMetrics { key } guardrails { goal { key direction } margin } decidesBy monitoring decideAt metricChangedAt } }`
		v := vars{"e": e, "b": buy, "l": look, "r": refund}
		update := func(input string) string { return `updateExperiment(input: {id: $e, ` + input + `})` }
		state := func(change, want string) {
			t.Helper()
			query, used := mutationOf(`e: `+change+fields, v)
			g.want(query, used, `{"e": {"experiment": `+want+`}}`)
		}
		refused := func(change string, code model.Code, field string) {
			t.Helper()
			query, used := mutationOf(change+fields, v)
			g.refused(query, used, code, field)
		}
		state(update(`name: "Price"`), `{"primaryMetric": {"key": "buy"}, "secondaryMetrics": [{"key": "look"}], "guardrails": [], "decidesBy": "RATE", "monitoring": "CONTINUOUS",
			"decideAt": null, "metricChangedAt": null}`)
		horizon := `{"primaryMetric": {"key": "buy"}, "secondaryMetrics": [], "guardrails": [{"goal": {"key": "refund", "direction": "LOWER_IS_BETTER"}, "margin": 0.02},
			{"goal": {"key": "look", "direction": "HIGHER_IS_BETTER"}, "margin": 0}], "decidesBy": "VALUE", "monitoring": "FIXED_HORIZON", "decideAt": "2026-06-01T00:00:00Z", "metricChangedAt": null}`
		state(update(`guardrails: [{goal: $r, margin: 0.02}, {goal: $l, margin: 0}], decidesBy: VALUE, monitoring: FIXED_HORIZON, decideAt: "2026-06-01T00:00:00Z"`), horizon)
		for input, field := range map[string]string{
			`guardrails: [{goal: $r, margin: 0}, {goal: $b, margin: 0}]`: "input.guardrails[1].goal", `guardrails: [{goal: $r, margin: 1}]`: "input.guardrails[0].margin",
			`primaryMetric: $l, guardrails: []`: "input.decidesBy", `monitoring: CONTINUOUS`: "input.decideAt", `decideAt: null`: "input.decideAt",
		} {
			refused(update(input), model.BadInput, field)
		}
		refused(update(`guardrails: [{goal: $e, margin: 0}]`), model.NotFound, "input.guardrails[0].goal")
		g.refused(`mutation($g: ID!) { updateGoal(input: {id: $g, valueEvent: null}) { goal { id } } }`, vars{"g": buy}, model.FailedPrecondition, "input.valueEvent")
		refused(`startExperiment(id: $e, at: "2026-06-01T00:00:00Z")`, model.FailedPrecondition, "decideAt")
		state(`startExperiment(id: $e, at: "2026-05-01T00:00:00Z")`, horizon)
		for input, field := range map[string]string{`decidesBy: RATE`: "input.decidesBy", `monitoring: CONTINUOUS, decideAt: null`: "input.monitoring", `decideAt: "2026-07-01T00:00:00Z"`: "input.decideAt"} {
			refused(update(input), model.FailedPrecondition, field)
		}
		// Guardrails can change, which is told.
		var data struct {
			UpdateExperiment struct {
				Experiment struct{ MetricChangedAt *time.Time }
			}
		}
		g.into(&data, `mutation($e: ID!) { updateExperiment(input: {id: $e, guardrails: []}) { experiment { metricChangedAt } } }`, vars{"e": e})
		if data.UpdateExperiment.Experiment.MetricChangedAt == nil {
			t.Error("the change of guardrails is not told")
		}
	})
}
