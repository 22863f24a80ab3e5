package graph_test

import (
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

// A session shows every dimension that it has, and null or an empty list where it has none.
func TestSessionShowsAllDimensions(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		var names []string
		all := func(hit *model.Hit) {
			for _, d := range dimension.Origins() {
				*d.Origin(&hit.Origin) = "a " + d.Name
			}
		}
		shown := map[string]any{
			"visitorId": "ada", "visitorKind": "NEW", "startedAt": "2026-05-01T10:00:00Z", "durationSeconds": 90, "pageViews": 1, "exitPage": "/b",
			"tags": []string{"t"}, "pages": []string{"/b"}, "events": []string{"purchase", "sign up"},
			"values":     []any{map[string]any{"event": "purchase", "count": 2, "sum": 7.5}},
			"properties": []any{map[string]any{"key": "plan", "value": "pro"}, map[string]any{"key": "size", "value": "9"}},
		}
		bare := map[string]any{
			"visitorId": "bob", "visitorKind": "NEW", "startedAt": "2026-05-02T10:00:00Z", "durationSeconds": 0, "pageViews": 0, "exitPage": nil,
			"tags": []string{}, "pages": []string{}, "events": []string{"sign up"}, "values": []any{}, "properties": []any{},
		}
		// A dimension is shown under its own name, but for these.
		shownAs := map[string]string{"visitor": "visitorId", "length": "durationSeconds", "start": "startedAt", "end": "endedAt", "hour": "startedAt", "weekday": "startedAt",
			"value": "values { event count sum }", "property": "properties { key value }"}
		for _, d := range dimension.All() {
			name := d.Name
			if as := shownAs[name]; as != "" {
				name = as
			}
			names = append(names, name)
			if d.Origin != nil {
				shown[name], bare[name] = "a "+d.Name, nil
				if name == "entryPage" {
					shown[name] = "/b"
				}
			}
		}
		names = append(names, "truncated", "key", "eventCounts { event count }")
		shown["truncated"], bare["truncated"] = false, false
		shown["key"], bare["key"], shown["endedAt"], bare["endedAt"] = "key", nil, "2026-05-01T10:01:30Z", "2026-05-02T10:00:00Z"
		shown["eventCounts"] = []any{map[string]any{"event": "purchase", "count": 2}, map[string]any{"event": "sign up", "count": 1}}
		bare["eventCounts"] = []any{map[string]any{"event": "sign up", "count": 1}}
		with := func(properties map[string]string) func(*model.Hit) {
			return func(hit *model.Hit) { hit.Properties = properties }
		}
		g.write("a.example",
			event("ada", "2026-05-01T10:00:00Z", "purchase", 5, all, tagged("t"), func(hit *model.Hit) { hit.SessionKey = "key" }),
			page("ada", "2026-05-01T10:00:30Z", "/b", all, with(map[string]string{"size": "9", "plan": "pro"})),
			event("ada", "2026-05-01T10:01:00Z", "purchase", 2.5),
			event("ada", "2026-05-01T10:01:30Z", "sign up", 0),
			event("bob", "2026-05-02T10:00:00Z", "sign up", 0))
		g.want(`query($s: ID!) { site(id: $s) { sessions(range: {from: "2026-05-01T00:00:00Z"}) { nodes { `+strings.Join(names, " ")+` } } } }`,
			vars{"s": site}, mustJSON(map[string]any{"site": map[string]any{"sessions": map[string]any{"nodes": []any{bare, shown}}}}))
	})
}

// A session's hits come in pages, each with all that is kept of it, and of several sessions together.
func TestSessionHits(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		g.write("a.example",
			page("ada", "2026-05-01T10:00:00Z", "/", from("t.co"), country("RO"), tagged("t")),
			event("ada", "2026-05-01T10:00:01Z", "buy", 2.5, func(hit *model.Hit) { hit.Properties = map[string]string{"size": "9", "plan": "pro"} }),
			assignment("ada", "2026-05-01T10:00:02Z", "headline", "b"),
			page("bob", "2026-05-02T10:00:00Z", "/b"))
		type hits struct {
			TotalCount int
			Nodes      []struct{ ID, At string }
			PageInfo   struct {
				HasNextPage bool
				EndCursor   string
			}
		}
		var data struct {
			Site struct {
				Sessions struct {
					Nodes []struct {
						ID   string
						Hits hits
					}
				}
			}
		}
		const fields = `hits(first: 2, after: $after) { totalCount nodes { id at } pageInfo { hasNextPage endCursor } }`
		g.into(&data, `query($s: ID!, $after: String) { site(id: $s) { sessions(range: {from: "2026-05-01T00:00:00Z"}) { nodes { id `+fields+` } } } }`, vars{"s": site})
		bob, ada := data.Site.Sessions.Nodes[0], data.Site.Sessions.Nodes[1]
		if len(bob.Hits.Nodes) != 1 || bob.Hits.PageInfo.HasNextPage || len(ada.Hits.Nodes) != 2 || ada.Hits.TotalCount != 3 || !ada.Hits.PageInfo.HasNextPage || ada.Hits.Nodes[0].ID == ada.Hits.Nodes[1].ID {
			t.Errorf("%+v", data)
		}
		const node = `query($id: ID!, $after: String) { node(id: $id) { ... on Session { hits(after: $after) {
			nodes { kind at name value tags properties { key value } userId experiment variant referrer country hostname browser utmSource } } } } }`
		g.want(node, vars{"id": ada.ID, "after": ada.Hits.PageInfo.EndCursor}, `{"node": {"hits": {"nodes": [{"kind": "EVENT", "at": "2026-05-01T10:00:02Z", "name": "Experiment Viewed", "value": null, "tags": [], "properties": [],
			"userId": null, "experiment": "headline", "variant": "b", "referrer": null, "country": null, "hostname": null, "browser": null, "utmSource": null}]}}}`)
		g.want(`query($id: ID!, $before: String) { node(id: $id) { ... on Session { hits(last: 1, before: $before) { nodes { at } pageInfo { hasPreviousPage hasNextPage } } } } }`,
			vars{"id": ada.ID, "before": ada.Hits.PageInfo.EndCursor},
			`{"node": {"hits": {"nodes": [{"at": "2026-05-01T10:00:00Z"}], "pageInfo": {"hasPreviousPage": false, "hasNextPage": true}}}}`)
		g.want(node, vars{"id": ada.ID}, `{"node": {"hits": {"nodes": [
			{"kind": "PAGE_VIEW", "at": "2026-05-01T10:00:00Z", "name": "/", "value": null, "tags": ["t"], "properties": [],
				"userId": null, "experiment": null, "variant": null, "referrer": "t.co", "country": "RO", "hostname": null, "browser": null, "utmSource": null},
			{"kind": "EVENT", "at": "2026-05-01T10:00:01Z", "name": "buy", "value": 2.5, "tags": [], "properties": [{"key": "plan", "value": "pro"}, {"key": "size", "value": "9"}],
				"userId": null, "experiment": null, "variant": null, "referrer": null, "country": null, "hostname": null, "browser": null, "utmSource": null},
			{"kind": "EVENT", "at": "2026-05-01T10:00:02Z", "name": "Experiment Viewed", "value": null, "tags": [], "properties": [],
				"userId": null, "experiment": "headline", "variant": "b", "referrer": null, "country": null, "hostname": null, "browser": null, "utmSource": null}]}}}`)
		for _, after := range []string{"x", encoded("after:1"), encoded("after:1/2/zz"), encoded("after:1/x/" + strings.Repeat("0", 32))} {
			g.refused(node, vars{"id": ada.ID, "after": after}, model.BadInput, "after")
		}
	})
}
