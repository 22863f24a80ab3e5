package graph

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"

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
	in       generated.TimeRange
	order    *generated.BreakdownOrder
	first    *int
	after    *string
}

func (r *siteResolver) Breakdown(ctx context.Context, site *model.Site, by []generated.Dimension, keys, segments []string, filters []scalar.FilterInput,
	goals []string, given generated.TimeRange, orderBy *generated.BreakdownOrder, first *int, after *string) (*view.BreakdownConnection, error) {
	return r.breakdownOf(ctx, site, breakdownArguments{by, keys, segments, filters, goals, given, orderBy, first, after})
}

// breakdownOf asks for the rows, with one more than the page has, and of them for what the client selects.
func (r *Resolver) breakdownOf(ctx context.Context, site *model.Site, given breakdownArguments) (*view.BreakdownConnection, error) {
	r.engine.Prefetch(site.ID)
	selected := rowSelectionOf(ctx)
	first, err := checkFirst(given.first, defaultFirst)
	if err != nil {
		return nil, err
	}
	query, merged, err := r.sessionsOf(ctx, site, given.segments, given.filters, given.in)
	if err != nil {
		return nil, err
	}
	if query.By, err = r.groupings(ctx, site, given.by, given.keys); err != nil {
		return nil, err
	}
	query.Measures, query.Limit = selected.measures, first+1
	goals, err := r.goalsOfRows(ctx, site, given, &query, merged, selected)
	if err != nil {
		return nil, err
	}
	if err := fits(ctx, first*len(goals)); err != nil {
		return nil, err
	}
	if query.After, err = decodePlace(given.after, len(query.By)); err != nil {
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
	c := connect[view.BreakdownRow, view.BreakdownEdge](rows, first, given.after, func(i int) string { return placeCursor(query.Order.PlaceOf(&found.Rows[i])) },
		func(context.Context) (int, error) { return found.Total, nil })
	return (*view.BreakdownConnection)(c), nil
}

// sessionsOf returns the question about the sessions that segments and filters choose, and those filters.
func (r *Resolver) sessionsOf(ctx context.Context, site *model.Site, segmentIDs []string, given []scalar.FilterInput, between generated.TimeRange) (query count.BreakdownQuery, filters []model.FilterSpec, err error) {
	query.Site = site.ID
	if query.In, err = rangeOf(between); err != nil {
		return query, nil, err
	}
	specs, err := r.specs(ctx, given, "filters")
	if err != nil {
		return query, nil, err
	}
	if segmentIDs != nil {
		segments, err := r.segments(ctx, site.ID, segmentIDs)
		if err != nil {
			return query, nil, err
		}
		for _, segment := range segments {
			filters = append(filters, segment.Filters...)
		}
	}
	if filters = append(filters, specs...); len(filters) > model.MaxFilters {
		return query, nil, model.Invalid("segments", "have %d filters together with the others; the limit is %d", len(filters), model.MaxFilters)
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
	query.Order = count.RowOrder{By: figures[figure], Ascending: direction == generated.SortDirectionAscending}
	ofGoal := goalFigures[figure]
	if given.goals == nil && !selected.goals && !ofGoal {
		return nil, nil
	}
	goals, err := r.goals(ctx, site.ID, given.goals, "goals")
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
func orderOf(given *generated.BreakdownOrder) (figure generated.BreakdownFigure, direction generated.SortDirection, goal *string) {
	figure, direction = generated.BreakdownFigureSessions, generated.SortDirectionDescending
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

var figures = map[generated.BreakdownFigure]count.RowFigure{
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

// fields are the dimensions that are text fields without a key.
var fields = map[generated.Dimension]filter.Field{
	generated.DimensionReferrer:    filter.Referrer,
	generated.DimensionPage:        filter.Pages,
	generated.DimensionEntryPage:   filter.EntryPage,
	generated.DimensionExitPage:    filter.ExitPage,
	generated.DimensionHostname:    filter.Hostname,
	generated.DimensionCountry:     filter.Country,
	generated.DimensionRegion:      filter.Region,
	generated.DimensionCity:        filter.City,
	generated.DimensionBrowser:     filter.Browser,
	generated.DimensionOs:          filter.OS,
	generated.DimensionDevice:      filter.Device,
	generated.DimensionLanguage:    filter.Language,
	generated.DimensionUtmSource:   filter.UTMSource,
	generated.DimensionUtmMedium:   filter.UTMMedium,
	generated.DimensionUtmCampaign: filter.UTMCampaign,
	generated.DimensionUtmTerm:     filter.UTMTerm,
	generated.DimensionUtmContent:  filter.UTMContent,
	generated.DimensionVisitorKind: filter.VisitorKind,
	generated.DimensionTag:         filter.Tags,
	generated.DimensionEvent:       filter.Events,
}

// groupings returns what sessions are grouped by. Each PROPERTY and VARIANT takes the next of the keys.
func (r *Resolver) groupings(ctx context.Context, site *model.Site, by []generated.Dimension, keys []string) ([]count.Grouping, error) {
	if len(by) == 0 || len(by) > count.MaxGroupings {
		return nil, model.Invalid("by", "%d dimensions are given; a breakdown has 1 to %d", len(by), count.MaxGroupings)
	}
	groupings, taken := make([]count.Grouping, len(by)), 0
	for i, dimension := range by {
		key := ""
		if dimension == generated.DimensionProperty || dimension == generated.DimensionVariant {
			if taken == len(keys) {
				return nil, model.Invalid("keys", "has %d keys; %s at by[%d] needs one more", len(keys), dimension, i)
			}
			if key = keys[taken]; key == "" {
				return nil, model.Invalid(fmt.Sprintf("keys[%d]", taken), "is empty; give the key of the %s", cmp.Or(map[bool]string{true: "property"}[dimension == generated.DimensionProperty], "experiment"))
			}
			taken++
		}
		var err error
		if groupings[i], err = r.grouping(ctx, site, dimension, key); err != nil {
			return nil, model.Under(fmt.Sprintf("keys[%d]", max(0, taken-1)), err)
		}
	}
	if taken < len(keys) {
		return nil, model.Invalid("keys", "has %d keys; the dimensions of `by` take %d", len(keys), taken)
	}
	if len(by) == 2 && by[0] == by[1] && (taken == 0 || keys[0] == keys[1]) {
		return nil, model.Invalid("by[1]", "is the same dimension as by[0]; name another one, or leave it out")
	}
	return groupings, nil
}

func (r *Resolver) grouping(ctx context.Context, site *model.Site, dimension generated.Dimension, key string) (count.Grouping, error) {
	switch dimension {
	case generated.DimensionHour, generated.DimensionWeekday:
		zone, err := site.Location()
		clock := count.HourOfDay
		if dimension == generated.DimensionWeekday {
			clock = count.DayOfWeek
		}
		return count.Grouping{Clock: clock, Zone: zone}, err
	case generated.DimensionProperty:
		return count.Grouping{Field: filter.Property(key)}, nil
	case generated.DimensionVariant:
		return r.variants(ctx, site, key)
	}
	return count.Grouping{Field: fields[dimension]}, nil
}

// variants returns the grouping by the variants of an experiment.
func (r *Resolver) variants(ctx context.Context, site *model.Site, key string) (g count.Grouping, err error) {
	e, err := orNil(r.store.ExperimentByKey(ctx, site.ID, key))
	if err != nil {
		return g, err
	}
	if e == nil {
		return g, model.Invalid("", "the site has no experiment %.40q; experiments lists them", key)
	}
	for _, variant := range e.Variants {
		g.Choices = append(g.Choices, count.Choice{Value: variant.Key, Where: filter.Simplify(filter.Assigned{Experiment: key, Variants: []string{variant.Key}})})
	}
	return g, nil
}

// rowSelection tells what a client selects of the rows: measures, the goals, and values of these.
type rowSelection struct {
	measures     []count.Measure
	goals, value bool
}

func rowSelectionOf(ctx context.Context) (selected rowSelection) {
	operation := graphql.GetOperationContext(ctx)
	take := func(rows graphql.CollectedField) {
		for _, ofRow := range graphql.CollectFields(operation, rows.Selections, []string{"BreakdownRow"}) {
			if measure, ok := measures[ofRow.Name]; ok && !slices.Contains(selected.measures, measure) {
				selected.measures = append(selected.measures, measure)
			}
			switch ofRow.Name {
			case "value":
				selected.goals, selected.value = true, true
			case "goals":
				selected.goals = true
				for _, ofGoal := range graphql.CollectFields(operation, ofRow.Selections, []string{"BreakdownGoal"}) {
					selected.value = selected.value || ofGoal.Name == "valueTotal"
				}
			}
		}
	}
	for _, ofPage := range graphql.CollectFieldsCtx(ctx, []string{"BreakdownConnection"}) {
		switch ofPage.Name {
		case "nodes":
			take(ofPage)
		case "edges":
			for _, ofEdge := range graphql.CollectFields(operation, ofPage.Selections, []string{"BreakdownEdge"}) {
				if ofEdge.Name == "node" {
					take(ofEdge)
				}
			}
		}
	}
	slices.Sort(selected.measures)
	return selected
}

// measures are those that fields are made of.
var measures = map[string]count.Measure{
	"visitors": count.Visitors, "pageViews": count.PageViews, "bounceRate": count.Bounces, "medianDurationSeconds": count.Median, "meanDurationSeconds": count.Length,
}

// naming makes rows as clients see them.
type naming struct {
	by []generated.Dimension
	// direct stands for no referrer.
	direct string
	// texts tell the rows of one question from those of others.
	texts []string
}

func (r *Resolver) namingOf(by []generated.Dimension, query *count.BreakdownQuery) naming {
	n := naming{by: by, texts: []string{fmt.Sprint(query.Site, query.In.From, query.In.To), query.Where.String()}}
	if t, ok := r.filters.Type("referrer"); ok {
		n.direct = t.None
	}
	for i, grouping := range query.By {
		n.texts = append(n.texts, string(by[i]), grouping.Field.Key, fmt.Sprint(grouping.Zone))
		for _, choice := range grouping.Choices {
			n.texts = append(n.texts, choice.Where.String())
		}
	}
	for _, goal := range query.Goals {
		n.texts = append(n.texts, "goal", goal.Where.String(), goal.Event)
	}
	return n
}

const rowNoun noun = "BreakdownRow"

// row returns a row as clients see it.
func (n naming) row(row *count.Row, goals []model.Goal) view.BreakdownRow {
	of := count.FingerprintOf(slices.Concat(n.texts, row.Values)...)
	figures := view.FiguresOf(row)
	named := view.BreakdownRow{
		ID: encodeTextID(rowNoun, hex.EncodeToString(of[:])), Values: make([]string, len(row.Values)),
		Sessions: figures.Sessions, Visitors: figures.Visitors, PageViews: figures.PageViews,
		BounceRate: *figures.BounceRate, MedianDurationSeconds: *figures.MedianDurationSeconds, MeanDurationSeconds: *figures.MeanDurationSeconds,
		Goals: make([]view.BreakdownGoal, len(row.Goals)),
	}
	for i, value := range row.Values {
		named.Values[i] = n.value(n.by[i], value)
	}
	var value model.Sum
	for i, reached := range row.Goals {
		goal := view.BreakdownGoal{Goal: goals[i], Conversions: reached.Conversions, ConversionRate: *view.Rate(reached.Conversions, row.Sessions)}
		if goals[i].ValueEvent != "" {
			total := reached.Value.Float64()
			goal.ValueTotal = &total
			value = value.Add(reached.Value)
			sum := value.Float64()
			named.Value = &sum
		}
		named.Goals[i] = goal
	}
	return named
}

var weekdays = [...]string{"MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"}

// value returns a value of a dimension as clients see it.
func (n naming) value(dimension generated.Dimension, value string) string {
	switch dimension {
	case generated.DimensionReferrer:
		return cmp.Or(value, n.direct)
	case generated.DimensionHour:
		return strconv.Itoa(slices.Index(count.HourOfDay.Values(), value))
	case generated.DimensionWeekday:
		return weekdays[slices.Index(count.DayOfWeek.Values(), value)]
	}
	return value
}

// placeCursor is the cursor of a row.
func placeCursor(place count.RowPlace) string {
	text, _ := json.Marshal(append([]string{strconv.FormatFloat(place.Figure, 'g', -1, 64)}, place.Values...)) // texts always are JSON
	return encodeCursor(string(text))
}

// decodePlace returns the place of a row with so many values.
func decodePlace(after *string, values int) (*count.RowPlace, error) {
	text, err := decodeCursor(after)
	if err != nil || text == "" {
		return nil, err
	}
	var parts []string
	if json.Unmarshal([]byte(text), &parts) != nil || len(parts) != values+1 {
		return nil, badCursor(*after)
	}
	figure, err := strconv.ParseFloat(parts[0], 64)
	if err != nil {
		return nil, badCursor(*after)
	}
	return &count.RowPlace{Figure: figure, Values: parts[1:]}, nil
}

func (r *siteResolver) Totals(ctx context.Context, site *model.Site, segments []string, filters []scalar.FilterInput, given generated.TimeRange) (*view.Totals, error) {
	return r.totals(ctx, site, segments, filters, given)
}

func (r *Resolver) totals(ctx context.Context, site *model.Site, segments []string, filters []scalar.FilterInput, given generated.TimeRange) (*view.Totals, error) {
	r.engine.Prefetch(site.ID)
	query, _, err := r.sessionsOf(ctx, site, segments, filters, given)
	if err != nil {
		return nil, err
	}
	query.Limit, query.Measures = 1, measuresOf(graphql.CollectFieldsCtx(ctx, []string{"Totals"}))
	totals := &view.Totals{Range: view.TimeRangeOf(query.In), Query: query}
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	totals.Figures = view.FiguresOf(&found.Rows[0])
	return totals, nil
}

// measuresOf returns the measures that fields are made of, each once.
func measuresOf(selected []graphql.CollectedField) (found []count.Measure) {
	for _, field := range selected {
		if measure, ok := measures[field.Name]; ok && !slices.Contains(found, measure) {
			found = append(found, measure)
		}
	}
	slices.Sort(found)
	return found
}

type totalsResolver struct{ *Resolver }

// Series asks for the sessions by the interval in which they started.
func (r *totalsResolver) Series(ctx context.Context, totals *view.Totals, interval model.Interval) ([]view.TotalsPoint, error) {
	query := totals.Query
	steps, err := r.stepsOf(ctx, query.Site, query.In, interval)
	if err != nil {
		return nil, err
	}
	points := make([]view.TotalsPoint, max(0, len(steps)-1))
	if err := fits(ctx, len(points)); err != nil || len(points) == 0 {
		return points, err
	}
	query.By, query.Limit, query.Order = []count.Grouping{{Steps: steps}}, len(points), count.RowOrder{By: count.ByValues, Ascending: true}
	query.Measures = measuresOf(graphql.CollectFieldsCtx(ctx, []string{"TotalsPoint"}))
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	row := 0
	for i := range points {
		points[i] = view.TotalsPoint{At: steps[i].Time()}
		if row < len(found.Rows) && found.Rows[row].Values[0] == count.StepValue(i) {
			points[i].Figures = view.FiguresOf(&found.Rows[row])
			row++
		}
	}
	return points, nil
}

func (r *subscriptionResolver) Breakdown(ctx context.Context, siteID string, by []generated.Dimension, keys, segments []string, filters []scalar.FilterInput,
	goals []string, given generated.TimeRange, orderBy *generated.BreakdownOrder, first *int, after *string) (<-chan *view.BreakdownConnection, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once(r.breakdownOf(ctx, site, breakdownArguments{by, keys, segments, filters, goals, given, orderBy, first, after}))
}

func (r *subscriptionResolver) Totals(ctx context.Context, siteID string, segments []string, filters []scalar.FilterInput, given generated.TimeRange) (<-chan *view.Totals, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once(r.totals(ctx, site, segments, filters, given))
}

// followed returns the site of an argument siteId, which the answer follows from.
func (r *subscriptionResolver) followed(ctx context.Context, siteID string) (*model.Site, error) {
	id, err := decodeID(siteNoun, siteID, "siteId")
	if err != nil {
		return nil, err
	}
	if err := r.follow(ctx, id); err != nil {
		return nil, aboutID("siteId", err)
	}
	site, err := r.store.Site(ctx, id)
	return site, aboutID("siteId", err)
}
