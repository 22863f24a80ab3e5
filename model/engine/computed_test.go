package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// order is a Computer. The key "order A B" chooses the sessions in which a hit of the name B comes right behind one of the name A,
// and asks about all of them; "pages A B" is about page views alone, and asks about sessions that have both pages.
type order struct{}

func (order) Condition(_ context.Context, key string) (filter.Expr, error) {
	words := strings.Split(key, " ")
	if words[0] == "order" {
		return filter.Bool(true), nil
	}
	return filter.And{filter.In{Field: filter.Pages, Values: words[1:2]}, filter.In{Field: filter.Pages, Values: words[2:]}}, nil
}

func (order) Compute(_ context.Context, key string, visits []model.Visit) ([]bool, error) {
	words := strings.Split(key, " ")
	matches := make([]bool, len(visits))
	for i, visit := range visits {
		before := ""
		for _, hit := range visit.Hits {
			if hit.Kind == model.Traits || words[0] == "pages" && hit.Kind != model.PageView {
				continue
			}
			matches[i] = matches[i] || before == words[1] && hit.Name == words[2]
			before = hit.Name
		}
	}
	return matches, nil
}

// orders are keys that choose some of the random sessions.
var orders = []string{"order a b", "order a a", "pages a ab", "pages / /a", "pages nowhere a"}

// computed is a random predicate that needs computations.
func computed(r *rand.Rand) filter.Expr {
	e := filter.Expr(filter.Computed{Key: orders[r.IntN(len(orders))]})
	if r.IntN(3) == 0 {
		e = filter.Not{Expr: e}
	}
	switch r.IntN(4) {
	case 0:
		return e
	case 1:
		return filter.And{e, filtertest.RandomExpr(r)}
	case 2:
		return filter.Or{e, filtertest.RandomExpr(r)}
	}
	return filter.And{e, filter.Computed{Key: orders[r.IntN(len(orders))]}, filtertest.RandomLeaf(r)}
}

// fillIn fills in what the orders say of a visit.
func fillIn(visit *model.Visit) {
	visit.Session.Computed = map[string]bool{}
	for _, key := range orders {
		condition, _ := order{}.Condition(context.Background(), key)
		matches, _ := order{}.Compute(context.Background(), key, []model.Visit{*visit})
		visit.Session.Computed[key] = matches[0] && condition.Match(&visit.Session)
	}
}

// watched is a Computer that can be made to fail and to hang, and notes what it was asked.
type watched struct {
	count.Computer
	mu    sync.Mutex
	asked map[model.SessionID]int
	// fails is what Compute answers; hangs makes it wait.
	fails atomic.Pointer[model.Error]
	hangs atomic.Bool
}

func newWatched() *watched { return &watched{Computer: order{}, asked: map[model.SessionID]int{}} }

func (w *watched) Compute(ctx context.Context, key string, visits []model.Visit) ([]bool, error) {
	if w.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := w.fails.Load(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	for _, visit := range visits {
		w.asked[visit.Session.ID]++
	}
	w.mu.Unlock()
	return w.Computer.Compute(ctx, key, visits)
}

// taken returns how many times sessions were asked about since it was last called, and the most for one.
func (w *watched) taken() (sessions, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.asked {
		sessions, most = sessions+n, max(most, n)
	}
	clear(w.asked)
	return sessions, most
}

// keep runs KeepComputed until the test ends, or stop is called.
func keep(t *testing.T, subject *engine.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		subject.Backfill(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: it never happens", what)
		case <-tick.C:
		}
	}
}

var always = model.Range{From: -model.Open, To: model.Open}

// A session is asked about once, and again when it is written; a new process asks about none that the one before has stored.
func TestComputedOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		ctx, r := t.Context(), rand.New(rand.NewPCG(1, 81))
		w := newWorld(t, url, r, 300)
		computer := newWatched()
		subject := mustEngine(t, w.store, engine.Options{Computer: computer})
		question := count.Question{Site: w.site, In: always, Where: filter.Computed{Key: "order a b"}}
		ask := func(subject *engine.Engine) int {
			t.Helper()
			answers, err := subject.Count(ctx, []count.Question{question, {Site: w.site, In: always, Where: filter.And{question.Where, filter.In{Field: filter.Country, Values: []string{"RO"}}}}})
			if err != nil || answers[0].Err != nil || answers[1].Err != nil {
				t.Fatal(err, answers)
			}
			return answers[0].Sessions
		}
		if got, want := ask(subject), w.answer(question).Sessions; got != want || want == 0 {
			t.Fatalf("%d sessions, want %d", got, want)
		}
		if sessions, most := computer.taken(); sessions != len(w.sessions) || most != 1 {
			t.Fatalf("asked about %d sessions, one of them %d times; there are %d", sessions, most, len(w.sessions))
		}
		for range 3 {
			ask(subject)
		}
		if sessions, _ := computer.taken(); sessions != 0 {
			t.Fatalf("asked again about %d sessions", sessions)
		}

		stop := keep(t, subject)
		until(t, "everything is stored", func() bool {
			computation, err := w.store.Computation(ctx, w.site, "order a b")
			if err != nil {
				t.Fatal(err)
			}
			left, err := w.store.PartitionsToCompute(ctx, computation, model.Open)
			return err == nil && len(left) == 0
		})
		stop()
		subject = mustEngine(t, w.store, engine.Options{Computer: computer})
		before := ask(subject)
		at := filtertest.Day.Start() + 5*60*60*1000
		hit := func(id, name string, after model.Millis) model.Message {
			return model.Message{AnonymousID: "somebody new", Hit: model.Hit{ID: model.MessageIDOf(id), Visitor: "somebody new", At: at + after, Kind: model.PageView, Name: name}}
		}
		for i, messages := range [][]model.Message{{hit("1", "a", 0)}, {hit("2", "b", 40*60*1000)}, {hit("3", "/", 20*60*1000)}, {hit("4", "b", 60*1000)}} {
			if _, err := w.store.Write(ctx, w.site, messages); err != nil {
				t.Fatal(err)
			}
			// The third joins two sessions, and the fourth comes late between a and /.
			if got, want := ask(subject), before+[]int{0, 0, 0, 1}[i]; got != want {
				t.Errorf("%d sessions after write %d, want %d", got, i, want)
			}
			if sessions, _ := computer.taken(); sessions != 1 {
				t.Errorf("asked about %d sessions after write %d", sessions, i)
			}
		}
	})
}

// While a Computer cannot answer, only the questions that need it have errors, and those about what has not changed are answered.
func TestComputedUnavailable(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		ctx, r := t.Context(), rand.New(rand.NewPCG(2, 80))
		w := newWorld(t, url, r, 200)
		computer := newWatched()
		subject := mustEngine(t, w.store, engine.Options{Computer: computer})
		questions := []count.Question{
			{Site: w.site, In: always, Where: filter.Computed{Key: "order a b"}},
			{Site: w.site, In: always, Where: filter.In{Field: filter.Country, Values: []string{"RO"}}},
			{Site: w.site, In: always, Where: filter.Computed{Key: "order a a"}, Visitors: true},
		}
		ask := func(failed ...bool) {
			t.Helper()
			answers, err := subject.Count(ctx, questions)
			if err != nil {
				t.Fatal(err)
			}
			for i, answer := range answers {
				want := w.answer(questions[i])
				if failed[i] && (model.CodeOf(answer.Err) != model.Unavailable || answer.Sessions != 0) {
					t.Errorf("question %d: %+v, want UNAVAILABLE", i, answer)
				}
				if !failed[i] && (answer.Err != nil || answer.Sessions != want.Sessions || answer.Visitors != want.Visitors) {
					t.Errorf("question %d: %+v, want %+v", i, answer, want)
				}
			}
		}
		computer.fails.Store(model.Errorf(model.Unavailable, "the plugin is down"))
		ask(true, false, true)
		if _, err := subject.Sessions(ctx, count.SessionQuery{Site: w.site, In: always, Where: questions[0].Where, Limit: 1}); model.CodeOf(err) != model.Unavailable {
			t.Errorf("sessions: %v", err)
		}
		computer.fails.Store(nil)
		questions = questions[:2]
		ask(false, false)
		computer.fails.Store(model.Errorf(model.Unavailable, "the plugin is down"))
		questions = append(questions, count.Question{Site: w.site, In: always, Where: filter.Computed{Key: "order a a"}, Visitors: true})
		ask(false, false, true)
		// What was computed stays known for the days that do not change.
		hit := model.Hit{ID: model.MessageIDOf("new"), Visitor: "new", At: filtertest.Day.Start() + 30*24*60*60*1000, Kind: model.PageView, Name: "a"}
		if _, err := w.store.Write(ctx, w.site, []model.Message{{AnonymousID: "new", Hit: hit}}); err != nil {
			t.Fatal(err)
		}
		ask(true, false, true)
		questions[0].In.To = filtertest.Day.Start() + 29*24*60*60*1000
		ask(false, false, true)
	})
}

// What hangs is left to the background after a while, other questions do not wait for it, and it is taken up again.
func TestComputedHangs(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		ctx, r := t.Context(), rand.New(rand.NewPCG(3, 80))
		w := newWorld(t, url, r, 100)
		computer := newWatched()
		computer.hangs.Store(true)
		subject := mustEngine(t, w.store, engine.Options{Computer: computer})
		hanging := count.Question{Site: w.site, In: always, Where: filter.Computed{Key: "order a b"}}
		other := count.Question{Site: w.site, In: always, Where: filter.In{Field: filter.Country, Values: []string{"RO"}}}
		answered := make(chan count.Answer, 1)
		go func() {
			answers, err := subject.Count(ctx, []count.Question{hanging})
			answered <- count.Answer{Err: errors.Join(err, answers[0].Err)}
		}()
		for asked := 0; ; asked++ {
			if answers, err := subject.Count(ctx, []count.Question{other}); err != nil || answers[0].Sessions != w.answer(other).Sessions {
				t.Fatal(answers, err)
			}
			select {
			case answer := <-answered:
				e, ok := errors.AsType[*model.Error](answer.Err)
				if !ok || e.Code != model.Unavailable || e.Progress == nil || *e.Progress != 0 || !strings.Contains(e.Message, "the filter order is being computed for the past: 0 % of ") {
					t.Fatal(answer.Err)
				}
				if asked < 100 {
					t.Errorf("%d other questions were answered meanwhile", asked)
				}
			default:
				continue
			}
			break
		}
		computer.hangs.Store(false)
		keep(t, subject)
		until(t, "it is computed", func() bool {
			answers, err := subject.Count(ctx, []count.Question{hanging})
			return err == nil && answers[0].Err == nil && answers[0].Sessions == w.answer(hanging).Sessions
		})
	})
}

// A past of more sessions than are computed while a question waits is filled in the background. Until then there is an error that
// says how far it is, and never a number.
func TestComputedPast(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		ctx := t.Context()
		st, err := store.Open(ctx, url, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		if _, err := st.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
		if err := st.CreateSite(ctx, site); err != nil {
			t.Fatal(err)
		}
		const visitors, days, ordered, atOnce = 220, 10, 11, 2000
		for day := range model.Millis(days) {
			var batch []model.Message
			for n := range visitors {
				visitor := string(rune('a'+n%26)) + strings.Repeat("x", n/26)
				for i, name := range []string{"a", "b"}[:1+ordered*(n+1)/visitors-ordered*n/visitors] {
					at := filtertest.Day.Start() + day*24*60*60*1000 + model.Millis(i)
					batch = append(batch, model.Message{AnonymousID: visitor, Hit: model.Hit{ID: model.MessageIDOf(visitor, name, at.Time().String()), Visitor: visitor, At: at, Kind: model.PageView, Name: name}})
				}
			}
			if _, err := st.Write(ctx, site.ID, batch); err != nil {
				t.Fatal(err)
			}
		}
		computer := newWatched()
		subject := mustEngine(t, st, engine.Options{Computer: computer, ComputedAtOnce: atOnce})
		all := count.Question{Site: site.ID, In: always, Where: filter.Computed{Key: "order a b"}}
		// So few have both pages that they are computed while the question waits.
		few := count.Question{Site: site.ID, In: always, Where: filter.Computed{Key: "pages a b"}}
		answers, err := subject.Count(ctx, []count.Question{all, few})
		if err != nil {
			t.Fatal(err)
		}
		e, ok := errors.AsType[*model.Error](answers[0].Err)
		if !ok || e.Message != "the filter order is being computed for the past: 0 % of 2,200 sessions; ask again" || *e.Progress != 0 || answers[0].Sessions != 0 {
			t.Errorf("%+v", answers[0])
		}
		if answers[1].Err != nil || answers[1].Sessions != days*ordered {
			t.Errorf("%+v", answers[1])
		}
		if sessions, most := computer.taken(); sessions != days*ordered || most != 1 {
			t.Errorf("asked about %d sessions, one of them %d times", sessions, most)
		}
		keep(t, subject)
		until(t, "the past is filled", func() bool {
			answers, err := subject.Count(ctx, []count.Question{all})
			if err != nil || answers[0].Err == nil && answers[0].Sessions != days*ordered || answers[0].Err != nil && answers[0].Sessions != 0 {
				t.Fatal(answers, err)
			}
			return answers[0].Err == nil
		})
		// A question that gave up while it waited may have asked about some for nothing.
		if sessions, most := computer.taken(); sessions < days*visitors || most > 2 {
			t.Errorf("asked about %d sessions, one of them %d times", sessions, most)
		}
		until(t, "it is stored", func() bool {
			progress, err := st.ComputedProgress(ctx, site.ID)
			if err != nil {
				t.Fatal(err)
			}
			computation, err := st.Computation(ctx, site.ID, "order a b")
			return err == nil && progress.Sessions == days*visitors && progress.Done[computation.ID] == days*visitors
		})
	})
}

// Computations that nobody needs any more are forgotten: those not asked for in 30 days, and of a site's very many the oldest.
// Those that definitions need are not pushed out by newer ones that they do not.
func TestComputedIsForgotten(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		ctx, r := t.Context(), rand.New(rand.NewPCG(4, 80))
		w := newWorld(t, url, r, 5)
		for _, asked := range []struct {
			days, n int
			name    string
		}{{31, 3, "old"}, {2, 201, "saved"}, {0, 60, "new"}} {
			st, err := store.Open(ctx, url, store.Options{Now: func() time.Time { return time.Now().AddDate(0, 0, -asked.days) }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			for n := range asked.n {
				if _, err := st.Computation(ctx, w.site, fmt.Sprint("order a ", asked.name, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		defined := func(_ context.Context, site int64) (keys []string, err error) {
			for n := range 201 {
				keys = append(keys, fmt.Sprint("order a saved", n))
			}
			return keys, nil
		}
		keep(t, mustEngine(t, w.store, engine.Options{Computer: order{}, Defined: defined}))
		until(t, "some are forgotten", func() bool {
			left, err := w.store.Computations(ctx, count.AllSites)
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]int{}
			for _, computation := range left {
				names[strings.TrimRight(strings.TrimPrefix(computation.Key, "order a "), "0123456789")]++
			}
			return names["new"] == 50 && names["saved"] == 200 && names["old"] == 0
		})
	})
}
