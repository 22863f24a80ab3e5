package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// Filters by the hour and the weekday are about the clocks of the site: those of another zone show something else, whether a
// count, a list, a breakdown or a live card is asked for.
func TestClocksOfASite(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "America/Sao_Paulo")
		// Of a Sunday that began at one o'clock there, because the clocks had changed at midnight.
		for i, when := range strings.Fields("2018-11-04T02:59:59Z 2018-11-04T03:00:00Z 2018-11-04T11:30:00Z 2018-11-05T01:59:59Z 2018-11-05T02:00:00Z") {
			g.write("a.example", page(fmt.Sprint(i), when, "/"))
		}
		const ask = `query($s: ID!, $f: [FilterInput!]!, $r: TimeRange!) { site(id: $s) {
			sessionCount(filters: $f, range: $r) sessions(filters: $f, range: $r) { totalCount nodes { pageViews } }
			totals(filters: $f, range: $r) { sessions } breakdown(by: WEEKDAY, filters: $f, range: $r) { nodes { sessions } }
			values(filterType: "weekday", filters: $f, range: $r) { value sessions } } }`
		want := func(filters, days string, sessions int) {
			t.Helper()
			var rows, values []string
			for _, day := range strings.Fields(days) {
				name, n, _ := strings.Cut(day, "=")
				rows, values = append(rows, `{"sessions": `+n+`}`), append(values, fmt.Sprintf(`{"value": %q, "sessions": %s}`, name, n))
			}
			nodes := strings.TrimPrefix(strings.Repeat(`,{"pageViews":1}`, sessions), ",")
			g.want(ask, vars{"s": site, "f": raw(filters), "r": raw(`{"from": "2018-11-01T00:00:00Z"}`)}, fmt.Sprintf(
				`{"site": {"sessionCount": %[1]d, "sessions": {"totalCount": %[1]d, "nodes": [%[2]s]}, "totals": {"sessions": %[1]d}, "breakdown": {"nodes": [%[3]s]}, "values": [%[4]s]}}`,
				sessions, nodes, strings.Join(rows, ","), strings.Join(values, ",")))
		}
		want(`[{"hour": {"is": [1, 9, 23]}}]`, "SUNDAY=3 SATURDAY=1", 4)
		want(`[{"hour": {"is": 0}}]`, "MONDAY=1", 1)
		want(`[{"weekday": {"is": ["SUNDAY", "MONDAY"]}}]`, "SUNDAY=3 MONDAY=1", 4)
		want(`[{"weekday": {"is": "SUNDAY"}}, {"not": {"hour": {"is": [1, 2, 3]}}}]`, "SUNDAY=2", 2)
		want(`[{"hour": {"is": [1, 9]}}, {"hour": {"is": [9, 23]}}]`, "SUNDAY=1", 1)

		segment := g.segment(site, "early", raw(`{"hour": {"is": [0, 1]}}`))
		goal := g.goal(site, "sunday", raw(`{"weekday": {"is": "SUNDAY"}}`))
		const card = `subscription($s: ID!, $g: [ID!], $e: [ID!]) { goalCards(siteId: $s, goals: $g, segments: $e, range: { from: "2018-11-01T00:00:00Z" }) { cells { sessions conversions } } }`
		w := g.connect()
		w.subscribe("1", card, vars{"s": site, "g": []string{goal}, "e": []string{segment}})
		w.wantData("1", `{"goalCards":[{"cells":[{"sessions":2,"conversions":1}]}]}`)
		g.must(`mutation($s: ID!) { updateSite(input: {id: $s, timezone: "UTC"}) { site { timezone } } }`, vars{"s": site})
		w.wantData("1", `{"goalCards":[{"cells":[{"sessions":1,"conversions":0}]}]}`)
		want(`[{"weekday": {"is": "SUNDAY"}}]`, "SUNDAY=3", 3)

		g.want(`query($s: ID!, $a: [FilterInput!]!, $g: [FilterInput!]!) { site(id: $s) { merge(active: $a, goal: $g) { label empty } } }`,
			vars{"s": site, "a": raw(`[{"hour": {"is": [8, 9, 9]}}, {"weekday": {"is": ["MONDAY", "TUESDAY"]}}]`), "g": raw(`[{"hour": {"is": [9, 10]}}]`)},
			`{"site": {"merge": {"label": "Hour is 9 and Weekday is Monday or Tuesday", "empty": false}}}`)
		g.want(`query($s: ID!) { site(id: $s) { merge(active: [{hour: {is: 8}}], goal: [{hour: {is: 9}}]) { empty } } }`, vars{"s": site}, `{"site": {"merge": {"empty": true}}}`)
		for filter, field := range map[string]string{`{"hour": {"is": 24}}`: "hour.is[0]", `{"hour": {"is": [1, -1]}}`: "hour.is[1]", `{"hour": {"is": []}}`: "hour.is", `{"weekday": {"is": []}}`: "weekday.is"} {
			g.refused(`query($s: ID!, $f: [FilterInput!]!) { site(id: $s) { sessionCount(filters: $f, range: { from: "2018-11-01T00:00:00Z" }) } }`,
				vars{"s": site, "f": raw("[" + filter + "]")}, model.BadInput, "filters[0]."+field)
		}
	})
}
