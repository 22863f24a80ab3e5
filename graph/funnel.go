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

// maxSteps is how long a funnel is at most, and maxStepFilters how many filters all of its steps have together: each step is
// merged with those before it.
const maxSteps, maxStepFilters = 20, 2 * model.MaxFilters

func (r *siteResolver) Funnel(ctx context.Context, site *model.Site, steps []string, adHocGoals []generated.AdHocGoalInput, segmentIDs []string, adHocSegments []generated.AdHocSegmentInput,
	given model.TimeRange, unit view.CountUnit, compare *model.Comparison) (*view.Funnel, error) {
	times, err := r.rangesOf(ctx, site.ID, given, compare)
	if err != nil {
		return nil, err
	}
	goals, err := r.goalsOfSteps(ctx, site.ID, steps, adHocGoals)
	if err != nil {
		return nil, err
	}
	if n := len(filtersOfGoals(goals)); n > maxStepFilters {
		return nil, model.Invalid("steps", "have %d filters together; the maximum is %d", n, maxStepFilters)
	}
	segments, err := r.segmentsWith(ctx, site.ID, segmentIDs, adHocSegments)
	if err != nil {
		return nil, err
	}
	selected, throughs := stepSelectionOf(ctx, unit), r.throughs(ctx, goals, segments)
	asked := view.Asked{Range: given.UTC(), Unit: unit, Compare: compare}
	funnel := &view.Funnel{
		Steps: idsOf(goals), Asked: asked,
		AskedSegments: segmentsAsked(segmentIDs, false, segments, adHocSegments), Range: view.TimeRangeOf(times.in),
		ComparedWith: times.comparedWith(), Segments: make([]view.FunnelSegment, len(segments)),
	}
	for n, segment := range segments {
		question := count.Question{Site: segment.SiteID, In: times.in}
		funnel.Segments[n] = view.FunnelSegment{Segment: segment, Steps: funnelSteps(goals, segment, asked, r.reached(ctx, throughs[n], question, selected.own))}
		if times.other != nil {
			question.In = *times.other
			others := funnelSteps(goals, segment, asked, r.reached(ctx, throughs[n], question, selected.other))
			for i := range others {
				step := &funnel.Segments[n].Steps[i]
				step.Comparison = view.CompareFunnels(&step.FunnelFigures, others[i].FunnelFigures)
			}
		}
	}
	collectionOf(ctx).counts.begin(ctx)
	return funnel, nil
}

// funnelSteps returns a funnel's steps for a segment by what reached returns.
func funnelSteps(goals []model.Goal, segment model.Segment, asked view.Asked, reached []view.Answer) []view.FunnelStep {
	steps := make([]view.FunnelStep, len(goals))
	for i, goal := range goals {
		figures := view.FunnelFigures{Unit: asked.Unit, Reached: reached[i+1], Previous: reached[i], Start: reached[0]}
		steps[i] = view.FunnelStep{FunnelFigures: figures, Goal: goal, Segment: segment, Asked: asked, Before: goals[:i]}
	}
	return steps
}

// throughs returns, for each segment, what its sessions match: all of them, those that came through the first goal, the
// first two, and so on.
func (r *Resolver) throughs(ctx context.Context, goals []model.Goal, segments []model.Segment) [][]outcome[*host.Merged] {
	var all []sides
	for _, segment := range segments {
		for n := range len(goals) + 1 {
			all = append(all, sides{segment.Filters, filtersOfGoals(goals[:n])})
		}
	}
	merges := r.merges(ctx, all)
	bySegment := slices.Collect(slices.Chunk(merges, len(goals)+1))
	for _, ofSegment := range bySegment {
		// Under the rule LAST a step's filter replaces an earlier one, and its sessions could be others: a session must have
		// come through all steps before as well.
		var through filter.And
		for i := range ofSegment[1:] {
			if step := &ofSegment[i+1]; step.err == nil {
				through = append(through, step.value.Predicate)
				step.value = &host.Merged{Predicate: filter.Simplify(slices.Clone(through))}
			}
		}
	}
	return bySegment
}

// reached returns what gives the answers of a segment's part of a funnel, by what throughs returns: of the segment, and of
// the sessions that came through each step. What the client selects is registered at once.
func (r *Resolver) reached(ctx context.Context, throughs []outcome[*host.Merged], question count.Question, selected stepFigures) []view.Answer {
	question.Visitors = selected.visitors
	answers := []view.Answer{r.prepare(ctx, throughs[0], question, selected.start)}
	for _, through := range throughs[1:] {
		if selected.visitors {
			question.Among = among(throughs[0], through)
		}
		answers = append(answers, r.prepare(ctx, through, question, selected.reached))
	}
	return answers
}

// stepFigures are those that a client selects of a funnel's steps: of the sessions that reached one, of the segment's, and
// the visitors of both.
type stepFigures struct{ reached, start, visitors bool }

// add adds what a field of a step needs.
func (f *stepFigures) add(field string, unit view.CountUnit) {
	switch field {
	case "sessions":
		f.reached = true
	case "visitors":
		f.reached, f.visitors = true, true
	case "fromPrevious", "fromStart":
		f.reached, f.start, f.visitors = true, true, f.visitors || unit == view.VisitorUnit
	}
}

// stepSelection tells what a client selects of a funnel's steps, and of them in the other period.
type stepSelection struct{ own, other stepFigures }

func stepSelectionOf(ctx context.Context, unit view.CountUnit) (selected stepSelection) {
	operation := graphql.GetOperationContext(ctx)
	for _, ofFunnel := range graphql.CollectFieldsCtx(ctx, []string{"Funnel"}) {
		for _, ofSegment := range graphql.CollectFields(operation, ofFunnel.Selections, []string{"FunnelSegment"}) {
			for _, ofStep := range graphql.CollectFields(operation, ofSegment.Selections, []string{"FunnelStep"}) {
				selected.own.add(ofStep.Name, unit)
				if ofStep.Name == "comparison" {
					for _, compared := range graphql.CollectFields(operation, ofStep.Selections, []string{"FunnelComparison"}) {
						selected.compare(compared.Name, unit)
					}
				}
			}
		}
	}
	return selected
}

// compare adds what a field of a comparison needs: what differs is of both periods.
func (s *stepSelection) compare(field string, unit view.CountUnit) {
	name, isChange := strings.CutSuffix(field, "Change")
	name, isDifference := strings.CutSuffix(name, "Difference")
	s.other.add(name, unit)
	if isChange || isDifference {
		s.own.add(name, unit)
	}
}

// filtersOfGoals returns the filters of all of the goals, in their order.
func filtersOfGoals(goals []model.Goal) (filters []model.FilterSpec) {
	for _, goal := range goals {
		filters = append(filters, goal.Filters...)
	}
	return filters
}

type funnelStepResolver struct{ *Resolver }

func (r *funnelStepResolver) Merged(ctx context.Context, step *view.FunnelStep) (*view.MergedSegment, error) {
	return r.mergedSegment(ctx, step.Segment.SiteID, step.Segment.Filters, append(filtersOfGoals(step.Before), step.Goal.Filters...))
}

func (r *subscriptionResolver) Funnel(ctx context.Context, siteID string, steps []string, adHocGoals []generated.AdHocGoalInput, segments []string, adHocSegments []generated.AdHocSegmentInput,
	given model.TimeRange, unit view.CountUnit, compare *model.Comparison) (<-chan *view.Funnel, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once((&siteResolver{r.Resolver}).Funnel(ctx, site, steps, adHocGoals, segments, adHocSegments, given, unit, compare))
}
