//go:build system

// The benchmark in this file builds a plugin, so it has the tag system: see main_test.go.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// BenchmarkJourney fills the example journey for the past of a site, by default of 100,000 sessions
// (GOALGRAPH_BENCH_SESSIONS) over PostgreSQL, 10,000 a day, and counts it afterwards. sessions/s is how many of the site's
// are filled a second, asked/s of how many the plugin is asked; for the journey * → * it is asked about all that have a
// page. ms/count is what a count takes whose predicate was not asked before, of the journey with another filter, and
// pages-ms/count what it takes with the pages alone, which is what the built-in filter pages is.
func BenchmarkJourney(b *testing.B) {
	sessions := 100_000
	if text := os.Getenv("GOALGRAPH_BENCH_SESSIONS"); text != "" {
		var err error
		if sessions, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	folder := b.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "journey"), "../plugins/examples/journey")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", build, err, out)
	}
	const day = 10_000
	ctx := b.Context()
	st, site := mustFillDays(b, storetest.PostgreSQL(b), day, max(1, sessions/day))
	plugins := hosttest.Start(b, host.Options{Taken: graph.HasType, Folder: folder})
	set := plugins.Acquire()
	defer set.Release()
	newEngine := func() *engine.Engine {
		engine, err := engine.New(st, engine.Options{Computer: plugins, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		return engine
	}
	if _, err := newEngine().SealBehind(ctx, site, model.Open); err != nil { // as they are when days are over
		b.Fatal(err)
	}
	for _, steps := range []string{`["/page-0","/page-1"]`, `["*","*"]`} {
		b.Run(steps, func(b *testing.B) {
			compiled, err := set.Compile(ctx, model.FilterSpec{Type: "journey", Args: []byte(`{"steps":` + steps + `}`)})
			if err != nil {
				b.Fatal(err)
			}
			key := filter.Computations(compiled.Predicate)[0]
			pages, err := plugins.Condition(ctx, key)
			if err != nil {
				b.Fatal(err)
			}
			engine := newEngine()
			working, end := context.WithCancel(ctx)
			kept := make(chan struct{})
			go func() {
				defer close(kept)
				engine.Backfill(working)
			}()
			begin := time.Now()
			question := count.Question{Site: site, In: model.Range{From: -model.Open, To: model.Open}, Where: compiled.Predicate}
			for {
				answers, err := engine.Count(ctx, []count.Question{question})
				if err != nil {
					b.Fatal(err)
				}
				if answers[0].Err == nil {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			took := time.Since(begin).Seconds()
			end()
			<-kept
			asked := engine.Stats().Computed.Sessions
			n := 0
			measure := func(where filter.Expr) (perCount time.Duration) {
				const times = 40
				var spent time.Duration
				for range times {
					n++
					question.Where = filter.Simplify(filter.And{where, filter.Range{Field: filter.Length, Min: float64(n), Max: 1e9}})
					begin := time.Now()
					answers, err := engine.Count(ctx, []count.Question{question})
					spent += time.Since(begin)
					if err != nil || answers[0].Err != nil {
						b.Fatal(err, answers)
					}
				}
				return spent / times
			}
			measure(pages)
			for b.Loop() {
				b.ReportMetric(float64(measure(compiled.Predicate).Microseconds())/1000, "ms/count")
				b.ReportMetric(float64(measure(pages).Microseconds())/1000, "pages-ms/count")
			}
			b.ReportMetric(float64(sessions)/took, "sessions/s")
			b.ReportMetric(float64(asked)/took, "asked/s")
			b.ReportMetric(float64(asked), "asked")
		})
	}
}

// mustFillDays returns a store with a site that has so many sessions on each of some days: those of the first day are written, and
// copied to the others by the database.
func mustFillDays(b testing.TB, database string, perDay, days int) (*store.Store, int64) {
	ctx := b.Context()
	st, err := store.Open(ctx, database, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	db, err := sql.Open("pgx", database)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := st.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(ctx, site); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.3, 4, 1999)
	var batch []model.Message
	write := func() {
		if _, err := st.Write(ctx, site.ID, batch); err != nil {
			b.Fatal(err)
		}
		batch = nil
	}
	for n := range perDay {
		visitor := fmt.Sprint("visitor ", n)
		at := model.Day(20_000).Start() + model.Millis(r.IntN(20*60*60*1000))
		for i := range 1 + r.IntN(4)*r.IntN(3) {
			at += model.Millis(1000 + r.IntN(100_000))
			batch = append(batch, model.Message{AnonymousID: visitor, Hit: model.Hit{ID: model.MessageIDOf(visitor, strconv.Itoa(i)), Visitor: visitor, At: at,
				Kind: model.PageView, Name: fmt.Sprint("/page-", zipf.Uint64()), Origin: model.Origin{Country: []string{"RO", "US", "DE"}[r.IntN(3)]}, Knows: model.KnowsAll}})
		}
		if len(batch) > 5000 {
			write()
		}
	}
	write()
	copyTo := func(table, later string, columns ...string) {
		for day := 1; day < days; day++ {
			list := strings.Join(columns, ", ")
			if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %[1]s (%[2]s) SELECT %[3]s FROM %[1]s WHERE %[4]s", table, list,
				strings.NewReplacer("partition_id", fmt.Sprintf("partition_id + %d", day), "started_at", fmt.Sprintf("started_at + %d", int64(day)*86_400_000), "ended_at", fmt.Sprintf("ended_at + %d", int64(day)*86_400_000)).Replace(list), later)); err != nil {
				b.Fatal(err)
			}
		}
	}
	for day := 1; day < days; day++ {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO partitions (id, site_id, day, sessions, revision, write_id, written_at) SELECT id + %[1]d, site_id, day + %[1]d, sessions, revision, write_id, written_at FROM partitions WHERE id = 1", day)); err != nil {
			b.Fatal(err)
		}
	}
	columnsOf := func(table string) []string {
		rows, err := db.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 0")
		if err != nil {
			b.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			b.Fatal(err)
		}
		return columns
	}
	copyTo("sessions", "partition_id = 1", columnsOf("sessions")...)
	copyTo("hits", "partition_id = 1", columnsOf("hits")...)
	for _, statement := range []string{"ANALYZE sessions", "ANALYZE hits", "SELECT setval(pg_get_serial_sequence('partitions', 'id'), max(id)) FROM partitions"} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
	return st, site.ID
}
