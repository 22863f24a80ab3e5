package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

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

// cards returns the goals' cards over the segments. What the client selects of the cells is asked for at once; what
// fails is told by the fields that need it.
func (r *Resolver) cards(ctx context.Context, goals []model.Goal, segments []model.Segment, given generated.TimeRange) ([]view.GoalCard, error) {
	in, err := rangeOf(given)
	if err != nil {
		return nil, err
	}
	if cells := len(goals) * len(segments); cells > maxCells {
		return nil, model.Errorf(model.ResourceExhausted, "%d goals over %d segments are %d cells; the limit is %d: name the goals and the segments", len(goals), len(segments), cells, maxCells)
	}
	cards, computedAt := make([]view.GoalCard, len(goals)), r.computedAt(ctx)
	for i, goal := range goals {
		cards[i] = view.GoalCard{Goal: goal, Range: view.TimeRangeOf(in), ComputedAt: computedAt, Cells: make([]view.GoalCell, len(segments))}
		for n, segment := range segments {
			cards[i].Cells[n] = view.GoalCell{Goal: goal, Segment: segment, Series: map[model.Interval]view.GoalSeries{}}
		}
	}
	if len(goals) > 0 && len(segments) > 0 {
		r.fill(ctx, cards, in)
	}
	return cards, nil
}

// fill puts into the cells of cards what gives their figures.
func (r *Resolver) fill(ctx context.Context, cards []view.GoalCard, in model.Range) {
	merges, selected := r.mergeCells(ctx, cards), cellSelectionOf(ctx)
	r.prepareCells(ctx, cards, merges, count.Question{In: in}, selected, func(cell *view.GoalCell, active, converted view.Answer) {
		cell.Active, cell.Converted = active, converted
	})
	for _, interval := range selected.series {
		steps, err := r.stepsOf(ctx, cards[0].Cells[0].Segment.SiteID, in, interval)
		if err == nil {
			err = fits(ctx, len(cards)*len(cards[0].Cells)*len(steps))
		}
		both := cellSelection{active: err == nil, converted: err == nil}
		r.prepareCells(ctx, cards, merges, count.Question{In: in, Steps: steps}, both, func(cell *view.GoalCell, active, converted view.Answer) {
			cell.Series[interval] = view.GoalSeries{Steps: steps, Err: err, Active: active, Converted: converted}
		})
	}
	collectionOf(ctx).counts.begin(ctx)
}

// mergeCells merges each segment alone, and then each goal with each segment, in the order of the cards' cells.
func (r *Resolver) mergeCells(ctx context.Context, cards []view.GoalCard) []outcome[*host.Merged] {
	var all []sides
	for _, cell := range cards[0].Cells {
		all = append(all, sides{cell.Segment.Filters, nil})
	}
	for _, card := range cards {
		for _, cell := range card.Cells {
			all = append(all, sides{cell.Segment.Filters, card.Goal.Filters})
		}
	}
	return r.merges(ctx, all)
}

// prepareCells prepares a question about each cell's segment, and one about its merged segment; put takes what gives the
// answers. A segment's is asked once for all cards.
func (r *Resolver) prepareCells(ctx context.Context, cards []view.GoalCard, merges []outcome[*host.Merged], question count.Question, selected cellSelection,
	put func(cell *view.GoalCell, active, converted view.Answer)) {
	for n, cell := range cards[0].Cells {
		question.Site = cell.Segment.SiteID
		ofSegment := question
		ofSegment.Visitors = selected.visitors
		active := r.prepare(ctx, merges[n], ofSegment, selected.active)
		for i := range cards {
			ofCell := question
			if selected.value {
				ofCell.Value = cards[i].Goal.ValueEvent
			}
			put(&cards[i].Cells[n], active, r.prepare(ctx, merges[len(cards[0].Cells)*(i+1)+n], ofCell, selected.converted))
		}
	}
}

// prepare returns what gives the answer to a question about what filters were merged to. It is registered now where it
// is selected, and asked when it is needed otherwise.
func (r *Resolver) prepare(ctx context.Context, merged outcome[*host.Merged], question count.Question, selected bool) view.Answer {
	if merged.err != nil {
		return func(context.Context) (count.Answer, error) { return count.Answer{}, merged.err }
	}
	question.Where = merged.value.Predicate
	if !selected {
		return func(ctx context.Context) (count.Answer, error) { return askCount(ctx, question) }
	}
	promised := collectionOf(ctx).counts.register(question)
	return func(ctx context.Context) (count.Answer, error) {
		answer, err := promised.wait(ctx)
		if err == nil {
			err = answer.Err
		}
		return answer, err
	}
}

// cellSelection tells what a client selects of the cells of a field of cards: figures of the active segment, its
// visitors among them, and of the merged one, its value among them; and series at which intervals.
type cellSelection struct {
	active, visitors, converted, value bool
	series                             []model.Interval
}

func cellSelectionOf(ctx context.Context) (selected cellSelection) {
	operation := graphql.GetOperationContext(ctx)
	for _, ofCard := range graphql.CollectFieldsCtx(ctx, []string{"GoalCard"}) {
		if ofCard.Name != "cells" {
			continue
		}
		for _, ofCell := range graphql.CollectFields(operation, ofCard.Selections, []string{"GoalCell"}) {
			switch ofCell.Name {
			case "sessions":
				selected.active = true
			case "visitors":
				selected.active, selected.visitors = true, true
			case "conversions":
				selected.converted = true
			case "conversionRate":
				selected.active, selected.converted = true, true
			case "valueTotal":
				selected.converted, selected.value = true, true
			case "valuePerVisitor":
				selected.active, selected.visitors, selected.converted, selected.value = true, true, true, true
			case "series":
				if interval, ok := ofCell.ArgumentMap(operation.Variables)["interval"].(string); ok && !slices.Contains(selected.series, model.Interval(interval)) {
					selected.series = append(selected.series, model.Interval(interval))
				}
			}
		}
	}
	return selected
}

type goalCellResolver struct{ *Resolver }

func (r *goalCellResolver) Merged(ctx context.Context, cell *view.GoalCell) (*host.Merged, error) {
	return r.filters.Merge(ctx, cell.Segment.Filters, cell.Goal.Filters)
}

func (r *goalCellResolver) Sessions(ctx context.Context, cell *view.GoalCell) (*int, error) {
	active, err := cell.Active(ctx)
	return &active.Sessions, err
}

func (r *goalCellResolver) Conversions(ctx context.Context, cell *view.GoalCell) (*int, error) {
	converted, err := cell.Converted(ctx)
	return &converted.Sessions, err
}

func (r *goalCellResolver) ConversionRate(ctx context.Context, cell *view.GoalCell) (*float64, error) {
	active, converted, err := answersOf(ctx, cell.Active, cell.Converted)
	return view.Rate(converted.Sessions, active.Sessions), err
}

func (r *goalCellResolver) ValueTotal(ctx context.Context, cell *view.GoalCell) (*float64, error) {
	if cell.Goal.ValueEvent == "" {
		return nil, nil
	}
	converted, err := cell.Converted(ctx)
	total := converted.Value.Float64()
	return &total, err
}

func (r *goalCellResolver) Visitors(ctx context.Context, cell *view.GoalCell) (*int, error) {
	active, err := cell.Active(ctx)
	return &active.Visitors, err
}

func (r *goalCellResolver) ValuePerVisitor(ctx context.Context, cell *view.GoalCell) (*float64, error) {
	if cell.Goal.ValueEvent == "" {
		return nil, nil
	}
	active, converted, err := answersOf(ctx, cell.Active, cell.Converted)
	return view.Rate(converted.Value.Float64(), active.Visitors), err
}

// answersOf waits for two answers.
func answersOf(ctx context.Context, first, second view.Answer) (a, b count.Answer, err error) {
	if a, err = first(ctx); err == nil {
		b, err = second(ctx)
	}
	return a, b, err
}

func (r *goalCellResolver) Series(ctx context.Context, cell *view.GoalCell, interval model.Interval) ([]view.GoalPoint, error) {
	series := cell.Series[interval]
	if series.Err != nil {
		return nil, series.Err
	}
	active, converted, err := answersOf(ctx, series.Active, series.Converted)
	if err != nil {
		return nil, err
	}
	points := make([]view.GoalPoint, len(active.Steps))
	for i := range points {
		sessions, conversions := active.Steps[i], converted.Steps[i]
		points[i] = view.GoalPoint{At: series.Steps[i].Time(), Sessions: sessions, Conversions: conversions, ConversionRate: view.Rate(conversions, sessions)}
	}
	return points, nil
}

// stepsOf returns the instants between which a series counts, up to now.
func (r *Resolver) stepsOf(ctx context.Context, siteID int64, in model.Range, interval model.Interval) ([]model.Millis, error) {
	site, err := r.siteOf(ctx, siteID)
	if err != nil {
		return nil, err
	}
	zone, err := site.Location()
	if err != nil {
		return nil, err
	}
	in.To = min(in.To, model.MillisOf(r.now())+1)
	return interval.Steps(in, zone)
}
