package graph_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// clockAt has a graph's clock show an instant.
func clockAt(now *atomic.Int64, text string) func(*testOptions) {
	now.Store(int64(at(text)))
	return func(o *testOptions) { o.Now = func() time.Time { return model.Millis(now.Load()).Time() } }
}

// A range is said in one of four ways, by all fields that take one.
func TestTimeRanges(t *testing.T) {
	t.Parallel()
	now := new(atomic.Int64)
	g := newGraph(t, storetest.SQLite(t), clockAt(now, "2026-03-29T10:07:00Z")) // a Sunday of 23 hours in Bucharest
	site := g.site("a.example", "Europe/Bucharest")
	goal := g.goal(site, "all", raw(`{"pages": {"all": "*"}}`))
	for i, when := range strings.Fields("2026-03-21T21:59:59Z 2026-03-21T22:00:00Z 2026-03-28T21:59:59Z 2026-03-28T22:00:00Z 2026-03-29T10:00:00Z 2026-03-29T20:59:59Z 2026-03-29T21:00:00Z") {
		g.write("a.example", page(fmt.Sprint(i), when, "/"))
	}
	const ask = `query($s: ID!, $g: [ID!]!, $r: TimeRange!) { site(id: $s) {
		sessionCount(range: $r) sessions(range: $r) { totalCount } segments { nodes { sessionCount(range: $r) } }
		goalCards(range: $r) { range { from to } comparedWith { from } cells { conversions series { at } } }
		funnel(steps: $g, range: $r) { range { from to } segments { steps { sessions } } }
		goals { nodes { card(range: $r) { range { from to } cells { sessions } } } } } }`
	for _, test := range []struct {
		given, from, to string
		sessions, days  int
	}{
		{`{"name": "TODAY"}`, "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", 3, 1},
		{`{"last": "P1D"}`, "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", 3, 1},
		{`{"date": {"from": "2026-03-29", "to": "2026-03-29"}}`, "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", 3, 1},
		{`{"from": "2026-03-29T01:00:00+03:00", "to": "2026-03-29T21:00:00Z"}`, "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", 3, 1},
		{`{"name": "YESTERDAY"}`, "2026-03-27T22:00:00Z", "2026-03-28T22:00:00Z", 1, 1},
		{`{"last": "P1W"}`, "2026-03-22T22:00:00Z", "2026-03-29T21:00:00Z", 4, 7},
		{`{"name": "LAST_7_DAYS"}`, "2026-03-22T22:00:00Z", "2026-03-29T21:00:00Z", 4, 7},
		{`{"name": "LAST_WEEK"}`, "2026-03-15T22:00:00Z", "2026-03-22T22:00:00Z", 2, 7},
		{`{"name": "LAST_MONTH"}`, "2026-01-31T22:00:00Z", "2026-02-28T22:00:00Z", 0, 28},
		{`{"date": {"from": "2026-03-22", "to": "2026-03-28"}}`, "2026-03-21T22:00:00Z", "2026-03-28T22:00:00Z", 2, 7},
	} {
		points := strings.TrimPrefix(strings.Repeat(`,{"at":0}`, test.days), ",")
		got := string(g.must(ask, vars{"s": site, "g": []string{goal}, "r": raw(test.given)}))
		for _, point := range strings.Split(got, `"at":"`)[1:] {
			when, _, _ := strings.Cut(point, `"`)
			got = strings.Replace(got, `"at":"`+when+`"`, `"at":0`, 1)
		}
		in := fmt.Sprintf(`{"from": %q, "to": %q}`, test.from, test.to)
		want := fmt.Sprintf(`{"site": {"sessionCount": %[1]d, "sessions": {"totalCount": %[1]d}, "segments": {"nodes": [{"sessionCount": %[1]d}]},
			"goalCards": [{"range": %[2]s, "comparedWith": null, "cells": [{"conversions": %[1]d, "series": [%[3]s]}]}],
			"funnel": {"range": %[2]s, "segments": [{"steps": [{"sessions": %[1]d}]}]},
			"goals": {"nodes": [{"card": {"range": %[2]s, "cells": [{"sessions": %[1]d}]}}]}}}`, test.sessions, in, points)
		if !sameJSON(t, []byte(got), []byte(want)) {
			t.Errorf("%s:\n got %s\nwant %s", test.given, got, compact(want))
		}
	}
	for given, field := range map[string]string{
		`{}`:                               "range",
		`{"to": "2026-03-29T00:00:00Z"}`:   "range",
		`{"name": "TODAY", "last": "P1D"}`: "range",
		`{"name": "TODAY", "to": "2026-03-29T00:00:00Z"}`: "range",
		`{"last": "PT24H"}`:      "range.last",
		`{"last": "P1DT1H"}`:     "range.last",
		`{"last": "P0D"}`:        "range.last",
		`{"last": "seven days"}`: "range.last",
		`{"date": {"from": "2026-03-29", "to": "2026-03-28"}}`:           "range.date",
		`{"date": {"from": "2026-02-30", "to": "2026-03-28"}}`:           "range.date.from",
		`{"date": {"from": "2026-03-28"}}`:                               "r.date.to",
		`{"name": "today"}`:                                              "r.name",
		`{"from": "2026-03-29T00:00:00Z", "to": "2026-03-28T00:00:00Z"}`: "range",
	} {
		g.refused(`query($s: ID!, $r: TimeRange!) { site(id: $s) { sessionCount(range: $r) } }`, vars{"s": site, "r": raw(given)}, model.BadInput, field)
	}
	// A site's zone that changes changes its days.
	g.must(`mutation($s: ID!) { updateSite(input: {id: $s, timezone: "UTC"}) { __typename } }`, vars{"s": site})
	g.want(`query($s: ID!) { site(id: $s) { sessionCount(range: {name: TODAY}) } }`, vars{"s": site}, `{"site": {"sessionCount": 3}}`)
	g.want(`query($s: ID!) { site(id: $s) { sessionCount(range: {date: {from: "2026-03-28", to: "2026-03-28"}}) } }`, vars{"s": site}, `{"site": {"sessionCount": 2}}`)
}

// At midnight, the range of a subscription moves on without a message.
func TestSubscriptionMovesWithTheDay(t *testing.T) {
	t.Parallel()
	now := new(atomic.Int64)
	g := newGraph(t, storetest.SQLite(t), measured, clockAt(now, "2026-03-28T21:59:59Z"))
	site := g.site("a.example", "Europe/Bucharest")
	g.goal(site, "all", raw(`{"pages": {"all": "*"}}`))
	g.write("a.example", page("1", "2026-03-28T10:00:00Z", "/"), page("2", "2026-03-28T22:00:00Z", "/"), page("3", "2026-03-28T23:00:00Z", "/"))
	w := g.connect()
	w.subscribe("1", `subscription($s: ID!) { goalCards(siteId: $s, range: {name: TODAY}, compare: PREVIOUS_PERIOD) {
		range { from } comparedWith { to } cells { sessions comparison { sessions } } } }`, vars{"s": site})
	w.wantData("1", `{"goalCards":[{"range":{"from":"2026-03-27T22:00:00Z"},"comparedWith":{"to":"2026-03-27T21:45:00Z"},"cells":[{"sessions":1,"comparison":{"sessions":0}}]}]}`)
	now.Store(int64(at("2026-03-28T22:00:00Z")))
	w.wantData("1", `{"goalCards":[{"range":{"from":"2026-03-28T22:00:00Z"},"comparedWith":{"to":"2026-03-27T22:00:00Z"},"cells":[{"sessions":2,"comparison":{"sessions":0}}]}]}`)
	now.Store(int64(at("2026-03-29T10:00:00Z"))) // 13 o'clock
	w.wantData("1", `{"goalCards":[{"range":{"from":"2026-03-28T22:00:00Z"},"comparedWith":{"to":"2026-03-28T11:00:00Z"},"cells":[{"sessions":2,"comparison":{"sessions":1}}]}]}`)
}

// Figures of another period stand beside those of a card and a funnel, with what differs.
func TestComparisons(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), clockAt(new(atomic.Int64), "2026-05-10T10:00:00Z"))
	site := g.site("a.example", "UTC")
	buy := g.goal(site, "buy", raw(`{"events": {"all": "buy"}}`))
	g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, valueEvent: "buy"}) { __typename } }`, vars{"g": buy})
	// Of a hundred visitors each day, 60 buy on the 2nd, and 30 did on the 1st.
	var messages []model.Message
	for i := range 100 {
		for day, buyers := range map[string]int{"01": 30, "02": 60} {
			visitor, when := fmt.Sprint(i), "2026-05-"+day+"T10:00:00Z"
			messages = append(messages, page(visitor, when, "/"))
			if i < buyers {
				messages = append(messages, event(visitor, when, "buy", 2))
			}
		}
	}
	g.write("a.example", messages...)
	const ask = `query($s: ID!, $g: [ID!]!, $r: TimeRange!, $c: Comparison) { site(id: $s) {
		goalCards(range: $r, compare: $c) { comparedWith { from to } cells { conversionRate comparison { sessions visitors conversions conversionRate valueTotal valuePerVisitor
			sessionsChange visitorsChange conversionsChange valueTotalChange rateDifference { difference significant } } } }
		funnel(steps: $g, range: $r, compare: $c) { comparedWith { from to } segments { steps { comparison { sessions visitors fromPrevious fromStart sessionsChange visitorsChange
			fromStartDifference { difference significant } } } } } } }`
	with := vars{"s": site, "g": []string{buy}, "r": raw(`{"date": {"from": "2026-05-02", "to": "2026-05-02"}}`), "c": "PREVIOUS_PERIOD"}
	first := `{"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"}`
	g.want(ask, with, `{"site": {"goalCards": [{"comparedWith": `+first+`, "cells": [{"conversionRate": 0.6, "comparison": {"sessions": 100, "visitors": 100, "conversions": 30,
			"conversionRate": 0.3, "valueTotal": 60, "valuePerVisitor": 0.6, "sessionsChange": 0, "visitorsChange": 0, "conversionsChange": 1, "valueTotalChange": 1,
			"rateDifference": {"difference": 0.3, "significant": true}}}]}],
		"funnel": {"comparedWith": `+first+`, "segments": [{"steps": [{"comparison": {"sessions": 30, "visitors": 30, "fromPrevious": 0.3, "fromStart": 0.3, "sessionsChange": 1, "visitorsChange": 1,
			"fromStartDifference": {"difference": 0.3, "significant": true}}}]}]}}}`)
	// Nothing is known of a year before, and nothing is compared where nobody asks.
	with["c"] = "PREVIOUS_YEAR"
	nothing := `{"from": "2025-05-02T00:00:00Z", "to": "2025-05-03T00:00:00Z"}`
	g.want(ask, with, `{"site": {"goalCards": [{"comparedWith": `+nothing+`, "cells": [{"conversionRate": 0.6, "comparison": {"sessions": 0, "visitors": 0, "conversions": 0,
			"conversionRate": null, "valueTotal": 0, "valuePerVisitor": null, "sessionsChange": null, "visitorsChange": null, "conversionsChange": null, "valueTotalChange": null,
			"rateDifference": null}}]}],
		"funnel": {"comparedWith": `+nothing+`, "segments": [{"steps": [{"comparison": {"sessions": 0, "visitors": 0, "fromPrevious": null, "fromStart": null, "sessionsChange": null, "visitorsChange": null,
			"fromStartDifference": null}}]}]}}}`)
	delete(with, "c")
	g.want(ask, with, `{"site": {"goalCards": [{"comparedWith": null, "cells": [{"conversionRate": 0.6, "comparison": null}]}],
		"funnel": {"comparedWith": null, "segments": [{"steps": [{"comparison": null}]}]}}}`)
}

// By the unit VISITOR, who comes back on another day counts once, and only who is in the segment.
func TestCountsByVisitor(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		at := func(ip string) func(*model.Hit) { return func(hit *model.Hit) { hit.Origin.IP = ip } }
		g.write("a.example",
			page("1", "2026-05-01T10:00:00Z", "/", at("10.0.0.1")), page("1", "2026-05-02T10:00:00Z", "/buy", at("10.0.0.2")), page("1", "2026-05-03T10:00:00Z", "/buy", at("10.0.0.1")),
			page("2", "2026-05-01T10:00:00Z", "/buy", at("10.0.0.2")), page("2", "2026-05-02T10:00:00Z", "/pay", at("10.0.0.2")), page("3", "2026-05-01T10:00:00Z", "/", at("10.0.0.1")))
		one := g.segment(site, "One", raw(`{"ip": {"is": "10.0.0.1"}}`))
		all := g.segmentNamed(site, "All")
		buy, pay := g.goal(site, "buy", raw(`{"pages": {"all": "/buy"}}`)), g.goal(site, "pay", raw(`{"pages": {"all": "/pay"}}`))
		two := g.goal(site, "two", raw(`{"ip": {"is": "10.0.0.2"}}`)) // which replaces the segment's
		const ask = `query($s: ID!, $g: [ID!]!, $of: [ID!]!, $u: CountUnit!, $r: TimeRange!) { site(id: $s) {
			goalCards(goals: $g, segments: $of, range: $r, unit: $u) { unit cells { sessions visitors conversions conversionRate } }
			funnel(steps: $g, segments: $of, range: $r, unit: $u) { unit segments { steps { sessions visitors fromPrevious fromStart } } } } }`
		v := vars{"s": site, "g": []string{buy, two}, "of": []string{all, one}, "u": "VISITOR", "r": raw(may2026)}
		g.want(ask, v, `{"site": {"goalCards": [
			{"unit": "VISITOR", "cells": [{"sessions": 6, "visitors": 3, "conversions": 2, "conversionRate": 0.6666666666666666}, {"sessions": 3, "visitors": 2, "conversions": 1, "conversionRate": 0.5}]},
			{"unit": "VISITOR", "cells": [{"sessions": 6, "visitors": 3, "conversions": 2, "conversionRate": 0.6666666666666666}, {"sessions": 3, "visitors": 2, "conversions": 1, "conversionRate": 0.5}]}],
			"funnel": {"unit": "VISITOR", "segments": [
				{"steps": [{"sessions": 3, "visitors": 2, "fromPrevious": 0.6666666666666666, "fromStart": 0.6666666666666666}, {"sessions": 2, "visitors": 2, "fromPrevious": 1, "fromStart": 0.6666666666666666}]},
				{"steps": [{"sessions": 1, "visitors": 1, "fromPrevious": 0.5, "fromStart": 0.5}, {"sessions": 0, "visitors": 0, "fromPrevious": 0, "fromStart": 0}]}]}}}`)
		v["u"], v["g"] = "SESSION", []string{pay, two}
		g.want(ask, v, `{"site": {"goalCards": [
			{"unit": "SESSION", "cells": [{"sessions": 6, "visitors": 3, "conversions": 1, "conversionRate": 0.16666666666666666}, {"sessions": 3, "visitors": 2, "conversions": 0, "conversionRate": 0}]},
			{"unit": "SESSION", "cells": [{"sessions": 6, "visitors": 3, "conversions": 3, "conversionRate": 0.5}, {"sessions": 3, "visitors": 2, "conversions": 3, "conversionRate": 1}]}],
			"funnel": {"unit": "SESSION", "segments": [
				{"steps": [{"sessions": 1, "visitors": 1, "fromPrevious": 0.16666666666666666, "fromStart": 0.16666666666666666}, {"sessions": 1, "visitors": 1, "fromPrevious": 1, "fromStart": 0.16666666666666666}]},
				{"steps": [{"sessions": 0, "visitors": 0, "fromPrevious": 0, "fromStart": 0}, {"sessions": 0, "visitors": 0, "fromPrevious": null, "fromStart": 0}]}]}}}`)
	})
}
