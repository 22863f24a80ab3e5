package graph_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// weeks writes visits of two days: on the 1st, 40 of 100 visitors from RO bounce and 30 buy; on the 2nd, 80 bounce and 60 buy,
// and someone comes from US.
func (g *testGraph) weeks() (site, buy string) {
	g.Helper()
	site = g.site("a.example", "UTC")
	buy = g.goal(site, "buy", raw(`{"events": {"all": "buy"}}`))
	g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, valueEvent: "buy"}) { __typename } }`, vars{"g": buy})
	var messages []model.Message
	for day, n := range map[string]struct{ bounces, buyers int }{"01": {40, 30}, "02": {20, 60}} {
		when := "2026-05-" + day + "T10:00:00Z"
		for i := range 100 {
			visitor := fmt.Sprint(i)
			messages = append(messages, page(visitor, when, "/", country("RO")))
			if i >= n.bounces {
				messages = append(messages, page(visitor, "2026-05-"+day+"T10:00:10Z", "/b"))
			}
			if i >= 100-n.buyers {
				messages = append(messages, event(visitor, "2026-05-"+day+"T10:00:05Z", "buy", 2))
			}
		}
	}
	g.write("a.example", append(messages, page("eve", "2026-05-02T10:00:00Z", "/", country("US")))...)
	return site, buy
}

const secondOfMay = `{"date": {"from": "2026-05-02", "to": "2026-05-02"}}`

// Totals and rows stand beside those of another period, with what differs, and whether that is more than chance.
func TestComparedSessions(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, buy := g.weeks()
		const figures = `sessions visitors pageViews bounceRate medianDurationSeconds meanDurationSeconds`
		const comparison = `comparison { ` + figures + ` sessionsChange visitorsChange pageViewsChange medianDurationSecondsChange meanDurationSecondsChange bounceRateDifference { difference significant } }`
		const ask = `query($s: ID!, $r: TimeRange!, $c: Comparison) { site(id: $s) {
			totals(filters: [{country: {is: "RO"}}], range: $r, compare: $c) { comparedWith { from to } ` + figures + ` ` + comparison + ` }
			breakdown(by: [COUNTRY], range: $r, compare: $c) { comparedWith { from } nodes { values ` + comparison + `
				goals { comparison { sessions conversions conversionRate valueTotal conversionsChange valueTotalChange rateDifference { difference significant } } } } } } }`
		with := vars{"s": site, "r": raw(secondOfMay), "c": "PREVIOUS_PERIOD"}
		compared := `{"sessions": 100, "visitors": 100, "pageViews": 160, "bounceRate": %s, "medianDurationSeconds": 10, "meanDurationSeconds": 6,
			"sessionsChange": 0, "visitorsChange": 0, "pageViewsChange": 0.125, "medianDurationSecondsChange": 0, "meanDurationSecondsChange": 0.33333333333333326, "bounceRateDifference": {"difference": -0.2, "significant": true}}`
		ofRO := fmt.Sprintf(compared, "0.4")
		none := `{"sessions": 0, "visitors": 0, "pageViews": 0, "bounceRate": null, "medianDurationSeconds": null, "meanDurationSeconds": null,
			"sessionsChange": null, "visitorsChange": null, "pageViewsChange": null, "medianDurationSecondsChange": null, "meanDurationSecondsChange": null, "bounceRateDifference": null}`
		g.want(ask, with, `{"site": {"totals": {"comparedWith": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"}, "sessions": 100, "visitors": 100, "pageViews": 180, "bounceRate": 0.2,
				"medianDurationSeconds": 10, "meanDurationSeconds": 8, "comparison": `+ofRO+`},
			"breakdown": {"comparedWith": {"from": "2026-05-01T00:00:00Z"}, "nodes": [
				{"values": ["RO"], "comparison": `+ofRO+`, "goals": [{"comparison": {"sessions": 100, "conversions": 30, "conversionRate": 0.3, "valueTotal": 60, "conversionsChange": 1, "valueTotalChange": 1,
					"rateDifference": {"difference": 0.3, "significant": true}}}]},
				{"values": ["US"], "comparison": `+none+`, "goals": [{"comparison": {"sessions": 0, "conversions": 0, "conversionRate": null, "valueTotal": 0, "conversionsChange": null, "valueTotalChange": null, "rateDifference": null}}]}]}}}`)
		// Without compare there is none, and what is compared is another row.
		var data struct {
			Site struct {
				A, B struct {
					Nodes []struct{ ID, Comparison any }
				}
			}
		}
		g.into(&data, `query($s: ID!, $r: TimeRange!) { site(id: $s) { a: breakdown(by: [COUNTRY], range: $r) { nodes { id comparison { sessions } } } b: breakdown(by: [COUNTRY], range: $r, compare: PREVIOUS_YEAR) { nodes { id } } } }`, with)
		if a, b := data.Site.A.Nodes[0], data.Site.B.Nodes[0]; a.Comparison != nil || a.ID == b.ID {
			t.Errorf("%+v", data)
		}
		// Pages and cards say the same.
		g.want(`query($s: ID!, $r: TimeRange!, $g: [ID!]) { site(id: $s) { breakdown(by: [PAGE], filters: [{country: {is: "RO"}}], range: $r, compare: PREVIOUS_PERIOD, goals: $g, orderBy: {by: CONVERSION_RATE, goal: "`+buy+`"}, first: 1) {
			nodes { values goals { conversions comparison { conversions conversionsChange } } } } } }`, vars{"s": site, "r": raw(secondOfMay), "g": []string{buy}},
			`{"site": {"breakdown": {"nodes": [{"values": ["/b"], "goals": [{"conversions": 60, "comparison": {"conversions": 30, "conversionsChange": 1}}]}]}}}`)
	})
}

// A comparison follows what is tracked in either period.
func TestComparedSubscription(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), clockAt(new(atomic.Int64), "2026-05-10T10:00:00Z"))
	g.columns()
	site := g.site("a.example", "UTC")
	g.write("a.example", page("ann", "2026-05-02T10:00:00Z", "/"))
	w := g.connect()
	w.subscribe("rows", `subscription($s: ID!, $r: TimeRange!) { breakdown(siteId: $s, by: [PAGE], range: $r, compare: PREVIOUS_PERIOD) { nodes { values comparison { sessions sessionsChange } } } }`, vars{"s": site, "r": raw(secondOfMay)})
	w.wantData("rows", `{"breakdown":{"nodes":[{"values":["/"],"comparison":{"sessions":0,"sessionsChange":null}}]}}`)
	g.write("a.example", page("bob", "2026-05-01T10:00:00Z", "/"))
	w.wantData("rows", `{"breakdown":{"nodes":[{"values":["/"],"comparison":{"sessions":1,"sessionsChange":0}}]}}`)
}

// By the unit VISITOR, a row counts as the card of a segment of its sessions does.
func TestBreakdownByVisitor(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		at := func(ip, code string) func(*model.Hit) {
			return func(hit *model.Hit) { hit.Origin.IP, hit.Origin.Country = ip, code }
		}
		g.write("a.example",
			page("1", "2026-05-01T10:00:00Z", "/", at("10.0.0.1", "RO")), page("1", "2026-05-02T10:00:00Z", "/buy", at("10.0.0.2", "RO")), page("1", "2026-05-03T10:00:00Z", "/buy", at("10.0.0.1", "US")),
			page("2", "2026-05-01T10:00:00Z", "/buy", at("10.0.0.2", "RO")), page("2", "2026-05-02T10:00:00Z", "/buy", at("10.0.0.1", "RO")), page("3", "2026-05-01T10:00:00Z", "/", at("10.0.0.1", "US")),
			page("4", "2026-05-01T10:00:00Z", "/buy", at("10.0.0.2", "US")))
		buy := g.goal(site, "buy", raw(`{"pages": {"all": "/buy"}}`))
		two := g.goal(site, "two", raw(`{"ip": {"is": "10.0.0.2"}}`)) // which replaces the segment's
		of := vars{"s": site, "g": []string{buy, two}, "r": raw(may2026)}
		const goals = `goals { goal { key } conversions conversionRate }`
		for _, segment := range []string{``, `{ip: {is: "10.0.0.1"}}`} {
			var want []string
			for _, code := range []string{"US", "RO"} {
				var data struct {
					Site struct {
						GoalCards []struct {
							Goal  json.RawMessage
							Cells []struct {
								Sessions, Visitors, Conversions int
								ConversionRate                  float64
							}
						}
					}
				}
				g.into(&data, fmt.Sprintf(`query($s: ID!, $g: [ID!], $r: TimeRange!) { site(id: $s) { goalCards(goals: $g, adHocSegments: [{name: "row", filters: [{country: {is: %q}} %s]}], range: $r, unit: VISITOR) {
					goal { key } cells { sessions visitors conversions conversionRate } } } }`, code, segment), of)
				row := fmt.Sprintf(`{"values": [%q], "sessions": %d, "visitors": %d, "goals": [`, code, data.Site.GoalCards[0].Cells[0].Sessions, data.Site.GoalCards[0].Cells[0].Visitors)
				for i, card := range data.Site.GoalCards {
					row += strings.Repeat(",", i) + fmt.Sprintf(`{"goal": %s, "conversions": %d, "conversionRate": %v}`, card.Goal, card.Cells[0].Conversions, card.Cells[0].ConversionRate)
				}
				want = append(want, row+"]}")
			}
			g.want(`query($s: ID!, $g: [ID!], $r: TimeRange!) { site(id: $s) { breakdown(by: [COUNTRY], filters: [`+segment+`], goals: $g, range: $r, unit: VISITOR, orderBy: {by: VALUES}) { unit nodes { values sessions visitors `+goals+` } } } }`,
				of, `{"site": {"breakdown": {"unit": "VISITOR", "nodes": [`+strings.Join(want, ",")+`]}}}`)
		}
		// The order follows the unit: of US, 2 of 3 visitors have bought, and all of RO.
		for order, want := range map[string]string{`{by: CONVERSION_RATE, goal: "` + buy + `"}`: `["RO", 1], ["US", 0.6666666666666666]`, `{by: CONVERSIONS, goal: "` + buy + `", direction: ASCENDING}`: `["RO", 1], ["US", 0.6666666666666666]`} {
			var data struct {
				Site struct {
					Breakdown struct {
						Nodes []struct {
							Values []string
							Goals  []struct{ ConversionRate float64 }
						}
					}
				}
			}
			g.into(&data, `query($s: ID!, $g: [ID!], $r: TimeRange!) { site(id: $s) { breakdown(by: [COUNTRY], goals: $g, range: $r, unit: VISITOR, orderBy: `+order+`) { nodes { values goals { conversionRate } } } } }`, of)
			var got []string
			for _, row := range data.Site.Breakdown.Nodes {
				got = append(got, fmt.Sprintf("[%q, %v]", row.Values[0], row.Goals[0].ConversionRate))
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s: %s, want %s", order, got, want)
			}
		}
	})
}

// A goal whose filter has no plugin, or whose experiment is gone, leaves out its own figures and nothing else.
func TestBreakdownWithoutAGoal(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, buy, _ := g.shop()
	variant := g.goal(site, "variant", raw(`{"variant": {"experiment": "gone", "is": ["a"]}}`))
	stored, err := g.store.SiteByDomain(t.Context(), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	goal := model.Goal{SiteID: stored.ID, Key: "gone", Name: "gone", Filters: []model.FilterSpec{{Type: "gone", Args: json.RawMessage(`{}`)}}}
	if err := g.store.CreateGoal(t.Context(), &goal); err != nil {
		t.Fatal(err)
	}
	gone := encoded(fmt.Sprintf("Goal:%d", goal.ID))
	const ask = `query($s: ID!, $g: [ID!], $o: BreakdownOrder) { site(id: $s) { name breakdown(by: [COUNTRY], goals: $g, orderBy: $o, filters: [{country: {is: ["RO", "US"]}}], first: 1, compare: PREVIOUS_YEAR,
		range: {from: "2026-05-01T00:00:00Z", to: "2026-06-01T00:00:00Z"}) { nodes { values goals { goal { key } conversions comparison { conversions } } } } } }`
	a := g.ask(ask, vars{"s": site, "g": []string{gone, buy, variant}})
	if want := `{"site": {"name": "a.example", "breakdown": {"nodes": [{"values": ["RO"], "goals": [{"goal": {"key": "gone"}, "conversions": null, "comparison": {"conversions": null}},
		{"goal": {"key": "buy"}, "conversions": 1, "comparison": {"conversions": 0}}, {"goal": {"key": "variant"}, "conversions": null, "comparison": {"conversions": null}}]}]}}}`; !sameJSON(t, a.Data, []byte(want)) {
		t.Errorf("%s", a.Data)
	}
	var errs []string
	for _, e := range a.Errors {
		errs = append(errs, fmt.Sprint(e.Extensions.Code, " ", e.Path[len(e.Path)-2:]))
	}
	if len(errs) != 4 || !strings.Contains(fmt.Sprint(errs), "UNAVAILABLE") || !strings.Contains(fmt.Sprint(errs), "BAD_USER_INPUT") {
		t.Errorf("%s", errs)
	}
	// Without it there is no order by it.
	g.refused(ask, vars{"s": site, "g": []string{gone, buy}, "o": raw(`{"by": "CONVERSIONS", "goal": "` + gone + `"}`)}, model.Unavailable, "goal[0]")
	g.refused(ask, vars{"s": site, "g": []string{variant}, "o": raw(`{"by": "CONVERSIONS", "goal": "` + variant + `"}`)}, model.BadInput, "")
}
