package graph

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/plugins/host"
)

func (r *siteResolver) GoalCards(ctx context.Context, site *model.Site, segmentIDs, goalIDs []string, given generated.TimeRange) ([]view.GoalCard, error) {
	go r.engine.Follow(ctx, site.ID)
	m, err := r.matrix(ctx, site, goalIDs, segmentIDs)
	if err != nil {
		return nil, err
	}
	return r.cards(ctx, m.goals, m.segments, given)
}

// maxCells is how many cells the cards of one field have at most.
const maxCells = 2000

// cards returns the goals' cards over the segments. The cells count by themselves,
// where a client selects something of them.
func (r *Resolver) cards(ctx context.Context, goals []model.Goal, segments []model.Segment, given generated.TimeRange) ([]view.GoalCard, error) {
	in, err := rangeOf(given)
	if err != nil {
		return nil, err
	}
	if cells := len(goals) * len(segments); cells > maxCells {
		return nil, model.Errorf(model.ResourceExhausted, "%d goals over %d segments are %d cells; the most is %d: name the goals and the segments", len(goals), len(segments), cells, maxCells)
	}
	cards, computedAt := make([]view.GoalCard, len(goals)), r.computedAt(ctx)
	for i, goal := range goals {
		cards[i] = view.GoalCard{Goal: goal, Range: view.TimeRangeOf(in), ComputedAt: computedAt, Cells: make([]view.GoalCell, len(segments))}
		for n, segment := range segments {
			cards[i].Cells[n] = view.GoalCell{Goal: goal, Segment: segment, In: in}
		}
	}
	r.mergeAhead(ctx, cards)
	return cards, nil
}

// mergeAhead has the cells' merges remembered, so that the fields that count do
// not wait for plugins one by one, and are counted together. What fails is told by
// the fields that need it.
func (r *Resolver) mergeAhead(ctx context.Context, cards []view.GoalCard) {
	const atOnce = 16
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, card := range cards {
		for _, cell := range card.Cells {
			group.Go(func() error {
				_, err := r.filters.Merge(ctx, cell.Segment.Filters, cell.Goal.Filters)
				return err
			})
		}
	}
	_ = group.Wait()
}

type goalCellResolver struct{ *Resolver }

func (r *goalCellResolver) Merged(ctx context.Context, cell *view.GoalCell) (*host.Merged, error) {
	return r.filters.Merge(ctx, cell.Segment.Filters, cell.Goal.Filters)
}

// active counts the active segment, and converted the merged one.
func (r *goalCellResolver) active(ctx context.Context, cell *view.GoalCell, q count.Question) (count.Answer, error) {
	return r.ask(ctx, cell, nil, q)
}

func (r *goalCellResolver) converted(ctx context.Context, cell *view.GoalCell, q count.Question) (count.Answer, error) {
	return r.ask(ctx, cell, cell.Goal.Filters, q)
}

func (r *goalCellResolver) ask(ctx context.Context, cell *view.GoalCell, goal []model.FilterSpec, q count.Question) (count.Answer, error) {
	merged, err := r.filters.Merge(ctx, cell.Segment.Filters, goal)
	if err != nil {
		return count.Answer{}, err
	}
	q.Site, q.In, q.Where = cell.Segment.SiteID, cell.In, merged.Predicate
	return askCount(ctx, q)
}

func (r *goalCellResolver) Sessions(ctx context.Context, cell *view.GoalCell) (int, error) {
	answer, err := r.active(ctx, cell, count.Question{})
	return answer.Sessions, err
}

func (r *goalCellResolver) Conversions(ctx context.Context, cell *view.GoalCell) (int, error) {
	answer, err := r.converted(ctx, cell, count.Question{})
	return answer.Sessions, err
}

func (r *goalCellResolver) ConversionRate(ctx context.Context, cell *view.GoalCell) (*float64, error) {
	sessions, conversions, err := both(
		func() (int, error) { return r.Sessions(ctx, cell) },
		func() (int, error) { return r.Conversions(ctx, cell) })
	return view.Rate(conversions, sessions), err
}

func (r *goalCellResolver) ValueTotal(ctx context.Context, cell *view.GoalCell) (*float64, error) {
	if cell.Goal.ValueEvent == "" {
		return nil, nil
	}
	answer, err := r.converted(ctx, cell, count.Question{Value: cell.Goal.ValueEvent})
	return &answer.Value, err
}

func (r *goalCellResolver) Visitors(ctx context.Context, cell *view.GoalCell) (int, error) {
	answer, err := r.active(ctx, cell, count.Question{Visitors: true})
	return answer.Visitors, err
}

func (r *goalCellResolver) ValuePerVisitor(ctx context.Context, cell *view.GoalCell) (*float64, error) {
	if cell.Goal.ValueEvent == "" {
		return nil, nil
	}
	visitors, value, err := both(
		func() (int, error) { return r.Visitors(ctx, cell) },
		func() (*float64, error) { return r.ValueTotal(ctx, cell) })
	if err != nil {
		return nil, err
	}
	return view.Rate(*value, visitors), nil
}

func (r *goalCellResolver) Series(ctx context.Context, cell *view.GoalCell, interval model.Interval) ([]view.GoalPoint, error) {
	site, err := r.siteOf(ctx, cell.Segment.SiteID)
	if err != nil {
		return nil, err
	}
	zone, err := site.Location()
	if err != nil {
		return nil, err
	}
	until := cell.In
	until.To = min(until.To, model.MillisOf(r.now())+1)
	steps, err := interval.Steps(until, zone)
	if err != nil {
		return nil, err
	}
	active, converted, err := both(
		func() (count.Answer, error) { return r.active(ctx, cell, count.Question{Steps: steps}) },
		func() (count.Answer, error) { return r.converted(ctx, cell, count.Question{Steps: steps}) })
	if err != nil {
		return nil, err
	}
	points := make([]view.GoalPoint, len(active.Steps))
	for i := range points {
		sessions, conversions := active.Steps[i], converted.Steps[i]
		points[i] = view.GoalPoint{At: steps[i].Time(), Sessions: sessions, Conversions: conversions, ConversionRate: view.Rate(conversions, sessions)}
	}
	return points, nil
}

// both asks two questions at the same time, so that they are answered together.
func both[A, B any](first func() (A, error), second func() (B, error)) (A, B, error) {
	type result struct {
		value B
		err   error
	}
	other := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if panicked := recover(); panicked != nil {
				r.err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
			}
			other <- r
		}()
		r.value, r.err = second()
	}()
	a, err := first()
	b := <-other
	if err == nil {
		err = b.err
	}
	return a, b.value, err
}
