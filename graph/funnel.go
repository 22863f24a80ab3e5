package graph

import (
	"context"
	"slices"

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
	funnel := &view.Funnel{Range: view.TimeRangeOf(in)}
	for _, segment := range segments {
		part := view.FunnelSegment{Segment: segment}
		for i, goal := range goals {
			part.Steps = append(part.Steps, view.FunnelStep{Goal: goal, Segment: segment, In: in, Before: goals[:i]})
		}
		funnel.Segments = append(funnel.Segments, part)
	}
	return funnel, nil
}

type funnelStepResolver struct{ *Resolver }

func (r *funnelStepResolver) Merged(ctx context.Context, step *view.FunnelStep) (*host.Merged, error) {
	return r.mergeGoals(ctx, step.Segment, append(slices.Clone(step.Before), step.Goal))
}

func (r *funnelStepResolver) Sessions(ctx context.Context, step *view.FunnelStep) (int, error) {
	return r.countGoals(ctx, step, append(slices.Clone(step.Before), step.Goal))
}

func (r *funnelStepResolver) FromPrevious(ctx context.Context, step *view.FunnelStep) (*float64, error) {
	return r.share(ctx, step, step.Before)
}

func (r *funnelStepResolver) FromStart(ctx context.Context, step *view.FunnelStep) (*float64, error) {
	return r.share(ctx, step, nil)
}

// share returns the step's share of the sessions that reached the goals of whole.
func (r *funnelStepResolver) share(ctx context.Context, step *view.FunnelStep, whole []model.Goal) (*float64, error) {
	part, all, err := both(
		func() (int, error) { return r.Sessions(ctx, step) },
		func() (int, error) { return r.countGoals(ctx, step, whole) })
	return view.Rate(part, all), err
}

func (r *funnelStepResolver) countGoals(ctx context.Context, step *view.FunnelStep, goals []model.Goal) (int, error) {
	// Under the rule LAST a step's filter replaces an earlier one, and its sessions
	// could be others: a session must have come through all steps before as well.
	var through filter.And
	for n := range len(goals) + 1 {
		merged, err := r.mergeGoals(ctx, step.Segment, goals[:n])
		if err != nil {
			return 0, err
		}
		if n > 0 || len(goals) == 0 {
			through = append(through, merged.Predicate)
		}
	}
	answer, err := askCount(ctx, count.Question{Site: step.Segment.SiteID, In: step.In, Where: filter.Simplify(through)})
	return answer.Sessions, err
}

// mergeGoals merges a segment with all of the goals, in their order.
func (r *Resolver) mergeGoals(ctx context.Context, segment model.Segment, goals []model.Goal) (*host.Merged, error) {
	var filters []model.FilterSpec
	for _, goal := range goals {
		filters = append(filters, goal.Filters...)
	}
	return r.filters.Merge(ctx, segment.Filters, filters)
}
