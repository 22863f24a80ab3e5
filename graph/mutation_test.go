package graph_test

import (
	"encoding/base64"
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
