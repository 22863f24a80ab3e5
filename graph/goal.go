package graph

import (
	"context"
	"encoding/json"
	"time"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
)

type goalResolver struct{ *Resolver }

func (r *goalResolver) ID(_ context.Context, goal *model.Goal) (string, error) {
	return encodeID(goalNoun, goal.ID), nil
}

func (r *goalResolver) Site(ctx context.Context, goal *model.Goal) (*model.Site, error) {
	return r.siteOf(ctx, goal.SiteID)
}

func (r *goalResolver) Saved(_ context.Context, goal *model.Goal) (bool, error) {
	return !isAdHoc(goal.ID), nil
}

func (r *goalResolver) ValueEvent(_ context.Context, goal *model.Goal) (*string, error) {
	if goal.ValueEvent == "" {
		return nil, nil
	}
	return &goal.ValueEvent, nil
}

func (r *goalResolver) Experiments(ctx context.Context, goal *model.Goal) ([]model.Experiment, error) {
	return collectionOf(ctx).experiments.load(ctx, goal.ID)
}

func (r *goalResolver) Card(ctx context.Context, goal *model.Goal, segmentIDs []string, adHocSegments []generated.AdHocSegmentInput, given model.TimeRange, unit view.CountUnit, compare *model.Comparison) (*view.GoalCard, error) {
	r.engine.Prefetch(goal.SiteID)
	segments, err := r.segmentsWith(ctx, goal.SiteID, segmentIDs, adHocSegments)
	if err != nil {
		return nil, err
	}
	cards, err := r.cards(ctx, goal.SiteID, matrix{[]model.Goal{*goal}, segments}, segmentsAsked(segmentIDs, false, segments, adHocSegments), view.Asked{Range: given.UTC(), Unit: unit, Compare: compare})
	if err != nil {
		return nil, err
	}
	return &cards[0], nil
}

// eventFilter is what the filters of a goal of only a key default to.
func eventFilter(key string) (scalar.FilterInput, error) {
	args, err := json.Marshal(map[string][]string{"all": {key}})
	return scalar.FilterInput{Type: "events", Args: args}, err
}

func (r *mutationResolver) CreateGoal(ctx context.Context, input generated.CreateGoalInput) (*view.ChangedGoal, error) {
	site, err := decodeID(siteNoun, input.SiteID, "input.siteId")
	if err != nil {
		return nil, err
	}
	goal := &model.Goal{SiteID: site, Key: input.Key, Name: input.Name}
	set(&goal.Description, input.Description)
	set(&goal.Direction, input.Direction)
	// Checked before the key becomes a filter, so that what is wrong with the key
	// is said of the key.
	if err := goal.Validate(); err != nil {
		return nil, underInput(err)
	}
	filters := input.Filters.Value()
	if filters == nil {
		event, err := eventFilter(goal.Key)
		if err != nil {
			return nil, err
		}
		filters = []scalar.FilterInput{event}
		if !input.ValueEvent.IsSet() {
			goal.ValueEvent = goal.Key
		}
	}
	set(&goal.ValueEvent, input.ValueEvent)
	if goal.Filters, err = r.specs(ctx, filters, "input.filters"); err != nil {
		return nil, err
	}
	return r.changedGoal(goal, underInput(aboutID("siteId", r.store.CreateGoal(ctx, goal))))
}

func (r *mutationResolver) UpdateGoal(ctx context.Context, input generated.UpdateGoalInput) (*view.ChangedGoal, error) {
	id, err := decodeID(goalNoun, input.ID, "input.id")
	if err != nil {
		return nil, err
	}
	filters, err := r.specs(ctx, input.Filters.Value(), "input.filters")
	if err != nil {
		return nil, err
	}
	goal, err := r.store.UpdateGoal(ctx, id, func(goal *model.Goal) error {
		if err := unchanged(goalNoun, goal.UpdatedAt, input.ExpectedUpdatedAt.Value()); err != nil {
			return err
		}
		set(&goal.Name, input.Name)
		set(&goal.Description, input.Description)
		set(&goal.Direction, input.Direction)
		if input.Filters.Value() != nil {
			goal.Filters = filters
		}
		if input.ValueEvent.IsSet() {
			goal.ValueEvent = text(input.ValueEvent.Value())
		}
		return nil
	})
	return r.changedGoal(goal, underInput(aboutID("id", err)))
}

func (r *mutationResolver) ArchiveGoal(ctx context.Context, id string, expected *time.Time) (*view.ChangedGoal, error) {
	return r.setArchived(ctx, id, true, expected)
}

func (r *mutationResolver) UnarchiveGoal(ctx context.Context, id string, expected *time.Time) (*view.ChangedGoal, error) {
	return r.setArchived(ctx, id, false, expected)
}

func (r *mutationResolver) setArchived(ctx context.Context, id string, archived bool, expected *time.Time) (*view.ChangedGoal, error) {
	n, err := decodeID(goalNoun, id, "id")
	if err != nil {
		return nil, err
	}
	goal, err := r.store.UpdateGoal(ctx, n, func(goal *model.Goal) error {
		goal.Archived = archived
		return unchanged(goalNoun, goal.UpdatedAt, expected)
	})
	return r.changedGoal(goal, aboutID("id", err))
}

func (r *mutationResolver) ArchiveGoals(ctx context.Context, ids []string) (*view.ChangedGoals, error) {
	return r.setAllArchived(ctx, ids, true)
}

func (r *mutationResolver) UnarchiveGoals(ctx context.Context, ids []string) (*view.ChangedGoals, error) {
	return r.setAllArchived(ctx, ids, false)
}

func (r *mutationResolver) setAllArchived(ctx context.Context, ids []string, archived bool) (*view.ChangedGoals, error) {
	numbers, err := decodeTogether(goalNoun, ids)
	if err != nil {
		return nil, err
	}
	goals, err := r.store.UpdateGoals(ctx, numbers, func(goal *model.Goal) error {
		goal.Archived = archived
		return nil
	})
	if err != nil {
		return nil, model.Under("ids", err)
	}
	return &view.ChangedGoals{Listed: r.listed(goals[0].SiteID), Goals: goals}, nil
}

func (r *mutationResolver) changedGoal(goal *model.Goal, err error) (*view.ChangedGoal, error) {
	if err != nil {
		return nil, err
	}
	return &view.ChangedGoal{Listed: r.listed(goal.SiteID), Goal: goal}, nil
}

func (r *mutationResolver) DeleteGoal(ctx context.Context, id string, expected *time.Time) (*view.Deleted, error) {
	n, err := decodeID(goalNoun, id, "id")
	if err != nil {
		return nil, err
	}
	site, err := r.store.DeleteGoal(ctx, n, func(goal *model.Goal) error { return unchanged(goalNoun, goal.UpdatedAt, expected) })
	return r.deleted(id, site, err)
}

func (r *mutationResolver) DeleteGoals(ctx context.Context, ids []string) (*view.DeletedAll, error) {
	numbers, err := decodeTogether(goalNoun, ids)
	if err != nil {
		return nil, err
	}
	site, err := r.store.DeleteGoals(ctx, numbers)
	return r.deletedAll(ids, site, err)
}
