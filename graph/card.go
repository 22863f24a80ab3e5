package graph

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/plugins/host"
)

func (r *siteResolver) GoalCards(ctx context.Context, site *model.Site, segmentIDs, goalIDs []string, given generated.TimeRange) ([]view.GoalCard, error) {
	r.engine.Prefetch(site.ID)
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
	r.countAhead(ctx, cards)
	return cards, nil
}

// countAhead merges the cells' segments with their goals, so that the fields that count
// do not wait for plugins one by one, and asks for the counts that the client selects,
// all at once. What fails is told by the fields that need it.
func (r *Resolver) countAhead(ctx context.Context, cards []view.GoalCard) {
	if len(cards) == 0 {
		return
	}
	const atOnce = 16
	var group errgroup.Group
	group.SetLimit(atOnce)
	merge := func(to **host.Merged, cell *view.GoalCell, goal []model.FilterSpec) {
		group.Go(func() (err error) {
			*to, err = r.filters.Merge(ctx, cell.Segment.Filters, goal)
			return err
		})
	}
	active, merged := make([]*host.Merged, len(cards[0].Cells)), make([]*host.Merged, len(cards)*len(cards[0].Cells))
	for n := range active {
		merge(&active[n], &cards[0].Cells[n], nil)
		for i := range cards {
			merge(&merged[i*len(active)+n], &cards[i].Cells[n], cards[i].Goal.Filters)
		}
	}
	_ = group.Wait()

	sessions, conversions := selectsCounts(ctx)
	var questions []count.Question
	var wait func() ([]count.Answer, error)
	ask := func(cell *view.GoalCell, of *host.Merged) (answer func() (int, error)) {
		place := len(questions)
		questions = append(questions, count.Question{Site: cell.Segment.SiteID, In: cell.In, Where: of.Predicate})
		return func() (int, error) {
			answers, err := wait()
			if err != nil {
				return 0, err
			}
			return answers[place].Sessions, answers[place].Err
		}
	}
	for n := range active {
		var ofSegment func() (int, error)
		if sessions && active[n] != nil {
			ofSegment = ask(&cards[0].Cells[n], active[n])
		}
		for i := range cards {
			cell := &cards[i].Cells[n]
			cell.CountActive = ofSegment
			if of := merged[i*len(active)+n]; conversions && of != nil {
				cell.CountMerged = ask(cell, of)
			}
		}
	}
	if len(questions) > 0 {
		wait = begin(func() ([]count.Answer, error) { return loadingOf(ctx).counts.ask(ctx, questions) })
	}
}

// selectsCounts tells what the client selects of the cells of a field of cards.
func selectsCounts(ctx context.Context) (sessions, conversions bool) {
	operation := graphql.GetOperationContext(ctx)
	for _, ofCard := range graphql.CollectFieldsCtx(ctx, []string{"GoalCard"}) {
		if ofCard.Name != "cells" {
			continue
		}
		for _, ofCell := range graphql.CollectFields(operation, ofCard.Selections, []string{"GoalCell"}) {
			sessions = sessions || ofCell.Name == "sessions" || ofCell.Name == "conversionRate"
			conversions = conversions || ofCell.Name == "conversions" || ofCell.Name == "conversionRate"
		}
	}
	return sessions, conversions
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
	if cell.CountActive != nil {
		return cell.CountActive()
	}
	answer, err := r.active(ctx, cell, count.Question{})
	return answer.Sessions, err
}

func (r *goalCellResolver) Conversions(ctx context.Context, cell *view.GoalCell) (int, error) {
	if cell.CountMerged != nil {
		return cell.CountMerged()
	}
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
	wait := begin(second)
	a, err := first()
	b, failure := wait()
	if err == nil {
		err = failure
	}
	return a, b, err
}

// begin does something in a goroutine, and returns what waits for what came of it.
func begin[T any](do func() (T, error)) (wait func() (T, error)) {
	var value T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if panicked := recover(); panicked != nil {
				err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
			}
		}()
		value, err = do()
	}()
	return func() (T, error) {
		<-done
		return value, err
	}
}
