package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// maxSteps is how long a funnel is at most.
const maxSteps = 20

func (r *siteResolver) Funnel(ctx context.Context, site *model.Site, steps, segmentIDs []string, given generated.TimeRange) (*view.Funnel, error) {
	if len(steps) == 0 || len(steps) > maxSteps {
		return nil, model.Invalid("steps", "%d steps are given; a funnel has 1 to %d", len(steps), maxSteps)
	}
	in, err := rangeOf(given)
	if err != nil {
		return nil, err
	}
	goals, err := r.goals(ctx, site.ID, steps, "steps")
	if err != nil {
		return nil, err
	}
	segments, err := r.segments(ctx, site.ID, segmentIDs)
	if err != nil {
		return nil, err
	}
	return &view.Funnel{Range: view.TimeRangeOf(in), Segments: funnelSegments(goals, segments, r.reached(ctx, goals, segments, in))}, nil
}

// funnelSegments returns a funnel's steps for each segment by what reached returns.
func funnelSegments(goals []model.Goal, segments []model.Segment, reached [][]view.Answer) []view.FunnelSegment {
	all := make([]view.FunnelSegment, len(segments))
	for n, segment := range segments {
		steps := make([]view.FunnelStep, len(goals))
		for i, goal := range goals {
			steps[i] = view.FunnelStep{Goal: goal, Segment: segment, Before: goals[:i], Reached: reached[n][i+1], Previous: reached[n][i], Start: reached[n][0]}
		}
		all[n] = view.FunnelSegment{Segment: segment, Steps: steps}
	}
	return all
}

// reached returns, for each segment, what gives the answers of a funnel: of the segment, and of the sessions that came
// through the first goal, the first two, and so on. What the client selects is asked for at once.
func (r *Resolver) reached(ctx context.Context, goals []model.Goal, segments []model.Segment, in model.Range) [][]view.Answer {
	var all []sides
	for _, segment := range segments {
		for n := range len(goals) + 1 {
			all = append(all, sides{segment.Filters, filtersOfGoals(goals[:n])})
		}
	}
	merges := r.merges(ctx, all)
	selectsReached, selectsStart := stepSelectionOf(ctx)
	answers := make([][]view.Answer, len(segments))
	for i, segment := range segments {
		question := count.Question{Site: segment.SiteID, In: in}
		answers[i] = append(answers[i], r.prepare(ctx, merges[0], question, selectsStart))
		// Under the rule LAST a step's filter replaces an earlier one, and its sessions could be others: a session must have
		// come through all steps before as well.
		var through filter.And
		for _, merged := range merges[1 : len(goals)+1] {
			if merged.err == nil {
				through = append(through, merged.value.Predicate)
				merged.value = &host.Merged{Predicate: filter.Simplify(slices.Clone(through))}
			}
			answers[i] = append(answers[i], r.prepare(ctx, merged, question, selectsReached))
		}
		merges = merges[len(goals)+1:]
	}
	collectionOf(ctx).counts.begin(ctx)
	return answers
}

// stepSelectionOf tells what a client selects of a funnel's steps: how many sessions reached one, and shares of the
// segment's.
func stepSelectionOf(ctx context.Context) (reached, start bool) {
	operation := graphql.GetOperationContext(ctx)
	for _, ofFunnel := range graphql.CollectFieldsCtx(ctx, []string{"Funnel"}) {
		for _, ofSegment := range graphql.CollectFields(operation, ofFunnel.Selections, []string{"FunnelSegment"}) {
			for _, ofStep := range graphql.CollectFields(operation, ofSegment.Selections, []string{"FunnelStep"}) {
				share := ofStep.Name == "fromPrevious" || ofStep.Name == "fromStart"
				reached, start = reached || share || ofStep.Name == "sessions", start || share
			}
		}
	}
	return reached, start
}

// filtersOfGoals returns the filters of all of the goals, in their order.
func filtersOfGoals(goals []model.Goal) (filters []model.FilterSpec) {
	for _, goal := range goals {
		filters = append(filters, goal.Filters...)
	}
	return filters
}

type funnelStepResolver struct{ *Resolver }

func (r *funnelStepResolver) Merged(ctx context.Context, step *view.FunnelStep) (*host.Merged, error) {
	return r.filters.Merge(ctx, step.Segment.Filters, append(filtersOfGoals(step.Before), step.Goal.Filters...))
}

func (r *funnelStepResolver) Sessions(ctx context.Context, step *view.FunnelStep) (*int, error) {
	reached, err := step.Reached(ctx)
	return &reached.Sessions, err
}

func (r *funnelStepResolver) FromPrevious(ctx context.Context, step *view.FunnelStep) (*float64, error) {
	return share(ctx, step.Reached, step.Previous)
}

func (r *funnelStepResolver) FromStart(ctx context.Context, step *view.FunnelStep) (*float64, error) {
	return share(ctx, step.Reached, step.Start)
}

// share returns the share of the sessions of all that are those of part.
func share(ctx context.Context, part, all view.Answer) (*float64, error) {
	a, b, err := answersOf(ctx, part, all)
	return view.Rate(a.Sessions, b.Sessions), err
}
