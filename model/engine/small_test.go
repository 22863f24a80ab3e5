package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// newDays fills a site with days of a few visits, one a visitor.
func newDays(tb testing.TB, url string, days, visitsADay int) *world {
	tb.Helper()
	st, err := store.Open(tb.Context(), url, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	if _, err := st.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	site := &model.Site{Name: "Archive", Domains: []string{fmt.Sprintf("of%d.example", days)}, Timezone: "UTC"}
	if err := st.CreateSite(tb.Context(), site); err != nil {
		tb.Fatal(err)
	}
	r := rand.New(rand.NewPCG(20, 1))
	w := &world{store: st, site: site.ID}
	byVisitor := map[string][]model.Hit{}
	var batch []model.Message
	write := func() {
		if _, err := st.Write(tb.Context(), site.ID, batch); err != nil {
			tb.Fatal(err)
		}
		batch = batch[:0]
	}
	for visit := range days * visitsADay {
		visitor := fmt.Sprint("visitor ", visit)
		at := model.Day(visit/visitsADay).Start() + model.Millis(r.IntN(20*60*60*1000))
		pages := []string{"/", "/pricing", "/docs", "/blog", "/about"}
		origin := model.Origin{
			Country: []string{"RO", "US", "DE", "FR", ""}[r.IntN(5)], Browser: []string{"Chrome", "Firefox"}[r.IntN(2)], OS: "Linux",
			Device: model.Desktop, Language: "en", Referrer: []string{"", "t.co"}[r.IntN(2)], EntryPage: pages[r.IntN(5)], Hostname: "archive.example",
		}
		for n := range 1 + r.IntN(3) {
			hit := model.Hit{
				ID: model.MessageIDOf(visitor, strconv.Itoa(n)), Visitor: visitor, At: at + model.Millis(n*1000), Kind: model.PageView, Name: pages[r.IntN(5)], Origin: origin, Knows: model.KnowsAll,
			}
			if n == 2 {
				hit.Kind, hit.Name, hit.Value, hit.HasValue = model.Event, "purchase", model.Decimal(r.IntN(100))*model.One, true
			}
			batch = append(batch, model.Message{AnonymousID: visitor, Hit: hit})
			byVisitor[visitor] = append(byVisitor[visitor], hit)
		}
		if len(batch) >= 10_000 {
			write()
		}
	}
	write()
	w.fold(byVisitor)
	return w
}

// matrix asks for ten segments, alone and with each of five goals.
func (w *world) matrix() (questions []count.Question) {
	is := func(field filter.Field, values ...string) filter.Expr { return filter.In{Field: field, Values: values} }
	segments := []filter.Expr{
		is(filter.Country, "RO"), is(filter.Country, "US"), is(filter.Country, "DE", "FR"), is(filter.Browser, "Chrome"), is(filter.Browser, "Firefox"),
		is(filter.Referrer, "t.co"), is(filter.EntryPage, "/"), is(filter.EntryPage, "/docs"), is(filter.Device, "DESKTOP"), is(filter.VisitorKind, filter.NewVisitor),
	}
	goals := []filter.Expr{
		is(filter.Pages, "/pricing"), is(filter.Events, "purchase"), is(filter.ExitPage, "/about"), filter.Glob{Field: filter.Pages, Pattern: "/b*"},
		filter.Range{Field: filter.PageViews, Min: 2, Max: 1e9},
	}
	ask := func(parts ...filter.Expr) {
		questions = append(questions, count.Question{Site: w.site, In: model.Range{From: -model.Open, To: model.Open}, Where: filter.Simplify(filter.And(parts))})
	}
	for _, segment := range segments {
		ask(segment)
		for _, goal := range goals {
			ask(segment, goal)
		}
	}
	return questions
}

const (
	// benchDaysVariable says how many days BenchmarkSmallPartitions has, and benchVisitsVariable how many visits each.
	benchDaysVariable   = "GOALGRAPH_BENCH_DAYS"
	benchVisitsVariable = "GOALGRAPH_BENCH_VISITS"
)

func numberOf(variable string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return fallback
}

// BenchmarkSmallPartitions asks a matrix of a site with very many days of hardly a session: of a new engine, before the
// columns are stored and after it, and of the same engine again with another range. MB is the most that the process took
// meanwhile, of memory that is resident, on Linux; it includes what the benchmark itself keeps.
func BenchmarkSmallPartitions(b *testing.B) {
	storetest.Databases(b, func(b *testing.B, url string) {
		days, visits := numberOf(benchDaysVariable, 2000), numberOf(benchVisitsVariable, 1)
		w := newDays(b, url, days, visits)
		w.sessions = nil
		var subject *engine.Engine
		fresh := func() *engine.Engine {
			memory, err := count.NewMemory(48 << 20)
			if err != nil {
				b.Fatal(err)
			}
			subject, err := engine.New(w.store, engine.Options{Caches: []count.Cache{memory}})
			if err != nil {
				b.Fatal(err)
			}
			return subject
		}
		ask := func(b *testing.B, prepare func() *engine.Engine, in model.Range) {
			for b.Loop() {
				b.StopTimer()
				subject = prepare()
				debug.FreeOSMemory()
				before := residentMB(b, "VmRSS")
				if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
					b.Log(err)
				}
				questions := w.matrix()
				for i := range questions {
					questions[i].In = in
				}
				b.StartTimer()
				begin := time.Now()
				if _, err := subject.Count(b.Context(), questions); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(begin).Seconds(), "s")
				b.ReportMetric(time.Since(begin).Seconds()*1e6/float64(days), "µs/partition")
				b.ReportMetric(before, "MB-before")
				b.ReportMetric(residentMB(b, "VmHWM"), "MB")
			}
		}
		all := model.Range{From: -model.Open, To: model.Open}
		b.Run("cold", func(b *testing.B) { ask(b, fresh, all) })
		b.Run("warm", func(b *testing.B) {
			ask(b, func() *engine.Engine { return subject }, model.Range{From: 1, To: model.Open})
		})
		begin := time.Now()
		sealed, err := subject.SealBehind(b.Context(), w.site, model.Open)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%d partitions were sealed in %v", sealed, time.Since(begin))
		b.Run("stored", func(b *testing.B) { ask(b, fresh, all) })
	})
}

// residentMB is a figure of the process's resident memory, 0 where it is not known.
func residentMB(b *testing.B, name string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	var kB float64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		b.Log(err)
	}
	return kB / 1024
}

// Small partitions are read together, and counted as all others: days of one visit, and days of so many that columns are
// stored.
func TestSmallPartitions(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		for _, visits := range []int{1, 20} {
			days := 300 / visits
			w := newDays(t, url, days, visits)
			subject := mustEngine(t, w.store, engine.Options{})
			w.check(t, subject, w.matrix())
			w.check(t, mustEngine(t, w.store, engine.Options{ColumnBytes: 50_000}), w.matrix())
			sealed, err := subject.SealBehind(t.Context(), w.site, model.Open)
			if want := map[int]int{1: 0, 20: days}[visits]; err != nil || sealed != want {
				t.Errorf("%d partitions were sealed, want %d; %v", sealed, want, err)
			}
			subject = mustEngine(t, w.store, engine.Options{})
			w.check(t, subject, w.matrix()[:1])
			w.check(t, subject, w.matrix())
			if built := readingOf(t, subject, "columns_built").Hits; built != int64(days-sealed) {
				t.Errorf("%d partitions were built, want %d", built, days-sealed)
			}
			hit := model.Hit{ID: model.MessageIDOf("one", "more"), Visitor: "one more", At: model.Day(7).Start(), Kind: model.PageView, Name: "/pricing"}
			if _, err := w.store.Write(t.Context(), w.site, []model.Message{{AnonymousID: hit.Visitor, Hit: hit}}); err != nil {
				t.Fatal(err)
			}
			w.check(t, subject, w.matrix())
			if caughtUp := readingOf(t, subject, "columns_caught_up").Hits; caughtUp != 1 {
				t.Errorf("%d partitions caught up, one was written to", caughtUp)
			}
		}
	})
}
