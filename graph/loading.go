package graph

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

// loading gathers what the fields of one operation ask for, so that it is asked
// together: counts, which are then made in one go, and the parents of elements.
type loading struct {
	counts *dataloader.Loader[*count.Question, count.Answer]
	sites  *dataloader.Loader[int64, *model.Site]
}

// gathering is how long the first question waits for others. The fields of one
// level are asked for at once, by goroutines of their own.
const gathering = time.Millisecond

func newLoading(r *Resolver) *loading {
	return &loading{
		counts: dataloader.NewBatchedLoader(batch(r.count),
			dataloader.WithWait[*count.Question, count.Answer](gathering),
			dataloader.WithCache[*count.Question, count.Answer](&dataloader.NoCache[*count.Question, count.Answer]{})),
		sites: dataloader.NewBatchedLoader(batch(r.sitesByID),
			dataloader.WithWait[int64, *model.Site](gathering)),
	}
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

// withLoading gives each operation its own loading.
func withLoading(r *Resolver) graphql.OperationMiddleware {
	return func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		return next(context.WithValue(ctx, loadingKey{}, newLoading(r)))
	}
}

func loadingOf(ctx context.Context) *loading { return ctx.Value(loadingKey{}).(*loading) }

// count answers questions by the engine.
func (r *Resolver) count(ctx context.Context, questions []*count.Question) ([]count.Answer, error) {
	asked := make([]count.Question, len(questions))
	for i, q := range questions {
		asked[i] = *q
	}
	return r.engine.Count(ctx, asked)
}

// askCount asks one question, together with those that other fields ask.
func askCount(ctx context.Context, question count.Question) (count.Answer, error) {
	return loadingOf(ctx).counts.Load(ctx, &question)()
}

// sitesByID returns the sites in the order of the ids, or a NotFound.
func (r *Resolver) sitesByID(ctx context.Context, ids []int64) ([]*model.Site, error) {
	found, err := r.store.SitesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	sites, err := inOrder(ids, found, func(s *model.Site) int64 { return s.ID })
	if err != nil {
		return nil, err
	}
	pointers := make([]*model.Site, len(sites))
	for i := range sites {
		pointers[i] = &sites[i]
	}
	return pointers, nil
}

func (r *Resolver) siteOf(ctx context.Context, id int64) (*model.Site, error) {
	return loadingOf(ctx).sites.Load(ctx, id)()
}
