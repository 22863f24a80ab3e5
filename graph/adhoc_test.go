package graph_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// What is given ad hoc counts like what is saved, wherever ids are taken, in queries and subscriptions, and leaves nothing
// behind.
func TestAdHoc(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, buy, read := g.shop()
		american := g.segment(site, "American", raw(`{"country": {"is": "US"}}`))
		e := g.experiment(site, "headline", buy)
		g.start(e, "2026-05-01T00:00:00Z")
		g.write("a.example", assignment("bob", "2026-05-01T10:30:05Z", "headline", "a"), assignment("eve", "2026-05-02T10:00:00Z", "headline", "b"))
		before := string(g.must(`query($s: ID!) { site(id: $s) { goals { totalCount } segments { totalCount } } }`, vars{"s": site}))
		saved := vars{"s": site, "e": e, "r": raw(may2026), "goals": []string{buy, read}, "segments": []string{american}, "goal": read}
		adHoc := vars{"s": site, "e": e, "r": raw(may2026),
			"adHocGoals": raw(`[{"name": "buy", "filters": [{"events": {"all": "buy"}}], "valueEvent": "buy"}, {"name": "read", "filters": [{"pages": {"all": "/blog"}}]}]`),
			"adHocGoal":  raw(`{"name": "read", "filters": [{"pages": {"all": "/blog"}}]}`), "adHocSegments": raw(`[{"name": "American", "filters": [{"country": {"is": "US"}}]}]`)}
		types := map[string]string{"s": "ID!", "e": "ID!", "r": "TimeRange!", "goals": "[ID!]", "adHocGoals": "[AdHocGoalInput!]", "segments": "[ID!]", "adHocSegments": "[AdHocSegmentInput!]",
			"goal": "ID", "adHocGoal": "AdHocGoalInput"}
		answer := func(ask string, given vars) json.RawMessage {
			t.Helper()
			used, declared := vars{}, []string{}
			for name, typ := range types {
				if regexp.MustCompile(`\$` + name + `\b`).MatchString(ask) {
					used[name], declared = given[name], append(declared, "$"+name+": "+typ)
				}
			}
			return g.must("query("+strings.Join(declared, ", ")+") { "+ask+" }", used)
		}
		const given = `segments: $segments, adHocSegments: $adHocSegments, range: $r`
		const cells = `goal { key } cells { segment { name active } merged { label } sessions visitors conversions valueTotal series(interval: MONTH) { conversions } }`
		const result = `visitors metrics { goal { key } primary variants { visitors conversions value { total } } }`
		for name, ask := range map[string]string{
			"cards":     `site(id: $s) { goalCards(` + given + `, goals: $goals, adHocGoals: $adHocGoals) { ` + cells + ` } }`,
			"funnel":    `site(id: $s) { funnel(` + given + `, steps: $goals, adHocGoals: $adHocGoals, unit: VISITOR) { segments { segment { name } steps { goal { key } sessions fromStart merged { label } } } } }`,
			"breakdown": `site(id: $s) { breakdown(` + given + `, goals: $goals, adHocGoals: $adHocGoals, by: [PAGE]) { nodes { values sessions value goals { goal { key } conversions valueTotal } } } }`,
			"totals":    `site(id: $s) { totals(` + given + `) { sessions } }`,
			"results":   `node(id: $e) { ... on Experiment { results(goal: $goal, adHocGoal: $adHocGoal) { ` + result + ` } } }`,
			"segments":  `node(id: $e) { ... on Experiment { breakdown(segments: $segments, adHocSegments: $adHocSegments, goal: $goal, adHocGoal: $adHocGoal) { segment { name } result { ` + result + ` } } } }`,
		} {
			want := strings.ReplaceAll(string(answer(ask, saved)), `"active":true`, `"active":false`)
			if got := answer(ask, adHoc); !sameJSON(t, got, []byte(want)) {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
			if !strings.ContainsAny(want, "123456789") {
				t.Errorf("%s shows little: %s", name, want)
			}
		}
		if after := string(g.must(`query($s: ID!) { site(id: $s) { goals { totalCount } segments { totalCount } } }`, vars{"s": site})); after != before {
			t.Errorf("%s, before %s", after, before)
		}
	})
}

// An ad-hoc goal has an id that follows from what it says and finds nothing, and says that it is not saved.
func TestAdHocObjects(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, buy, _ := g.shop()
	const ask = `query($s: ID!, $g: [AdHocGoalInput!], $i: [AdHocSegmentInput!], $ids: [ID!]) { site(id: $s) { goalCards(goals: $ids, adHocGoals: $g, adHocSegments: $i, range: {from: "2026-05-01T00:00:00Z"}) {
		goal { id saved key name createdAt experiments { id } site { id } card(range: {from: "2026-05-01T00:00:00Z"}, adHocSegments: $i) { cells { conversions } } }
		cells { segment { id saved createdAt sessionCount(range: {from: "2026-05-01T00:00:00Z"}) } conversions } } } }`
	goal, segment := raw(`[{"name": " To buy ", "filters": [{"events": {"all": "buy"}}]}]`), raw(`[{"name": "US", "filters": [{"country": {"is": "US"}}]}]`)
	type card struct {
		Goal  struct{ ID string }
		Cells []struct{ Segment struct{ ID string } }
	}
	ids := func(goal, segment any) (string, string) {
		var data struct{ Site struct{ GoalCards []card } }
		g.into(&data, ask, vars{"s": site, "g": goal, "i": segment})
		return data.Site.GoalCards[0].Goal.ID, data.Site.GoalCards[0].Cells[0].Segment.ID
	}
	goalID, segmentID := ids(goal, segment)
	if g2, s2 := ids(goal, segment); g2 != goalID || s2 != segmentID {
		t.Errorf("ids of the same: %s, %s; before %s, %s", g2, s2, goalID, segmentID)
	}
	if g2, s2 := ids(raw(`[{"name": "To buy", "filters": [{"events": {"all": "look"}}]}]`), raw(`[{"name": "US", "filters": []}]`)); g2 == goalID || s2 == segmentID {
		t.Errorf("ids of others: %s, %s", g2, s2)
	}
	shown := fmt.Sprintf(`{"goal": {"id": %q, "saved": false, "key": "To buy", "name": "To buy", "createdAt": "1970-01-01T00:00:00Z", "experiments": [], "site": {"id": %q}, "card": {"cells": [{"conversions": 1}]}},
		"cells": [{"segment": {"id": %q, "saved": false, "createdAt": "1970-01-01T00:00:00Z", "sessionCount": 2}, "conversions": 1}]}`, goalID, site, segmentID)
	g.want(ask, vars{"s": site, "g": goal, "i": segment}, `{"site": {"goalCards": [`+shown+`]}}`)
	// An empty list is none: the site's own are counted.
	g.want(`query($s: ID!) { site(id: $s) { goalCards(adHocGoals: [], adHocSegments: [], range: {from: "2026-05-01T00:00:00Z"}) { goal { key } cells { segment { name } } }
		totals(adHocSegments: [], range: {from: "2026-05-01T00:00:00Z"}) { sessions } } }`, vars{"s": site},
		`{"site": {"goalCards": [{"goal": {"key": "buy"}, "cells": [{"segment": {"name": "All"}}]}, {"goal": {"key": "read"}, "cells": [{"segment": {"name": "All"}}]}], "totals": {"sessions": 5}}}`)
	// Saved ones come first, and alone are asked for by their ids.
	var data struct{ Site struct{ GoalCards []card } }
	g.into(&data, ask, vars{"s": site, "ids": []string{buy}, "g": goal})
	if cards := data.Site.GoalCards; len(cards) != 2 || cards[0].Goal.ID != buy || cards[1].Goal.ID != goalID || len(cards[1].Cells) != 1 {
		t.Errorf("%+v", data)
	}
	g.want(`query($g: ID!, $i: ID!) { a: node(id: $g) { id } b: node(id: $i) { id } }`, vars{"g": goalID, "i": segmentID}, `{"a": null, "b": null}`)
	g.refused(ask, vars{"s": site, "ids": []string{goalID}}, model.NotFound, "goals[0]")

	// Steps are named in their order: goals by ids, ad-hoc ones by names or at the end. So is the goal of an order.
	const funnel = `query($s: ID!, $steps: [ID!], $g: [AdHocGoalInput!]) { site(id: $s) { funnel(steps: $steps, adHocGoals: $g, range: {from: "2026-05-01T00:00:00Z"}) { segments { steps { goal { key } } } } } }`
	two := raw(`[{"name": "one", "filters": []}, {"name": "two", "filters": []}]`)
	g.want(funnel, vars{"s": site, "g": two, "steps": []string{"two", buy}}, `{"site": {"funnel": {"segments": [{"steps": [{"goal": {"key": "two"}}, {"goal": {"key": "buy"}}, {"goal": {"key": "one"}}]}]}}}`)
	g.want(`query($s: ID!, $g: [AdHocGoalInput!]) { site(id: $s) { breakdown(by: [COUNTRY], adHocGoals: $g, orderBy: {by: CONVERSIONS, goal: "To buy", direction: ASCENDING}, range: {from: "2026-05-01T00:00:00Z"}) { nodes { values } } } }`,
		vars{"s": site, "g": goal}, `{"site": {"breakdown": {"nodes": [{"values": [""]}, {"values": ["RO"]}, {"values": ["US"]}]}}}`)

	many := func(n int) any {
		return raw("[" + strings.TrimSuffix(strings.Repeat(`{"name": "x", "filters": []},`, n), ",") + "]")
	}
	long := func(n int) any { // goals of 70 filters
		filters := "[" + strings.TrimSuffix(strings.Repeat(`{"country": {"is": ["RO"]}},`, 70), ",") + "]"
		var goals []string
		for i := range n {
			goals = append(goals, fmt.Sprintf(`{"name": "goal %d", "filters": %s}`, i, filters))
		}
		return raw("[" + strings.Join(goals, ",") + "]")
	}
	for _, test := range []struct {
		query string
		vars  vars
		field string
	}{
		{ask, vars{"g": raw(`[{"name": " ", "filters": []}]`)}, "adHocGoals[0].name"},
		{ask, vars{"g": raw(`[{"name": "a", "filters": []}, {"name": "a ", "filters": []}]`)}, "adHocGoals[1].name"},
		{ask, vars{"g": raw(`[{"name": "a", "filters": [{"country": {"is": []}}]}]`)}, "adHocGoals[0].filters[0].country.is"},
		{ask, vars{"g": raw(`[{"name": "a", "filters": [], "valueEvent": "` + strings.Repeat("x", 201) + `"}]`)}, "adHocGoals[0].valueEvent"},
		{ask, vars{"g": many(501)}, "adHocGoals"},
		{ask, vars{"g": goal, "i": raw(`[{"name": "", "filters": []}]`)}, "adHocSegments[0].name"},
		{ask, vars{"g": goal, "i": many(101)}, "adHocSegments"},
		{funnel, vars{}, "steps"},
		{funnel, vars{"g": many(21)}, "steps"},
		{funnel, vars{"g": long(3)}, "steps"},
		{funnel, vars{"g": two, "steps": []string{"three"}}, "steps[0]"},
	} {
		test.vars["s"] = site
		code := model.BadInput
		if test.field == "steps[0]" {
			code = model.NotFound
		}
		g.refused(test.query, test.vars, code, test.field)
	}
	e := g.experiment(site, "headline", buy)
	g.refused(`query($e: ID!, $g: ID!) { node(id: $e) { ... on Experiment { results(goal: $g, adHocGoal: {name: "x", filters: []}) { visitors } } } }`, vars{"e": e, "g": buy}, model.BadInput, "adHocGoal")
	other := g.goal(g.site("b.example", "UTC"), "theirs", raw(`{"pages": {"all": "/"}}`))
	g.refused(`query($e: ID!, $g: ID!) { node(id: $e) { ... on Experiment { results(goal: $g) { visitors } } } }`, vars{"e": e, "g": other}, model.NotFound, "goal")
}

// Subscriptions with ad-hoc goals and segments follow what is tracked, and the segments that their filters name.
func TestAdHocSubscriptions(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	segment := g.segment(site, "Romanian", raw(`{"country": {"is": "RO"}}`))
	w := g.connect()
	adHoc := vars{"s": site, "g": raw(`[{"name": "read", "filters": [{"pages": {"all": "/blog"}}]}]`), "i": raw(`[{"name": "x", "filters": [{"segment": "` + segment + `"}]}]`)}
	w.subscribe("cards", `subscription($s: ID!, $g: [AdHocGoalInput!], $i: [AdHocSegmentInput!]) { goalCards(siteId: $s, adHocGoals: $g, adHocSegments: $i, range: {from: "2026-05-01T00:00:00Z"}) { goal { name } cells { sessions conversions } } }`, adHoc)
	w.wantData("cards", `{"goalCards":[{"goal":{"name":"read"},"cells":[{"sessions":0,"conversions":0}]}]}`)
	w.subscribe("funnel", `subscription($s: ID!, $g: [AdHocGoalInput!], $i: [AdHocSegmentInput!]) { funnel(siteId: $s, adHocGoals: $g, adHocSegments: $i, range: {from: "2026-05-01T00:00:00Z"}) { segments { steps { sessions } } } }`, adHoc)
	w.wantData("funnel", `{"funnel":{"segments":[{"steps":[{"sessions":0}]}]}}`)
	wantBoth := func(cards, funnel string) {
		t.Helper()
		if first, second := w.nextOf("cards", "funnel"); string(first) != cards || string(second) != funnel {
			t.Errorf("%s, %s; want %s, %s", first, second, cards, funnel)
		}
	}
	g.write("a.example", page("ann", "2026-05-01T10:00:00Z", "/blog", country("RO")))
	wantBoth(`{"data":{"goalCards":[{"goal":{"name":"read"},"cells":[{"sessions":1,"conversions":1}]}]}}`, `{"data":{"funnel":{"segments":[{"steps":[{"sessions":1}]}]}}}`)
	g.must(`mutation($i: ID!) { updateSegment(input: {id: $i, filters: [{country: {is: "US"}}]}) { segment { id } } }`, vars{"i": segment})
	wantBoth(`{"data":{"goalCards":[{"goal":{"name":"read"},"cells":[{"sessions":0,"conversions":0}]}]}}`, `{"data":{"funnel":{"segments":[{"steps":[{"sessions":0}]}]}}}`)
}
