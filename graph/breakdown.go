package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
)

// breakdownArguments are those of the fields breakdown.
type breakdownArguments struct {
	by       []generated.Dimension
	keys     []string
	segments []string
	filters  []scalar.FilterInput
	goals    []string
	adHoc    adHoc
	in       model.TimeRange
	unit     view.CountUnit
	compare  *model.Comparison
	order    *generated.BreakdownOrder
	window
}

func (r *siteResolver) Breakdown(ctx context.Context, site *model.Site, by []generated.Dimension, keys, segments []string, adHocSegments []generated.AdHocSegmentInput, filters []scalar.FilterInput,
	goals []string, adHocGoals []generated.AdHocGoalInput, given model.TimeRange, unit view.CountUnit, compare *model.Comparison, orderBy *generated.BreakdownOrder, first *int, after *string, last *int, before *string) (*view.BreakdownConnection, error) {
	return r.breakdownOf(ctx, site, breakdownArguments{by, keys, segments, filters, goals, adHoc{adHocGoals, adHocSegments}, given, unit, compare, orderBy, window{first, last, after, before}})
}

// breakdownOf asks for the rows, with one more than the page has, and of them for what the client selects.
func (r *Resolver) breakdownOf(ctx context.Context, site *model.Site, given breakdownArguments) (*view.BreakdownConnection, error) {
	r.engine.Prefetch(site.ID)
	selected := rowSelectionOf(ctx, given.unit)
	limit, err := given.limit()
	if err != nil {
		return nil, err
	}
	times, err := r.rangesOf(ctx, site.ID, given.in, given.compare)
	if err != nil {
		return nil, err
	}
	query, merged, err := r.sessionsOf(ctx, site, given.segments, given.adHoc.segments, given.filters, times.in)
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
	naming, counts := r.namingOf(given, &query, goals, times), r.countGoals(ctx, query, found.Rows, goals)
	rows := make([]view.BreakdownRow, len(found.Rows))
	for i := range found.Rows {
		rows[i] = naming.row(&found.Rows[i], counts, i)
	}
	if times.other != nil && selected.compares {
		query.In, query.Measures = *times.other, selected.otherMeasures
		if err := r.compareRows(ctx, query, naming, rows, found.Rows); err != nil {
			return nil, err
		}
	}
	c := connect[view.BreakdownRow, view.BreakdownEdge](rows, given.window, limit, func(i int) string { return placeCursor(query.Order.PlaceOf(&found.Rows[i])) },
		func(context.Context) (int, error) { return found.Total, nil })
	return &view.BreakdownConnection{Connection: *c, Range: view.TimeRangeOf(times.in), Unit: given.unit, ComparedWith: times.comparedWith()}, nil
}

// sessionsOf returns the question about the sessions of a range that segments and filters choose, and those filters.
func (r *Resolver) sessionsOf(ctx context.Context, site *model.Site, segmentIDs []string, adHocSegments []generated.AdHocSegmentInput, given []scalar.FilterInput, in model.Range) (query count.BreakdownQuery, filters []model.FilterSpec, err error) {
	query.Site, query.In = site.ID, in
	specs, err := r.filtersOf(ctx, site.ID, given, "filters")
	if err != nil {
		return query, nil, err
	}
	if segmentIDs != nil || len(adHocSegments) > 0 {
		segments, err := r.segmentsWith(ctx, site.ID, segmentIDs, adHocSegments)
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

// rowGoal is a goal whose conversions rows show.
type rowGoal struct {
	model.Goal
	asked count.GoalQuery
	// place is that among the goals that are asked together with the rows; -1 of one that is asked alone.
	place int
	// err says why it is not asked.
	err error
}

// goalsOfRows returns the goals whose conversions are selected or ordered by, and adds to the query the order and those that
// are asked together.
func (r *Resolver) goalsOfRows(ctx context.Context, site *model.Site, given breakdownArguments, query *count.BreakdownQuery, filters []model.FilterSpec, selected rowSelection) ([]rowGoal, error) {
	figure, direction, goalID := orderOf(given.order)
	query.Order = count.RowOrder{By: rowFigures[figure], Ascending: direction == view.Ascending}
	ofGoal := goalFigures[figure]
	if given.goals == nil && len(given.adHoc.goals) == 0 && !selected.goals && !ofGoal {
		return nil, nil
	}
	goals, err := r.goalsWith(ctx, site.ID, given.goals, given.adHoc.goals)
	if err != nil {
		return nil, err
	}
	ordered := -1
	if ofGoal {
		if ordered, err = goalOfOrder(goals, goalID, figure); err != nil {
			return nil, err
		}
		query.Order.By = figureBy(query.Order.By, given.unit)
	}
	if !selected.goals && !ofGoal {
		return nil, nil
	}
	all := make([]sides, len(goals))
	for i, goal := range goals {
		all[i] = sides{filters, goal.Filters}
	}
	found := make([]rowGoal, len(goals))
	for i, merged := range r.merges(ctx, all) {
		goal := &found[i]
		*goal = rowGoal{Goal: goals[i], place: -1, err: merged.err}
		if goal.err != nil {
			if i == ordered {
				return nil, goal.err
			}
			continue
		}
		goal.asked = count.GoalQuery{Where: merged.value.Predicate, Visitors: selected.converted || i == ordered && given.unit == view.VisitorUnit}
		if selected.value || i == ordered && figure == generated.BreakdownFigureValueTotal {
			goal.asked.Event = goal.ValueEvent
		}
		if i == ordered || !mayFail(goal.asked.Where) {
			goal.place = len(query.Goals)
			query.Goals = append(query.Goals, goal.asked)
		}
		if i == ordered {
			query.Order.Goal = goal.place
		}
	}
	return found, nil
}

// mayFail tells whether a predicate needs what a plugin computes, or who is assigned to an experiment. A goal with one is
// asked alone: what is wrong with it is then told by its own figures, and by no others.
func mayFail(where filter.Expr) bool {
	return len(filter.Computations(where)) > 0 || len(filter.Experiments(where)) > 0
}

// goalCounts are the counts of a goal by row, or why there are none.
type goalCounts = outcome[[]count.GoalCount]

// countGoals returns the counts of all goals in the rows of a query. What is wrong with a goal that was not asked together
// with the rows is told by its counts.
func (r *Resolver) countGoals(ctx context.Context, query count.BreakdownQuery, rows []count.Row, goals []rowGoal) []goalCounts {
	return each(len(goals), func(i int) ([]count.GoalCount, error) {
		goal := &goals[i]
		switch {
		case goal.err != nil:
			return nil, goal.err
		case goal.place >= 0:
			return countsOf(rows, goal.place), nil
		}
		query := query
		query.Measures, query.Goals = nil, []count.GoalQuery{goal.asked}
		found, err := r.namedRows(ctx, query, rows)
		return countsOf(found, 0), err
	})
}

func countsOf(rows []count.Row, goal int) []count.GoalCount {
	counts := make([]count.GoalCount, len(rows))
	for i := range rows {
		counts[i] = rows[i].Goals[goal]
	}
	return counts
}

// namedRows returns what a query says of the rows that others are, in their order.
func (r *Resolver) namedRows(ctx context.Context, query count.BreakdownQuery, rows []count.Row) ([]count.Row, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	query.After, query.Before, query.FromEnd = nil, nil, false // where the page begins and ends is of another order
	query.Rows, query.Limit, query.Order = nil, len(rows), count.RowOrder{}
	for _, row := range rows {
		query.Rows = append(query.Rows, row.Values)
	}
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	places := map[rowKey]int{}
	for place, row := range found.Rows {
		places[keyOf(row.Values)] = place
	}
	named := make([]count.Row, len(rows))
	for i, row := range rows {
		place, isFound := places[keyOf(row.Values)]
		if !isFound {
			return nil, fmt.Errorf("a breakdown lacks the row %q, which it was asked for", row.Values)
		}
		named[i] = found.Rows[place]
	}
	return named, nil
}

// rowKey is the values of a row.
type rowKey [count.MaxGroupings]string

func keyOf(values []string) (key rowKey) {
	copy(key[:], values)
	return key
}

// compareRows puts into rows what a query for another period says of them, which were found as found.
func (r *Resolver) compareRows(ctx context.Context, query count.BreakdownQuery, naming naming, rows []view.BreakdownRow, found []count.Row) error {
	others, err := r.namedRows(ctx, query, found)
	if err != nil {
		return err
	}
	counts := r.countGoals(ctx, query, others, naming.goals)
	for i := range others {
		row := &rows[i]
		row.Comparison = view.CompareSessions(row.Figures, view.FiguresOf(&others[i]))
		for n, figures := range naming.figures(&others[i], counts, i) {
			row.Goals[n].Comparison = view.CompareGoals(&row.Goals[n].GoalFigures, figures)
		}
	}
	return ctx.Err()
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
	if place < 0 {
		place = placeOfKey(goals, *id)
	}
	switch {
	case place < 0:
		return 0, model.Invalid("orderBy.goal", "%.40q is none of the goals; name one of `goals` by its id, or of `adHocGoals` by its name", *id)
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

// figureBy returns the figure that conversions by a unit are ordered by.
func figureBy(figure count.RowFigure, unit view.CountUnit) count.RowFigure {
	switch {
	case unit != view.VisitorUnit:
	case figure == count.ByConversions:
		return count.ByConvertedVisitors
	case figure == count.ByConversionRate:
		return count.ByVisitorConversionRate
	}
	return figure
}

// goalFigures are those of a goal.
var goalFigures = map[generated.BreakdownFigure]bool{
	generated.BreakdownFigureConversions: true, generated.BreakdownFigureConversionRate: true, generated.BreakdownFigureValueTotal: true,
}

func (r *subscriptionResolver) Breakdown(ctx context.Context, siteID string, by []generated.Dimension, keys, segments []string, adHocSegments []generated.AdHocSegmentInput, filters []scalar.FilterInput,
	goals []string, adHocGoals []generated.AdHocGoalInput, given model.TimeRange, unit view.CountUnit, compare *model.Comparison, orderBy *generated.BreakdownOrder, first *int, after *string, last *int, before *string) (<-chan *view.BreakdownConnection, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once((&siteResolver{r.Resolver}).Breakdown(ctx, site, by, keys, segments, adHocSegments, filters, goals, adHocGoals, given, unit, compare, orderBy, first, after, last, before))
}
