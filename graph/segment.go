package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/model"
)

type segmentResolver struct{ *Resolver }

func (r *segmentResolver) ID(_ context.Context, segment *model.Segment) (string, error) {
	return encodeID(segmentNoun, segment.ID), nil
}

func (r *segmentResolver) Site(ctx context.Context, segment *model.Segment) (*model.Site, error) {
	return r.siteOf(ctx, segment.SiteID)
}

func (r *segmentResolver) SessionCount(ctx context.Context, segment *model.Segment, given model.TimeRange) (int, error) {
	in, err := r.rangeOf(ctx, segment.SiteID, given)
	if err != nil {
		return 0, err
	}
	return r.sessionCount(ctx, segment.SiteID, segment.Filters, in)
}

func (r *mutationResolver) CreateSegment(ctx context.Context, input generated.CreateSegmentInput) (*model.Segment, error) {
	site, err := decodeID(siteNoun, input.SiteID, "input.siteId")
	if err != nil {
		return nil, err
	}
	segment := &model.Segment{SiteID: site, Name: input.Name, Active: true}
	if active, ok := given(input.Active); ok {
		segment.Active = active
	}
	if segment.Filters, err = r.specs(ctx, input.Filters, "input.filters"); err != nil {
		return nil, err
	}
	return segment, underInput(aboutID("siteId", r.store.CreateSegment(ctx, segment)))
}

func (r *mutationResolver) UpdateSegment(ctx context.Context, input generated.UpdateSegmentInput) (*model.Segment, error) {
	id, err := decodeID(segmentNoun, input.ID, "input.id")
	if err != nil {
		return nil, err
	}
	filters, err := r.specs(ctx, input.Filters.Value(), "input.filters")
	if err != nil {
		return nil, err
	}
	segment, err := r.store.UpdateSegment(ctx, id, func(segment *model.Segment) error {
		set(&segment.Name, input.Name)
		set(&segment.Active, input.Active)
		if input.Filters.Value() != nil {
			segment.Filters = filters
		}
		return nil
	})
	return segment, underInput(aboutID("id", err))
}

func (r *mutationResolver) DeleteSegment(ctx context.Context, id string) (string, error) {
	n, err := decodeID(segmentNoun, id, "id")
	if err != nil {
		return "", err
	}
	return id, aboutID("id", r.store.DeleteSegment(ctx, n))
}

func (r *mutationResolver) ConvertSegmentToGoal(ctx context.Context, input generated.ConvertSegmentInput) (*model.Goal, error) {
	id, err := decodeID(segmentNoun, input.SegmentID, "input.segmentId")
	if err != nil {
		return nil, err
	}
	goal := new(model.Goal)
	if err := setOrRefuse(&goal.Key, input.Key, "input.key"); err != nil {
		return nil, err
	}
	if err := setOrRefuse(&goal.Name, input.Name, "input.name"); err != nil {
		return nil, err
	}
	set(&goal.Description, input.Description)
	set(&goal.ValueEvent, input.ValueEvent)
	return goal, underInput(aboutID("segmentId", r.store.ConvertSegmentToGoal(ctx, id, goal)))
}

func (r *mutationResolver) ConvertGoalToSegment(ctx context.Context, goalID string) (*model.Segment, error) {
	id, err := decodeID(goalNoun, goalID, "goalId")
	if err != nil {
		return nil, err
	}
	segment, err := r.store.ConvertGoalToSegment(ctx, id)
	return segment, aboutID("goalId", err)
}
