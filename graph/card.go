package graph

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins/host"
)

func (r *siteResolver) GoalCards(ctx context.Context, site *model.Site, segmentIDs []string, adHocSegments []generated.AdHocSegmentInput, goalIDs []string, adHocGoals []generated.AdHocGoalInput,
	given model.TimeRange, unit view.CountUnit, compare *model.Comparison, includeInactive bool, first *int, after *string) ([]view.GoalCard, error) {
	r.engine.Prefetch(site.ID)
	chosen := matrixArguments{goals: goalIDs, segments: segmentIDs, inactive: includeInactive, cut: first != nil}
	var err error
	if chosen.first, err = checkSize("first", first, maxGoals); err != nil {
		return nil, err
	}
	if after != nil {
		if chosen.after, err = decodeID(goalNoun, *after, "after"); err != nil {
			return nil, err
		}
	}
	m, err := r.matrixWith(ctx, site, chosen, adHoc{adHocGoals, adHocSegments})
	if err != nil {
		return nil, err
	}
	return r.cards(ctx, site.ID, m, segmentsAsked(segmentIDs, includeInactive, m.segments, adHocSegments), view.Asked{Range: given.UTC(), Unit: unit, Compare: compare})
}

// maxCells is how many cells the cards of one field have at most.
const maxCells = 2000

// cards returns the goals' cards over the segments, which a client has asked for in some words. What it selects of the cells
// is asked for at once; what fails is told by the fields that need it.
func (r *Resolver) cards(ctx context.Context, siteID int64, m matrix, segments string, asked view.Asked) ([]view.GoalCard, error) {
	times, err := r.rangesOf(ctx, siteID, asked.Range, asked.Compare)
	if err != nil {
		return nil, err
	}
	if cells := len(m.goals) * len(m.segments); cells > maxCells {
		return nil, model.Errorf(model.ResourceExhausted, "%d goals over %d segments are %d cells; the limit is %d: name the segments, or ask for fewer goals with first or by their ids", len(m.goals), len(m.segments), cells, maxCells)
	}
	cards, computedAt := make([]view.GoalCard, len(m.goals)), r.computedAt(ctx)
	for i, goal := range m.goals {
		cards[i] = view.GoalCard{
			Goal: goal, Asked: asked, AskedSegments: segments, Range: view.TimeRangeOf(times.in), ComparedWith: times.comparedWith(),
			ComputedAt: computedAt, Cells: make([]view.GoalCell, len(m.segments)),
		}
		for n, segment := range m.segments {
			cards[i].Cells[n] = view.GoalCell{GoalFigures: view.GoalFigures{Goal: goal, Unit: asked.Unit}, Segment: segment, Asked: asked, Series: map[model.Interval]view.GoalSeries{}}
		}
	}
	if len(m.goals) > 0 && len(m.segments) > 0 {
		r.fill(ctx, cards, times)
	}
	return cards, nil
}

// fill puts into the cells of cards what gives their figures.
func (r *Resolver) fill(ctx context.Context, cards []view.GoalCard, times ranges) {
	merges, selected := r.mergeCells(ctx, cards), cellSelectionOf(ctx, cards[0].Asked.Unit)
	r.prepareCells(ctx, cards, merges, count.Question{In: times.in}, selected.own, func(cell *view.GoalCell, active, converted view.Answer) {
		cell.Active, cell.Converted = active, converted
	})
	if times.other != nil {
		r.prepareCells(ctx, cards, merges, count.Question{In: *times.other}, selected.other, func(cell *view.GoalCell, active, converted view.Answer) {
			cell.Comparison = view.CompareGoals(&cell.GoalFigures, view.GoalFigures{Goal: cell.Goal, Unit: cell.Unit, Active: active, Converted: converted})
		})
	}
	for _, interval := range selected.series {
		steps, err := r.stepsOf(ctx, cards[0].Cells[0].Segment.SiteID, times.in, interval)
		if err == nil {
			err = fits(ctx, len(cards)*len(cards[0].Cells)*len(steps))
		}
		both := figures{active: err == nil, converted: err == nil}
		r.prepareCells(ctx, cards, merges, count.Question{In: times.in, Steps: steps}, both, func(cell *view.GoalCell, active, converted view.Answer) {
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
func (r *Resolver) prepareCells(ctx context.Context, cards []view.GoalCard, merges []outcome[*host.Merged], question count.Question, selected figures,
	put func(cell *view.GoalCell, active, converted view.Answer)) {
	for n, cell := range cards[0].Cells {
		question.Site = cell.Segment.SiteID
		ofSegment := question
		ofSegment.Visitors = selected.visitors
		active := r.prepare(ctx, merges[n], ofSegment, selected.active)
		for i := range cards {
			ofCell, merged := question, merges[len(cards[0].Cells)*(i+1)+n]
			if selected.value {
				ofCell.Value = cards[i].Goal.ValueEvent
			}
			if selected.reached {
				ofCell.Visitors, ofCell.Among = true, among(merges[n], merged)
			}
			put(&cards[i].Cells[n], active, r.prepare(ctx, merged, ofCell, selected.converted))
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

// among returns the predicate of a segment where visitors with a session in a merged one may have none in it, nil where they
// all have: under the rule LAST, a merged segment has other sessions.
func among(segment, merged outcome[*host.Merged]) filter.Expr {
	if segment.err != nil || merged.err != nil {
		return nil
	}
	where, within := merged.value.Predicate, segment.value.Predicate
	if filter.Simplify(filter.And{where, within}).String() == where.String() {
		return nil
	}
	return within
}

// figures are those that a client selects: of the active segment, its visitors among them, and of the merged one, its
// visitors and its value among them.
type figures struct{ active, visitors, converted, reached, value bool }

// add adds what a field of a cell's figures needs.
func (f *figures) add(field string, unit view.CountUnit) {
	byVisitor := unit == view.VisitorUnit
	switch field {
	case "sessions":
		f.active = true
	case "visitors":
		f.active, f.visitors = true, true
	case "conversions":
		f.converted, f.reached = true, f.reached || byVisitor
	case "conversionRate":
		f.active, f.converted, f.visitors, f.reached = true, true, f.visitors || byVisitor, f.reached || byVisitor
	case "valueTotal":
		f.converted, f.value = true, true
	case "valuePerVisitor":
		f.active, f.visitors, f.converted, f.value = true, true, true, true
	}
}

// cellSelection tells what a client selects of the cells of a field of cards: figures, those of the other period, and
// series at which intervals.
type cellSelection struct {
	own, other figures
	series     []model.Interval
}

func cellSelectionOf(ctx context.Context, unit view.CountUnit) (selected cellSelection) {
	operation := graphql.GetOperationContext(ctx)
	for _, ofCard := range graphql.CollectFieldsCtx(ctx, []string{"GoalCard"}) {
		if ofCard.Name != "cells" {
			continue
		}
		for _, ofCell := range graphql.CollectFields(operation, ofCard.Selections, []string{"GoalCell"}) {
			if ofCell.Name != "series" {
				selected.add(operation, ofCell, unit)
			} else if interval, ok := ofCell.ArgumentMap(operation.Variables)["interval"].(string); ok && !slices.Contains(selected.series, model.Interval(interval)) {
				selected.series = append(selected.series, model.Interval(interval))
			}
		}
	}
	return selected
}

// add adds what a field of a goal's figures needs, with those of a comparison.
func (s *cellSelection) add(operation *graphql.OperationContext, field graphql.CollectedField, unit view.CountUnit) {
	if field.Name != "comparison" {
		s.own.add(field.Name, unit)
		return
	}
	for _, compared := range graphql.CollectFields(operation, field.Selections, []string{"GoalComparison"}) {
		s.compare(compared.Name, unit)
	}
}

// compare adds what a field of a comparison needs: what differs is of both periods.
func (s *cellSelection) compare(field string, unit view.CountUnit) {
	name, differs := strings.CutSuffix(field, "Change")
	if field == "rateDifference" {
		name, differs = "conversionRate", true
	}
	s.other.add(name, unit)
	if differs {
		s.own.add(name, unit)
	}
}

type goalCellResolver struct{ *Resolver }

func (r *goalCellResolver) Merged(ctx context.Context, cell *view.GoalCell) (*view.MergedSegment, error) {
	return r.mergedSegment(ctx, cell.Segment.SiteID, cell.Segment.Filters, cell.Goal.Filters)
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
