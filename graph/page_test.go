package graph_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

type connection struct {
	Nodes    []struct{ ID string }
	Edges    []struct{ Cursor string }
	PageInfo struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
	TotalCount int
}

const connectionFields = `{ nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount }`

// segmentPage returns a page of the site's segments.
func (g *testGraph) segmentPage(site string, first int, after *string) connection {
	g.Helper()
	var data struct{ Site struct{ Segments connection } }
	g.into(&data, `query($s: ID!, $f: Int, $a: String) { site(id: $s) { segments(first: $f, after: $a) `+connectionFields+` } }`, vars{"s": site, "f": first, "a": after})
	return data.Site.Segments
}

func TestPagesAreStable(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		want := []string{g.segmentNamed(site, "All")}
		for i := range 4 {
			want = append(want, g.segment(site, fmt.Sprint(i)))
		}
		first := g.segmentPage(site, 2, nil)
		if first.TotalCount != 5 || !first.PageInfo.HasNextPage || first.PageInfo.HasPreviousPage || len(first.Nodes) != 2 ||
			first.Edges[0].Cursor != *first.PageInfo.StartCursor || first.Edges[1].Cursor != *first.PageInfo.EndCursor {
			t.Errorf("%+v", first)
		}
		// What was seen goes, even the one that the cursor names, and another comes: nothing is seen twice or missed.
		g.must(`mutation($s: ID!) { deleteSegment(id: $s) { deletedId } }`, vars{"s": first.Nodes[1].ID})
		want = append(want, g.segment(site, "new"))
		seen := []string{first.Nodes[0].ID, first.Nodes[1].ID}
		for p := first; p.PageInfo.HasNextPage; {
			p = g.segmentPage(site, 2, p.PageInfo.EndCursor)
			if !p.PageInfo.HasPreviousPage || p.TotalCount != 5 {
				t.Errorf("%+v", p)
			}
			for _, node := range p.Nodes {
				seen = append(seen, node.ID)
			}
		}
		if !slices.Equal(seen, want) {
			t.Errorf("%v, want %v", seen, want)
		}
		if none := g.segmentPage(site, 0, nil); len(none.Nodes) != 0 || none.Edges == nil || none.TotalCount != 5 || !none.PageInfo.HasNextPage || none.PageInfo.EndCursor != nil {
			t.Errorf("first 0: %+v", none)
		}
		if all := g.segmentPage(site, 500, nil); len(all.Nodes) != 5 || all.PageInfo.HasNextPage {
			t.Errorf("first 500: %+v", all)
		}
	})
}

// Every list is the same from either end, in either order, cut into pages of any size.
func TestPagesFromBothEnds(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		names := []string{"b", "B", "a", "é", "a", "c d"}
		ids := map[string][]string{"segments": {g.segmentNamed(site, "All")}}
		for i, name := range names {
			ids["segments"] = append(ids["segments"], g.segment(site, name))
			goal := g.goal(site, fmt.Sprint(i))
			ids["goals"] = append(ids["goals"], goal)
			g.must(`mutation($g: ID!, $n: String) { updateGoal(input: {id: $g, name: $n}) { goal { id } } }`, vars{"g": goal, "n": name})
			ids["experiments"] = append(ids["experiments"], g.experiment(site, fmt.Sprint(i), goal))
			g.write("a.example", page(fmt.Sprint(i), fmt.Sprintf("2026-05-%02dT10:00:00Z", 1+i/2), fmt.Sprint("/", i)), event(fmt.Sprint(i), fmt.Sprintf("2026-05-%02dT10:00:01Z", 1+i/2), fmt.Sprint(name, i), 0))
		}
		// The one that was made first changes last.
		g.must(`mutation($s: ID!, $g: ID!) { updateSegment(input: {id: $s, active: false}) { segment { id } } updateGoal(input: {id: $g, description: "x"}) { goal { id } } }`,
			vars{"s": ids["segments"][0], "g": ids["goals"][0]})
		type list struct {
			Nodes    []struct{ ID string }
			PageInfo struct {
				HasNextPage, HasPreviousPage bool
				StartCursor, EndCursor       *string
			}
		}
		needed := map[string]string{"sessions": `range: {from: "2026-05-01T00:00:00Z"} `, "breakdown": `by: [PAGE], range: {from: "2026-05-01T00:00:00Z"} `}
		ask := func(field, arguments string) (c list) {
			t.Helper()
			var data struct{ Site struct{ List list } }
			g.into(&data, `query($s: ID!) { site(id: $s) { list: `+field+`(`+needed[field]+arguments+`) { nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`, vars{"s": site})
			return data.Site.List
		}
		idsOf := func(c list) (ids []string) {
			for _, node := range c.Nodes {
				ids = append(ids, node.ID)
			}
			return ids
		}
		for field, orders := range map[string][]string{
			"segments": {"CREATED_AT", "UPDATED_AT", "NAME"}, "goals": {"CREATED_AT", "UPDATED_AT", "NAME"}, "experiments": {"CREATED_AT", "UPDATED_AT", "NAME"},
			"events": {"NAME"}, "sessions": {"STARTED_AT"}, "auditLog": {"AT"}, "breakdown": {"SESSIONS", "VALUES"},
		} {
			for _, order := range orders {
				var ascending []string
				for _, direction := range []string{"ASCENDING", "DESCENDING"} {
					by := `orderBy: {by: ` + order + `, direction: ` + direction + `}`
					all := idsOf(ask(field, by))
					if len(all) < len(names) {
						t.Fatalf("%s %s: %v", field, by, all)
					}
					if direction == "ASCENDING" {
						ascending = all
					}
					for _, size := range []string{"2", "500"} {
						var forward, backward []string
						for c := ask(field, by+` first: `+size); ; c = ask(field, by+` first: `+size+` after: "`+*c.PageInfo.EndCursor+`"`) {
							forward = append(forward, idsOf(c)...)
							if c.PageInfo.HasPreviousPage != (len(forward) > len(c.Nodes)) {
								t.Errorf("%s %s first %s: %+v", field, by, size, c.PageInfo)
							}
							if !c.PageInfo.HasNextPage || len(forward) > 50 {
								break
							}
						}
						for c := ask(field, by+` last: `+size); ; c = ask(field, by+` last: `+size+` before: "`+*c.PageInfo.StartCursor+`"`) {
							backward = append(idsOf(c), backward...)
							if c.PageInfo.HasNextPage != (len(backward) > len(c.Nodes)) {
								t.Errorf("%s %s last %s: %+v", field, by, size, c.PageInfo)
							}
							if !c.PageInfo.HasPreviousPage || len(backward) > 50 {
								break
							}
						}
						if !slices.Equal(forward, all) || !slices.Equal(backward, all) {
							t.Errorf("%s %s by %s:\nforward  %v\nbackward %v\nwant     %v", field, by, size, forward, backward, all)
						}
					}
					first, last := ask(field, by+` first: 1`), ask(field, by+` last: 1`)
					between := idsOf(ask(field, by+` after: "`+*first.PageInfo.EndCursor+`" before: "`+*last.PageInfo.StartCursor+`"`))
					if !slices.Equal(between, all[1:len(all)-1]) {
						t.Errorf("%s %s between the first and the last: %v, want %v", field, by, between, all[1:len(all)-1])
					}
				}
				descending := idsOf(ask(field, `orderBy: {by: `+order+`, direction: DESCENDING}`))
				slices.Reverse(descending)
				if order != "SESSIONS" && !slices.Equal(descending, ascending) { // of which all rows have one
					t.Errorf("%s by %s: descending is not the reverse", field, order)
				}
			}
		}
		named := idsOf(ask("segments", `orderBy: {by: NAME}`))
		s := ids["segments"]
		if want := []string{s[0], s[2], s[3], s[5], s[1], s[6], s[4]}; !slices.Equal(named, want) { // All B a a b "c d" é
			t.Errorf("by name: %v, want %v", named, want)
		}
		if newest := idsOf(ask("goals", `orderBy: {by: UPDATED_AT, direction: DESCENDING} first: 1`)); newest[0] != ids["goals"][0] {
			t.Errorf("changed last: %v, want %s", newest, ids["goals"][0])
		}
		cursor := *ask("segments", `orderBy: {by: NAME} first: 1`).PageInfo.EndCursor
		for _, field := range []string{"segments", "goals", "experiments", "events", "auditLog", "sessions", "breakdown"} {
			query := func(arguments string) string {
				return `query($s: ID!) { site(id: $s) { ` + field + `(` + needed[field] + arguments + `) { totalCount } } }`
			}
			g.refused(query(`first: 1, last: 1`), vars{"s": site}, model.BadInput, "last")
			g.refused(query(`last: 501`), vars{"s": site}, model.BadInput, "last")
			g.refused(query(`last: -1`), vars{"s": site}, model.BadInput, "last")
			g.refused(query(`before: "x"`), vars{"s": site}, model.BadInput, "before")
			if field != "events" {
				g.refused(query(`after: "`+cursor+`"`), vars{"s": site}, model.BadInput, "after")
			}
		}
	})
}

// Goal cards are never cut off in silence.
func TestGoalCardsInPages(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	number, err := g.store.SiteByDomain(t.Context(), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	active, inactive := g.segmentNamed(site, "All"), g.segment(site, "Inactive")
	g.must(`mutation($s: ID!) { deactivateSegments(ids: [$s]) { site { id } } }`, vars{"s": inactive})
	goals := []string{g.goal(site, "a"), g.goal(site, "b"), g.goal(site, "c")}
	const in = `range: {from: "2026-05-01T00:00:00Z"}`
	cards := func(arguments string) string {
		t.Helper()
		var data struct {
			Site struct {
				GoalCards []struct {
					Goal  struct{ Key string }
					Cells []struct{ Segment struct{ Name string } }
				}
			}
		}
		g.into(&data, `query($s: ID!) { site(id: $s) { goalCards(`+in+`, `+arguments+`) { goal { key } cells { segment { name } } } } }`, vars{"s": site})
		var text []string
		for _, card := range data.Site.GoalCards {
			text = append(text, fmt.Sprint(card.Goal.Key, len(card.Cells)))
		}
		return strings.Join(text, " ")
	}
	for arguments, want := range map[string]string{
		`first: 2`: "a1 b1", `first: 0`: "", `first: 2, after: "` + goals[1] + `"`: "c1", `after: "` + goals[0] + `"`: "b1 c1", `includeInactive: true`: "a2 b2 c2",
		`goals: ["` + goals[2] + `", "` + goals[0] + `"], after: "` + goals[2] + `"`: "a1", `goals: ["` + goals[2] + `", "` + goals[0] + `"], first: 1`: "c1",
		`includeInactive: true, segments: ["` + active + `"], first: 1`: "a1",
	} {
		if got := cards(arguments); got != want {
			t.Errorf("%s: %q, want %q", arguments, got, want)
		}
	}
	refused := func(arguments string, code model.Code, field string) {
		t.Helper()
		g.refused(`query($s: ID!) { site(id: $s) { goalCards(`+in+`, `+arguments+`) { goal { key } } } }`, vars{"s": site}, code, field)
	}
	refused(`first: 501`, model.BadInput, "first")
	refused(`after: "x"`, model.NotFound, "after")
	refused(`goals: ["`+goals[0]+`"], after: "`+goals[1]+`"`, model.BadInput, "after")
	for i := range 498 {
		if err := g.store.CreateGoal(t.Context(), &model.Goal{SiteID: number.ID, Key: fmt.Sprint("more ", i), Name: "More"}); err != nil {
			t.Fatal(err)
		}
	}
	refused(`segments: ["`+active+`"]`, model.ResourceExhausted, "goals")
	if got := cards(`first: 1, after: "` + goals[2] + `"`); got != "more 01" {
		t.Errorf("the next page is %q", got)
	}
	for range 100 {
		if err := g.store.CreateSegment(t.Context(), &model.Segment{SiteID: number.ID, Name: "More", Active: true}); err != nil {
			t.Fatal(err)
		}
	}
	refused(`first: 1`, model.ResourceExhausted, "segments")
	g.refused(`query($s: ID!) { site(id: $s) { breakdown(by: [PAGE], `+in+`) { nodes { goals { conversions } } } } }`, vars{"s": site}, model.ResourceExhausted, "goals")
	g.refused(`query($g: ID!) { node(id: $g) { ... on Goal { card(`+in+`) { computedAt } } } }`, vars{"g": goals[0]}, model.ResourceExhausted, "segments")
}

// What has an id is known by it to a cache: equal things have equal ids, and different ones different ids.
func TestIDsOfAnswers(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	filters := []any{raw(`{"referrer": {"is": ["t.co"], "isNot": ["b.example"]}}`), raw(`{"not": {"country": {"is": ["RO"]}}}`)}
	same := []any{raw(`{"referrer": {"isNot": ["b.example"], "is": ["t.co"]}}`), raw(`{"country": {"is": ["RO"]}}`)}
	buy, look := g.goal(site, "buy", filters...), g.goal(site, "look", same...)
	g.segment(site, "RO", raw(`{"country": {"is": "RO"}}`))
	e := g.experiment(site, "headline", buy)
	g.start(e, "2026-05-01T00:00:00Z")
	g.write("a.example", event("ann", "2026-05-17T10:01:00Z", "buy", 5))
	query := `query($s: ID!, $b: ID!, $l: ID!, $e: ID!, $r: TimeRange!) {
		site(id: $s) {
			goalCards(range: $r) { id cells { id } }
			visitors: goalCards(range: $r, unit: VISITOR) { id cells { id } }
			compared: goalCards(range: $r, compare: PREVIOUS_YEAR) { id cells { id } }
			named: goalCards(range: $r, goals: [$b, $l], includeInactive: true) { id cells { id } }
			funnel(steps: [$b, $l], range: $r) { id segments { id steps { id } } }
			other: funnel(steps: [$l, $b], range: $r) { id segments { id steps { id } } }
			events { nodes { id } }
			goal(key: "buy") { filters { id type { id plugin { id } } } }
			same: goal(key: "look") { filters { id } }
		}
		node(id: $e) { ... on Experiment { variants { id } results { id metrics { id variants { id variant { id } } } } within: results(range: $r) { id metrics { id variants { id } } } breakdown { id result { id } } } }
	}`
	ask := func(from string) map[string]any {
		t.Helper()
		var data map[string]any
		g.into(&data, query, vars{"s": site, "b": buy, "l": look, "e": e, "r": vars{"from": from}})
		return data
	}
	first := ask("2026-05-01T00:00:00Z")
	if again := ask("2026-05-01T02:00:00+02:00"); mustJSON(again) != mustJSON(first) {
		t.Errorf("ids change:\n%s\n%s", mustJSON(first), mustJSON(again))
	}
	at := func(data map[string]any, path ...any) string {
		t.Helper()
		var value any = data
		for _, step := range path {
			switch step := step.(type) {
			case string:
				value = value.(map[string]any)[step]
			case int:
				value = value.([]any)[step]
			}
		}
		return value.(string)
	}
	later := ask("2026-05-02T00:00:00Z")
	seen := map[string][]any{}
	for _, data := range []map[string]any{first, later} {
		for _, path := range [][]any{
			{"site", "goalCards", 0, "id"}, {"site", "goalCards", 1, "id"}, {"site", "named", 0, "id"}, {"site", "visitors", 0, "id"}, {"site", "compared", 0, "id"}, {"site", "visitors", 0, "cells", 0, "id"},
			{"site", "compared", 0, "cells", 0, "id"}, {"site", "goalCards", 0, "cells", 0, "id"}, {"site", "goalCards", 0, "cells", 1, "id"},
			{"site", "goalCards", 1, "cells", 0, "id"}, {"site", "funnel", "id"}, {"site", "other", "id"}, {"site", "funnel", "segments", 0, "id"}, {"site", "funnel", "segments", 1, "id"},
			{"site", "other", "segments", 0, "id"}, {"site", "funnel", "segments", 0, "steps", 0, "id"}, {"site", "funnel", "segments", 0, "steps", 1, "id"},
			{"site", "other", "segments", 0, "steps", 1, "id"}, {"node", "within", "id"}, {"node", "within", "metrics", 0, "id"}, {"node", "within", "metrics", 0, "variants", 0, "id"},
			{"node", "within", "metrics", 0, "variants", 1, "id"},
		} {
			id := at(data, path...)
			if other := seen[id]; other != nil {
				t.Errorf("%v and %v have one id", other, path)
			}
			seen[id] = path
			g.want(`query($id: ID!) { node(id: $id) { id } }`, vars{"id": id}, `{"node": null}`)
		}
	}
	for _, equal := range [][2][]any{
		{{"site", "goalCards", 0, "cells", 0, "id"}, {"site", "named", 0, "cells", 0, "id"}},
		{{"site", "goal", "filters", 0, "id"}, {"site", "same", "filters", 0, "id"}},
		{{"node", "variants", 0, "id"}, {"node", "results", "metrics", 0, "variants", 0, "variant", "id"}},
	} {
		if a, b := at(first, equal[0]...), at(first, equal[1]...); a != b {
			t.Errorf("%v and %v differ", equal[0], equal[1])
		}
	}
	if a, b := at(first, "site", "goal", "filters", 1, "id"), at(first, "site", "same", "filters", 1, "id"); a == b {
		t.Error("a filter and its opposite have one id")
	}
}

func TestSessionsNewestFirstWhileNewOnesArrive(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		for i := range 25 { // some start at one instant, and over three days
			g.write("a.example", page(fmt.Sprint(i), fmt.Sprintf("2026-05-%02dT10:%02d:00Z", 1+i/10, i%10/2), "/", country("RO")))
		}
		var seen []string
		var after *string
		last := ""
		for n := range 20 {
			var data struct {
				Site struct {
					Sessions struct {
						Nodes []struct{ ID, StartedAt, VisitorID string }
						connection
					}
				}
			}
			g.into(&data, `query($s: ID!, $a: String) { site(id: $s) { sessions(filters: {country: {is: "RO"}}, range: {from: "2026-05-01T00:00:00Z"}, first: 4, after: $a) {
				nodes { id startedAt visitorId } pageInfo { hasNextPage endCursor } totalCount } } }`, vars{"s": site, "a": after})
			p := data.Site.Sessions
			for _, node := range p.Nodes {
				if last != "" && node.StartedAt > last {
					t.Errorf("%s comes behind %s", node.StartedAt, last)
				}
				last = node.StartedAt
				seen = append(seen, node.VisitorID)
			}
			if p.TotalCount != 25+n {
				t.Errorf("page %d: %d in total", n, p.TotalCount)
			}
			if !p.PageInfo.HasNextPage {
				break
			}
			after = p.PageInfo.EndCursor
			g.write("a.example", page(fmt.Sprint("new ", n), fmt.Sprintf("2026-05-05T10:%02d:00Z", n), "/", country("RO")))
		}
		slices.Sort(seen)
		if len(seen) != 25 || len(slices.Compact(seen)) != 25 {
			t.Errorf("%d sessions: %v", len(seen), seen)
		}
		g.want(`query($s: ID!) { site(id: $s) { sessions(first: 1, range: {from: "2026-05-05T00:00:00Z"}) { nodes { visitorId durationSeconds country referrer entryPage exitPage browser tags pages events } } } }`,
			vars{"s": site}, `{"site": {"sessions": {"nodes": [{"visitorId": "new 5", "durationSeconds": 0, "country": "RO", "referrer": null, "entryPage": "/", "exitPage": "/", "browser": null, "tags": [], "pages": ["/"], "events": []}]}}}`)
	})
}

func TestNodes(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		g.write("a.example", page("v", "2026-05-01T10:00:00Z", "/"))
		segment, goal := g.segment(site, "S"), g.goal(site, "buy")
		var session string
		for id := range g.matching(site, nil) {
			session = id
		}
		rubbish := []string{"", "a", "!", encode("Site"), encode("Site:"), encode("Site:x"), encode("Site:-1"), encode("Site:0"), encode("Site:99999999999999999999"),
			encode("Goal:999"), encode("Session:1"), encode("Session:1/x"), encode("Session:1/99999999999"), encode("Session:-1/-1"), encode("Plugin:1"), encode(":1"), site + "=", "\x00"}
		var data struct {
			Nodes []*struct{ Typename, ID string }
		}
		g.into(&data, `query($i: [ID!]!) { nodes(ids: $i) { typename: __typename id } }`, vars{"i": append([]string{goal, session, site, segment, goal}, rubbish...)})
		for i, want := range []string{"Goal " + goal, "Session " + session, "Site " + site, "Segment " + segment, "Goal " + goal} {
			if n := data.Nodes[i]; n == nil || n.Typename+" "+n.ID != want {
				t.Errorf("node %d: %+v, want %s", i, n, want)
			}
		}
		for i, n := range data.Nodes[5:] {
			if n != nil {
				t.Errorf("%q: %+v", rubbish[i], n)
			}
		}
		for _, id := range append(rubbish, segment) {
			g.want(`query($i: ID!) { site(id: $i) { id } }`, vars{"i": id}, `{"site": null}`)
		}
		g.want(`query($i: ID!) { node(id: $i) { ... on Session { visitorId pages } } }`, vars{"i": session}, `{"node": {"visitorId": "v", "pages": ["/"]}}`)
		g.want(`query($i: ID!) { node(id: $i) { ... on Goal { site { id segments { nodes { name site { id } } } } } } }`, vars{"i": goal},
			fmt.Sprintf(`{"node": {"site": {"id": %q, "segments": {"nodes": [{"name": "All", "site": {"id": %q}}, {"name": "S", "site": {"id": %q}}]}}}}`, site, site, site))
	})
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestValues(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.site("a.example", "UTC")
		for i, referrer := range []string{"t.co", "t.co", "www.Google.com", "", "", ""} {
			g.write("a.example", page(fmt.Sprint(i), "2026-05-01T10:00:00Z", fmt.Sprintf("/%d", i%2), from(referrer)))
		}
		g.want(`{ site(domain: "a.example") { values(filterType: "referrer") { value sessions } found: values(filterType: "referrer", search: "GOO") { value }
			two: values(filterType: "referrer", first: 2) { value } none: values(filterType: "referrer", first: 0) { value } pages: values(filterType: "pages") { value sessions }
			tags: values(filterType: "tags") { value } direct: values(filterType: "referrer", search: "DIR") { value sessions } } }`, nil,
			`{"site": {"values": [{"value": "(direct)", "sessions": 3}, {"value": "t.co", "sessions": 2}, {"value": "www.Google.com", "sessions": 1}], "found": [{"value": "www.Google.com"}],
				"two": [{"value": "(direct)"}, {"value": "t.co"}], "none": [], "pages": [{"value": "/0", "sessions": 3}, {"value": "/1", "sessions": 3}], "tags": [], "direct": [{"value": "(direct)", "sessions": 3}]}}`)
	})
}
