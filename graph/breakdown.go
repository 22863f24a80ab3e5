package graph

import (
	"context"
	"slices"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

// breakdownArguments are those of the fields breakdown.
type breakdownArguments struct {
	by       []generated.Dimension
	keys     []string
	segments []string
	filters  []scalar.FilterInput
	goals    []string
	in       model.TimeRange
	order    *generated.BreakdownOrder
	window
}

func (r *siteResolver) Breakdown(ctx context.Context, site *model.Site, by []generated.Dimension, keys, segments []string, filters []scalar.FilterInput,
	goals []string, given model.TimeRange, orderBy *generated.BreakdownOrder, first *int, after *string, last *int, before *string) (*view.BreakdownConnection, error) {
	return r.breakdownOf(ctx, site, breakdownArguments{by, keys, segments, filters, goals, given, orderBy, window{first, last, after, before}})
}

// breakdownOf asks for the rows, with one more than the page has, and of them for what the client selects.
func (r *Resolver) breakdownOf(ctx context.Context, site *model.Site, given breakdownArguments) (*view.BreakdownConnection, error) {
	r.engine.Prefetch(site.ID)
	selected := rowSelectionOf(ctx)
	limit, err := given.limit()
	if err != nil {
		return nil, err
	}
	query, merged, err := r.sessionsOf(ctx, site, given.segments, given.filters, &given.in)
	if err != nil {
		return nil, err
	}
	if query.By, err = r.groupings(ctx, site, given.by, given.keys); err != nil {
		return nil, err
	}
	query.Measures, query.Limit, query.FromEnd = selected.measures, limit+1, given.fromEnd()
	goals, err := r.goalsOfRows(ctx, site, given, &query, merged, selected)
	if err != nil {
		return nil, err
	}
	if err := fits(ctx, limit*len(goals)); err != nil {
		return nil, err
	}
	if query.After, err = decodePlace("after", given.after, len(query.By)); err != nil {
		return nil, err
	}
	if query.Before, err = decodePlace("before", given.before, len(query.By)); err != nil {
		return nil, err
	}
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	naming := r.namingOf(given.by, &query)
	rows := make([]view.BreakdownRow, len(found.Rows))
	for i := range found.Rows {
		rows[i] = naming.row(&found.Rows[i], goals)
	}
	c := connect[view.BreakdownRow, view.BreakdownEdge](rows, given.window, limit, func(i int) string { return placeCursor(query.Order.PlaceOf(&found.Rows[i])) },
		func(context.Context) (int, error) { return found.Total, nil })
	return (*view.BreakdownConnection)(c), nil
}

// sessionsOf returns the question about the sessions that segments and filters choose, and those filters.
func (r *Resolver) sessionsOf(ctx context.Context, site *model.Site, segmentIDs []string, given []scalar.FilterInput, between *model.TimeRange) (query count.BreakdownQuery, filters []model.FilterSpec, err error) {
	query.Site = site.ID
	if query.In, err = r.rangeOrAll(ctx, site.ID, between); err != nil {
		return query, nil, err
	}
	specs, err := r.filtersOf(ctx, site.ID, given, "filters")
	if err != nil {
		return query, nil, err
	}
	if segmentIDs != nil {
		segments, err := r.segments(ctx, site.ID, segmentIDs, false)
		if err != nil {
			return query, nil, err
		}
		for _, segment := range segments {
			filters = append(filters, segment.Filters...)
		}
	}
	filters = append(filters, specs...)
	if err := model.CheckFilters("segments", filters); err != nil {
		return query, nil, err
	}
	merged, err := r.filters.Merge(ctx, filters, nil)
	if err != nil {
		return query, nil, err
	}
	query.Where = merged.Predicate
	return query, filters, nil
}

// goalsOfRows returns the goals whose conversions are selected or ordered by, and adds them and the order to the query.
func (r *Resolver) goalsOfRows(ctx context.Context, site *model.Site, given breakdownArguments, query *count.BreakdownQuery, filters []model.FilterSpec, selected rowSelection) ([]model.Goal, error) {
	figure, direction, goalID := orderOf(given.order)
	query.Order = count.RowOrder{By: rowFigures[figure], Ascending: direction == view.Ascending}
	ofGoal := goalFigures[figure]
	if given.goals == nil && !selected.goals && !ofGoal {
		return nil, nil
	}
	goals, err := r.chosenGoals(ctx, site.ID, matrixArguments{goals: given.goals, first: maxGoals})
	if err != nil {
		return nil, err
	}
	if ofGoal {
		if query.Order.Goal, err = goalOfOrder(goals, goalID, figure); err != nil {
			return nil, err
		}
	}
	if !selected.goals && !ofGoal {
		return nil, nil
	}
	all := make([]sides, len(goals))
	for i, goal := range goals {
		all[i] = sides{filters, goal.Filters}
	}
	for i, merged := range r.merges(ctx, all) {
		if merged.err != nil {
			return nil, merged.err
		}
		asked := count.GoalQuery{Where: merged.value.Predicate}
		if selected.value || figure == generated.BreakdownFigureValueTotal {
			asked.Event = goals[i].ValueEvent
		}
		query.Goals = append(query.Goals, asked)
	}
	return goals, nil
}

// orderOf returns what an order says.
func orderOf(given *generated.BreakdownOrder) (figure generated.BreakdownFigure, direction view.SortDirection, goal *string) {
	figure, direction = generated.BreakdownFigureSessions, view.Descending
	if given != nil {
		if by := given.By.Value(); by != nil {
			figure = *by
		}
		if to := given.Direction.Value(); to != nil {
			direction = *to
		}
		goal = given.Goal.Value()
	}
	return figure, direction, goal
}

// goalOfOrder returns the place of the goal that rows are ordered by.
func goalOfOrder(goals []model.Goal, id *string, figure generated.BreakdownFigure) (int, error) {
	if id == nil {
		return 0, model.Invalid("orderBy.goal", "is missing; an order by %s names one of the goals", figure)
	}
	place := slices.IndexFunc(goals, func(goal model.Goal) bool { return encodeID(goalNoun, goal.ID) == *id })
	switch {
	case place < 0:
		return 0, model.Invalid("orderBy.goal", "%.40q is none of the goals; name one of `goals`", *id)
	case figure == generated.BreakdownFigureValueTotal && goals[place].ValueEvent == "":
		return 0, model.Invalid("orderBy.goal", "%s has no value; order by its conversions", goals[place].Key)
	}
	return place, nil
}

var rowFigures = map[generated.BreakdownFigure]count.RowFigure{
	generated.BreakdownFigureSessions:       count.BySessions,
	generated.BreakdownFigureVisitors:       count.ByVisitors,
	generated.BreakdownFigurePageViews:      count.ByPageViews,
	generated.BreakdownFigureBounceRate:     count.ByBounceRate,
	generated.BreakdownFigureMedianDuration: count.ByMedianLength,
	generated.BreakdownFigureMeanDuration:   count.ByMeanLength,
	generated.BreakdownFigureConversions:    count.ByConversions,
	generated.BreakdownFigureConversionRate: count.ByConversionRate,
	generated.BreakdownFigureValueTotal:     count.ByGoalValue,
	generated.BreakdownFigureValues:         count.ByValues,
}

// goalFigures are those of a goal.
var goalFigures = map[generated.BreakdownFigure]bool{
	generated.BreakdownFigureConversions: true, generated.BreakdownFigureConversionRate: true, generated.BreakdownFigureValueTotal: true,
}

func (r *subscriptionResolver) Breakdown(ctx context.Context, siteID string, by []generated.Dimension, keys, segments []string, filters []scalar.FilterInput,
	goals []string, given model.TimeRange, orderBy *generated.BreakdownOrder, first *int, after *string, last *int, before *string) (<-chan *view.BreakdownConnection, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once(r.breakdownOf(ctx, site, breakdownArguments{by, keys, segments, filters, goals, given, orderBy, window{first, last, after, before}}))
}
