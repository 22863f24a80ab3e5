package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"github.com/goalgraph/goalgraph/model/engine"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// BenchmarkWarmMatrix asks for a matrix of 5 segments and 6 goals over 90 days
// again and again, and reports how long the handler takes.
func BenchmarkWarmMatrix(b *testing.B) {
	storetest.Databases(b, func(b *testing.B, url string) {
		ctx := b.Context()
		st, err := store.Open(ctx, url, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer st.Close()
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
				Origin: model.Origin{Country: []string{"RO", "US", "DE"}[r.IntN(3)], Referrer: fmt.Sprintf("www.%d.example", r.IntN(30))},
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
		query, err := json.Marshal(map[string]string{"query": `{ site(domain: "shop.example") {
			goalCards(range: {from: "1970-01-01T00:00:00Z", to: "1970-04-01T00:00:00Z"}) { cells { sessions conversions } }
		} }`})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			request := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(query))
			request.Header.Set("Content-Type", "application/json")
			recorder := httptest.NewRecorder()
			g.ServeHTTP(recorder, request)
			if recorder.Code != http.StatusOK || bytes.Contains(recorder.Body.Bytes(), []byte("errors")) {
				b.Fatal(recorder.Body)
			}
		}
	})
}
