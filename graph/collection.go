package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
)

// collection collects what the fields of one operation need: counts, and what elements refer to.
type collection struct {
	counts  *collector[count.Question, count.Answer]
	results *collector[experiment.Question, experiment.Answer]
	sites   *loader[int64, *model.Site]
	goals   *loader[int64, model.Goal]
	// experiments are those that use a goal, by its id.
	experiments *loader[int64, []model.Experiment]
	hits        *loader[hitsAsked, []model.Hit]
}

func newCollection(r *Resolver) *collection {
	return &collection{
		counts: newCollector(r.engine.Count), results: newCollector(r.engine.Results),
		sites: newLoader(r.sitesByID), goals: newLoader(r.goalsByID), experiments: newLoader(r.experimentsOfGoals),
		hits: newLoader(r.hitsOf),
	}
}

// withOwnCollection gives each mutation its own collection: what one of them has loaded, the next may change.
func withOwnCollection(r *Resolver) graphql.RootFieldMiddleware {
	return func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
		if graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
			ctx = shareCollection(ctx, newCollection(r))
		}
		return next(ctx)
	}
}

type collectionKey struct{}

// withCollection gives each operation its own collection, where it does not share another one's.
func withCollection(r *Resolver) graphql.OperationMiddleware {
	return func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		if _, shared := ctx.Value(collectionKey{}).(*collection); !shared {
			ctx = shareCollection(ctx, newCollection(r))
		}
		return next(ctx)
	}
}

// shareCollection returns a context whose operations collect together.
func shareCollection(ctx context.Context, c *collection) context.Context {
	return context.WithValue(ctx, collectionKey{}, c)
}

func collectionOf(ctx context.Context) *collection { return ctx.Value(collectionKey{}).(*collection) }

// askCount asks one question, together with those that are registered.
func askCount(ctx context.Context, question count.Question) (count.Answer, error) {
	answer, err := collectionOf(ctx).counts.ask(ctx, question)
	if err == nil {
		err = answer.Err
	}
	return answer, err
}

// sitesByID returns the sites in the order of the ids, nil for one that is not there.
func (r *Resolver) sitesByID(ctx context.Context, ids []int64) ([]*model.Site, error) {
	found, err := r.store.SitesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*model.Site, len(found))
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	sites := make([]*model.Site, len(ids))
	for i, id := range ids {
		sites[i] = byID[id]
	}
	return sites, nil
}

// goalsByID returns the goals in the order of the ids, or a NotFound.
func (r *Resolver) goalsByID(ctx context.Context, ids []int64) ([]model.Goal, error) {
	found, err := r.store.GoalsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return inOrder(ids, found, func(g *model.Goal) int64 { return g.ID })
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

// siteOf returns a site, or NotFound.
func (r *Resolver) siteOf(ctx context.Context, id int64) (*model.Site, error) {
	site, err := collectionOf(ctx).sites.load(ctx, id)
	if err == nil && site == nil {
		err = missing("site")
	}
	return site, err
}
