package graph

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
)

type siteResolver struct{ *Resolver }

func (r *siteResolver) ID(_ context.Context, site *model.Site) (string, error) {
	return encodeID(siteNoun, site.ID), nil
}

const defaultFirst = 50

func (r *siteResolver) Segments(ctx context.Context, site *model.Site, search *string, active *bool, first *int, after *string) (*view.SegmentConnection, error) {
	n, err := checkFirst(first, defaultFirst)
	if err != nil {
		return nil, err
	}
	behind, err := decodeIDCursor(after)
	if err != nil {
		return nil, err
	}
	query := store.SegmentQuery{Site: site.ID, Search: text(search), Active: active}
	segments, err := r.store.Segments(ctx, query, store.Page{After: behind, Limit: n + 1})
	if err != nil {
		return nil, err
	}
	var c view.SegmentConnection
	c.Nodes, c.Page = cutPage(segments, n, after, func(s *model.Segment) string { return idCursor(s.ID) },
		func(ctx context.Context) (int, error) { return r.store.CountSegments(ctx, query) })
	for _, segment := range c.Nodes {
		c.Edges = append(c.Edges, view.SegmentEdge{Cursor: idCursor(segment.ID), Node: segment})
	}
	return &c, nil
}

func (r *siteResolver) Goals(ctx context.Context, site *model.Site, search *string, archived *bool, first *int, after *string) (*view.GoalConnection, error) {
	n, err := checkFirst(first, defaultFirst)
	if err != nil {
		return nil, err
	}
	behind, err := decodeIDCursor(after)
	if err != nil {
		return nil, err
	}
	query := store.GoalQuery{Site: site.ID, Search: text(search), Archived: archived}
	goals, err := r.store.Goals(ctx, query, store.Page{After: behind, Limit: n + 1})
	if err != nil {
		return nil, err
	}
	var c view.GoalConnection
	c.Nodes, c.Page = cutPage(goals, n, after, func(g *model.Goal) string { return idCursor(g.ID) },
		func(ctx context.Context) (int, error) { return r.store.CountGoals(ctx, query) })
	for _, goal := range c.Nodes {
		c.Edges = append(c.Edges, view.GoalEdge{Cursor: idCursor(goal.ID), Node: goal})
	}
	return &c, nil
}

func (r *siteResolver) Goal(ctx context.Context, site *model.Site, key string) (*model.Goal, error) {
	return orNil(r.store.GoalByKey(ctx, site.ID, key))
}

func (r *siteResolver) Experiments(ctx context.Context, site *model.Site, search *string, status []model.ExperimentStatus, first *int, after *string) (*view.ExperimentConnection, error) {
	n, err := checkFirst(first, defaultFirst)
	if err != nil {
		return nil, err
	}
	behind, err := decodeIDCursor(after)
	if err != nil {
		return nil, err
	}
	query := store.ExperimentQuery{Site: site.ID, Search: text(search), Status: status}
	experiments, err := r.store.Experiments(ctx, query, store.Page{After: behind, Limit: n + 1})
	if err != nil {
		return nil, err
	}
	var c view.ExperimentConnection
	c.Nodes, c.Page = cutPage(experiments, n, after, func(e *model.Experiment) string { return idCursor(e.ID) },
		func(ctx context.Context) (int, error) { return r.store.CountExperiments(ctx, query) })
	for _, e := range c.Nodes {
		c.Edges = append(c.Edges, view.ExperimentEdge{Cursor: idCursor(e.ID), Node: e})
	}
	return &c, nil
}

func (r *siteResolver) Experiment(ctx context.Context, site *model.Site, key string) (*model.Experiment, error) {
	return orNil(r.store.ExperimentByKey(ctx, site.ID, key))
}

func (r *siteResolver) Events(ctx context.Context, site *model.Site, search *string, first *int, after *string) (*view.EventConnection, error) {
	n, err := checkFirst(first, defaultFirst)
	if err != nil {
		return nil, err
	}
	behind, err := decodeCursor(after)
	if err != nil {
		return nil, err
	}
	query := store.EventQuery{Site: site.ID, Search: text(search)}
	rows, err := r.store.Events(ctx, query, behind, n+1)
	if err != nil {
		return nil, err
	}
	events := make([]view.Event, len(rows))
	for i, row := range rows {
		events[i] = view.Event{Name: row.Name, Count: int(row.Count), FirstSeen: row.FirstAt.Time(), LastSeen: row.LastAt.Time(), HasValue: row.HasValue}
	}
	var c view.EventConnection
	c.Nodes, c.Page = cutPage(events, n, after, func(e *view.Event) string { return encodeCursor(e.Name) },
		func(ctx context.Context) (int, error) { return r.store.CountEvents(ctx, query) })
	for _, event := range c.Nodes {
		c.Edges = append(c.Edges, view.EventEdge{Cursor: encodeCursor(event.Name), Node: event})
	}
	return &c, nil
}

func (r *siteResolver) Values(ctx context.Context, site *model.Site, filterType string, search *string, first *int) ([]view.ValueCount, error) {
	n, err := checkFirst(first, 20)
	if err != nil {
		return nil, err
	}
	t, ok := r.filters.Type(filterType)
	if !ok {
		return nil, model.Invalid("filterType", "there is no filter type %.40q; filterTypes lists them", filterType)
	}
	if t.Dimension == (filter.Field{}) {
		return nil, model.Invalid("filterType", "%s has no values to list", filterType)
	}
	found, err := r.engine.Values(ctx, count.ValueQuery{Site: site.ID, Field: t.Dimension, Search: text(search), Limit: n, None: t.None != ""})
	if err != nil {
		return nil, err
	}
	values := make([]view.ValueCount, len(found))
	for i, value := range found {
		if value.Text == "" {
			value.Text = t.None
		}
		values[i] = view.ValueCount{Value: value.Text, Sessions: value.Sessions}
	}
	return values, nil
}

func (r *siteResolver) SessionCount(ctx context.Context, site *model.Site, filters []scalar.FilterInput, given generated.TimeRange) (int, error) {
	in, err := rangeOf(given)
	if err != nil {
		return 0, err
	}
	specs, err := r.specs(ctx, filters, "filters")
	if err != nil {
		return 0, err
	}
	return r.sessionCount(ctx, site.ID, specs, in)
}

func (r *siteResolver) Sessions(ctx context.Context, site *model.Site, filters []scalar.FilterInput, given generated.TimeRange, first *int, after *string) (*view.SessionConnection, error) {
	n, err := checkFirst(first, defaultFirst)
	if err != nil {
		return nil, err
	}
	behind, err := decodeSessionCursor(after)
	if err != nil {
		return nil, err
	}
	in, err := rangeOf(given)
	if err != nil {
		return nil, err
	}
	specs, err := r.specs(ctx, filters, "filters")
	if err != nil {
		return nil, err
	}
	merged, err := r.filters.Merge(ctx, specs, nil)
	if err != nil {
		return nil, err
	}
	found, err := r.engine.Sessions(ctx, count.SessionQuery{Site: site.ID, In: in, Where: merged.Predicate, After: behind, Limit: n + 1})
	if err != nil {
		return nil, err
	}
	var c view.SessionConnection
	page, about := cutPage(found, n, after, sessionCursor,
		func(ctx context.Context) (int, error) { return r.sessionCount(ctx, site.ID, specs, in) })
	c.Page = about
	for i := range page {
		session := view.SessionOf(encodeSessionID(page[i].ID), &page[i])
		c.Nodes = append(c.Nodes, session)
		c.Edges = append(c.Edges, view.SessionEdge{Cursor: sessionCursor(&page[i]), Node: session})
	}
	return &c, nil
}

func (r *siteResolver) Merge(ctx context.Context, _ *model.Site, active, goal []scalar.FilterInput) (*host.Merged, error) {
	activeSpecs, err := r.specs(ctx, active, "active")
	if err != nil {
		return nil, err
	}
	goalSpecs, err := r.specs(ctx, goal, "goal")
	if err != nil {
		return nil, err
	}
	return r.filters.Merge(ctx, activeSpecs, goalSpecs)
}

func (r *siteResolver) ComputedFilters(ctx context.Context, site *model.Site) ([]view.ComputedFilter, error) {
	computations, err := r.store.Computations(ctx, site.ID)
	if err != nil {
		return nil, err
	}
	progress, err := r.store.ComputedProgress(ctx, site.ID)
	if err != nil {
		return nil, err
	}
	filters := make([]view.ComputedFilter, len(computations))
	for i, computation := range computations {
		computed := r.host.Computation(computation.Key)
		filters[i] = view.ComputedFilter{
			FilterType: computed.Type, Args: json.RawMessage(computed.Args), Plugin: computed.Plugin, CreatedAt: computation.CreatedAt.Time(),
			Sessions: progress.Sessions, ComputedSessions: progress.Done[computation.ID], Complete: progress.Done[computation.ID] == progress.Sessions,
		}
	}
	return filters, nil
}

// sessionCount counts the sessions that match all filters.
func (r *Resolver) sessionCount(ctx context.Context, site int64, filters []model.FilterSpec, in model.Range) (int, error) {
	merged, err := r.filters.Merge(ctx, filters, nil)
	if err != nil {
		return 0, err
	}
	answer, err := askCount(ctx, count.Question{Site: site, In: in, Where: merged.Predicate})
	return answer.Sessions, err
}

// maxSegments and maxGoals are how many a matrix of goal cards has at most.
const (
	maxSegments = 100
	maxGoals    = 500
)

// segments returns the segments that a client names, or the site's active ones.
func (r *Resolver) segments(ctx context.Context, site int64, ids []string) ([]model.Segment, error) {
	if ids == nil {
		active := true
		return r.store.Segments(ctx, store.SegmentQuery{Site: site, Active: &active}, store.Page{Limit: maxSegments})
	}
	if len(ids) > maxSegments {
		return nil, model.Invalid("segments", "%d segments are given; the most is %d", len(ids), maxSegments)
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

// goals returns the goals that a client names, or all of the site that are not archived.
func (r *Resolver) goals(ctx context.Context, site int64, ids []string, field string) ([]model.Goal, error) {
	if ids == nil {
		archived := false
		return r.store.Goals(ctx, store.GoalQuery{Site: site, Archived: &archived}, store.Page{Limit: maxGoals})
	}
	if len(ids) > maxGoals {
		return nil, model.Invalid(field, "%d goals are given; the most is %d", len(ids), maxGoals)
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
