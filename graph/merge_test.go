package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/plugins/builtin"
)

// Each line is a row of the table of merges: the active segment's filters, the goal's, and what becomes of them.
var merges = []struct{ name, active, goal, merged, rule, label string }{
	{"ip", `{"ip": {"is": "10.0.0.1"}}`, `{"ip": {"is": "10.0.0.2"}}`, `{"is": ["10.0.0.2"]}`, "LAST", "IP address is 10.0.0.2"},
	{"tags", `{"tags": {"all": ["A", "B"]}}`, `{"tags": {"all": ["B", "C"]}}`, `{"all": ["A", "B", "C"]}`, "UNION", "Tagged A, B and C"},
	{"pages", `{"pages": {"all": ["/a", "/b"]}}`, `{"pages": {"all": ["/b", "/c"]}}`, `{"all": ["/a", "/b", "/c"]}`, "UNION", "Visited /a, /b and /c"},
	{"country of one side", `{"country": {"is": "RO"}}`, ``, `{"is": ["RO"]}`, "INTERSECTION", "Country is RO"},
	{"countries that exclude each other", `{"country": {"is": "RO"}}`, `{"country": {"is": "US"}}`, ``, "INTERSECTION", ""},
	{"referrer", `{"referrer": {"is": ["a.com", "b.com"]}}`, `{"referrer": {"is": ["b.com", "c.com"]}}`, `{"is": ["b.com"]}`, "INTERSECTION", "Referrer is b.com"},
	{"glob and literals", `{"referrer": {"is": "*google*"}}`, `{"referrer": {"is": ["www.google.com", "t.co"]}}`, `{"is": ["www.google.com"]}`, "INTERSECTION", "Referrer is www.google.com"},
	{"two globs", `{"referrer": {"is": "*google*"}}`, `{"referrer": {"is": "*.com"}}`, `both`, "INTERSECTION", ""},
	{"lengths", `{"sessionLength": {"min": 5, "max": 30}}`, `{"sessionLength": {"min": 17, "max": 49}}`, `{"min": 17, "max": 30}`, "INTERSECTION", "Session length 17–30 s"},
	{"lengths that exclude each other", `{"sessionLength": {"min": 5, "max": 10}}`, `{"sessionLength": {"min": 17, "max": 49}}`, ``, "INTERSECTION", ""},
	{"is and isNot", `{"country": {"is": ["RO", "US"]}}`, `{"country": {"isNot": "US"}}`, `{"is": ["RO"]}`, "INTERSECTION", "Country is RO"},
	{"only the goal's", ``, `{"tags": {"all": "x"}}`, `{"all": ["x"]}`, "UNION", "Tagged x"},
}

func TestMergeTable(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.site("a.example", "UTC")
		for i, session := range []struct {
			ip, country, referrer string
			tags, pages           []string
			seconds               int
		}{
			{"10.0.0.1", "RO", "www.google.com", []string{"A", "B", "C"}, []string{"/a", "/b", "/c"}, 20},
			{"10.0.0.2", "US", "b.com", []string{"A", "B"}, []string{"/a", "/b"}, 7},
			{"10.0.0.2", "RO", "google.com", []string{"B", "C", "x"}, []string{"/b", "/c"}, 40},
			{"10.0.0.2", "DE", "www.google.de", nil, []string{"/b", "/d"}, 30},
			{"10.0.0.3", "", "t.co", nil, []string{"/"}, 0},
		} {
			origin := model.Origin{IP: session.ip, Country: session.country, Referrer: session.referrer}
			for n, path := range session.pages {
				hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(i, path)), At: at("2026-05-01T10:00:00Z"), Kind: model.PageView, Name: path, Tags: session.tags, Origin: origin, Knows: model.KnowsAll}
				if n == len(session.pages)-1 {
					hit.At += model.Millis(session.seconds) * 1000
				}
				g.write("a.example", model.Message{AnonymousID: fmt.Sprint(i), Hit: hit})
			}
		}
		counts := map[string][3]int{ // the active segment's, the goal's, the merged segment's
			"ip": {1, 3, 3}, "tags": {2, 2, 1}, "pages": {2, 2, 1}, "country of one side": {2, 5, 2}, "countries that exclude each other": {2, 1, 0},
			"referrer": {1, 1, 1}, "glob and literals": {3, 2, 1}, "two globs": {3, 3, 2}, "lengths": {3, 3, 2}, "lengths that exclude each other": {1, 3, 0},
			"is and isNot": {3, 4, 2}, "only the goal's": {5, 1, 1},
		}
		for _, row := range merges {
			t.Run(row.name, func(t *testing.T) {
				g.in(t).checkMerge(row.active, row.goal, row.merged, row.rule, row.label, counts[row.name])
			})
		}
	})
}

type mergedSegment struct {
	Empty   bool
	Label   string
	Filters []struct {
		Filter, Active, Goal *struct {
			Type struct{ Name string }
			Args map[string]any
		}
		Rule  string
		Empty bool
	}
}

func (g *testGraph) checkMerge(active, goal, merged, rule, label string, counts [3]int) {
	g.Helper()
	v := vars{"a": raw("[" + active + "]"), "g": raw("[" + goal + "]"), "r": raw(`{"from": "2026-05-01T00:00:00Z"}`)}
	var data struct{ Site struct{ Merge mergedSegment } }
	const filter = `{ type { name } args }`
	g.into(&data, `query($a: [FilterInput!]!, $g: [FilterInput!]!) { site(domain: "a.example") { merge(active: $a, goal: $g) { empty label
		filters { filter `+filter+` active `+filter+` goal `+filter+` rule empty } } } }`, vars{"a": v["a"], "g": v["g"]})
	m := data.Site.Merge
	if m.Empty != (merged == "") || m.Label == "" || label != "" && m.Label != label {
		g.Errorf("%+v, want the label %q", m, label)
	}
	f := m.Filters[0]
	if merged == "both" {
		if len(m.Filters) != 2 || f.Filter == nil || m.Filters[1].Filter == nil || f.Goal != nil || m.Filters[1].Active != nil {
			g.Errorf("%+v", m)
		}
	} else if len(m.Filters) != 1 || f.Rule != rule || f.Empty != m.Empty || (f.Filter == nil) != m.Empty || (f.Active == nil) != (active == "") || (f.Goal == nil) != (goal == "") {
		g.Errorf("%+v", f)
	}
	if merged != "" && merged != "both" && !sameJSON(g.T, []byte(mustJSON(f.Filter.Args)), []byte(merged)) {
		g.Errorf("merged %v, want %s", f.Filter.Args, merged)
	}
	g.want(`query($a: [FilterInput!]!, $g: [FilterInput!]!, $r: TimeRange!) { site(domain: "a.example") {
		active: sessionCount(filters: $a, range: $r) goal: sessionCount(filters: $g, range: $r) } }`, v,
		fmt.Sprintf(`{"site": {"active": %d, "goal": %d}}`, counts[0], counts[1]))
	var id struct{ Site struct{ ID string } }
	g.into(&id, `{ site(domain: "a.example") { id } }`, nil)
	cell := g.cell(id.Site.ID, listIf(active), listIf(goal))
	if cell.Sessions != counts[0] || cell.Conversions != counts[2] {
		g.Errorf("cell %+v, want %v", cell, counts)
	}
	if rate := float64(counts[2]) / float64(counts[0]); cell.ConversionRate == nil || *cell.ConversionRate != rate {
		g.Errorf("rate %v, want %v", cell.ConversionRate, rate)
	}
}

func listIf(filter string) []any {
	if filter == "" {
		return nil
	}
	return []any{raw(filter)}
}

type cell struct {
	Sessions, Conversions int
	ConversionRate        *float64
}

// cell makes a segment and a goal, and returns the cell of the one on the other's card.
func (g *testGraph) cell(site string, active, goal []any) cell {
	g.Helper()
	segment, made := g.segment(site, "segment", active...), g.goal(site, "goal", goal...)
	var data struct {
		Node struct{ Card struct{ Cells []cell } }
	}
	g.into(&data, `query($g: ID!, $s: [ID!]) { node(id: $g) { ... on Goal { card(segments: $s, range: {from: "2000-01-01T00:00:00Z"}) { cells { sessions conversions conversionRate } } } } }`,
		vars{"g": made, "s": []string{segment}})
	g.must(`mutation($g: ID!, $s: ID!) { deleteGoal(id: $g) { deletedId } deleteSegment(id: $s) { deletedId } }`, vars{"g": made, "s": segment})
	return data.Node.Card.Cells[0]
}

// For the rules UNION and INTERSECTION the merged segment is what the segment and the goal have in common, exactly, with
// groups anywhere.
func TestMergedCountsAreThoseOfBoth(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		r := rand.New(rand.NewPCG(1, 2))
		ids := g.writeRandomSessions(r, 150)
		all := g.matching(site, nil)
		if len(all) != ids {
			t.Fatalf("%d sessions of %d", len(all), ids)
		}
		inner := g.segment(site, "inner", randomTree(r, 3))
		met := 0
		for i := range 60 {
			active, goal := randomFilters(r), randomFilters(r)
			if i%2 == 1 {
				active, goal = append(active, randomTrees(r, inner)...), append(goal, randomTrees(r, inner)...)
			}
			inActive, inGoal := g.matching(site, active), g.matching(site, goal)
			want := 0
			for id := range inActive {
				if inGoal[id] {
					want++
				}
			}
			cell := g.cell(site, active, goal)
			if cell.Sessions != len(inActive) || cell.Conversions != want {
				t.Errorf("active %s, goal %s: %+v, want %d and %d", mustJSON(active), mustJSON(goal), cell, len(inActive), want)
			}
			if 0 < want && want < ids {
				met++
			}
		}
		if met < 10 {
			t.Errorf("only %d merges say something", met)
		}
	})
}

// writeRandomSessions stores sessions that differ in all that filters look at, and returns how many they are.
func (g *testGraph) writeRandomSessions(r *rand.Rand, n int) int {
	g.Helper()
	var messages []model.Message
	for i := range n {
		s := filtertest.RandomSession(r)
		visitor := fmt.Sprint(i)
		for at, path := range append([]string{"/"}, s.Pages...) {
			hit := model.Hit{ID: model.MessageIDOf(visitor, "page", fmt.Sprint(at)), At: s.Start + model.Millis(at*10_000), Kind: model.PageView, Name: path, Origin: s.Origin, Knows: model.KnowsAll, Tags: s.Tags}
			messages = append(messages, model.Message{AnonymousID: visitor, Hit: hit})
		}
		for _, e := range s.Events {
			value, _ := e.Sum.Decimal()
			hit := model.Hit{ID: model.MessageIDOf(visitor, "event", e.Name), At: s.Start, Kind: model.Event, Name: e.Name, Value: value, HasValue: e.Values > 0, Origin: s.Origin, Knows: model.KnowsAll &^ model.KnowsPage, Properties: s.Properties}
			messages = append(messages, model.Message{AnonymousID: visitor, Hit: hit})
		}
	}
	g.write("a.example", messages...)
	return n
}

// matching returns the ids of the sessions that match all filters.
func (g *testGraph) matching(site string, filters []any) map[string]bool {
	g.Helper()
	var data struct {
		Site struct {
			Sessions struct{ Nodes []struct{ ID string } }
		}
	}
	g.into(&data, `query($s: ID!, $f: [FilterInput!]) { site(id: $s) { sessions(filters: $f, first: 500, range: {from: "2000-01-01T00:00:00Z"}) { nodes { id } } } }`,
		vars{"s": site, "f": filters})
	ids := map[string]bool{}
	for _, node := range data.Site.Sessions.Nodes {
		ids[node.ID] = true
	}
	return ids
}

// randomFilters returns up to three filters of the built-in types with the rules UNION and INTERSECTION.
func randomFilters(r *rand.Rand) (filters []any) {
	for range r.IntN(4) {
		filters = append(filters, randomFilter(r))
	}
	return filters
}

var words = []string{"a", "b", "ab", "ba", "a*", "*b", "*a*", "/a", "/a/b", "/*"}

func randomFilter(r *rand.Rand) map[string]any {
	some := func(from ...string) []string {
		list := make([]string, 1+r.IntN(3))
		for i := range list {
			list[i] = from[r.IntN(len(from))]
		}
		return list
	}
	choice := func(from ...string) map[string]any {
		if r.IntN(3) == 0 {
			return map[string]any{"isNot": some(from...)}
		}
		return map[string]any{"is": append(some(from...), some(from...)...)}
	}
	span := func(most int) map[string]any {
		low := r.IntN(most)
		return []map[string]any{{"min": low}, {"max": low}, {"min": low / 2, "max": low}}[r.IntN(3)]
	}
	types := []func() (string, any){
		func() (string, any) { return "tags", map[string]any{"all": some(words...)[:1]} },
		func() (string, any) { return "pages", map[string]any{"all": some(words...)[:1]} },
		func() (string, any) { return "events", map[string]any{"all": some("purchase", "sign up", "é")[:1]} },
		func() (string, any) { return "country", choice("RO", "US", "DE", "FR") },
		func() (string, any) { return "referrer", choice("a", "b", "ab", "ba", "a*", "*b", "*a*", "(direct)") },
		func() (string, any) { return "sessionLength", span(50) },
		func() (string, any) { return "pageViews", span(5) },
		func() (string, any) {
			return "eventValue", map[string]any{"event": "purchase", "min": -1 + r.IntN(3)}
		},
		func() (string, any) { return "entryPage", choice(words...) },
		func() (string, any) { return "exitPage", choice(words...) },
		func() (string, any) { return "city", choice(words...) },
		func() (string, any) { return "region", choice(words...) },
		func() (string, any) { return "hostname", choice("a", "b", "ab", "é", "*b") },
		func() (string, any) { return "browser", choice("a", "b", "ab", "aB") },
		func() (string, any) { return "os", choice("a", "b", "ab", "aB") },
		func() (string, any) { return "device", choice("DESKTOP", "MOBILE", "TABLET", "OTHER") },
		func() (string, any) { return "language", choice("en", "de", "ro") },
		func() (string, any) { return "utm", map[string]any{"source": some("a", "b", "ab", "é")} },
		func() (string, any) {
			return "hour", map[string]any{"is": []int{r.IntN(4) * 6, r.IntN(4) * 6, r.IntN(24)}}
		},
		func() (string, any) { return "weekday", map[string]any{"is": some("MONDAY", "THURSDAY", "SUNDAY")} },
		func() (string, any) {
			return "visitor", map[string]any{"kind": []string{"NEW", "RETURNING"}[r.IntN(2)]}
		},
		func() (string, any) {
			return "property", map[string]any{"key": "plan", "is": some("a", "b", "ab", "aB")}
		},
	}
	name, args := types[r.IntN(len(types))]()
	return map[string]any{name: args}
}

func TestRandomFiltersAreOfAllTypes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	seen := map[string]bool{}
	for range 1000 {
		for name := range randomFilter(r) {
			seen[name] = true
		}
	}
	if len(seen) != len(builtin.Types())-2 { // all but ip, whose rule is LAST, and variant, which needs experiments
		t.Errorf("%s", strings.Join(slices.Collect(func(yield func(string) bool) {
			for name := range seen {
				yield(name)
			}
		}), " "))
	}
}
