package graph

import (
	"context"
	"errors"
	"github.com/goalgraph/goalgraph/model/experiment"
	"runtime"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

// loading gathers what the fields of one operation ask for, so that it is asked
// together: counts, which are then made in one go, and what elements refer to.
type loading struct {
	counts  gathering[count.Question, count.Answer]
	results gathering[experiment.Question, experiment.Answer]
	sites   *dataloader.Loader[int64, *model.Site]
	goals   *dataloader.Loader[int64, *model.Goal]
	// experiments are those that use a goal, by its id.
	experiments *dataloader.Loader[int64, []model.Experiment]
	// series are remembered no longer than until they are answered: the variants of a
	// metric ask for the same one.
	series *dataloader.Loader[seriesKey, series]
}

func newLoading(r *Resolver) *loading {
	return &loading{
		counts:      gathering[count.Question, count.Answer]{answers: r.engine.Count},
		results:     gathering[experiment.Question, experiment.Answer]{answers: r.engine.Results},
		sites:       dataloader.NewBatchedLoader(batch(r.sitesByID), dataloader.WithWait[int64, *model.Site](time.Millisecond)),
		goals:       dataloader.NewBatchedLoader(batch(r.goalsByID), dataloader.WithWait[int64, *model.Goal](time.Millisecond)),
		experiments: dataloader.NewBatchedLoader(batch(r.experimentsOfGoals), dataloader.WithWait[int64, []model.Experiment](time.Millisecond)),
		series:      dataloader.NewBatchedLoader(batch(r.seriesOf), dataloader.WithWait[seriesKey, series](time.Millisecond), dataloader.WithClearCacheOnBatch[seriesKey, series]()),
	}
}

// gathering gathers questions. The fields of one level are asked for at once, by
// goroutines of their own: the first question waits until no other one has come for
// a while.
//
// The wait yields instead of sleeping: timers are too coarse for it by far, and on a
// machine that is busy the others run first.
type gathering[Q, A any] struct {
	// answers answers questions together, in their order.
	answers func(context.Context, []Q) ([]A, error)

	mu    sync.Mutex
	asked []asked[Q, A]
}

type asked[Q, A any] struct {
	questions []Q
	answers   chan<- answered[A]
}

type answered[A any] struct {
	answers []A
	err     error
}

const (
	// quiet is how long no question may come.
	quiet = 100 * time.Microsecond
	// longest bounds the wait.
	longest = 2 * time.Millisecond
)

// ask asks questions together with others.
func (g *gathering[Q, A]) ask(ctx context.Context, questions []Q) ([]A, error) {
	answers := make(chan answered[A], 1)
	g.mu.Lock()
	g.asked = append(g.asked, asked[Q, A]{questions, answers})
	first := len(g.asked) == 1
	g.mu.Unlock()
	if first {
		g.wait()
		g.answer(ctx)
	}
	select {
	case a := <-answers:
		return a.answers, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wait returns when no question has come for a while.
func (g *gathering[Q, A]) wait() {
	begin := time.Now()
	for n, last := 1, begin; ; {
		runtime.Gosched()
		g.mu.Lock()
		now := len(g.asked)
		g.mu.Unlock()
		if now > n {
			n, last = now, time.Now()
		}
		if time.Since(last) > quiet || time.Since(begin) > longest {
			return
		}
	}
}

// answer has all questions answered that were gathered. It ends with the operation's
// context.
func (g *gathering[Q, A]) answer(ctx context.Context) {
	g.mu.Lock()
	all := g.asked
	g.asked = nil
	g.mu.Unlock()
	var questions []Q
	for i := range all {
		questions = append(questions, all[i].questions...)
	}
	answers, err := []A(nil), errors.New("counting panicked")
	defer func() {
		for i := range all {
			a := answered[A]{err: err}
			if n := len(all[i].questions); err == nil {
				a.answers, answers = answers[:n:n], answers[n:]
			}
			all[i].answers <- a
		}
	}()
	answers, err = g.answers(ctx, questions)
}

// batch makes the library's kind of function of one that fails as a whole.
func batch[K comparable, V any](load func(context.Context, []K) ([]V, error)) dataloader.BatchFunc[K, V] {
	return func(ctx context.Context, keys []K) []*dataloader.Result[V] {
		results := make([]*dataloader.Result[V], len(keys))
		values, err := load(ctx, keys)
		for i := range keys {
			results[i] = &dataloader.Result[V]{Error: err}
			if err == nil {
				results[i].Data = values[i]
			}
		}
		return results
	}
}

type loadingKey struct{}

// withLoading gives each operation its own loading, where it does not share another
// one's.
func withLoading(r *Resolver) graphql.OperationMiddleware {
	return func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		l, shared := ctx.Value(loadingKey{}).(*loading)
		if !shared {
			l = newLoading(r)
		}
		return next(shareLoading(ctx, l))
	}
}

// shareLoading returns a context whose operations ask together.
func shareLoading(ctx context.Context, l *loading) context.Context {
	return context.WithValue(ctx, loadingKey{}, l)
}

func loadingOf(ctx context.Context) *loading { return ctx.Value(loadingKey{}).(*loading) }

// askCount asks one question, together with those that other fields ask.
func askCount(ctx context.Context, question count.Question) (count.Answer, error) {
	answers, err := loadingOf(ctx).counts.ask(ctx, []count.Question{question})
	if err != nil {
		return count.Answer{}, err
	}
	return answers[0], answers[0].Err
}

// sitesByID returns the sites in the order of the ids, or a NotFound.
func (r *Resolver) sitesByID(ctx context.Context, ids []int64) ([]*model.Site, error) {
	found, err := r.store.SitesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return pointersInOrder(ids, found, func(s *model.Site) int64 { return s.ID })
}

// goalsByID returns the goals in the order of the ids, or a NotFound.
func (r *Resolver) goalsByID(ctx context.Context, ids []int64) ([]*model.Goal, error) {
	found, err := r.store.GoalsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return pointersInOrder(ids, found, func(g *model.Goal) int64 { return g.ID })
}

func pointersInOrder[T any](ids []int64, found []T, id func(*T) int64) ([]*T, error) {
	ordered, err := inOrder(ids, found, id)
	if err != nil {
		return nil, err
	}
	pointers := make([]*T, len(ordered))
	for i := range ordered {
		pointers[i] = &ordered[i]
	}
	return pointers, nil
}

// experimentsOfGoals returns the experiments of each goal, in the order of the ids.
func (r *Resolver) experimentsOfGoals(ctx context.Context, ids []int64) ([][]model.Experiment, error) {
	byGoal, err := r.store.ExperimentsOfGoals(ctx, ids)
	lists := make([][]model.Experiment, len(ids))
	for i, id := range ids {
		lists[i] = byGoal[id]
	}
	return lists, err
}

func (r *Resolver) siteOf(ctx context.Context, id int64) (*model.Site, error) {
	return loadingOf(ctx).sites.Load(ctx, id)()
}
