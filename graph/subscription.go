package graph

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// A resolver of a subscription answers once, as a query would, after it has said with
// follow which site the answer follows from. When that site changes, the operation is
// carried out again (question.go).
type subscriptionResolver struct{ *Resolver }

func (r *subscriptionResolver) GoalCards(ctx context.Context, siteID string, segments, goals []string, given generated.TimeRange) (<-chan []view.GoalCard, error) {
	site, err := decodeID(siteNoun, siteID, "siteId")
	if err != nil {
		return nil, err
	}
	if err := r.follow(ctx, site); err != nil {
		return nil, aboutID("siteId", err)
	}
	return once((&siteResolver{r.Resolver}).GoalCards(ctx, &model.Site{ID: site}, segments, goals, given))
}

func (r *subscriptionResolver) ExperimentResults(ctx context.Context, experimentID string, filters []scalar.FilterInput) (<-chan *view.ExperimentResult, error) {
	id, err := decodeID(experimentNoun, experimentID, "experimentId")
	if err != nil {
		return nil, err
	}
	e, err := r.store.Experiment(ctx, id)
	if err != nil {
		return nil, aboutID("experimentId", err)
	}
	if !follows(ctx, e.SiteID) {
		if err := r.follow(ctx, e.SiteID); err != nil {
			return nil, aboutID("experimentId", err)
		}
		// It may have changed before the state was looked at that it follows from.
		if e, err = r.store.Experiment(ctx, id); err != nil {
			return nil, aboutID("experimentId", err)
		}
	}
	return once((&experimentResolver{r.Resolver}).Results(ctx, e, filters, nil))
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

// computation is one time that a subscription's operation is carried out.
type computation struct {
	// site is what the answer follows from, and state the one that it had before.
	site  int64
	state siteState
}

// siteState is equal while no answer about a site changes.
type siteState struct {
	store.State
	// step is the quarter of an hour: a series has one more step with the next one, or
	// not yet.
	step int64
}

func (r *Resolver) stateOf(ctx context.Context, site int64) (siteState, error) {
	state, err := r.store.State(ctx, site)
	return siteState{state, r.now().Unix() / (15 * 60)}, err
}

type computationKey struct{}

func withComputation(ctx context.Context, c *computation) context.Context {
	return context.WithValue(ctx, computationKey{}, c)
}

// follow says that the answer follows from a site, which is NotFound where there is
// none, or none any longer.
func (r *Resolver) follow(ctx context.Context, site int64) (err error) {
	if !follows(ctx, site) {
		c := ctx.Value(computationKey{}).(*computation)
		c.site = site
		c.state, err = r.stateOf(ctx, site)
	}
	return err
}

// follows tells whether it was said that the answer follows from the site.
func follows(ctx context.Context, site int64) bool {
	return ctx.Value(computationKey{}).(*computation).site == site
}

// computedAt returns the time for the answer's computedAt: in a subscription one that
// stands for it until it is known whether anything else has changed.
func (r *Resolver) computedAt(ctx context.Context) time.Time {
	if ctx.Value(computationKey{}) != nil {
		return unsettled
	}
	return r.now()
}

// unsettled is an instant in the years 8000 to 8999: nobody asks about these, and
// which one it is nobody knows.
var unsettled = time.UnixMilli(190_288_396_800_000 + rand.Int64N(1000*365*24*3600*1000))
