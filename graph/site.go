package graph

import (
	"context"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

type siteResolver struct{ *Resolver }

func (r *siteResolver) ID(_ context.Context, site *model.Site) (string, error) {
	return encodeID(siteNoun, site.ID), nil
}

func (r *siteResolver) Segments(ctx context.Context, site *model.Site, search *string, active *bool, orderBy view.Order, first *int, after *string, last *int, before *string) (*view.SegmentConnection, error) {
	query := store.SegmentQuery{Site: site.ID, Search: text(search), Active: active}
	place := placeOf(orderBy, func(s *model.Segment) (int64, string, time.Time) { return s.ID, s.Name, s.UpdatedAt })
	c, err := connectStored[model.Segment, view.SegmentEdge](ctx, query, orderBy, window{first, last, after, before}, place, r.store.Segments, r.store.CountSegments)
	return (*view.SegmentConnection)(c), err
}

func (r *siteResolver) Goals(ctx context.Context, site *model.Site, search *string, archived *bool, orderBy view.Order, first *int, after *string, last *int, before *string) (*view.GoalConnection, error) {
	query := store.GoalQuery{Site: site.ID, Search: text(search), Archived: archived}
	place := placeOf(orderBy, func(g *model.Goal) (int64, string, time.Time) { return g.ID, g.Name, g.UpdatedAt })
	c, err := connectStored[model.Goal, view.GoalEdge](ctx, query, orderBy, window{first, last, after, before}, place, r.store.Goals, r.store.CountGoals)
	return (*view.GoalConnection)(c), err
}

func (r *siteResolver) Goal(ctx context.Context, site *model.Site, key string) (*model.Goal, error) {
	return orNil(r.store.GoalByKey(ctx, site.ID, key))
}

func (r *siteResolver) Experiments(ctx context.Context, site *model.Site, search *string, status []model.ExperimentStatus, orderBy view.Order, first *int, after *string, last *int, before *string) (*view.ExperimentConnection, error) {
	query := store.ExperimentQuery{Site: site.ID, Search: text(search), Status: status}
	place := placeOf(orderBy, func(e *model.Experiment) (int64, string, time.Time) { return e.ID, e.Name, e.UpdatedAt })
	c, err := connectStored[model.Experiment, view.ExperimentEdge](ctx, query, orderBy, window{first, last, after, before}, place, r.store.Experiments, r.store.CountExperiments)
	return (*view.ExperimentConnection)(c), err
}

func (r *siteResolver) Experiment(ctx context.Context, site *model.Site, key string) (*model.Experiment, error) {
	return orNil(r.store.ExperimentByKey(ctx, site.ID, key))
}

func (r *siteResolver) Merge(ctx context.Context, site *model.Site, active, goal []scalar.FilterInput) (*view.MergedSegment, error) {
	activeSpecs, err := r.filtersOf(ctx, site.ID, active, "active")
	if err != nil {
		return nil, err
	}
	goalSpecs, err := r.filtersOf(ctx, site.ID, goal, "goal")
	if err != nil {
		return nil, err
	}
	return r.mergedSegment(ctx, site.ID, activeSpecs, goalSpecs)
}

// maxSegments and maxGoals are how many a matrix of goal cards has at most.
const (
	maxSegments = 100
	maxGoals    = 500
)

// segments returns the segments that a client names, or the site's active ones or, with inactive, all.
func (r *Resolver) segments(ctx context.Context, site int64, ids []string, inactive bool) ([]model.Segment, error) {
	if ids == nil {
		query, what := store.SegmentQuery{Site: site}, "segments"
		if active := true; !inactive {
			query.Active, what = &active, "active segments"
		}
		segments, err := r.store.Segments(ctx, query, store.Page{Limit: maxSegments + 1})
		if len(segments) > maxSegments {
			return nil, tooMany("segments", what, maxSegments, "name those that you want")
		}
		return segments, err
	}
	if len(ids) > maxSegments {
		return nil, model.Invalid("segments", "%d segments are given; the limit is %d", len(ids), maxSegments)
	}
	numbers, err := decodeIDs(segmentNoun, ids, "segments")
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	found, err := r.store.SegmentsByID(ctx, numbers)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s model.Segment) bool { return s.SiteID != site })
	segments, err := inOrder(numbers, found, func(s *model.Segment) int64 { return s.ID })
	return segments, model.Under("segments", err)
}

// goals returns the goals that a client names.
func (r *Resolver) goals(ctx context.Context, site int64, ids []string, field string) ([]model.Goal, error) {
	if len(ids) > maxGoals {
		return nil, model.Invalid(field, "%d goals are given; the limit is %d", len(ids), maxGoals)
	}
	numbers, err := decodeIDs(goalNoun, ids, field)
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	found, err := r.store.GoalsByID(ctx, numbers)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(g model.Goal) bool { return g.SiteID != site })
	goals, err := inOrder(numbers, found, func(g *model.Goal) int64 { return g.ID })
	return goals, model.Under(field, err)
}

// text returns what an optional argument says.
func text(argument *string) string {
	if argument == nil {
		return ""
	}
	return *argument
}
