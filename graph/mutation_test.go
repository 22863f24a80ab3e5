package graph_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// everything is all that mutations could change.
const everything = `{ sites { id name domains timezone
	segments { nodes { id name active filters { type { name } args } createdAt updatedAt } }
	goals(archived: null) { nodes { id key name description valueEvent archived filters { type { name } args } createdAt updatedAt } } } }`

func TestRefusedMutationsChangeNothing(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, other := g.site("a.example", "UTC"), g.site("b.example", "UTC")
		segment := g.segment(site, "Romania", raw(`{"country": {"is": "RO"}}`))
		goal := g.goal(site, "buy", raw(`{"pages": {"all": "/buy"}}`))
		g.goal(site, "romania", raw(`{"pages": {"all": "/ro"}}`))
		rubbish := base64.RawURLEncoding.EncodeToString([]byte("Goal:999999"))
		long := strings.Repeat("x", 1_000_000)
		before := string(g.must(everything, nil))
		v := vars{"site": site, "other": other, "segment": segment, "goal": goal, "rubbish": rubbish, "long": long[:900_000], "bad": raw(`[{"ip": {"is": "x"}}]`), "none": "nothing"}
		declared := map[string]string{"site": "ID!", "other": "ID!", "segment": "ID!", "goal": "ID!", "rubbish": "ID!", "long": "String!", "bad": "[FilterInput!]!", "none": "ID!"}
		for _, test := range []struct {
			mutation string
			code     model.Code
			field    string
		}{
			{`createSite(input: {name: ""}) { site { id } }`, model.BadInput, "input.name"},
			{`createSite(input: {name: $long}) { site { id } }`, model.BadInput, "input.name"},
			{`createSite(input: {name: "c", domains: ["a.example"]}) { site { id } }`, model.Conflict, "input.domains"},
			{`createSite(input: {name: "c", domains: ["https://c.example/"]}) { site { id } }`, model.BadInput, "input.domains"},
			{`createSite(input: {name: "c", ignoredReferrers: ["https://c.example/"]}) { site { id } }`, model.BadInput, "input.ignoredReferrers"},
			{`createSite(input: {name: "c", timezone: "Mars/Olympus"}) { site { id } }`, model.BadInput, "input.timezone"},
			{`updateSite(input: {id: $other, domains: ["b.example", "A.example"]}) { site { id } }`, model.Conflict, "input.domains"},
			{`updateSite(input: {id: $other, name: " "}) { site { id } }`, model.BadInput, "input.name"},
			{`updateSite(input: {id: $segment, name: "x"}) { site { id } }`, model.NotFound, "input.id"},
			{`updateSite(input: {id: $none, name: "x"}) { site { id } }`, model.NotFound, "input.id"},
			{`deleteSite(id: $goal) { deletedId }`, model.NotFound, "id"},
			{`deleteSite(id: $none) { deletedId }`, model.NotFound, "id"},
			{`createSegment(input: {siteId: $none, name: "x", filters: []}) { segment { id } }`, model.NotFound, "input.siteId"},
			{`createSegment(input: {siteId: $goal, name: "x", filters: []}) { segment { id } }`, model.NotFound, "input.siteId"},
			{`createSegment(input: {siteId: $site, name: "", filters: []}) { segment { id } }`, model.BadInput, "input.name"},
			{`createSegment(input: {siteId: $site, name: $long, filters: []}) { segment { id } }`, model.BadInput, "input.name"},
			{`createSegment(input: {siteId: $site, name: "x", filters: $bad}) { segment { id } }`, model.BadInput, "input.filters[0].ip.is[0]"},
			{`updateSegment(input: {id: $segment, name: "new", filters: $bad}) { segment { id } }`, model.BadInput, "input.filters[0].ip.is[0]"},
			{`updateSegment(input: {id: $segment, name: "", active: false}) { segment { id } }`, model.BadInput, "input.name"},
			{`updateSegment(input: {id: $goal, name: "x"}) { segment { id } }`, model.NotFound, "input.id"},
			{`deleteSegment(id: $goal) { deletedId }`, model.NotFound, "id"},
			{`deleteSegment(id: $rubbish) { deletedId }`, model.NotFound, "id"},
			{`convertSegmentToGoal(input: {segmentId: $goal}) { goal { id } }`, model.NotFound, "input.segmentId"},
			{`convertSegmentToGoal(input: {segmentId: $segment, key: "buy"}) { goal { id } }`, model.Conflict, "input.key"},
			{`convertSegmentToGoal(input: {segmentId: $segment, key: ""}) { goal { id } }`, model.BadInput, "input.key"},
			{`convertSegmentToGoal(input: {segmentId: $segment, key: "k", name: ""}) { goal { id } }`, model.BadInput, "input.name"},
			{`convertGoalToSegment(goalId: $segment) { segment { id } }`, model.NotFound, "goalId"},
			{`convertGoalToSegment(goalId: $rubbish) { segment { id } }`, model.NotFound, "goalId"},
			{`createGoal(input: {siteId: $site, key: "buy", name: "x"}) { goal { id } }`, model.Conflict, "input.key"},
			{`createGoal(input: {siteId: $site, key: "", name: "x"}) { goal { id } }`, model.BadInput, "input.key"},
			{`createGoal(input: {siteId: $site, key: "k", name: ""}) { goal { id } }`, model.BadInput, "input.name"},
			{`createGoal(input: {siteId: $site, key: $long, name: "x"}) { goal { id } }`, model.BadInput, "input.key"},
			{`createGoal(input: {siteId: $site, key: "k", name: "x", description: $long}) { goal { id } }`, model.BadInput, "input.description"},
			{`createGoal(input: {siteId: $site, key: "k", name: "x", valueEvent: $long}) { goal { id } }`, model.BadInput, "input.valueEvent"},
			{`createGoal(input: {siteId: $site, key: "k", name: "x", filters: $bad}) { goal { id } }`, model.BadInput, "input.filters[0].ip.is[0]"},
			{`createGoal(input: {siteId: $segment, key: "k", name: "x"}) { goal { id } }`, model.NotFound, "input.siteId"},
			{`createGoal(input: {siteId: "` + encode("Site:999") + `", key: "k", name: "x"}) { goal { id } }`, model.NotFound, "input.siteId"},
			{`createSegment(input: {siteId: "` + encode("Site:999") + `", name: "x", filters: []}) { segment { id } }`, model.NotFound, "input.siteId"},
			{`updateSegment(input: {id: "` + encode("Segment:999") + `", name: "x"}) { segment { id } }`, model.NotFound, "input.id"},
			{`convertSegmentToGoal(input: {segmentId: "` + encode("Segment:999") + `"}) { goal { id } }`, model.NotFound, "input.segmentId"},
			{`deleteSite(id: "` + encode("Site:999") + `") { deletedId }`, model.NotFound, "id"},
			{`updateSite(input: {id: "` + encode("Site:999") + `", name: "x"}) { site { id } }`, model.NotFound, "input.id"},
			{`updateGoal(input: {id: $goal, name: "new", filters: $bad}) { goal { id } }`, model.BadInput, "input.filters[0].ip.is[0]"},
			{`updateGoal(input: {id: $goal, name: $long, description: "new"}) { goal { id } }`, model.BadInput, "input.name"},
			{`updateGoal(input: {id: $site, name: "new"}) { goal { id } }`, model.NotFound, "input.id"},
			{`updateGoal(input: {id: $rubbish, name: "new"}) { goal { id } }`, model.NotFound, "input.id"},
			{`archiveGoal(id: $segment) { goal { id } }`, model.NotFound, "id"},
			{`unarchiveGoal(id: $rubbish) { goal { id } }`, model.NotFound, "id"},
			{`deleteGoal(id: $none) { deletedId }`, model.NotFound, "id"},
			{`deleteGoal(id: $rubbish) { deletedId }`, model.NotFound, "id"},
		} {
			definitions, used := "", vars{}
			for name, typ := range declared {
				if strings.Contains(test.mutation, "$"+name) {
					definitions += " $" + name + ": " + typ
					used[name] = v[name]
				}
			}
			if definitions != "" {
				definitions = "(" + definitions + ")"
			}
			g.refused("mutation"+definitions+" { "+test.mutation+" }", used, test.code, test.field)
		}
		if after := string(g.must(everything, nil)); after != before {
			t.Errorf("before %s\nafter %s", before, after)
		}
		if log := g.log.String(); log != "" {
			t.Errorf("logged: %s", log)
		}
	})
}

func TestMutations(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.want(`mutation { createSite(input: {name: " Shop ", domains: ["Shop.Example", "shop.example.", "m.shop.example"]}) { site { name domains timezone segments { nodes { name active filters { label } } } } } }`, nil,
			`{"createSite": {"site": {"name": "Shop", "domains": ["shop.example", "m.shop.example"], "timezone": "UTC", "segments": {"nodes": [{"name": "All", "active": true, "filters": []}]}}}}`)
		site := g.site("a.example", "Europe/Bucharest")
		g.want(`mutation($s: ID!) { updateSite(input: {id: $s, name: "New", timezone: null}) { site { name domains timezone } } }`, vars{"s": site},
			`{"updateSite": {"site": {"name": "New", "domains": ["a.example"], "timezone": "Europe/Bucharest"}}}`)
		g.want(`mutation($s: ID!) { updateSite(input: {id: $s, domains: "c.example", timezone: "UTC"}) { site { name domains timezone } } }`, vars{"s": site},
			`{"updateSite": {"site": {"name": "New", "domains": ["c.example"], "timezone": "UTC"}}}`)
		g.want(`mutation { createSite(input: {name: "Bots", ignoredReferrers: ["Pay.example."], bots: INCLUDE}) { site { ignoredReferrers bots } } }`, nil,
			`{"createSite": {"site": {"ignoredReferrers": ["pay.example"], "bots": "INCLUDE"}}}`)
		g.want(`mutation($s: ID!) { updateSite(input: {id: $s, ignoredReferrers: ["pay.example", "xn--caf-dma.example"]}) { site { ignoredReferrers bots } } }`, vars{"s": site},
			`{"updateSite": {"site": {"ignoredReferrers": ["pay.example", "café.example"], "bots": "EXCLUDE"}}}`)
		g.want(`mutation($s: ID!) { updateSite(input: {id: $s, ignoredReferrers: null, bots: INCLUDE}) { site { ignoredReferrers bots } } }`, vars{"s": site},
			`{"updateSite": {"site": {"ignoredReferrers": ["pay.example", "café.example"], "bots": "INCLUDE"}}}`)
		g.want(`mutation($s: ID!) { updateSite(input: {id: $s, ignoredReferrers: [], bots: null}) { site { ignoredReferrers bots } } }`, vars{"s": site},
			`{"updateSite": {"site": {"ignoredReferrers": [], "bots": "INCLUDE"}}}`)
		g.want(`{ a: site(domain: "a.example") { name } c: site(domain: "C.EXAMPLE") { name } }`, nil, `{"a": null, "c": {"name": "New"}}`)

		segment := g.segment(site, "S", raw(`{"country": {"is": "ro"}}`))
		g.want(`mutation($s: ID!) { updateSegment(input: {id: $s, active: false}) { segment { name active filters { args label } } } }`, vars{"s": segment},
			`{"updateSegment": {"segment": {"name": "S", "active": false, "filters": [{"args": {"is": ["ro"]}, "label": "Country is RO"}]}}}`)
		g.want(`mutation($s: ID!) { updateSegment(input: {id: $s, name: "T", filters: []}) { segment { name active filters { args } } } }`, vars{"s": segment},
			`{"updateSegment": {"segment": {"name": "T", "active": false, "filters": []}}}`)
		g.want(`mutation($s: ID!) { deleteSegment(id: $s) { deletedId } }`, vars{"s": segment}, fmt.Sprintf(`{"deleteSegment": {"deletedId": %q}}`, segment))
		g.refused(`mutation($s: ID!) { deleteSegment(id: $s) { deletedId } }`, vars{"s": segment}, model.NotFound, "id")

		goal := g.goal(site, "buy", raw(`{"pages": {"all": "/buy"}}`))
		g.want(`{ site(domain: "c.example") { goal(key: "buy") { valueEvent } missing: goal(key: "Buy") { id } } }`, nil, `{"site": {"goal": {"valueEvent": null}, "missing": null}}`)
		for _, step := range []struct{ input, want string }{
			{`valueEvent: "bought"`, `"bought"`}, {`name: "Buy"`, `"bought"`}, {`valueEvent: null`, `null`}, {`valueEvent: "bought", name: null, description: null, filters: null`, `"bought"`},
			{`valueEvent: ""`, `null`},
		} {
			g.want(`mutation($g: ID!) { updateGoal(input: {id: $g, `+step.input+`}) { goal { key valueEvent filters { args } } } }`, vars{"g": goal},
				`{"updateGoal": {"goal": {"key": "buy", "valueEvent": `+step.want+`, "filters": [{"args": {"all": ["/buy"]}}]}}}`)
		}
		g.want(`mutation($g: ID!) { archiveGoal(id: $g) { goal { archived site { goals { totalCount } archived: goals(archived: true) { totalCount } all: goals(archived: null) { totalCount }
			goalCards(range: {from: "2026-01-01T00:00:00Z"}) { goal { key } } } } } }`, vars{"g": goal},
			`{"archiveGoal": {"goal": {"archived": true, "site": {"goals": {"totalCount": 0}, "archived": {"totalCount": 1}, "all": {"totalCount": 1}, "goalCards": []}}}}`)
		g.want(`mutation($g: ID!) { unarchiveGoal(id: $g) { goal { archived } } }`, vars{"g": goal}, `{"unarchiveGoal": {"goal": {"archived": false}}}`)
		g.want(`mutation($g: ID!) { deleteGoal(id: $g) { deletedId } }`, vars{"g": goal}, fmt.Sprintf(`{"deleteGoal": {"deletedId": %q}}`, goal))
		g.want(`mutation($s: ID!) { deleteSite(id: $s) { deletedId } }`, vars{"s": site}, fmt.Sprintf(`{"deleteSite": {"deletedId": %q}}`, site))
		g.want(`query($s: ID!) { site(id: $s) { id } sites { name } }`, vars{"s": site}, `{"site": null, "sites": [{"name": "Shop"}, {"name": "Bots"}]}`)
	})
}

// Of an operation with several mutations each has its own result, with the site as it was then.
func TestPayloads(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		const lists = `site { name goals { nodes { key } } goalCards(range: {from: "2026-01-01T00:00:00Z"}) { goal { key } } segments { totalCount } }`
		listsOf := func(name string, goals []string, segments int) string {
			keys, cards := []any{}, []any{}
			for _, key := range goals {
				keys, cards = append(keys, vars{"key": key}), append(cards, vars{"goal": vars{"key": key}})
			}
			return mustJSON(vars{"name": name, "goals": vars{"nodes": keys}, "goalCards": cards, "segments": vars{"totalCount": segments}})
		}
		a := g.ask(`mutation($s: ID!) {
			buy: createGoal(input: {siteId: $s, key: "buy", name: "Buy"}) { goal { key } `+lists+` }
			again: createGoal(input: {siteId: $s, key: "buy", name: "Buy again"}) { goal { key } }
			renamed: updateSite(input: {id: $s, name: "A"}) { site { name } }
			nobody: deleteGoal(id: "nothing") { deletedId }
			look: createGoal(input: {siteId: $s, key: "look", name: "Look"}) { goal { key } `+lists+` }
		}`, vars{"s": site})
		want := `{"buy": {"goal": {"key": "buy"}, "site": ` + listsOf("a.example", []string{"buy"}, 1) + `}, "again": null, "renamed": {"site": {"name": "A"}},
			"nobody": null, "look": {"goal": {"key": "look"}, "site": ` + listsOf("A", []string{"buy", "look"}, 1) + `}}`
		if a.Data == nil || !sameJSON(t, a.Data, []byte(want)) {
			t.Errorf("%v got %s\nwant %s", a.Errors, a.Data, want)
		}
		var refusals []string
		for _, e := range a.Errors {
			refusals = append(refusals, fmt.Sprint(e.Path, e.Extensions))
		}
		if got := strings.Join(refusals, " "); got != "[again] {CONFLICT input.key} [nobody] {NOT_FOUND id}" {
			t.Errorf("refused: %s", got)
		}

		segment := g.segment(site, "Romania", raw(`{"country": {"is": "RO"}}`))
		var converted struct {
			ConvertSegmentToGoal struct{ Goal struct{ ID string } }
		}
		data := g.must(`mutation($s: ID!) { convertSegmentToGoal(input: {segmentId: $s}) { goal { id } removedSegmentId `+lists+` } }`, vars{"s": segment})
		if err := json.Unmarshal(data, &converted); err != nil {
			t.Fatal(err)
		}
		goal := converted.ConvertSegmentToGoal.Goal.ID
		if want := fmt.Sprintf(`{"convertSegmentToGoal": {"goal": {"id": %q}, "removedSegmentId": %q, "site": %s}}`, goal, segment, listsOf("A", []string{"buy", "look", "romania"}, 1)); !sameJSON(t, data, []byte(want)) {
			t.Errorf("got %s\nwant %s", data, want)
		}
		g.want(`mutation($g: ID!) { convertGoalToSegment(goalId: $g) { segment { id } removedGoalId `+lists+` } }`, vars{"g": goal},
			fmt.Sprintf(`{"convertGoalToSegment": {"segment": {"id": %q}, "removedGoalId": %q, "site": %s}}`, segment, goal, listsOf("A", []string{"buy", "look"}, 2)))
		g.want(`mutation($s: ID!) { deleteSegment(id: $s) { deletedId `+lists+` } }`, vars{"s": segment},
			fmt.Sprintf(`{"deleteSegment": {"deletedId": %q, "site": %s}}`, segment, listsOf("A", []string{"buy", "look"}, 1)))
		g.want(`mutation($s: ID!) { deleteSite(id: $s) { deletedId sites { name } } }`, vars{"s": site}, fmt.Sprintf(`{"deleteSite": {"deletedId": %q, "sites": []}}`, site))
	})
}

// Who says what he has seen changes nothing that others have changed since, even within a millisecond.
func TestExpectedUpdates(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		goal, segment := g.goal(site, "buy"), g.segment(site, "All of them")
		experiment := g.experiment(site, "headline", goal)
		seen := func(id string) (at string) {
			t.Helper()
			var data struct{ Node struct{ UpdatedAt string } }
			g.into(&data, `query($id: ID!) { node(id: $id) { ... on Goal { updatedAt } ... on Segment { updatedAt } ... on Experiment { updatedAt } ... on Site { updatedAt } } }`, vars{"id": id})
			return data.Node.UpdatedAt
		}
		for _, test := range []struct{ id, change, field string }{
			{goal, `updateGoal(input: {id: $id, name: "x", expectedUpdatedAt: $at}) { goal { updatedAt } }`, "input.expectedUpdatedAt"},
			{goal, `archiveGoal(id: $id, expectedUpdatedAt: $at) { goal { updatedAt } }`, "expectedUpdatedAt"},
			{goal, `unarchiveGoal(id: $id, expectedUpdatedAt: $at) { goal { updatedAt } }`, "expectedUpdatedAt"},
			{segment, `updateSegment(input: {id: $id, name: "x", expectedUpdatedAt: $at}) { segment { updatedAt } }`, "input.expectedUpdatedAt"},
			{experiment, `updateExperiment(input: {id: $id, name: "x", expectedUpdatedAt: $at}) { experiment { updatedAt } }`, "input.expectedUpdatedAt"},
			{experiment, `startExperiment(id: $id, expectedUpdatedAt: $at) { experiment { updatedAt } }`, "expectedUpdatedAt"},
			{experiment, `stopExperiment(id: $id, expectedUpdatedAt: $at) { experiment { updatedAt } }`, "expectedUpdatedAt"},
			{experiment, `archiveExperiment(id: $id, expectedUpdatedAt: $at) { experiment { updatedAt } }`, "expectedUpdatedAt"},
			{experiment, `deleteExperiment(id: $id, expectedUpdatedAt: $at) { deletedId }`, "expectedUpdatedAt"},
			{segment, `convertSegmentToGoal(input: {segmentId: $id, expectedUpdatedAt: $at}) { removedSegmentId }`, "input.expectedUpdatedAt"},
			{goal, `convertGoalToSegment(goalId: $id, expectedUpdatedAt: $at) { removedGoalId }`, "expectedUpdatedAt"},
			{site, `updateSite(input: {id: $id, name: "x", expectedUpdatedAt: $at}) { site { updatedAt } }`, "input.expectedUpdatedAt"},
		} {
			at := seen(test.id)
			mutation := `mutation($id: ID!, $at: Time!) { a: ` + test.change + ` }`
			stale := vars{"id": test.id, "at": "2026-05-01T00:00:00Z"}
			e := g.refused(mutation, stale, model.Conflict, test.field)
			if !strings.Contains(e.Message, at) {
				t.Errorf("%s: %q does not say %s", test.change, e.Message, at)
			}
			// Of two who have seen the same, one changes it.
			twice := strings.Replace(mutation, `a: `+test.change, `a: `+test.change+` b: `+test.change, 1)
			if a := g.ask(twice, vars{"id": test.id, "at": at}); len(a.Errors) != 1 || a.Errors[0].Path[0] != "b" {
				t.Errorf("%s: %v", test.change, a.Errors)
			}
		}
		// A change to what is there already is none.
		calm, steady := g.segment(site, "Calm"), g.goal(site, "steady")
		for id, mutation := range map[string]string{calm: `updateSegment(input: {id: $id, name: "Calm"}) { segment { id } }`, steady: `unarchiveGoal(id: $id) { goal { id } }`} {
			at := seen(id)
			g.must(`mutation($id: ID!) { `+mutation+` }`, vars{"id": id})
			if now := seen(id); now != at {
				t.Errorf("%s: updated at %s, before %s", mutation, now, at)
			}
		}
		again, more, other := g.segment(site, "Again"), g.goal(site, "more"), g.site("b.example", "UTC")
		for id, mutation := range map[string]string{again: `deleteSegment`, more: `deleteGoal`, other: `deleteSite`} {
			mutation := `mutation($id: ID!, $at: Time!) { ` + mutation + `(id: $id, expectedUpdatedAt: $at) { deletedId } }`
			g.refused(mutation, vars{"id": id, "at": "2026-05-01T00:00:00Z"}, model.Conflict, "expectedUpdatedAt")
			g.must(mutation, vars{"id": id, "at": seen(id)})
		}
	})
}

// Several are changed together, all or none.
func TestChangesTogether(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, other := g.site("a.example", "UTC"), g.site("b.example", "UTC")
		goals := []string{g.goal(site, "a"), g.goal(site, "b"), g.goal(site, "c")}
		segments := []string{g.segment(site, "A"), g.segment(site, "B")}
		used := g.goal(site, "used")
		experiments := []string{g.experiment(site, "x", used), g.experiment(site, "y", used), g.experiment(site, "z", used)}
		g.start(experiments[2], "2026-05-01T00:00:00Z")
		elsewhere := []string{g.goal(other, "a"), g.segment(other, "A")}
		long := strings.Split(strings.Repeat(goals[0]+",", 500)+goals[0], ",")
		before := string(g.must(everything, nil))
		changes := func() int {
			t.Helper()
			n, err := g.store.CountChanges(t.Context(), allChanges)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		logged := changes()
		for _, test := range []struct {
			mutation string
			ids      []string
			code     model.Code
			field    string
		}{
			{`archiveGoals(ids: $ids) { site { id } }`, nil, model.BadInput, "ids"},
			{`archiveGoals(ids: $ids) { site { id } }`, long, model.BadInput, "ids"},
			{`archiveGoals(ids: $ids) { site { id } }`, []string{goals[2], goals[0], goals[2]}, model.BadInput, "ids[2]"},
			{`archiveGoals(ids: $ids) { site { id } }`, []string{goals[2], segments[0]}, model.NotFound, "ids[1]"},
			{`archiveGoals(ids: $ids) { site { id } }`, []string{goals[2], encode("Goal:999"), goals[0]}, model.NotFound, "ids[1]"},
			{`archiveGoals(ids: $ids) { site { id } }`, []string{goals[2], elsewhere[0]}, model.BadInput, "ids[1]"},
			{`deleteGoals(ids: $ids) { deletedIds }`, []string{goals[2], goals[1], used}, model.FailedPrecondition, "ids[2]"},
			{`deactivateSegments(ids: $ids) { site { id } }`, []string{segments[0], elsewhere[1]}, model.BadInput, "ids[1]"},
			{`deleteSegments(ids: $ids) { deletedIds }`, []string{segments[1], segments[0], encode("Segment:999")}, model.NotFound, "ids[2]"},
			{`archiveExperiments(ids: $ids) { site { id } }`, []string{experiments[1], experiments[2]}, model.FailedPrecondition, "ids[1]"},
			{`deleteExperiments(ids: $ids) { deletedIds }`, []string{experiments[2], experiments[0]}, model.FailedPrecondition, "ids[0]"},
		} {
			g.refused(`mutation($ids: [ID!]!) { `+test.mutation+` }`, vars{"ids": append([]string{}, test.ids...)}, test.code, test.field)
		}
		if after := string(g.must(everything, nil)); after != before {
			t.Errorf("before %s\nafter %s", before, after)
		}
		if n := changes(); n != logged {
			t.Errorf("%d changes are logged that were refused", n-logged)
		}
		g.want(`mutation($ids: [ID!]!) { archiveGoals(ids: $ids) { goals { key archived } site { goals { totalCount } } } }`, vars{"ids": []string{goals[2], goals[0]}},
			`{"archiveGoals": {"goals": [{"key": "c", "archived": true}, {"key": "a", "archived": true}], "site": {"goals": {"totalCount": 2}}}}`)
		g.want(`mutation($ids: [ID!]!) { unarchiveGoals(ids: $ids) { goals { archived } site { goals { totalCount } } } }`, vars{"ids": []string{goals[2]}},
			`{"unarchiveGoals": {"goals": [{"archived": false}], "site": {"goals": {"totalCount": 3}}}}`)
		g.want(`mutation($ids: [ID!]!) { deactivateSegments(ids: $ids) { segments { name active } site { segments(active: true) { totalCount } } } }`, vars{"ids": []string{segments[1], segments[0]}},
			`{"deactivateSegments": {"segments": [{"name": "B", "active": false}, {"name": "A", "active": false}], "site": {"segments": {"totalCount": 1}}}}`)
		g.want(`mutation($ids: [ID!]!) { activateSegments(ids: $ids) { segments { active } } }`, vars{"ids": segments}, `{"activateSegments": {"segments": [{"active": true}, {"active": true}]}}`)
		g.want(`mutation($ids: [ID!]!) { archiveExperiments(ids: $ids) { experiments { key status } } }`, vars{"ids": experiments[:1]}, `{"archiveExperiments": {"experiments": [{"key": "x", "status": "ARCHIVED"}]}}`)
		g.want(`mutation($x: [ID!]!, $g: [ID!]!, $s: [ID!]!) { deleteExperiments(ids: $x) { site { experiments { totalCount } } } deleteGoals(ids: $g) { deletedIds } deleteSegments(ids: $s) { deletedIds site { segments { totalCount } } } }`,
			vars{"x": experiments[:2], "g": goals, "s": segments},
			fmt.Sprintf(`{"deleteExperiments": {"site": {"experiments": {"totalCount": 1}}}, "deleteGoals": {"deletedIds": %s}, "deleteSegments": {"deletedIds": %s, "site": {"segments": {"totalCount": 1}}}}`,
				mustJSON(goals), mustJSON(segments)))

		// Segments that name each other go together, in whatever order; one that another names stays.
		remove := `mutation($ids: [ID!]!) { deleteSegments(ids: $ids) { deletedIds } }`
		inner := g.segment(site, "inner")
		outer := g.segment(site, "outer", raw(`{"segment": "`+inner+`"}`))
		outermost := g.segment(site, "outermost", raw(`{"not": {"segment": "`+outer+`"}}`))
		g.refused(remove, vars{"ids": []string{outer, inner}}, model.FailedPrecondition, "ids[0]")
		g.want(remove, vars{"ids": []string{outer, inner, outermost}}, fmt.Sprintf(`{"deleteSegments": {"deletedIds": %s}}`, mustJSON([]string{outer, inner, outermost})))
		inner = g.segment(site, "inner")
		outer = g.segment(site, "outer", raw(`{"segment": "`+inner+`"}`))
		g.must(remove, vars{"ids": []string{inner, outer}})
	})
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, other := g.site("a.example", "UTC"), g.site("b.example", "UTC")
		goal, segment := g.goal(other, "buy"), g.segmentNamed(other, "All")
		v := vars{"s": site}
		ask := func(field string) string { return `query($s: ID!) { site(id: $s) { ` + field + ` } }` }
		const in = `range: {from: "2026-05-01T00:00:00Z"}`
		for _, test := range []struct {
			query string
			code  model.Code
			field string
		}{
			{ask(`segments(first: -1) { totalCount }`), model.BadInput, "first"},
			{ask(`goals(first: 501) { totalCount }`), model.BadInput, "first"},
			{ask(`events(first: 501) { totalCount }`), model.BadInput, "first"},
			{ask(`values(filterType: "country", first: 501) { value }`), model.BadInput, "first"},
			{ask(`values(filterType: "nope") { value }`), model.BadInput, "filterType"},
			{ask(`values(filterType: "sessionLength") { value }`), model.BadInput, "filterType"},
			{ask(`sessions(first: -1, ` + in + `) { totalCount }`), model.BadInput, "first"},
			{ask(`sessions(after: "rubbish", ` + in + `) { totalCount }`), model.BadInput, "after"},
			{ask(`segments(after: "") { totalCount }`), model.BadInput, "after"},
			{ask(`goals(after: "rubbish") { totalCount }`), model.BadInput, "after"},
			{ask(`events(after: "!!") { totalCount }`), model.BadInput, "after"},
			{ask(`sessionCount(range: {from: "2026-05-02T00:00:00Z", to: "2026-05-01T00:00:00Z"})`), model.BadInput, "range"},
			{ask(`goalCards(range: {from: "2026-05-02T00:00:00Z", to: "2026-05-01T00:00:00Z"}) { goal { id } }`), model.BadInput, "range"},
			{ask(`goalCards(goals: ["` + goal + `"], ` + in + `) { goal { id } }`), model.NotFound, "goals[0]"},
			{ask(`goalCards(segments: ["` + segment + `"], ` + in + `) { goal { id } }`), model.NotFound, "segments[0]"},
			{ask(`goalCards(goals: ["` + segment + `"], ` + in + `) { goal { id } }`), model.NotFound, "goals[0]"},
			{ask(`funnel(steps: [], ` + in + `) { range { from } }`), model.BadInput, "steps"},
			{ask(`funnel(steps: ["` + goal + `"], ` + in + `) { range { from } }`), model.NotFound, "steps[0]"},
			{`query($s: ID!) { site(id: $s, domain: "a.example") { id } }`, model.BadInput, ""},
		} {
			g.refused(test.query, v, test.code, test.field)
		}
		g.refused(`{ site { id } }`, nil, model.BadInput, "")
		g.refused(`query($i: [ID!]!) { nodes(ids: $i) { id } }`, vars{"i": strings.Split(strings.Repeat("a,", 100)+"a", ",")}, model.BadInput, "ids")
	})
}
