package graph

import (
	"context"
	"strconv"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
)

// A resolver of a subscription answers once, as a query would, after it has said with
// follow which site the answer follows from. When that site changes, the answer is
// computed again (package subscription).
type subscriptionResolver struct{ *Resolver }

func (r *subscriptionResolver) GoalCards(ctx context.Context, siteID string, segments []string, adHocSegments []generated.AdHocSegmentInput, goals []string, adHocGoals []generated.AdHocGoalInput,
	given model.TimeRange, unit view.CountUnit, compare *model.Comparison, includeInactive bool, first *int, after *string) (<-chan []view.GoalCard, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once((&siteResolver{r.Resolver}).GoalCards(ctx, site, segments, adHocSegments, goals, adHocGoals, given, unit, compare, includeInactive, first, after))
}

func (r *subscriptionResolver) DefinitionsChanged(ctx context.Context, siteID string) (<-chan *view.DefinitionsChange, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once(&view.DefinitionsChange{Revision: strconv.FormatInt(site.Revision, 10), Site: site}, nil)
}

func (r *subscriptionResolver) ExperimentResults(ctx context.Context, experimentID string, filters []scalar.FilterInput, goal *string, adHocGoal *generated.AdHocGoalInput) (<-chan *view.ExperimentResult, error) {
	id, err := decodeID(experimentNoun, experimentID, "experimentId")
	if err != nil {
		return nil, err
	}
	e, err := r.store.Experiment(ctx, id)
	if err != nil {
		return nil, aboutID("experimentId", err)
	}
	if c, _ := computationOf(ctx); c.Site != e.SiteID {
		if err := r.follow(ctx, e.SiteID); err != nil {
			return nil, aboutID("experimentId", err)
		}
		// It may have changed before the state was looked at that it follows from.
		if e, err = r.store.Experiment(ctx, id); err != nil {
			return nil, aboutID("experimentId", err)
		}
	}
	return once((&experimentResolver{r.Resolver}).Results(ctx, e, filters, nil, goal, adHocGoal, nil))
}

// followed returns the site of an argument siteId, which the answer follows from.
func (r *subscriptionResolver) followed(ctx context.Context, siteID string) (*model.Site, error) {
	id, err := decodeID(siteNoun, siteID, "siteId")
	if err != nil {
		return nil, err
	}
	if err := r.follow(ctx, id); err != nil {
		return nil, aboutID("siteId", err)
	}
	site, err := r.store.Site(ctx, id)
	return site, aboutID("siteId", err)
}

// once returns a stream of one answer.
func once[T any](answer T, err error) (<-chan T, error) {
	if err != nil {
		return nil, err
	}
	stream := make(chan T, 1)
	stream <- answer
	return stream, nil
}
