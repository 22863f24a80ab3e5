package graph_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// randomTree returns a filter of up to some levels: groups, segments with the ids, and filters of the built-in types.
func randomTree(r *rand.Rand, levels int, segments ...string) map[string]any {
	switch n := r.IntN(8); {
	case levels == 1 || n < 2:
		return randomFilter(r)
	case n == 2 && len(segments) > 0:
		return map[string]any{"segment": segments[r.IntN(len(segments))]}
	case n < 5:
		return map[string]any{"not": randomTree(r, levels-1, segments...)}
	}
	parts := make([]any, 1+r.IntN(3))
	for i := range parts {
		parts[i] = randomTree(r, levels-1, segments...)
	}
	return map[string]any{[]string{"anyOf", "allOf"}[r.IntN(2)]: parts}
}

// randomTrees returns up to three of them.
func randomTrees(r *rand.Rand, segments ...string) (trees []any) {
	for range r.IntN(4) {
		trees = append(trees, randomTree(r, 3, segments...))
	}
	return trees
}

// An evaluator says which sessions match trees of groups. It knows what the sessions are that match each single filter, and
// for the rest goes by what groups mean.
type evaluator struct {
	all      map[string]bool
	segments map[string][]any
	single   func(filter map[string]any) map[string]bool
}

// newEvaluator returns one that asks each filter of a graph once.
func newEvaluator(g *testGraph, site string, segments map[string][]any) *evaluator {
	known := map[string]map[string]bool{}
	return &evaluator{g.matching(site, nil), segments, func(filter map[string]any) map[string]bool {
		key := mustJSON(filter)
		if known[key] == nil {
			known[key] = g.matching(site, []any{filter})
		}
		return known[key]
	}}
}

// list returns the ids of the sessions that match all of the filters.
func (e *evaluator) list(filters []any) map[string]bool {
	found := maps.Clone(e.all)
	for _, filter := range filters {
		matching := e.filter(filter.(map[string]any))
		maps.DeleteFunc(found, func(id string, _ bool) bool { return !matching[id] })
	}
	return found
}

func (e *evaluator) filter(filter map[string]any) map[string]bool {
	for name, value := range filter {
		switch name {
		case "allOf":
			return e.list(value.([]any))
		case "anyOf":
			found := map[string]bool{}
			for _, part := range value.([]any) {
				maps.Copy(found, e.filter(part.(map[string]any)))
			}
			return found
		case "not":
			matching, found := e.filter(value.(map[string]any)), maps.Clone(e.all)
			maps.DeleteFunc(found, func(id string, _ bool) bool { return matching[id] })
			return found
		case "segment":
			return e.list(e.segments[value.(string)])
		}
	}
	return e.single(filter)
}

// Both the engine and the oracle find the sessions that trees of groups mean, and count as many.
func TestGroupsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		r := rand.New(rand.NewPCG(5, 6))
		g.writeRandomSessions(r, 120)
		segments := map[string][]any{}
		for i := range 4 {
			filters := []any{randomTree(r, 2, slices.Sorted(maps.Keys(segments))...)}
			segments[g.segment(site, fmt.Sprint(i), filters...)] = filters
		}
		names := slices.Sorted(maps.Keys(segments))
		oracle := newEvaluator(g, site, segments)
		engines := map[string]graph.Engine{"naive": g.engine.Engine, "columns": g.columns().engine.Engine}
		telling := 0
		for range 60 {
			tree := []any{randomTree(r, 5, names...)}
			want := oracle.list(tree)
			for name, engine := range engines {
				g.engine.Engine = engine
				if got := g.matching(site, tree); !maps.Equal(got, want) {
					t.Fatalf("%s finds %d sessions, want %d, by %s", name, len(got), len(want), mustJSON(tree))
				}
				g.want(`query($s: ID!, $f: [FilterInput!]) { site(id: $s) { sessionCount(filters: $f, range: {from: "2000-01-01T00:00:00Z"}) } }`,
					vars{"s": site, "f": tree}, fmt.Sprintf(`{"site": {"sessionCount": %d}}`, len(want)))
			}
			if 0 < len(want) && len(want) < len(oracle.all) {
				telling++
			}
		}
		if telling < 20 {
			t.Errorf("only %d trees say something", telling)
		}
	})
}

// inputs returns a segment's filters in the shape of their input.
func (g *testGraph) inputs(segment string) (inputs []any) {
	g.Helper()
	var data struct {
		Node struct{ Filters []struct{ Inputs any } }
	}
	g.into(&data, `query($s: ID!) { node(id: $s) { ... on Segment { filters { inputs } } } }`, vars{"s": segment})
	for _, filter := range data.Node.Filters {
		inputs = append(inputs, filter.Inputs)
	}
	return inputs
}

// Filters that are read can be sent again, and are the same then.
func TestFiltersAsInputs(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	inner := g.segment(site, "Inner", raw(`{"country": {"is": "RO"}}`))
	given := raw(`{"anyOf": [{"country": {"is": "ro", "isNot": null}}, {"not": {"allOf": {"visitor": {"kind": "NEW"}}}}, {"segment": "` + inner + `"}]}`)
	segment := g.segment(site, "Outer", given)
	if got := mustJSON(g.inputs(segment)); !sameJSON(t, []byte(got), []byte(`[{"anyOf": [{"country": {"is": ["ro"]}}, {"not": {"allOf": [{"visitor": {"kind": "NEW"}}]}}, {"segment": "`+inner+`"}]}]`)) {
		t.Errorf("%s is read as %s", given, got)
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		first := g.inputs(g.segment(site, "first", randomTree(r, 4, inner)))
		if second := g.inputs(g.segment(site, "second", first...)); mustJSON(first) != mustJSON(second) {
			t.Fatalf("%s is read as %s", mustJSON(first), mustJSON(second))
		}
	}

	g.want(`query($s: ID!) { node(id: $s) { ... on Segment { filters { type { name } label args allOf { label } not { label } segment { id } anyOf {
		type { name } args inputs anyOf { label } segment { id name active filters { label } } not { label allOf { type { name } inputs } } } } } } }`, vars{"s": segment}, `{"node": {"filters": [{
		"type": null, "label": "Any of (Country is RO; Not (All of (Visitor is new)); Segment is Inner)", "allOf": null, "not": null, "segment": null,
		"args": [{"country": {"is": ["ro"]}}, {"not": {"allOf": [{"visitor": {"kind": "NEW"}}]}}, {"segment": "`+inner+`"}],
		"anyOf": [
			{"type": {"name": "country"}, "args": {"is": ["ro"]}, "inputs": {"country": {"is": ["ro"]}}, "anyOf": null, "segment": null, "not": null},
			{"type": null, "args": {"allOf": [{"visitor": {"kind": "NEW"}}]}, "inputs": {"not": {"allOf": [{"visitor": {"kind": "NEW"}}]}}, "anyOf": null, "segment": null,
				"not": {"label": "All of (Visitor is new)", "allOf": [{"type": {"name": "visitor"}, "inputs": {"visitor": {"kind": "NEW"}}}]}},
			{"type": null, "args": "`+inner+`", "inputs": {"segment": "`+inner+`"}, "anyOf": null, "not": null,
				"segment": {"id": "`+inner+`", "name": "Inner", "active": true, "filters": [{"label": "Country is RO"}]}}]}]}}`)
}

// Groups stand beside what they meet, equal ones once, without a rule.
func TestMergeOfGroups(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	segment := g.segment(site, "Inner", raw(`{"country": {"is": "RO"}}`))
	const ro, ip1, ip2 = `{"country": {"is": ["RO"]}}`, `{"ip": {"is": ["10.0.0.1"]}}`, `{"ip": {"is": ["10.0.0.2"]}}`
	either := func(a, b string) string { return `{"anyOf": [` + a + `, ` + b + `]}` }
	type entry struct{ filter, active, goal, rule string }
	for name, test := range map[string]struct {
		active, goal string
		empty        bool
		label        string
		filters      []entry
	}{
		"beside a filter": {ro, either(ro, ip1), false, "Country is RO and Any of (Country is RO; IP address is 10.0.0.1)",
			[]entry{{ro, ro, "", "INTERSECTION"}, {either(ro, ip1), "", either(ro, ip1), ""}}},
		"of both sides": {either(ro, ip1), either(ro, ip2), false, "Any of (Country is RO; IP address is 10.0.0.1) and Any of (Country is RO; IP address is 10.0.0.2)",
			[]entry{{either(ro, ip1), either(ro, ip1), "", ""}, {either(ro, ip2), "", either(ro, ip2), ""}}},
		"equal ones": {either(ro, ip1), either(ip1, ro), false, "Any of (Country is RO; IP address is 10.0.0.1)",
			[]entry{{either(ro, ip1), either(ro, ip1), either(ip1, ro), ""}}},
		"LAST looks at the top level only": {ip1 + `, {"allOf": [` + ip1 + `]}`, ip2, false, "IP address is 10.0.0.2 and All of (IP address is 10.0.0.1)",
			[]entry{{ip2, ip1, ip2, "LAST"}, {`{"allOf": [` + ip1 + `]}`, `{"allOf": [` + ip1 + `]}`, "", ""}}},
		"no rule within one": {`{"allOf": [{"country": {"is": ["RO"]}}, {"country": {"is": ["US"]}}]}`, ``, true, "No session: All of (Country is RO; Country is US) excludes itself",
			[]entry{{"", `{"allOf": [{"country": {"is": ["RO"]}}, {"country": {"is": ["US"]}}]}`, "", ""}}},
		"that exclude each other": {either(ro, ip1), `{"not": ` + either(ip1, ro) + `}`, true,
			"No session: Any of (Country is RO; IP address is 10.0.0.1) and Not (Any of (IP address is 10.0.0.1; Country is RO)) exclude each other",
			[]entry{{either(ro, ip1), either(ro, ip1), "", ""}, {`{"not": ` + either(ip1, ro) + `}`, "", `{"not": ` + either(ip1, ro) + `}`, ""}}},
		"a segment": {`{"segment": "` + segment + `"}`, `{"country": {"is": ["US"]}}`, true, "No session: Country is US and Segment is Inner exclude each other",
			[]entry{{`{"country": {"is": ["US"]}}`, "", `{"country": {"is": ["US"]}}`, "INTERSECTION"}, {`{"segment": "` + segment + `"}`, `{"segment": "` + segment + `"}`, "", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			var data struct {
				Site struct {
					Merge struct {
						Empty   bool
						Label   string
						Filters []struct {
							Filter, Active, Goal *struct{ Inputs json.RawMessage }
							Rule                 *string
							Empty                bool
						}
					}
				}
			}
			g.into(&data, `query($s: ID!, $a: [FilterInput!]!, $g: [FilterInput!]!) { site(id: $s) { merge(active: $a, goal: $g) { empty label
				filters { filter { inputs } active { inputs } goal { inputs } rule empty } } } }`, vars{"s": site, "a": raw("[" + test.active + "]"), "g": raw("[" + test.goal + "]")})
			m := data.Site.Merge
			if m.Empty != test.empty || m.Label != test.label || len(m.Filters) != len(test.filters) {
				t.Fatalf("%+v, want %+v", m, test)
			}
			for i, want := range test.filters {
				got := m.Filters[i]
				for text, of := range map[string]*struct{ Inputs json.RawMessage }{"f" + want.filter: got.Filter, "a" + want.active: got.Active, "g" + want.goal: got.Goal} {
					if text = text[1:]; (of == nil) != (text == "") || of != nil && !sameJSON(t, of.Inputs, []byte(text)) {
						t.Errorf("entry %d has %+v, want %s", i, of, text)
					}
				}
				if (got.Rule == nil) != (want.rule == "") || got.Rule != nil && *got.Rule != want.rule || got.Empty != (want.filter == "") {
					t.Errorf("entry %d: %+v, want %+v", i, got, want)
				}
			}
		})
	}
}

// notIn puts a filter into so many groups.
func notIn(levels int, filter string) string {
	return strings.Repeat(`{"not": `, levels) + filter + strings.Repeat("}", levels)
}

// Segments that are equal in name and filters stay who they are, on whichever site.
func TestMergeOfEqualSegments(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	for _, domain := range []string{"a.example", "b.example"} {
		segment := g.segment(g.site(domain, "UTC"), "Twin")
		g.want(`query($domain: String!, $segment: ID!) { site(domain: $domain) { merge(active: [{segment: $segment}], goal: []) { filters { filter { segment { id } } } } } }`,
			vars{"domain": domain, "segment": segment}, fmt.Sprintf(`{"site":{"merge":{"filters":[{"filter":{"segment":{"id":%q}}}]}}}`, segment))
	}
}

func TestGroupsThatAreRefused(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site, other := g.site("a.example", "UTC"), g.site("b.example", "UTC")
	theirs := g.segment(other, "Theirs")
	const ro = `{"country": {"is": "RO"}}`
	for filter, want := range map[string]struct {
		code        model.Code
		field, says string
	}{
		`{"anyOf": []}`:                                        {model.BadInput, "[0].anyOf", "is empty"},
		`{"allOf": [` + ro + `, {"allOf": []}]}`:               {model.BadInput, "[0].allOf[1].allOf", "is empty"},
		`{"anyOf": [` + ro + `], "not": ` + ro + `}`:           {model.BadInput, "[0]", "exactly one"},
		`{"anyOf": null}`:                                      {model.BadInput, "[0].anyOf", "must not be null"},
		`{"anyOf": [null]}`:                                    {model.BadInput, "[0].anyOf[0]", "must not be null"},
		`{"not": {}}`:                                          {model.BadInput, "[0].not", "is empty"},
		`{"not": {"anyOf": [{"country": {"is": "Romania"}}]}}`: {model.BadInput, "[0].not.anyOf[0].country.is[0]", ""},
		`{"not": {"nobody": {}}}`:                              {model.BadInput, "[0].not.nobody", "is unknown"},
		notIn(9, ro):                                           {"", "", ""},
		notIn(10, ro):                                          {model.BadInput, "[0]" + strings.Repeat(".not", 10), "10 levels"},
		notIn(500, ro):                                         {model.BadInput, "", "in one another"},
		`{"anyOf": [` + strings.Repeat(ro+",", 99) + ro + `]}`: {model.BadInput, "", "101 filters"},
		`{"segment": "` + theirs + `"}`:                        {model.NotFound, "[0].segment", "there is no segment"},
		`{"not": {"segment": "nothing"}}`:                      {model.NotFound, "[0].not.segment", "there is no segment"},
		`{"not": {"segment": "` + site + `"}}`:                 {model.NotFound, "[0].not.segment", "there is no segment"},
	} {
		variables := vars{"s": site, "f": raw("[" + filter + "]")}
		const ask = `query($s: ID!, $f: [FilterInput!]!) { site(id: $s) { sessionCount(filters: $f, range: {from: "2026-05-01T00:00:00Z"}) } }`
		const create = `mutation($s: ID!, $f: [FilterInput!]!) { createSegment(input: {siteId: $s, name: "n", filters: $f}) { __typename } }`
		for query, field := range map[string]string{ask: "filters", create: "input.filters"} {
			a := g.ask(query, variables)
			if want.code == "" {
				if len(a.Errors) > 0 {
					t.Errorf("%s: %v", filter, a.Errors)
				}
				continue
			}
			if len(a.Errors) == 0 || a.Errors[0].Extensions.Code != string(want.code) || !strings.Contains(a.Errors[0].Message, want.says) {
				t.Errorf("%.200s: %+v, want %s …%s…", filter, a.Errors, want.code, want.says)
				continue
			}
			// What the schema refuses is said of the variable.
			if got := a.Errors[0].Extensions.Field; !strings.HasSuffix(got, want.field) || len(a.Errors[0].Message) > 1000 {
				t.Errorf("%.200s: about %q, want %s%s: %.2000s", filter, got, field, want.field, a.Errors[0].Message)
			}
		}
	}
}

// Groups that nest as deep as a request is long are refused, and soon.
func TestGroupsWithoutEnd(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	for _, filter := range []string{notIn(4_000, `{"country": {"is": "RO"}}`), strings.Repeat(`{"anyOf": [`, 4_000) + strings.Repeat(`]}`, 4_000)} {
		begin := time.Now()
		const count = `sessionCount(filters: $f, range: {from: "2026-05-01T00:00:00Z"})`
		if a := g.ask(`query($s: ID!, $f: [FilterInput!]!) { site(id: $s) { `+count+` } }`, vars{"s": site, "f": raw("[" + filter + "]")}); len(a.Errors) == 0 {
			t.Errorf("a variable: %s", a.Data)
		}
		literal := strings.NewReplacer(`"not"`, "not", `"anyOf"`, "anyOf", `"country"`, "country", `"is"`, "is", "$f", "").Replace(filter)
		if a := g.ask(`query($s: ID!) { site(id: $s) { `+strings.Replace(count, "$f", "["+literal+"]", 1)+` } }`, vars{"s": site}); len(a.Errors) == 0 {
			t.Errorf("a literal: %s", a.Data)
		}
		if took := time.Since(begin); took > limit/4 {
			t.Errorf("refused after %v", took)
		}
	}
}

// Filters cost points, those in groups too.
func TestFiltersCost(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	cost := func(filters string) int {
		request := fmt.Sprintf(`{"query": "query($s: ID!, $f: [FilterInput!]) { site(id: $s) { sessionCount(filters: $f, range: {from: \"2026-05-01T00:00:00Z\"}) } }",
			"variables": {"s": %q, "f": [%s]}, "extensions": {"cost": true}}`, site, filters)
		var told struct{ Cost struct{ Requested int } }
		if err := json.Unmarshal(g.post(request, "application/json").Extensions, &told); err != nil {
			t.Fatal(err)
		}
		return told.Cost.Requested
	}
	const ro = `{"country": {"is": "RO"}}`
	none := cost("")
	for filters, want := range map[string]int{ro: 1, ro + "," + ro: 2, notIn(3, ro): 4, `{"anyOf": [` + ro + `, {"allOf": [` + ro + `,` + ro + `]}]}`: 5} {
		if got := cost(filters) - none; got != want {
			t.Errorf("%s cost %d points, want %d", filters, got, want)
		}
	}
}

// A definition that names a segment changes with it, for those who follow it too.
func TestNamedSegmentsAreFollowed(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("shop.example", "UTC")
		for i, code := range []string{"RO", "RO", "US", "DE"} {
			g.write("shop.example", page(fmt.Sprint(i), "2026-05-17T10:00:00Z", "/", country(code)))
		}
		inner := g.segment(site, "Inner", raw(`{"country": {"is": "RO"}}`))
		middle := g.segment(site, "Middle", raw(`{"not": {"segment": "`+inner+`"}}`))
		goal := g.goal(site, "goal", raw(`{"anyOf": [{"segment": "`+middle+`"}, {"country": {"is": "DE"}}]}`))
		w := g.connect()
		w.subscribe("1", `subscription($site: ID!, $s: [ID!]) { goalCards(siteId: $site, segments: $s, range: {from: "2026-05-01T00:00:00Z"}) { cells { sessions conversions } } }`,
			vars{"site": site, "s": []string{middle}})
		follow := func(sessions, conversions int) {
			t.Helper()
			want := fmt.Sprintf(`{"goalCards":[{"cells":[{"sessions":%d,"conversions":%d}]}]}`, sessions, conversions)
			for !strings.Contains(compact(string(w.want("next", "1"))), want) {
			}
		}
		follow(2, 2)
		change := func(filters string) {
			t.Helper()
			g.must(`mutation($s: ID!, $f: [FilterInput!]) { updateSegment(input: {id: $s, filters: $f}) { __typename } }`, vars{"s": inner, "f": raw(filters)})
		}
		change(`[{"country": {"is": ["US"]}}]`)
		follow(3, 3)
		change(`[{"country": {"is": ["RO", "US", "DE"]}}]`)
		follow(0, 0)
		// So does a query, whose goals and segments are known.
		const card = `query($g: ID!, $s: [ID!]) { site(domain: "shop.example") { goalCards(goals: [$g], segments: $s, range: {from: "2026-05-01T00:00:00Z"}) { cells { sessions conversions merged { label } } } } }`
		for filters, n := range map[string]int{`[{"country": {"is": ["RO"]}}]`: 2, `[{"country": {"is": ["US"]}}]`: 3, `[]`: 0} {
			change(filters)
			for range 2 {
				var data struct {
					Site struct {
						GoalCards []struct{ Cells []cell }
					}
				}
				g.into(&data, card, vars{"g": goal, "s": []string{middle}})
				if got := data.Site.GoalCards[0].Cells[0]; got.Sessions != n || got.Conversions != n {
					t.Errorf("%s: %+v, want %d", filters, got, n)
				}
			}
		}
		g.refused(`mutation($s: ID!) { deleteSegment(id: $s) { deletedId } }`, vars{"s": inner}, model.FailedPrecondition, "")
		g.refused(`mutation($s: ID!, $f: [FilterInput!]) { updateSegment(input: {id: $s, filters: $f}) { __typename } }`,
			vars{"s": inner, "f": raw(`[{"segment": "` + middle + `"}]`)}, model.BadInput, "input.filters[0].segment")
	})
}

// Whose site a segment is not of does not learn that there is one.
func TestNamedSegmentsOfOthers(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	own, other := g.site("a.example", "UTC"), g.site("b.example", "UTC")
	theirs := g.segment(other, "Theirs", raw(`{"country": {"is": "RO"}}`))
	segment, goal := g.segment(own, "Own"), g.goal(own, "goal")
	experiment := g.experiment(own, "headline", goal)
	site, err := g.store.SiteByDomain(t.Context(), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*model.Principal{keyOf(1, model.EditScope, site.ID), nil} {
		for query, field := range map[string]string{
			`query($i: ID!, $f: [FilterInput!]!) { site(domain: "a.example") { sessions(filters: $f, range: {from: "2026-05-01T00:00:00Z"}) { totalCount } node: id @skip(if: true) } node(id: $i) { id } }`: "filters[0].segment",
			`query($i: ID!, $f: [FilterInput!]!) { site(domain: "a.example") { merge(active: [], goal: $f) { label } } node(id: $i) { id } }`:                                                                "goal[0].segment",
			`mutation($i: ID!, $f: [FilterInput!]!) { createSegment(input: {siteId: $i, name: "n", filters: $f}) { __typename } }`:                                                                           "input.filters[0].segment",
			`mutation($i: ID!, $f: [FilterInput!]!) { createGoal(input: {siteId: $i, key: "n", name: "n", filters: $f}) { __typename } }`:                                                                    "input.filters[0].segment",
			`mutation($i: ID!, $f: [FilterInput!]!) { createExperiment(input: {siteId: $i, key: "n", name: "n", audience: $f}) { __typename } }`:                                                             "input.audience[0].segment",
		} {
			for _, id := range []string{theirs, encoded("Segment:999999")} {
				e := g.as(p).refused(query, vars{"i": own, "f": raw(`[{"segment": "` + id + `"}]`)}, model.NotFound, field)
				if !strings.Contains(e.Message, "there is no segment with this id") {
					t.Errorf("%s", e.Message)
				}
			}
		}
		for id, query := range map[string]string{
			segment:    `mutation($i: ID!, $f: [FilterInput!]!) { updateSegment(input: {id: $i, filters: $f}) { __typename } }`,
			goal:       `mutation($i: ID!, $f: [FilterInput!]!) { updateGoal(input: {id: $i, filters: $f}) { __typename } }`,
			experiment: `mutation($i: ID!, $f: [FilterInput!]!) { updateExperiment(input: {id: $i, audience: $f}) { __typename } }`,
		} {
			field := map[string]string{experiment: "input.audience[0].segment"}[id]
			if field == "" {
				field = "input.filters[0].segment"
			}
			g.as(p).refused(query, vars{"i": id, "f": raw(`[{"segment": "` + theirs + `"}]`)}, model.NotFound, field)
		}
		g.as(p).refused(`query($i: ID!, $f: [FilterInput!]!) { node(id: $i) { ... on Experiment { results(filters: $f) { visitors } } } }`,
			vars{"i": experiment, "f": raw(`[{"segment": "` + theirs + `"}]`)}, model.NotFound, "filters[0].segment")
	}
}

// An experiment's audience may be of groups and segments, by the engine and the oracle alike.
func TestAudienceOfGroups(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("shop.example", "UTC")
		goal := g.goal(site, "buy", raw(`{"pages": {"all": "/thanks"}}`))
		romania := g.segment(site, "Romania", raw(`{"country": {"is": "RO"}}`))
		for i, code := range []string{"RO", "US", "DE", "RO", "FR"} {
			visitor := fmt.Sprint(i)
			g.write("shop.example", page(visitor, "2026-05-02T10:00:00Z", "/", country(code)), assignment(visitor, "2026-05-02T10:00:01Z", "headline", "ab"[i%2:i%2+1], country(code)),
				page(visitor, "2026-05-02T10:00:02Z", "/thanks", country(code)))
		}
		experiment := g.experiment(site, "headline", goal)
		g.must(`mutation($e: ID!, $f: [FilterInput!]) { updateExperiment(input: {id: $e, audience: $f}) { __typename } }`,
			vars{"e": experiment, "f": raw(`[{"anyOf": [{"segment": "` + romania + `"}, {"allOf": [{"country": {"isNot": "FR"}}, {"not": {"country": {"is": "US"}}}]}]}]`)})
		g.start(experiment, "2026-05-01T00:00:00Z")
		for _, engine := range []graph.Engine{naive.New(g.store, nil, graph.NewDefinitions(g.store, g.host)), g.columns().engine.Engine} {
			g.engine.Engine = engine
			for filters, visitors := range map[string]int{`[]`: 3, `[{"not": {"segment": "` + romania + `"}}]`: 1, `[{"segment": "` + romania + `"}]`: 2} {
				g.want(`query($e: ID!, $f: [FilterInput!]) { node(id: $e) { ... on Experiment { results(filters: $f) { visitors } } } }`,
					vars{"e": experiment, "f": raw(filters)}, fmt.Sprintf(`{"node": {"results": {"visitors": %d}}}`, visitors))
			}
		}
		g.refused(`mutation($s: ID!) { updateSegment(input: {id: $s, filters: []}) { __typename } }`, vars{"s": romania}, model.FailedPrecondition, "input.filters")
	})
}
