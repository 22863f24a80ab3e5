package graph_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// A request that asks for it by a header is told what its counts took, and no other one is.
func TestStatsOfARequest(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t)).columns()
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	g.write("shop.example", page("v1", "2026-05-17T10:00:00Z", "/"), page("v1", "2026-05-19T10:00:00Z", "/"))

	ask := func(header string) answer {
		body, err := json.Marshal(map[string]any{
			"query":     `query($s: ID!) { site(id: $s) { goalCards(range: {from: "2026-05-01T00:00:00Z"}) { cells { sessions conversions } } } }`,
			"variables": vars{"s": site},
		})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url, strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if header != "" {
			request.Header.Set("Goalgraph-Stats", header)
		}
		return g.do(request)
	}
	if a := ask(""); len(a.Errors) > 0 || len(a.Extensions) > 0 {
		t.Errorf("without the header: %+v", a)
	}
	g.write("shop.example", page("v2", "2026-05-19T11:00:00Z", "/"))
	var told struct {
		Stats struct {
			Partitions, Scanned, FromMemory, FromRedis int
			Stages                                     []struct {
				Name         string
				Milliseconds *float64
			}
		}
	}
	if err := json.Unmarshal(ask("1").Extensions, &told); err != nil {
		t.Fatal(err)
	}
	// Of the two days, the first is known, and the second has changed.
	if told.Stats.Partitions != 2 || told.Stats.Scanned != 1 || len(told.Stats.Stages) < 3 || told.Stats.Stages[0].Name != "plan" || told.Stats.Stages[0].Milliseconds == nil {
		t.Errorf("%+v", told)
	}
}
