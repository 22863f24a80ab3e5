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
		shownAs := map[string]string{"visitor": "visitorId", "length": "durationSeconds", "start": "startedAt",
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
		names = append(names, "truncated")
		shown["truncated"], bare["truncated"] = false, false
		with := func(properties map[string]string) func(*model.Hit) {
			return func(hit *model.Hit) { hit.Properties = properties }
		}
		g.write("a.example",
			event("ada", "2026-05-01T10:00:00Z", "purchase", 5, all, tagged("t")),
			page("ada", "2026-05-01T10:00:30Z", "/b", all, with(map[string]string{"size": "9", "plan": "pro"})),
			event("ada", "2026-05-01T10:01:00Z", "purchase", 2.5),
			event("ada", "2026-05-01T10:01:30Z", "sign up", 0),
			event("bob", "2026-05-02T10:00:00Z", "sign up", 0))
		g.want(`query($s: ID!) { site(id: $s) { sessions(range: {from: "2026-05-01T00:00:00Z"}) { nodes { `+strings.Join(names, " ")+` } } } }`,
			vars{"s": site}, mustJSON(map[string]any{"site": map[string]any{"sessions": map[string]any{"nodes": []any{bare, shown}}}}))
	})
}
