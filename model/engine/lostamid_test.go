package engine_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// amid is a Computer during whose calls something else happens.
type amid struct {
	order
	mu sync.Mutex
	// condition is called once, before sessions are chosen; compute once, when their hits have been read.
	condition, compute func()
	// each is called whenever hits have been read.
	each func(key string)
}

func (a *amid) call(f *func()) {
	a.mu.Lock()
	do := *f
	*f = nil
	a.mu.Unlock()
	if do != nil {
		do()
	}
}

func (a *amid) Condition(ctx context.Context, key string) (filter.Expr, error) {
	a.call(&a.condition)
	return a.order.Condition(ctx, key)
}

func (a *amid) Compute(ctx context.Context, key string, visits []model.Visit) ([]bool, error) {
	a.call(&a.compute)
	if a.each != nil {
		a.each(key)
	}
	return a.order.Compute(ctx, key, visits)
}

// amidst is a database with one visit that sees a variant, and an engine that has its columns in memory.
type amidst struct {
	*testing.T
	address  string
	store    *store.Store
	site     int64
	computer *amid
	subject  *engine.Engine
	before   backup
}

func newAmidst(t *testing.T, address string) *amidst {
	a := &amidst{T: t, address: address, store: mustStore(t, address), computer: &amid{}}
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := a.store.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	a.site = site.ID
	a.subject = mustEngine(t, a.store, engine.Options{Computer: a.computer})
	a.view("first", "a", 0)
	a.count(filter.Bool(true), 1)
	var err error
	if a.before, err = takeBackup(t.Context(), t, address); err != nil {
		t.Fatal(err)
	}
	return a
}

// view writes that a visitor sees a page and a variant.
func (a *amidst) view(visitor, page string, minute int) {
	hit := model.Hit{
		ID: model.MessageIDOf(visitor + page), Visitor: visitor, At: filtertest.Day.Start() + model.Millis(minute*60*1000),
		Kind: model.PageView, Name: page, Experiment: "x", Variant: "a",
	}
	if _, err := a.store.Write(a.Context(), a.site, []model.Message{{AnonymousID: visitor, Hit: hit}}); err != nil {
		a.Error(err)
	}
}

func (a *amidst) lose() {
	if err := a.before.restore(a.Context(), a.address); err != nil {
		a.Error(err)
	}
}

func (a *amidst) count(where filter.Expr, want int) {
	a.Helper()
	q := []count.Question{{Site: a.site, In: always, Where: where}}
	answers, err := a.subject.Count(a.Context(), q)
	for err == nil && isUnderWay(answers[0].Err) { // a busy machine takes longer than an answer waits
		answers, err = a.subject.Count(a.Context(), q)
	}
	if err != nil || answers[0].Err != nil {
		a.Fatal(err, answers)
	}
	if want >= 0 && answers[0].Sessions != want {
		a.Errorf("%d sessions of %v, want %d", answers[0].Sessions, where, want)
	}
}

func (a *amidst) ask(q experiment.Question) experiment.Answer {
	a.Helper()
	answers, err := a.subject.Results(a.Context(), []experiment.Question{q})
	for err == nil && isUnderWay(answers[0].Err) {
		answers, err = a.subject.Results(a.Context(), []experiment.Question{q})
	}
	if err != nil || answers[0].Err != nil {
		a.Fatal(err, answers)
	}
	return answers[0]
}

// isUnderWay tells whether an answer waits for a plugin that computes.
func isUnderWay(err error) bool {
	e, ok := errors.AsType[*model.Error](err)
	return ok && e.Progress != nil
}

func (a *amidst) check(q experiment.Question) {
	a.Helper()
	want, err := naive.New(a.store, order{}, nil).Results(a.Context(), []experiment.Question{q})
	if err != nil {
		a.Fatal(err)
	}
	if got := a.ask(q); !reflect.DeepEqual(got, want[0]) {
		a.Errorf("%+v, want %+v", got, want[0])
	}
}

func (a *amidst) question(audience, metric filter.Expr) experiment.Question {
	return experiment.Question{
		Definition: experiment.Definition{Site: a.site, Key: "x", Run: always, Variants: []string{"a"}, Audience: audience},
		In:         always, Where: filter.Bool(true), Metrics: []experiment.Metric{{Where: metric}},
	}
}

// A write is read, and lost, while one question is answered. What the question kept of it must not be an answer later.
func TestLostAmidAQuestion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(a *amidst){
		"a computed set": func(a *amidst) {
			where := filter.Computed{Key: "order a b"}
			a.computer.condition = func() { a.view("first", "b", 1) }
			a.computer.compute = a.lose
			a.count(where, -1)
			a.count(where, 0)
		},
		"an exposure": func(a *amidst) {
			q := a.question(filter.Computed{Key: "order nowhere b"}, filter.Bool(true))
			q.Definition.Audience = filter.Not{Expr: q.Definition.Audience}
			a.computer.condition = func() { a.view("second", "b", 1) }
			a.ask(q)
			a.lose()
			a.check(q)
			q.Definition.Audience = filter.Bool(true)
			a.check(q)
		},
		"results": func(a *amidst) {
			q := a.question(filter.Not{Expr: filter.Computed{Key: "order nowhere b"}}, filter.Computed{Key: "order a b"})
			a.computer.condition = func() { a.view("first", "b", 1) }
			a.computer.each = func(key string) {
				if key == "order a b" { // of the metric, whose hits were read
					a.computer.each = nil
					a.lose()
				}
			}
			a.ask(q)
			a.check(q)
		},
		"a set of a write that is lost at once": func(a *amidst) {
			where := filter.Computed{Key: "order a b"}
			a.view("first", "b", 1)
			a.count(filter.Bool(true), 1)
			a.computer.compute = a.lose
			a.count(where, -1)
			a.count(where, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Databases(t, func(t *testing.T, address string) { test(newAmidst(t, address)) })
		})
	}
}

// The ids of messages are forgotten after a while, those of writes among them: a filter is computed for old days all the same.
func TestComputedOfPrunedWrites(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, address string) {
		a := newAmidst(t, address)
		if _, err := a.store.PruneMessages(t.Context(), a.site, model.MillisOf(time.Now()).Day()+1, 1000); err != nil {
			t.Fatal(err)
		}
		a.count(filter.Computed{Key: "order a b"}, 0)
		a.check(a.question(filter.Bool(true), filter.Bool(true)))
	})
}

// Who is assigned is known from before a write that was lost, and what was read of that write since.
func TestLostBehindAnIndex(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, address string) {
		a := newAmidst(t, address)
		q := a.question(filter.Bool(true), filter.Bool(true))
		q.Definition.Variants = []string{"b"} // all assignments are to an unknown one
		a.check(q)
		a.view("second", "b", 1)
		other := q
		other.Definition.Run.From = 0
		a.check(other)
		a.lose()
		q.Steps = []model.Millis{0} // another question of the same experiment
		a.check(q)
	})
}
