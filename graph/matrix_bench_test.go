package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/transport"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// BenchmarkCount asks for one count of three filters over 90 days, which nobody has asked before, and reports how long
// the handler takes. There are few sessions, so it is what does not depend on their number.
func BenchmarkCount(b *testing.B) {
	benchmarkGraph(b, func(n int) map[string]any {
		return map[string]any{
			"query": `query($filters: [FilterInput!]!, $range: TimeRange!) { site(domain: "shop.example") { sessionCount(filters: $filters, range: $range) } }`,
			"variables": map[string]any{
				"range": map[string]string{"from": "1970-01-01T00:00:00Z", "to": "1970-04-01T00:00:00Z"},
				"filters": []any{
					map[string]any{"sessionLength": map[string]any{"min": n}}, map[string]any{"pages": map[string]any{"all": []string{fmt.Sprintf("/%d*", n)}}},
					map[string]any{"referrer": map[string]any{"is": []string{fmt.Sprintf("*%d*", n)}}},
				},
			},
		}
	})
}

// BenchmarkWarmMatrix asks for a matrix of 5 segments and 6 goals over 90 days
// again and again, and reports how long the handler takes.
func BenchmarkWarmMatrix(b *testing.B) {
	benchmarkGraph(b, func(int) map[string]any {
		return map[string]any{"query": `{ site(domain: "shop.example") {
			goalCards(range: {from: "1970-01-01T00:00:00Z", to: "1970-04-01T00:00:00Z"}) { cells { sessions conversions } }
		} }`}
	})
}

// benchmarkGraph asks a graph over 9,000 sessions what request returns for 1, 2, 3 and so on.
func benchmarkGraph(b *testing.B, request func(n int) map[string]any) {
	storetest.Databases(b, func(b *testing.B, url string) {
		g := newBenchmarkGraph(b, url)
		var took []time.Duration
		for n := 1; b.Loop(); n++ {
			body, err := json.Marshal(request(n))
			if err != nil {
				b.Fatal(err)
			}
			request := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			request = request.WithContext(model.WithActor(request.Context(), model.Actor{Principal: reader}))
			recorder := httptest.NewRecorder()
			begin := time.Now()
			g.ServeHTTP(recorder, request)
			took = append(took, time.Since(begin))
			if recorder.Code != http.StatusOK || bytes.Contains(recorder.Body.Bytes(), []byte("errors")) {
				b.Fatal(recorder.Body)
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/p50")
		b.ReportMetric(float64(took[len(took)/10].Microseconds()), "µs/p10")
	})
}

// reader is the bearer of a READ key of one site, the benchmark's.
var reader = &model.Principal{Kind: model.KeyPrincipal, ID: 1, Name: "bench", Grants: []model.Grant{{Site: 1, Scope: model.ReadScope}}}

func newBenchmarkGraph(b *testing.B, url string) http.Handler {
	ctx := b.Context()
	st, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	if _, err := st.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(ctx, site); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var batch []model.Message
	for i := range 9000 {
		batch = append(batch, model.Message{AnonymousID: fmt.Sprint(i), Hit: model.Hit{
			ID: model.MessageIDOf(fmt.Sprint(i)), At: model.Millis(i%90) * 24 * 60 * 60 * 1000, Kind: model.PageView, Name: fmt.Sprintf("/%d", r.IntN(50)),
			Origin: model.Origin{Country: []string{"RO", "US", "DE"}[r.IntN(3)], Referrer: fmt.Sprintf("www.%d.example", r.IntN(30))}, Knows: model.KnowsAll,
		}})
	}
	if _, err := st.Write(ctx, site.ID, batch); err != nil {
		b.Fatal(err)
	}
	for n := range 4 {
		segment := &model.Segment{SiteID: site.ID, Name: fmt.Sprint(n), Active: true, Filters: []model.FilterSpec{
			{Type: "country", Args: json.RawMessage(`{"is":["RO","US"]}`)},
			{Type: "referrer", Args: json.RawMessage(fmt.Sprintf(`{"is":["*%d*"]}`, n))},
		}}
		if err := st.CreateSegment(ctx, segment); err != nil {
			b.Fatal(err)
		}
	}
	for n := range 6 {
		goal := &model.Goal{SiteID: site.ID, Key: fmt.Sprint(n), Name: fmt.Sprint(n), Filters: []model.FilterSpec{
			{Type: "pages", Args: json.RawMessage(fmt.Sprintf(`{"all":["/%d*"]}`, n))},
			{Type: "country", Args: json.RawMessage(`{"isNot":["US"]}`)},
		}}
		if err := st.CreateGoal(ctx, goal); err != nil {
			b.Fatal(err)
		}
	}
	memory, err := count.NewMemory(64 << 20)
	if err != nil {
		b.Fatal(err)
	}
	engine, err := engine.New(st, engine.Options{Caches: []count.Cache{memory}})
	if err != nil {
		b.Fatal(err)
	}
	g, err := graph.New(graph.Options{Store: st, Engine: engine, Host: hosttest.New(b)})
	if err != nil {
		b.Fatal(err)
	}
	return transport.New(g, transport.Options{})
}
