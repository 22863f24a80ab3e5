package graph_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
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
