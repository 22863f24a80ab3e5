package graph_test

import (
	"fmt"
	"strings"
	"testing"
)

// Sums are exact, and ends of ranges are what was written, in the query as in variables.
func TestValuesAreDecimals(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("a.example", "UTC")
		g.write("a.example",
			event("ada", "2026-05-01T10:00:00Z", "buy", 20.20),
			event("ada", "2026-05-01T10:01:00Z", "buy", 10.10),
			event("bob", "2026-05-01T09:59:00Z", "buy", 0.1),
			event("bob", "2026-05-01T09:59:01Z", "buy", 0.2),
			event("eve", "2026-05-01T10:00:00Z", "buy", 8e12),
			event("eve", "2026-05-01T10:00:01Z", "buy", 8e12))
		for _, test := range []struct {
			ends string
			want []string
		}{
			{"min: 30.30, max: 30.30", []string{"30.3"}},
			{"min: 30.300001, max: 1e9", nil},
			{"max: 0.3", []string{"0.3"}},
			{"max: 0.299999", nil},
			{"min: 16000000000000", []string{"16000000000000"}},
			{"min: 0.3, max: 3.030e1", []string{"30.3", "0.3"}},
		} {
			nodes := make([]string, len(test.want))
			for i, sum := range test.want {
				nodes[i] = fmt.Sprintf(`{"values": [{"sum": %s}]}`, sum)
			}
			want := fmt.Sprintf(`{"site": {"sessions": {"nodes": [%s]}}}`, strings.Join(nodes, ", "))
			const query = `{ site(id: $s) { sessions(filters: %s, range: {from: "2026-05-01T00:00:00Z"}) { nodes { values { sum } } } } }`
			g.want(`query($s: ID!) `+fmt.Sprintf(query, `[{eventValue: {event: "buy", `+test.ends+`}}]`), vars{"s": site}, want)
			g.want(`query($s: ID!, $f: [FilterInput!]) `+fmt.Sprintf(query, "$f"), vars{"s": site, "f": raw(`[{"eventValue": {"event": "buy", ` + quoted(test.ends) + `}}]`)}, want)
		}
	})
}

// quoted writes the names of ends as JSON does.
func quoted(ends string) string {
	return strings.NewReplacer("min:", `"min":`, "max:", `"max":`).Replace(ends)
}
