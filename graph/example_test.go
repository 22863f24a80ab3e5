package graph_test

import (
	"fmt"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

const card = `query($g: ID!, $s: [ID!], $r: TimeRange!) { node(id: $g) { ... on Goal { card(segments: $s, range: $r) { cells {
	segment { name } sessions conversions conversionRate valueTotal visitors valuePerVisitor merged { label } } } } } }`

const may2026 = `{"from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}`

// A segment becomes a goal and a segment again.
func TestSegmentThatIsConverted(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		g.write("a.example", page("1", "2026-05-01T10:00:00Z", "/pricing", from("t.co")), page("2", "2026-05-01T10:00:00Z", "/", from("t.co")),
			page("3", "2026-05-01T10:00:00Z", "/pricing"), page("4", "2026-05-01T10:00:00Z", "/"))
		twitter := g.segment(site, "Referrer is Twitter", raw(`{"referrer": {"is": "t.co"}}`))
		pricing := g.segment(site, "Visited pricing", raw(`{"pages": {"all": "/pricing"}}`))
		const segments = `query($s: ID!) { site(id: $s) { segments { totalCount nodes { id name active } } goals { nodes { key name filters { args } } } } }`
		before := string(g.must(segments, vars{"s": site}))

		var data struct {
			ConvertSegmentToGoal struct{ Goal struct{ ID string } }
		}
		g.into(&data, `mutation($s: ID!) { convertSegmentToGoal(input: {segmentId: $s}) { goal { id key name } } }`, vars{"s": pricing})
		goal := data.ConvertSegmentToGoal.Goal.ID
		g.want(segments, vars{"s": site}, fmt.Sprintf(`{"site": {"segments": {"totalCount": 2, "nodes": [{"id": %q, "name": "All", "active": true}, {"id": %q, "name": "Referrer is Twitter", "active": true}]},
			"goals": {"nodes": [{"key": "visited-pricing", "name": "Visited pricing", "filters": [{"args": {"all": ["/pricing"]}}]}]}}}`, g.segmentNamed(site, "All"), twitter))
		g.want(`query($s: ID!) { node(id: $s) { id } }`, vars{"s": pricing}, `{"node": null}`)
		g.want(card, vars{"g": goal, "r": raw(may2026)}, `{"node": {"card": {"cells": [
			{"segment": {"name": "All"}, "sessions": 4, "conversions": 2, "conversionRate": 0.5, "valueTotal": null, "visitors": 4, "valuePerVisitor": null, "merged": {"label": "Visited /pricing"}},
			{"segment": {"name": "Referrer is Twitter"}, "sessions": 2, "conversions": 1, "conversionRate": 0.5, "valueTotal": null, "visitors": 2, "valuePerVisitor": null,
				"merged": {"label": "Referrer is t.co and Visited /pricing"}}]}}}`)

		g.want(`mutation($g: ID!) { convertGoalToSegment(goalId: $g) { segment { id name } } }`, vars{"g": goal}, fmt.Sprintf(`{"convertGoalToSegment": {"segment": {"id": %q, "name": "Visited pricing"}}}`, pricing))
		g.want(segments, vars{"s": site}, before)
	})
}

// Variants of a test may be looked at by the tags that sessions carry.
func TestVariantsByTags(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("shop.example", "UTC")
		for i := range 10 {
			tag, when := "AB_test1_default", fmt.Sprintf("2026-05-01T10:0%d:00Z", i)
			if i >= 4 {
				tag = "AB_test1_Variant1"
			}
			g.write("shop.example", page(fmt.Sprint(i), when, "/", tagged(tag)))
			if i%4 == 0 || i == 9 {
				g.write("shop.example", page(fmt.Sprint(i), fmt.Sprintf("2026-05-01T10:1%d:00Z", i), "/checkout"))
			}
		}
		g.segment(site, "Default", raw(`{"tags": {"all": "AB_test1_default"}}`))
		g.segment(site, "Variant 1", raw(`{"tags": {"all": "AB_test1_Variant1"}}`))
		checkout := g.goal(site, "checkout", raw(`{"pages": {"all": "/checkout"}}`))
		g.want(`query($g: ID!, $r: TimeRange!) { node(id: $g) { ... on Goal { card(range: $r) { cells { segment { name } sessions conversions conversionRate } } } } }`,
			vars{"g": checkout, "r": raw(may2026)}, `{"node": {"card": {"cells": [
				{"segment": {"name": "All"}, "sessions": 10, "conversions": 4, "conversionRate": 0.4},
				{"segment": {"name": "Default"}, "sessions": 4, "conversions": 1, "conversionRate": 0.25},
				{"segment": {"name": "Variant 1"}, "sessions": 6, "conversions": 3, "conversionRate": 0.5}]}}}`)
	})
}

func TestGoalOfOnlyAKey(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		const create = `mutation($s: ID!, $k: String!) { createGoal(input: {siteId: $s, key: $k, name: $k}) { goal { id valueEvent filters { type { name } args } } } }`
		created := func(key string) string {
			var data struct {
				CreateGoal struct {
					Goal struct {
						ID         string
						ValueEvent string
					}
				}
			}
			g.into(&data, create, vars{"s": site, "k": key})
			if data.CreateGoal.Goal.ValueEvent != key {
				t.Errorf("%+v", data)
			}
			return data.CreateGoal.Goal.ID
		}
		before := created("purchase")
		g.want(card, vars{"g": before, "r": raw(may2026)}, `{"node": {"card": {"cells": [{"segment": {"name": "All"}, "sessions": 0, "conversions": 0, "conversionRate": null,
			"valueTotal": 0, "visitors": 0, "valuePerVisitor": null, "merged": {"label": "Tracked purchase"}}]}}}`)
		g.write("a.example", page("1", "2026-05-01T10:00:00Z", "/"), event("1", "2026-05-01T10:01:00Z", "purchase", 10), event("1", "2026-05-01T10:02:00Z", "purchase", 2.5),
			event("2", "2026-05-01T10:01:00Z", "purchase", 7.5), event("2", "2026-05-03T10:01:00Z", "signup", 0), page("3", "2026-05-01T10:00:00Z", "/"), event("4", "2026-05-01T10:00:00Z", "signup", 1))
		g.want(card, vars{"g": before, "r": raw(may2026)}, `{"node": {"card": {"cells": [{"segment": {"name": "All"}, "sessions": 5, "conversions": 2, "conversionRate": 0.4,
			"valueTotal": 20, "visitors": 4, "valuePerVisitor": 5, "merged": {"label": "Tracked purchase"}}]}}}`)
		g.want(card, vars{"g": created("signup"), "r": raw(may2026)}, `{"node": {"card": {"cells": [{"segment": {"name": "All"}, "sessions": 5, "conversions": 2, "conversionRate": 0.4,
			"valueTotal": 1, "visitors": 4, "valuePerVisitor": 0.25, "merged": {"label": "Tracked signup"}}]}}}`)
		g.want(`{ site(domain: "a.example") { events { totalCount nodes { name count hasValue firstSeen lastSeen } } found: events(search: "PUR", first: 1) { nodes { name } pageInfo { hasNextPage } } } }`, nil,
			`{"site": {"events": {"totalCount": 2, "nodes": [
				{"name": "purchase", "count": 3, "hasValue": true, "firstSeen": "2026-05-01T10:01:00Z", "lastSeen": "2026-05-01T10:02:00Z"},
				{"name": "signup", "count": 2, "hasValue": true, "firstSeen": "2026-05-01T10:00:00Z", "lastSeen": "2026-05-03T10:01:00Z"}]},
				"found": {"nodes": [{"name": "purchase"}], "pageInfo": {"hasNextPage": false}}}}`)
	})
}

// The counts of cards are asked together: however many cells and fields, one call.
func TestCountsAreAskedTogether(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	for i := range 5 {
		g.segment(site, fmt.Sprint(i), map[string]any{"country": map[string]any{"is": []string{"RO", "US", "DE", "FR", "IT"}[i]}})
	}
	for i := range 6 {
		g.goal(site, fmt.Sprint(i), map[string]any{"pages": map[string]any{"all": fmt.Sprintf("/%d", i)}})
	}
	const matrix = `query { site(domain: "a.example") { goalCards(range: {from: "2026-05-01T00:00:00Z", to: "2026-05-03T00:00:00Z"}) { cells { sessions conversions conversionRate visitors
		series { sessions conversions } } } } }`
	g.must(matrix, nil) // what the plugins say is remembered
	g.engine.taken()
	g.must(matrix, nil)
	// Of 6 segments, and each with 6 goals: their figures, and their series.
	if calls, questions := g.engine.taken(); calls != 1 || questions != 2*(6+36) {
		t.Errorf("%d calls with %d questions", calls, questions)
	}

	// What is not selected is not asked.
	for selected, want := range map[string]int{
		"sessions": 6, "n: conversions": 36, "...Cell": 42, "... on GoalCell { sessions } m: conversions sessions": 42, "segment { name } merged { label }": 0,
	} {
		query := `query { site(domain: "a.example") { goalCards(range: {from: "2026-05-01T00:00:00Z", to: "2026-05-03T00:00:00Z"}) { ...Card } } }
			fragment Card on GoalCard { cells { ` + selected + ` } }`
		if selected == "...Cell" {
			query += ` fragment Cell on GoalCell { conversionRate }`
		}
		g.must(query, nil)
		if calls, questions := g.engine.taken(); calls != min(want, 1) || questions != want {
			t.Errorf("%s: %d calls with %d questions, want %d questions in one call", selected, calls, questions, want)
		}
	}
}

// Under the rule LAST a step replaces an earlier one's filter, and still holds no session that did not come through all steps.
func TestFunnelNeverGrows(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		for i, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.2"} {
			g.write("a.example", page(fmt.Sprint(i), "2026-05-01T10:00:00Z", "/", func(hit *model.Hit) { hit.Origin.IP = ip }))
		}
		one, two := g.goal(site, "one", raw(`{"ip": {"is": "10.0.0.1"}}`)), g.goal(site, "two", raw(`{"ip": {"is": "10.0.0.2"}}`))
		g.want(`query($s: ID!, $g: [ID!]!, $r: TimeRange!) { site(id: $s) { funnel(steps: $g, range: $r) { segments { steps { sessions fromPrevious fromStart merged { label } } } } } }`,
			vars{"s": site, "g": []string{one, two}, "r": raw(may2026)}, `{"site": {"funnel": {"segments": [{"steps": [
				{"sessions": 1, "fromPrevious": 0.3333333333333333, "fromStart": 0.3333333333333333, "merged": {"label": "IP address is 10.0.0.1"}},
				{"sessions": 0, "fromPrevious": 0, "fromStart": 0, "merged": {"label": "IP address is 10.0.0.2"}}]}]}}}`)
	})
}
