package graph

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
)

type segmentResolver struct{ *Resolver }

func (r *segmentResolver) ID(_ context.Context, segment *model.Segment) (string, error) {
	return encodeID(segmentNoun, segment.ID), nil
}

func (r *segmentResolver) Site(ctx context.Context, segment *model.Segment) (*model.Site, error) {
	return r.siteOf(ctx, segment.SiteID)
}

func (r *segmentResolver) Saved(_ context.Context, segment *model.Segment) (bool, error) {
	return !isAdHoc(segment.ID), nil
}

func (r *segmentResolver) SessionCount(ctx context.Context, segment *model.Segment, given model.TimeRange) (*int, error) {
	in, err := r.rangeOf(ctx, segment.SiteID, given)
	if err != nil {
		return nil, err
	}
	return r.sessionCount(ctx, segment.SiteID, segment.Filters, in)
}

func (r *mutationResolver) changedSegment(segment *model.Segment, err error) (*view.ChangedSegment, error) {
	if err != nil {
		return nil, err
	}
	return &view.ChangedSegment{Listed: r.listed(segment.SiteID), Segment: segment}, nil
}

func (r *mutationResolver) CreateSegment(ctx context.Context, input generated.CreateSegmentInput) (*view.ChangedSegment, error) {
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
	return r.changedSegment(segment, underInput(aboutID("siteId", r.store.CreateSegment(ctx, segment))))
}

func (r *mutationResolver) UpdateSegment(ctx context.Context, input generated.UpdateSegmentInput) (*view.ChangedSegment, error) {
	id, err := decodeID(segmentNoun, input.ID, "input.id")
	if err != nil {
		return nil, err
	}
	filters, err := r.specs(ctx, input.Filters.Value(), "input.filters")
	if err != nil {
		return nil, err
	}
	segment, err := r.store.UpdateSegment(ctx, id, func(segment *model.Segment) error {
		if err := unchanged(segmentNoun, segment.UpdatedAt, input.ExpectedUpdatedAt.Value()); err != nil {
			return err
		}
		set(&segment.Name, input.Name)
		set(&segment.Active, input.Active)
		if input.Filters.Value() != nil {
			segment.Filters = filters
		}
		return nil
	})
	return r.changedSegment(segment, underInput(aboutID("id", err)))
}

func (r *mutationResolver) ActivateSegments(ctx context.Context, ids []string) (*view.ChangedSegments, error) {
	return r.setActive(ctx, ids, true)
}

func (r *mutationResolver) DeactivateSegments(ctx context.Context, ids []string) (*view.ChangedSegments, error) {
	return r.setActive(ctx, ids, false)
}

func (r *mutationResolver) setActive(ctx context.Context, ids []string, active bool) (*view.ChangedSegments, error) {
	numbers, err := decodeTogether(segmentNoun, ids)
	if err != nil {
		return nil, err
	}
	segments, err := r.store.UpdateSegments(ctx, numbers, func(segment *model.Segment) error {
		segment.Active = active
		return nil
	})
	if err != nil {
		return nil, model.Under("ids", err)
	}
	return &view.ChangedSegments{Listed: r.listed(segments[0].SiteID), Segments: segments}, nil
}

func (r *mutationResolver) DeleteSegment(ctx context.Context, id string, expected *time.Time) (*view.Deleted, error) {
	n, err := decodeID(segmentNoun, id, "id")
	if err != nil {
		return nil, err
	}
	site, err := r.store.DeleteSegment(ctx, n, func(segment *model.Segment) error { return unchanged(segmentNoun, segment.UpdatedAt, expected) })
	return r.deleted(id, site, err)
}

func (r *mutationResolver) DeleteSegments(ctx context.Context, ids []string) (*view.DeletedAll, error) {
	numbers, err := decodeTogether(segmentNoun, ids)
	if err != nil {
		return nil, err
	}
	site, err := r.store.DeleteSegments(ctx, numbers)
	return r.deletedAll(ids, site, err)
}

func (r *mutationResolver) ConvertSegmentToGoal(ctx context.Context, input generated.ConvertSegmentInput) (*view.ConvertedSegment, error) {
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
	set(&goal.Direction, input.Direction)
	err = r.store.ConvertSegmentToGoal(ctx, id, goal, func(segment *model.Segment) error {
		return unchanged(segmentNoun, segment.UpdatedAt, input.ExpectedUpdatedAt.Value())
	})
	if err != nil {
		return nil, underInput(aboutID("segmentId", err))
	}
	return &view.ConvertedSegment{Listed: r.listed(goal.SiteID), Goal: goal, RemovedSegmentID: input.SegmentID}, nil
}

func (r *mutationResolver) ConvertGoalToSegment(ctx context.Context, goalID string, expected *time.Time) (*view.ConvertedGoal, error) {
	id, err := decodeID(goalNoun, goalID, "goalId")
	if err != nil {
		return nil, err
	}
	segment, err := r.store.ConvertGoalToSegment(ctx, id, func(goal *model.Goal) error { return unchanged(goalNoun, goal.UpdatedAt, expected) })
	if err != nil {
		return nil, aboutID("goalId", err)
	}
	return &view.ConvertedGoal{Listed: r.listed(segment.SiteID), Segment: segment, RemovedGoalID: goalID}, nil
}
