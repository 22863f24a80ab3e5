package graph_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// shop writes the sessions of the tests below, and returns the ids of the site and of two goals.
func (g *testGraph) shop() (site, buy, read string) {
	g.Helper()
	site = g.site("a.example", "Europe/Bucharest")
	buy = g.goal(site, "buy", raw(`{"events": {"all": "buy"}}`))
	g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, valueEvent: "buy"}) { goal { id } } }`, vars{"g": buy})
	read = g.goal(site, "read", raw(`{"pages": {"all": "/blog"}}`))
	mobile := func(hit *model.Hit) { hit.Origin.Device = model.Mobile }
	plan := func(value string) func(*model.Hit) {
		return func(hit *model.Hit) { hit.Properties = map[string]string{"plan": value} }
	}
	g.write("a.example",
		// Ann: two pages and a purchase in 90 s, on a Friday at 13:00 in Bucharest; and then a bounce, on Saturday.
		page("ann", "2026-05-01T10:00:00Z", "/", country("RO"), from("t.co"), tagged("x"), plan("pro")), page("ann", "2026-05-01T10:01:00Z", "/blog"),
		event("ann", "2026-05-01T10:01:30Z", "buy", 20.1), page("ann", "2026-05-01T21:30:00Z", "/", country("RO"), mobile),
		// Bob: twice the same page in 10.001 s.
		page("bob", "2026-05-01T10:30:00Z", "/", country("US"), from("t.co")), page("bob", "2026-05-01T10:30:10.001Z", "/"),
		// Eve has one page view, and bought something: that is no bounce.
		page("eve", "2026-05-02T10:00:00Z", "/blog", country("US"), mobile, tagged("x", "y")), event("eve", "2026-05-02T10:00:00Z", "buy", 5, country("US"), mobile),
		// Of Job there is an event alone.
		event("job", "2026-05-02T11:00:00Z", "look", 0))
	return site, buy, read
}

const allOfRow = `values sessions visitors pageViews bounceRate medianDurationSeconds meanDurationSeconds value goals { goal { key } conversions conversionRate valueTotal }`

const breakdown = `query($s: ID!, $g: [ID!], $i: [ID!], $by: [Dimension!]!, $keys: [String!], $order: BreakdownOrder, $first: Int, $after: String, $filters: [FilterInput!]) { site(id: $s) {
	breakdown(by: $by, keys: $keys, goals: $g, segments: $i, filters: $filters, orderBy: $order, first: $first, after: $after, range: {from: "2026-05-01T00:00:00Z", to: "2026-06-01T00:00:00Z"}) {
		totalCount nodes { ` + allOfRow + ` } } } }`

// Every figure of a row, of a dimension of which a session has several values.
func TestBreakdownFigures(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, buy, read := g.shop()
		g.want(breakdown, vars{"s": site, "by": []string{"PAGE"}, "g": []string{buy, read}}, `{"site": {"breakdown": {"totalCount": 3, "nodes": [
			{"values": ["/"], "sessions": 3, "visitors": 2, "pageViews": 5, "bounceRate": 0.3333333333333333, "medianDurationSeconds": 10.001, "meanDurationSeconds": 33.333666666666666, "value": 20.1,
				"goals": [{"goal": {"key": "buy"}, "conversions": 1, "conversionRate": 0.3333333333333333, "valueTotal": 20.1}, {"goal": {"key": "read"}, "conversions": 1, "conversionRate": 0.3333333333333333, "valueTotal": null}]},
			{"values": ["/blog"], "sessions": 2, "visitors": 2, "pageViews": 3, "bounceRate": 0, "medianDurationSeconds": 45, "meanDurationSeconds": 45, "value": 25.1,
				"goals": [{"goal": {"key": "buy"}, "conversions": 2, "conversionRate": 1, "valueTotal": 25.1}, {"goal": {"key": "read"}, "conversions": 2, "conversionRate": 1, "valueTotal": null}]},
			{"values": [""], "sessions": 1, "visitors": 1, "pageViews": 0, "bounceRate": 0, "medianDurationSeconds": 0, "meanDurationSeconds": 0, "value": 0,
				"goals": [{"goal": {"key": "buy"}, "conversions": 0, "conversionRate": 0, "valueTotal": 0}, {"goal": {"key": "read"}, "conversions": 0, "conversionRate": 0, "valueTotal": null}]}]}}}`)
		// What comes later counts.
		g.write("a.example", page("zoe", "2026-05-03T10:00:00Z", "/blog"))
		g.want(`query($s: ID!) { site(id: $s) { breakdown(by: [PAGE], range: {from: "2026-05-01T00:00:00Z"}) { edges { node { values sessions visitors } } } } }`, vars{"s": site},
			`{"site": {"breakdown": {"edges": [{"node": {"values": ["/"], "sessions": 3, "visitors": 2}}, {"node": {"values": ["/blog"], "sessions": 3, "visitors": 3}}, {"node": {"values": [""], "sessions": 1, "visitors": 1}}]}}}`)
	})
}

// Every dimension, and two at once.
func TestBreakdownDimensions(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, buy, _ := g.shop()
		e := g.experiment(site, "headline", buy)
		g.start(e, "2026-05-01T00:00:00Z")
		g.write("a.example", assignment("bob", "2026-05-01T10:30:05Z", "headline", "a"), assignment("eve", "2026-05-02T10:00:00Z", "headline", "b"))
		for _, test := range []struct{ by, keys, want string }{
			{"REFERRER", "", "(direct) 3, t.co 2"},
			{"ENTRY_PAGE", "", "/ 3,  1, /blog 1"},
			{"EXIT_PAGE", "", "/ 2, /blog 2,  1"},
			{"COUNTRY", "", "RO 2, US 2,  1"},
			{"DEVICE", "", " 3, MOBILE 2"},
			{"TAG", "", " 3, x 2, y 1"},
			{"EVENT", "", " 1, buy 2, Experiment Viewed 2, look 1"},
			{"HOUR", "", "13 3, 0 1, 14 1"},
			{"WEEKDAY", "", "SATURDAY 3, FRIDAY 2"},
			{"VISITOR_KIND", "", "NEW 4, RETURNING 1"},
			{"PROPERTY", "plan", " 4, pro 1"},
			{"PROPERTY", "unheard of", " 5"},
			{"VARIANT", "headline", " 3, a 1, b 1"},
			{"COUNTRY DEVICE", "", "RO  1, RO MOBILE 1, US  1, US MOBILE 1,   1"},
			{"TAG PAGE", "", " / 2, x /blog 2,   1, x / 1, y /blog 1"},
			{"PROPERTY VARIANT", "plan headline", "  2,  a 1,  b 1, pro  1"},
			{"WEEKDAY COUNTRY", "", "FRIDAY RO 1, FRIDAY US 1, SATURDAY  1, SATURDAY RO 1, SATURDAY US 1"},
		} {
			var data struct {
				Site struct {
					Breakdown struct {
						Nodes []struct {
							Values   []string
							Sessions int
						}
					}
				}
			}
			keys := strings.Fields(test.keys)
			if test.keys == "unheard of" {
				keys = []string{test.keys}
			}
			g.into(&data, breakdown, vars{"s": site, "by": strings.Fields(test.by), "keys": keys, "g": []string{}})
			var rows []string
			for _, row := range data.Site.Breakdown.Nodes {
				rows = append(rows, fmt.Sprintf("%s %d", strings.Join(row.Values, " "), row.Sessions))
			}
			// Equal numbers of sessions are in the order of the values.
			got, want := strings.Split(strings.Join(rows, ", "), ", "), strings.Split(test.want, ", ")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", test.by, rows, test.want)
			}
		}
	})
}

// The argument that takes a dimension's values makes a filter of each row, which keeps the row's sessions and no others.
func TestFiltersOfRows(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, buy, _ := g.shop()
	g.start(g.experiment(site, "headline", buy), "2026-05-01T00:00:00Z")
	g.write("a.example", assignment("bob", "2026-05-01T10:30:05Z", "headline", "a"), assignment("eve", "2026-05-02T10:00:00Z", "headline", "b"))
	var types struct {
		FilterTypes []struct {
			Name      string
			Arguments []struct{ Path, Dimension, ValuesKeyPath string }
		}
		Type struct{ EnumValues []struct{ Name string } } `json:"__type"`
	}
	g.into(&types, `{ filterTypes { name arguments { path dimension valuesKeyPath } } __type(name: "Dimension") { enumValues { name } } }`, nil)
	missing := map[string]bool{}
	for _, value := range types.Type.EnumValues {
		missing[value.Name] = true
	}
	for _, of := range types.FilterTypes {
		for _, argument := range of.Arguments {
			if argument.Dimension == "" {
				continue
			}
			delete(missing, argument.Dimension)
			keys := map[string][]string{"PROPERTY": {"plan"}, "VARIANT": {"headline"}}[argument.Dimension]
			var found struct {
				Site struct {
					Breakdown struct {
						Nodes []struct {
							Values   []string
							Sessions int
						}
					}
				}
			}
			g.into(&found, breakdown, vars{"s": site, "by": []string{argument.Dimension}, "keys": keys})
			for _, row := range found.Site.Breakdown.Nodes {
				if row.Values[0] == "" {
					continue
				}
				args := map[string]any{argument.Path: row.Values[0]}
				if hour, err := strconv.Atoi(row.Values[0]); err == nil {
					args[argument.Path] = hour
				}
				if argument.ValuesKeyPath != "" {
					args[argument.ValuesKeyPath] = keys[0]
				}
				g.want(`query($s: ID!, $f: [FilterInput!]) { site(id: $s) { sessionCount(filters: $f, range: {from: "2026-05-01T00:00:00Z", to: "2026-06-01T00:00:00Z"}) } }`,
					vars{"s": site, "f": []any{map[string]any{of.Name: args}}}, fmt.Sprintf(`{"site": {"sessionCount": %d}}`, row.Sessions))
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("no argument takes the values of %v", slices.Sorted(maps.Keys(missing)))
	}
}

// Pages join to the whole, in every order; ties are in the order of values.
func TestBreakdownPages(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, buy, read := g.shop()
	for order, want := range map[string]string{
		`{}`: "RO US ", `{"direction": "ASCENDING"}`: " RO US", `{"by": "VALUES"}`: "US RO ", `{"by": "VALUES", "direction": "ASCENDING"}`: " RO US",
		`{"by": "VISITORS"}`: "US  RO", `{"by": "PAGE_VIEWS"}`: "RO US ", `{"by": "BOUNCE_RATE"}`: "RO  US", `{"by": "MEDIAN_DURATION"}`: "RO US ",
		`{"by": "MEAN_DURATION", "direction": "ASCENDING"}`: " US RO", `{"by": "CONVERSIONS", "goal": "` + buy + `"}`: "RO US ",
		`{"by": "CONVERSION_RATE", "goal": "` + read + `", "direction": "ASCENDING"}`: " RO US", `{"by": "VALUE_TOTAL", "goal": "` + buy + `"}`: "RO US ",
	} {
		var listed []string
		variables := vars{"s": site, "order": raw(order)}
		for {
			var data struct {
				Site struct {
					Breakdown struct {
						TotalCount int
						Edges      []struct {
							Cursor string
							Node   struct{ Values []string }
						}
						PageInfo struct{ HasNextPage bool }
					}
				}
			}
			g.into(&data, `query($s: ID!, $order: BreakdownOrder, $after: String) { site(id: $s) { breakdown(by: [COUNTRY], orderBy: $order, first: 1, after: $after,
				range: {from: "2026-05-01T00:00:00Z"}) { totalCount edges { cursor node { values } } pageInfo { hasNextPage } } } }`, variables)
			page := data.Site.Breakdown
			if len(page.Edges) != 1 || page.TotalCount != 3 {
				t.Fatalf("%s: %+v", order, page)
			}
			listed = append(listed, page.Edges[0].Node.Values[0])
			if variables["after"] = page.Edges[0].Cursor; !page.PageInfo.HasNextPage {
				break
			}
		}
		if got := strings.Join(listed, " "); got != want {
			t.Errorf("%s: %q, want %q", order, got, want)
		}
	}
}

// A row is compared with itself in the other period on whatever page it stands, from whichever end pages are read.
func TestComparisonsOfPages(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, _, _ := g.shop()
	type answer struct {
		Site struct {
			Breakdown struct {
				Edges []struct {
					Cursor string
					Node   struct {
						Values     []string
						Sessions   int
						Comparison struct{ Sessions int }
					}
				}
			}
		}
	}
	const query = `query($s: ID!, $order: BreakdownOrder, $first: Int, $after: String, $last: Int, $before: String) { site(id: $s) {
		breakdown(by: [COUNTRY], orderBy: $order, first: $first, after: $after, last: $last, before: $before, compare: PREVIOUS_PERIOD,
			range: {from: "2026-05-01T10:00:00Z", to: "2026-05-02T09:00:00Z"}) { edges { cursor node { values sessions comparison { sessions } } } } } }`
	for _, visitor := range []string{"kim", "lee", "mel"} {
		g.write("a.example", page(visitor, "2026-04-30T12:00:00Z", "/", country("RO")))
	}
	for _, order := range []string{`{}`, `{"direction": "ASCENDING"}`, `{"by": "VALUES"}`, `{"by": "VALUES", "direction": "ASCENDING"}`} {
		var whole answer
		g.into(&whole, query, vars{"s": site, "order": raw(order)})
		all := whole.Site.Breakdown.Edges
		if len(all) != 2 {
			t.Fatalf("%s: %+v", order, all)
		}
		for i, want := range all {
			compared := map[string]int{"RO": 3, "US": 0}[want.Node.Values[0]]
			around := vars{"s": site, "order": raw(order), "first": 1}
			if i > 0 {
				around["after"] = all[i-1].Cursor
			}
			backwards := vars{"s": site, "order": raw(order), "last": 1}
			if i < len(all)-1 {
				backwards["before"] = all[i+1].Cursor
			}
			for _, variables := range []vars{around, backwards} {
				var got answer
				g.into(&got, query, variables)
				if edges := got.Site.Breakdown.Edges; len(edges) != 1 || !reflect.DeepEqual(edges[0], want) || want.Node.Comparison.Sessions != compared {
					t.Errorf("%s %v: %+v, want %+v compared with %d", order, variables, edges, want, compared)
				}
			}
		}
	}
}

// Segments and filters choose the sessions; a goal that replaces a filter counts others.
func TestBreakdownOfSegments(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, _, _ := g.shop()
	american := g.segment(site, "American", raw(`{"country": {"is": "US"}}`))
	tagged := g.segment(site, "Tagged", raw(`{"tags": {"all": "x"}}`))
	const query = `query($s: ID!, $i: [ID!], $f: [FilterInput!]) { site(id: $s) {
		breakdown(by: [PAGE], segments: $i, filters: $f, range: {from: "2026-05-01T00:00:00Z"}) { nodes { values sessions goals { conversions } } }
		totals(segments: $i, filters: $f, range: {from: "2026-05-01T00:00:00Z"}) { sessions visitors } } }`
	g.want(query, vars{"s": site, "i": []string{american}}, `{"site": {"breakdown": {"nodes": [
		{"values": ["/"], "sessions": 1, "goals": [{"conversions": 0}, {"conversions": 0}]}, {"values": ["/blog"], "sessions": 1, "goals": [{"conversions": 1}, {"conversions": 1}]}]}, "totals": {"sessions": 2, "visitors": 2}}}`)
	g.want(query, vars{"s": site, "i": []string{american, tagged}, "f": raw(`[{"pages": {"all": "/blog"}}]`)}, `{"site": {"breakdown": {"nodes": [
		{"values": ["/blog"], "sessions": 1, "goals": [{"conversions": 1}, {"conversions": 1}]}]}, "totals": {"sessions": 1, "visitors": 1}}}`)
	// Contradictions are in no session.
	g.want(query, vars{"s": site, "i": []string{american}, "f": raw(`[{"country": {"is": "RO"}}]`)}, `{"site": {"breakdown": {"nodes": []}, "totals": {"sessions": 0, "visitors": 0}}}`)

	// What is not selected is not asked.
	for selected, want := range map[string]string{
		"totalCount": "", "nodes { sessions }": "", "edges { node { visitors } }": fmt.Sprint([]count.Measure{count.Visitors}),
		"nodes { ...Row } edges { node { pageViews } }": fmt.Sprint([]count.Measure{count.PageViews, count.Bounces}),
		"nodes { goals { conversions } }":               "2 goals", "nodes { value }": "2 goals of 1 value",
	} {
		text := `query($s: ID!) { site(id: $s) { breakdown(by: [PAGE], range: {from: "2026-05-01T00:00:00Z"}) { ` + selected + ` } } }`
		if strings.Contains(selected, "...Row") {
			text += ` fragment Row on BreakdownRow { bounceRate }`
		}
		g.must(text, vars{"s": site})
		q := g.engine.takenBreakdown()
		got := ""
		if len(q.Measures) > 0 {
			got = fmt.Sprint(q.Measures)
		}
		if len(q.Goals) > 0 {
			got = fmt.Sprintf("%d goals", len(q.Goals))
			if q.Goals[0].Event != "" {
				got += " of 1 value"
			}
		}
		if got != want {
			t.Errorf("%s asks for %q, want %q", selected, got, want)
		}
	}
}

func TestBreakdownRefusals(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, buy, read := g.shop()
	country := []string{"COUNTRY"}
	for field, variables := range map[string]vars{
		"by":              {"by": []string{}},
		"by ":             {"by": []string{"COUNTRY", "DEVICE", "OS"}},
		"by[1]":           {"by": []string{"COUNTRY", "COUNTRY"}},
		"by[1] ":          {"by": []string{"PROPERTY", "PROPERTY"}, "keys": []string{"a", "a"}},
		"keys":            {"by": []string{"PROPERTY"}},
		"keys ":           {"by": country, "keys": []string{"plan"}},
		"keys[0]":         {"by": []string{"PROPERTY"}, "keys": []string{""}},
		"keys[0] ":        {"by": []string{"COUNTRY", "VARIANT"}, "keys": []string{"unheard of"}},
		"first":           {"by": country, "first": 501},
		"after":           {"by": country, "after": "x"},
		"after ":          {"by": country, "after": encoded("after:[\"1\"]")},
		"after  ":         {"by": country, "after": encoded("after:[\"x\", \"RO\"]")},
		"orderBy.goal":    {"by": country, "order": raw(`{"by": "CONVERSIONS"}`)},
		"orderBy.goal ":   {"by": country, "order": raw(`{"by": "CONVERSIONS", "goal": "` + buy + `"}`), "g": []string{read}},
		"orderBy.goal  ":  {"by": country, "order": raw(`{"by": "VALUE_TOTAL", "goal": "` + read + `"}`)},
		"filters[0].args": {"by": country, "filters": raw(`[{"country": {"is": []}}]`)},
	} {
		variables["s"] = site
		code := model.BadInput
		if e := g.ask(breakdown, variables); len(e.Errors) == 0 || e.Errors[0].Extensions.Code != string(code) || !strings.HasPrefix(e.Errors[0].Extensions.Field, strings.Split(strings.TrimSpace(field), ".args")[0]) {
			t.Errorf("%s: %+v", field, e.Errors)
		}
	}
	for field, variables := range map[string]vars{
		"goals[0]": {"g": []string{encoded("Goal:999999")}}, "segments[0]": {"i": []string{encoded("Segment:999999")}},
	} {
		variables["s"], variables["by"] = site, country
		g.refused(breakdown, variables, model.NotFound, field)
	}
}

// Totals and their series, without sessions too.
func TestTotals(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, _, _ := g.shop()
		const query = `query($s: ID!, $r: TimeRange!) { site(id: $s) { totals(range: $r) { range { from to } sessions visitors pageViews bounceRate medianDurationSeconds meanDurationSeconds
			series { at sessions visitors pageViews bounceRate medianDurationSeconds meanDurationSeconds } } } }`
		// The days of Bucharest begin at 21:00 UTC.
		g.want(query, vars{"s": site, "r": raw(`{"from": "2026-04-30T21:00:00Z", "to": "2026-05-03T21:00:00Z"}`)}, `{"site": {"totals": {"range": {"from": "2026-04-30T21:00:00Z", "to": "2026-05-03T21:00:00Z"},
			"sessions": 5, "visitors": 4, "pageViews": 6, "bounceRate": 0.2, "medianDurationSeconds": 0, "meanDurationSeconds": 20.0002, "series": [
			{"at": "2026-04-30T21:00:00Z", "sessions": 2, "visitors": 2, "pageViews": 4, "bounceRate": 0, "medianDurationSeconds": 50.0005, "meanDurationSeconds": 50.0005},
			{"at": "2026-05-01T21:00:00Z", "sessions": 3, "visitors": 3, "pageViews": 2, "bounceRate": 0.3333333333333333, "medianDurationSeconds": 0, "meanDurationSeconds": 0},
			{"at": "2026-05-02T21:00:00Z", "sessions": 0, "visitors": 0, "pageViews": 0, "bounceRate": null, "medianDurationSeconds": null, "meanDurationSeconds": null}]}}}`)
		g.want(`query($s: ID!, $r: TimeRange!) { site(id: $s) { totals(range: $r) { sessions bounceRate medianDurationSeconds meanDurationSeconds series(interval: MONTH) { sessions } } } }`,
			vars{"s": site, "r": raw(`{"from": "2020-05-01T00:00:00Z", "to": "2020-05-01T00:00:00Z"}`)},
			`{"site": {"totals": {"sessions": 0, "bounceRate": null, "medianDurationSeconds": null, "meanDurationSeconds": null, "series": []}}}`)
	})
}

func TestValuesOfSome(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site, buy, _ := g.shop()
		e := g.experiment(site, "headline", buy)
		g.start(e, "2026-05-01T00:00:00Z")
		g.write("a.example", assignment("bob", "2026-05-01T10:30:05Z", "headline", "a"))
		for arguments, want := range map[string]string{
			`filterType: "country", range: {from: "2026-05-02T00:00:00Z"}`: `[{"value": "US", "sessions": 1}]`,
			`filterType: "pages", filters: [{country: {is: "RO"}}]`:        `[{"value": "/", "sessions": 2}, {"value": "/blog", "sessions": 1}]`,
			`filterType: "referrer", filters: [{country: {is: "US"}}]`:     `[{"value": "(direct)", "sessions": 1}, {"value": "t.co", "sessions": 1}]`,
			`filterType: "property", key: "plan"`:                          `[{"value": "pro", "sessions": 1}]`,
			`filterType: "property", key: "none"`:                          `[]`,
			`filterType: "property"`:                                       `[{"value": "plan", "sessions": 1}]`,
			`filterType: "variant", key: "headline"`:                       `[{"value": "a", "sessions": 1}]`,
			`filterType: "utm", key: "campaign"`:                           `[]`,
		} {
			g.want(`query($s: ID!) { site(id: $s) { values(`+arguments+`) { value sessions } } }`, vars{"s": site}, `{"site": {"values": `+want+`}}`)
		}
		for arguments, field := range map[string]string{
			`filterType: "variant"`: "key", `filterType: "variant", key: "unheard of"`: "key", `filterType: "utm", key: "words"`: "key",
			`filterType: "country", key: "RO"`: "key", `filterType: "pageViews"`: "filterType", `filterType: "unheard of"`: "filterType",
		} {
			g.refused(`query($s: ID!) { site(id: $s) { values(`+arguments+`) { value sessions } } }`, vars{"s": site}, model.BadInput, field)
		}
	})
}

// Breakdowns and totals follow what visitors do, and the segments and goals.
func TestBreakdownSubscriptions(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	g.columns()
	site := g.site("a.example", "UTC")
	goal := g.goal(site, "read", raw(`{"pages": {"all": "/blog"}}`))
	segment := g.segment(site, "All of them")
	w := g.connect()
	w.subscribe("rows", `subscription($s: ID!, $i: [ID!]) { breakdown(siteId: $s, by: [HOUR], segments: $i, range: {from: "2026-05-01T00:00:00Z"}) { totalCount nodes { values sessions visitors goals { conversions } } } }`,
		vars{"s": site, "i": []string{segment}})
	w.wantData("rows", `{"breakdown":{"totalCount":0,"nodes":[]}}`)
	w.subscribe("totals", `subscription($s: ID!) { totals(siteId: $s, range: {from: "2026-05-01T00:00:00Z", to: "2026-05-02T00:00:00Z"}) { sessions series { visitors } } }`, vars{"s": site})
	w.wantData("totals", `{"totals":{"sessions":0,"series":[{"visitors":0}]}}`)
	g.write("a.example", page("ann", "2026-05-01T10:00:00Z", "/", country("RO")))
	first, second := w.nextOf("rows", "totals")
	for got, want := range map[string]string{
		string(first):  `{"data":{"breakdown":{"totalCount":1,"nodes":[{"values":["10"],"sessions":1,"visitors":1,"goals":[{"conversions":0}]}]}}}`,
		string(second): `{"data":{"totals":{"sessions":1,"series":[{"visitors":1}]}}}`,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, filters: [{pages: {all: "/"}}]}) { goal { id } } }`, vars{"g": goal})
	w.wantData("rows", `{"breakdown":{"totalCount":1,"nodes":[{"values":["10"],"sessions":1,"visitors":1,"goals":[{"conversions":1}]}]}}`)
	g.must(`mutation($i: ID!) { updateSegment(input: {id: $i, filters: [{country: {is: "US"}}]}) { segment { id } } }`, vars{"i": segment})
	w.wantData("rows", `{"breakdown":{"totalCount":0,"nodes":[]}}`)
	w.subscribe("nothing", `subscription { breakdown(siteId: "x", by: [HOUR], range: {from: "2026-05-01T00:00:00Z"}) { totalCount } }`, nil)
	w.wantError("nothing", "NOT_FOUND")
}
