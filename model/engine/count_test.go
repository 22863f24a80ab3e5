package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// world is a database with sessions, and the same sessions in memory.
type world struct {
	store    *store.Store
	site     int64
	sessions []model.Session
}

func newWorld(t *testing.T, url string, r *rand.Rand, visits int) *world {
	t.Helper()
	st, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	var messages []model.Message
	byVisitor := map[string][]model.Hit{}
	for range visits {
		days := model.Millis(r.IntN(4)) * 24 * 60 * 60 * 1000
		for _, hit := range filtertest.RandomVisit(r) {
			hit.At += days
			messages = append(messages, model.Message{AnonymousID: hit.Visitor, Hit: hit})
			byVisitor[hit.Visitor] = append(byVisitor[hit.Visitor], hit)
		}
	}
	r.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	for batch := range slices.Chunk(messages, 200) {
		if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{store: st, site: site.ID}
	w.fold(byVisitor)
	return w
}

// fold makes the sessions that the visitors' hits are by definition.
func (w *world) fold(byVisitor map[string][]model.Hit) {
	w.sessions = nil
	for _, hits := range byVisitor {
		isFirst := true
		for _, visit := range model.Fold(hits) {
			fillIn(&visit)
			if visit.Session.Counts() {
				visit.Session.First, isFirst = isFirst, false
				w.sessions = append(w.sessions, visit.Session)
			}
		}
	}
}

// restarting stores columns now and then, and every now and then is a new process
// that has to load them.
type restarting struct {
	*engine.Engine
	store *store.Store
	asked int
}

func (e *restarting) Count(ctx context.Context, questions []count.Question) ([]count.Answer, error) {
	var err error
	if e.asked++; e.asked%3 == 0 {
		if _, err = e.SealBehind(ctx, count.AllSites, model.Open); err != nil {
			return nil, err
		}
	}
	if e.asked%2 == 0 {
		if e.Engine, err = engine.New(e.store, engine.Options{Computer: order{}}); err != nil {
			return nil, err
		}
	}
	return e.Engine.Count(ctx, questions)
}

// enginesOf are the engines there are, and how they are made.
func enginesOf(t *testing.T) map[string]func(*store.Store) (answering, error) {
	return map[string]func(*store.Store) (answering, error){
		"scan": func(st *store.Store) (answering, error) { return naive.New(st, order{}, nil), nil },
		"columns": func(st *store.Store) (answering, error) {
			return engine.New(st, engine.Options{Computer: order{}})
		},
		"stored columns": func(st *store.Store) (answering, error) {
			subject, err := engine.New(st, engine.Options{Computer: order{}})
			return &restarting{Engine: subject, store: st}, err
		},
		"caches": func(st *store.Store) (answering, error) {
			memory, err := count.NewMemory(10_000) // some entries
			if err != nil {
				return nil, err
			}
			options, err := redis.ParseURL(storetest.Redis(t))
			if err != nil {
				return nil, err
			}
			client := redis.NewClient(options)
			t.Cleanup(func() { client.Close() })
			instance, err := st.Instance(t.Context())
			if err != nil {
				return nil, err
			}
			return engine.New(st, engine.Options{Computer: order{}, Caches: []count.Cache{memory, count.NewRedis(client, instance)}})
		},
		// Hardly a partition stays in memory, and few questions' visitors are gathered at a time.
		"small columns": func(st *store.Store) (answering, error) {
			return engine.New(st, engine.Options{
				ColumnBytes: 100_000, VisitorBytes: 2000, ComputedBytes: 2000, BreakdownBytes: 10_000, ListedLengths: 3, Computer: order{},
			})
		},
	}
}

// onEach runs a test on each engine over each database.
func onEach(t *testing.T, seed uint64, visits int, test func(t *testing.T, r *rand.Rand, w *world, subject answering)) {
	engines := enginesOf(t)
	storetest.Databases(t, func(t *testing.T, url string) {
		r := rand.New(rand.NewPCG(seed, seed))
		w := newWorld(t, url, r, visits)
		for _, name := range slices.Sorted(maps.Keys(engines)) {
			t.Run(name, func(t *testing.T) {
				subject, err := engines[name](w.store)
				if err != nil {
					t.Fatal(err)
				}
				test(t, r, w, subject)
			})
		}
	})
}

func (w *world) question(r *rand.Rand) count.Question {
	at := func() model.Millis {
		return filtertest.Day.Start() + model.Millis(r.IntN(5*24*4)-24)*15*60*1000 + model.Millis(r.IntN(3)-1)
	}
	q := count.Question{Site: w.site, Where: filter.Simplify(filtertest.RandomExpr(r)), Visitors: r.IntN(2) == 0}
	if r.IntN(3) == 0 {
		q.Among = filter.Simplify(filtertest.RandomExpr(r))
	}
	q.In.From, q.In.To = at(), at()
	if q.In.From > q.In.To {
		q.In.From, q.In.To = q.In.To, q.In.From
	}
	if r.IntN(3) == 0 {
		q.In.To = model.Open
	}
	if r.IntN(2) == 0 {
		q.Value = "purchase"
	}
	for range r.IntN(5) {
		q.Steps = append(q.Steps, at())
	}
	slices.Sort(q.Steps)
	return q
}

// answer is what counting one by one, in memory, gives.
func (w *world) answer(q count.Question) count.Answer {
	a := count.Answer{Steps: make([]int, max(0, len(q.Steps)-1))}
	visitors, among := map[string]bool{}, map[string]bool{}
	for i := range w.sessions {
		s := &w.sessions[i]
		if !q.In.Contains(s.Start) {
			continue
		}
		if q.Among == nil || q.Among.Match(s) {
			among[s.VisitorKey] = true
		}
		if !q.Where.Match(s) {
			continue
		}
		a.Sessions++
		visitors[s.VisitorKey] = true
		if event, ok := s.Event(q.Value); ok {
			a.Value = a.Value.Add(event.Sum)
		}
		for n := range a.Steps {
			if q.Steps[n] <= s.Start && s.Start < q.Steps[n+1] {
				a.Steps[n]++
			}
		}
	}
	if q.Visitors {
		maps.DeleteFunc(visitors, func(visitor string, _ bool) bool { return !among[visitor] })
		a.Visitors = len(visitors)
	}
	return a
}

// compare holds the engine's answers against those of counting in memory, and
// returns how many questions match a session.
func (w *world) compare(t *testing.T, subject answering, questions []count.Question) (matched int) {
	t.Helper()
	answers, err := subject.Count(t.Context(), questions)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range answers {
		want := w.answer(questions[i])
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\nis %+v, want %+v", questions[i], got, want)
		}
		if want.Sessions > 0 {
			matched++
		}
	}
	return matched
}

func TestCount(t *testing.T) {
	t.Parallel()
	onEach(t, 1, 300, func(t *testing.T, r *rand.Rand, w *world, subject answering) {
		matched, rounds := 0, repeats(8, 40)
		for range rounds {
			questions := make([]count.Question, 1+r.IntN(12))
			for i := range questions {
				if questions[i] = w.question(r); r.IntN(3) == 0 {
					questions[i].Where = filter.Simplify(computed(r))
				}
			}
			matched += w.compare(t, subject, questions)
		}
		if matched < rounds {
			t.Errorf("only %d of the questions matched sessions: they say little", matched)
		}
	})
}

// Pages of a list join to the whole of it, each session once, the newest first.
func TestSessions(t *testing.T) {
	t.Parallel()
	onEach(t, 3, 200, func(t *testing.T, r *rand.Rand, w *world, subject answering) {
		for range repeats(8, 20) {
			q := w.question(r)
			if r.IntN(3) == 0 {
				q.Where = filter.Simplify(computed(r))
			}
			limit := 1 + r.IntN(40)
			var listed []model.Session
			var after *count.Position
			for {
				page, err := subject.Sessions(t.Context(), count.SessionQuery{Site: w.site, In: q.In, Where: q.Where, After: after, Limit: limit})
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				listed = append(listed, page...)
				last := count.PositionOf(&page[len(page)-1])
				after = &last
			}
			if !slices.IsSortedFunc(listed, func(a, b model.Session) int { return cmp.Compare(b.Start, a.Start) }) {
				t.Error("the list is not ordered")
			}
			for range 3 { // a page between two of them, from either end
				var between []model.Session
				query := count.SessionQuery{Site: w.site, In: q.In, Where: q.Where, OldestFirst: r.IntN(2) == 0, Limit: limit}
				from, to := r.IntN(len(listed)+1)-1, r.IntN(len(listed)+1)
				if from >= 0 {
					at := count.PositionOf(&listed[from])
					query.After = &at
				}
				if to < len(listed) {
					at := count.PositionOf(&listed[to])
					query.Before = &at
				}
				if from+1 < to {
					between = slices.Clone(listed[from+1 : to])
				}
				if query.OldestFirst {
					slices.Reverse(between)
				}
				between = between[:min(len(between), limit)]
				page, err := subject.Sessions(t.Context(), query)
				if err != nil || !slices.EqualFunc(page, between, func(a, b model.Session) bool { return a.ID == b.ID }) {
					t.Errorf("%v from %d to %d of %d, the oldest first %t: %d sessions, want %d; %v", q.Where, from, to, len(listed), query.OldestFirst, len(page), len(between), err)
				}
			}
			name := func(s model.Session) string {
				return fmt.Sprintf("%q at %d for %d: %q", s.VisitorKey, s.Start, s.Length(), s.Pages)
			}
			var got, want []string
			for _, s := range listed {
				got = append(got, name(s))
			}
			for _, s := range w.sessions {
				if q.In.Contains(s.Start) && q.Where.Match(&s) {
					want = append(want, name(s))
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%v: listed %d sessions, want %d", q.Where, len(got), len(want))
			}
		}
	})
}

func TestValues(t *testing.T) {
	t.Parallel()
	onEach(t, 5, 200, func(t *testing.T, r *rand.Rand, w *world, subject answering) {
		for _, field := range slices.Concat(filtertest.TextFields, filtertest.SetFields, filtertest.ClockFields, []filter.Field{filter.PropertyKeys}) {
			for _, search := range []string{"", "A", "É"} {
				want := map[string]int{}
				in, where := everything, filter.Expr(filter.Bool(true))
				if r.IntN(2) == 0 {
					q := w.question(r)
					in, where = q.In, q.Where
				}
				for _, s := range w.sessions {
					if !in.Contains(s.Start) || !where.Match(&s) {
						continue
					}
					texts := field.Texts(&s)
					if len(texts) == 0 {
						want[""]++
					}
					for _, text := range texts {
						if strings.Contains(strings.ToLower(text), strings.ToLower(search)) {
							want[text]++
						}
					}
				}
				values, err := subject.Values(t.Context(), count.ValueQuery{Site: w.site, In: in, Where: where, Field: field, Search: search, Limit: 1000, None: true})
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]int{}
				for i, value := range values {
					got[value.Text] = value.Sessions
					if i > 0 && value.Sessions > values[i-1].Sessions {
						t.Errorf("%v: value %d is more frequent than the one before", field, i)
					}
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%v with %q: %v, want %v", field, search, got, want)
				}
			}
		}
	})
}

// A predicate that nothing can match is answered without asking the database.
func TestEmptyWithoutQuery(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), storetest.SQLite(t), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	subject := naive.New(st, nil, nil)
	impossible := count.Question{Site: 1, In: model.Range{From: 0, To: model.Open}, Where: filter.Bool(false)}
	if answers, err := subject.Count(t.Context(), []count.Question{impossible}); err != nil || answers[0].Sessions != 0 {
		t.Errorf("answers %v, error %v", answers, err)
	}
	possible := impossible
	possible.Where = filter.Bool(true)
	if _, err := subject.Count(t.Context(), []count.Question{impossible, possible}); err == nil {
		t.Error("a closed database counted")
	}
}

func TestCancelledCount(t *testing.T) {
	t.Parallel()
	onEach(t, 7, 20, func(t *testing.T, r *rand.Rand, w *world, subject answering) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := subject.Count(ctx, []count.Question{{Site: w.site, In: model.Range{From: 0, To: model.Open}, Where: filter.Bool(true)}})
		if err == nil {
			t.Error("a cancelled count answered")
		}
	})
}

// Whatever is written between two questions, in whatever order, is in the second
// answer: new sessions, ones that change, join or move to another day, and ones
// that are given up. Some questions are asked again and again.
func TestCountFollowsWrites(t *testing.T) {
	t.Parallel()
	onEach(t, 9, 0, func(t *testing.T, r *rand.Rand, w *world, subject answering) {
		site := &model.Site{Name: "Other", Domains: []string{fmt.Sprintf("s%d.example", r.Uint64())}, Timezone: "UTC"}
		if err := w.store.CreateSite(t.Context(), site); err != nil {
			t.Fatal(err)
		}
		other := &world{store: w.store, site: site.ID}
		byVisitor := map[string][]model.Hit{}
		var again []count.Question
		for round := range repeats(25, 60) {
			var batch []model.Message
			for range 1 + r.IntN(4) {
				late := model.Millis(r.IntN(200)-100) * 15 * 60 * 1000
				for _, hit := range filtertest.RandomVisit(r) {
					hit.At += late
					batch = append(batch, model.Message{AnonymousID: hit.Visitor, Hit: hit})
					byVisitor[hit.Visitor] = append(byVisitor[hit.Visitor], hit)
				}
			}
			if _, err := w.store.Write(t.Context(), site.ID, batch); err != nil {
				t.Fatal(err)
			}
			other.fold(byVisitor)
			if r.IntN(2) == 0 {
				subject.Prefetch(site.ID)
			}
			questions := make([]count.Question, 4)
			for i := range questions {
				questions[i] = other.question(r)
			}
			if round%10 == 5 {
				again = questions
			}
			if other.compare(t, subject, append(questions, again...)); t.Failed() {
				return
			}
		}
	})
}

// What a prefetch has read, the next question does not read again.
func TestPrefetch(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		r := rand.New(rand.NewPCG(1, 17))
		w := newWorld(t, url, r, 20)
		subject := mustEngine(t, w.store, engine.Options{})
		all := []count.Question{{Site: w.site, In: model.Range{From: 0, To: model.Open}, Where: filter.Bool(true)}}
		reads := func() (hits int64) {
			for _, layer := range subject.Stats().Layers {
				if layer.Name == "columns_caught_up" {
					hits = layer.Hits
				}
			}
			return hits
		}
		at := model.Millis(1_700_000_000_000)
		write := func(visitor string) {
			at++
			hit := model.Hit{ID: model.MessageIDOf(visitor), Visitor: visitor, At: at, Kind: model.PageView, Name: "/"}
			if _, err := w.store.Write(t.Context(), w.site, []model.Message{{AnonymousID: visitor, Hit: hit}}); err != nil {
				t.Fatal(err)
			}
		}
		sessions := func() int {
			answers, err := subject.Count(t.Context(), all)
			if err != nil {
				t.Fatal(err)
			}
			return answers[0].Sessions
		}
		write("first")
		before := sessions()
		write("second") // makes the partition the head
		if got := sessions(); got != before+1 || reads() != 1 {
			t.Fatalf("%d sessions and %d reads, want %d and 1", got, reads(), before+1)
		}
		write("third")
		subject.Prefetch(w.site)
		until(t, "the prefetch has read the write", func() bool { return reads() == 2 })
		if got := sessions(); got != before+2 || reads() != 2 {
			t.Fatalf("%d sessions and %d reads, want %d and 2", got, reads(), before+2)
		}
	})
}
