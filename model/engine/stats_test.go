package engine_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// QueryStats tell where the partial aggregates of a question came from.
func TestQueryStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), rand.New(rand.NewPCG(4, 18)), 200)
	memory, err := count.NewMemory(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	subject := mustEngine(t, w.store, engine.Options{Caches: []count.Cache{memory}})
	ask := func(steps ...model.Millis) count.QueryStats {
		ctx, stats := count.WithStats(t.Context())
		q := count.Question{Site: w.site, In: model.Range{From: 0, To: model.Open}, Where: filter.In{Field: filter.Country, Values: []string{"RO"}}, Steps: steps}
		if _, err := subject.Count(ctx, []count.Question{q}); err != nil {
			t.Fatal(err)
		}
		return stats()
	}
	first := ask()
	if n := first.Partitions; n < 3 || first.Scanned != n || first.FromMemory != 0 || first.FromRedis != 0 {
		t.Errorf("a new question: %+v", first)
	}
	if again := ask(); again.Partitions != first.Partitions || again.Scanned != 0 || again.FromMemory != 0 {
		t.Errorf("the same question, whose answer is known: %+v", again)
	}
	// Another question with the same partial aggregates.
	if other := ask(0, model.Open); other.Scanned != 0 || other.FromMemory != first.Partitions {
		t.Errorf("its partial aggregates in memory: %+v", other)
	}
}

// A question that was cancelled while columns caught up leaves them as they are: they are not built again.
func TestCancelledCatchUp(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		r := rand.New(rand.NewPCG(4, 19))
		w := newWorld(t, url, r, 40)
		subject := mustEngine(t, w.store, engine.Options{})
		all := []count.Question{{Site: w.site, In: model.Range{From: 0, To: model.Open}, Where: filter.Bool(true)}}
		mustCount := func() {
			t.Helper()
			if _, err := subject.Count(t.Context(), all); err != nil {
				t.Fatal(err)
			}
		}
		mustCount()
		for range 30 {
			if _, err := w.store.Write(t.Context(), w.site, visits(r)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(3000))*time.Microsecond)
			_, _ = subject.Count(ctx, all) // it may be in time
			cancel()
			mustCount()
		}
		partitions, err := w.store.Partitions(t.Context(), w.site, all[0].In)
		if err != nil {
			t.Fatal(err)
		}
		if built := readingOf(t, subject, "columns_built").Hits; built != int64(len(partitions)) {
			t.Errorf("%d partitions were built %d times", len(partitions), built)
		}
		if readingOf(t, subject, "columns_caught_up").Hits == 0 {
			t.Error("nothing caught up: this says little")
		}
	})
}
