package count

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// MaxGroupings is how many groupings a breakdown has at most.
const MaxGroupings = 2

// BreakdownQuery asks for the sessions of a site that started in a range and match a predicate, by their values: for a row
// for each value that some of them have, or for each pair of values. A session that has several values stands in the row
// of each.
type BreakdownQuery struct {
	Site int64
	In   model.Range
	// Where is simplified.
	Where filter.Expr
	// By are the groupings, MaxGroupings at most. Without any there is one row, of all the sessions, even of none.
	By []Grouping
	// Rows are the values of the only rows that are asked for, each once, with one value for each grouping. All of them are in
	// the answer, without sessions too. Without any, all rows that have sessions are asked for.
	Rows [][]string
	// Measures are asked for beside the sessions of each row and what the order follows from. Those of goals are asked for by
	// Goals.
	Measures []Measure
	Goals    []GoalQuery
	Order    RowOrder
	// After and Before are the places of the rows between which the page is; nil for the ends of the list.
	After, Before *RowPlace
	// FromEnd reads the list from its end, in reverse.
	FromEnd bool
	// Limit is how many rows the page has at most.
	Limit int
}

// byTexts tells whether there may be as many rows as there are texts. Others are few: their groups are known beforehand.
func (q *BreakdownQuery) byTexts() bool {
	return slices.ContainsFunc(q.By, func(g Grouping) bool { return g.Field != filter.Field{} })
}

// Grouping puts sessions into groups, each under a value. One of its parts is set.
type Grouping struct {
	// Field is a text field, whose values are those of the groups. Sessions without one are in the group "".
	Field filter.Field
	// Choices are the groups of the sessions that match predicates, the first one where a session matches several. Sessions
	// that match none are in the group "".
	Choices []Choice
	// Clock groups by the start as a clock in Zone shows it.
	Clock Clock
	Zone  *time.Location
	// Steps are instants in ascending order. Sessions that started between the first two of them, the earlier one included,
	// are in the group StepValue(0), and so on; those that started before or after all are in no group.
	Steps []model.Millis
}

// len returns how many groups there are at most, but for those of a field.
func (g *Grouping) len() int {
	switch {
	case g.Choices != nil:
		return len(g.Choices) + 1
	case g.Clock != NoClock:
		return len(g.Clock.Values())
	}
	return len(g.Steps)
}

// Choice is a group of the sessions that match a predicate, which is simplified.
type Choice struct {
	Value string
	Where filter.Expr
}

// Clock is what a clock shows of an instant.
type Clock int

// What a clock shows: the hour from "00" to "23", and the day of the week, from "1" for Monday to "7" for Sunday (ISO 8601).
const (
	NoClock Clock = iota
	HourOfDay
	DayOfWeek
)

// Values returns all values of groups by the clock, in their order.
func (c Clock) Values() []string {
	if c == DayOfWeek {
		return slices.Clone(weekdays)
	}
	return slices.Clone(hours)
}

var (
	hours    = strings.Fields("00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23")
	weekdays = strings.Fields("1 2 3 4 5 6 7")
)

// StepValue returns the value of a group of a Grouping's Steps. Values are in the order of steps.
func StepValue(step int) string { return fmt.Sprintf("%05d", step) }

// GoalQuery asks how many sessions of a row reached a goal: those in the row's groups that started in the range and match.
// They need not match the breakdown's predicate.
type GoalQuery struct {
	// Where is simplified.
	Where filter.Expr
	// Event is the event whose values over these sessions are summed; empty for none.
	Event string
	// Visitors asks for their distinct visitors, too: those who also have a session that the row counts.
	Visitors bool
}

// Measure is a figure of a row, beside its sessions and those of goals.
type Measure int

const (
	// Visitors are the distinct visitors of the sessions.
	Visitors Measure = iota
	// PageViews are those of the sessions, repeated ones included.
	PageViews
	// Bounces are the sessions of exactly one page view and no event.
	Bounces
	// Length is the sum of the sessions' lengths.
	Length
	// Median is the median of the lengths.
	Median
)

// RowOrder is an order of rows: by a figure, the greatest first, and by their values in the order of bytes where it is equal.
type RowOrder struct {
	By RowFigure
	// Goal is the place of the goal that the figure is of.
	Goal int
	// Ascending turns the order of the figure: the least is the first.
	Ascending bool
}

// RowFigure is a figure that rows are ordered by.
type RowFigure int

const (
	BySessions RowFigure = iota
	ByVisitors
	ByPageViews
	ByBounceRate
	ByMeanLength
	ByMedianLength
	ByConversions
	ByConversionRate
	// ByConvertedVisitors and ByVisitorConversionRate are of a goal whose visitors are asked for.
	ByConvertedVisitors
	ByVisitorConversionRate
	ByGoalValue
	// ByValues orders by the values alone, ascending or descending by Ascending.
	ByValues
)

// Measures returns what the figure follows from, beside the sessions and the counts of its goal.
func (f RowFigure) Measures() []Measure {
	switch f {
	case ByVisitors, ByVisitorConversionRate:
		return []Measure{Visitors}
	case ByPageViews:
		return []Measure{PageViews}
	case ByBounceRate:
		return []Measure{Bounces}
	case ByMeanLength:
		return []Measure{Length}
	case ByMedianLength:
		return []Measure{Median}
	}
	return nil
}

// RowPlace is the place of a row in an order.
type RowPlace struct {
	// Figure is what the row is ordered by: the nearest double of a sum.
	Figure float64
	Values []string
}

// Breakdown is a page of rows.
type Breakdown struct {
	Rows []Row
	// Total is how many rows all pages have.
	Total int
}

// Row is what a breakdown says of the sessions of a group, or of a pair of groups. What is not asked for is zero.
type Row struct {
	// Values has one value for each grouping.
	Values   []string
	Sessions int
	Visitors int
	// PageViews, Bounces, Length and Median are as the measures say, lengths in milliseconds.
	PageViews, Bounces int
	Length             int64
	Median             float64
	// Goals are in the order of the query's.
	Goals []GoalCount
}

// GoalCount says how many sessions of a row reached a goal, how many visitors of the row they have, and its value over them.
type GoalCount struct {
	Conversions, Visitors int
	Value                 model.Sum
}

// has tells whether a place is between those around the page.
func (q *BreakdownQuery) has(place RowPlace) bool {
	return (q.After == nil || q.Order.Compare(place, *q.After) > 0) && (q.Before == nil || q.Order.Compare(place, *q.Before) < 0)
}

// compare orders places as the page does.
func (q *BreakdownQuery) compare(a, b RowPlace) int {
	if q.FromEnd {
		a, b = b, a
	}
	return q.Order.Compare(a, b)
}

// PlaceOf returns a row's place.
func (o RowOrder) PlaceOf(row *Row) RowPlace {
	place := RowPlace{Values: row.Values}
	sessions := float64(max(row.Sessions, 1))
	switch o.By {
	case BySessions:
		place.Figure = float64(row.Sessions)
	case ByVisitors:
		place.Figure = float64(row.Visitors)
	case ByPageViews:
		place.Figure = float64(row.PageViews)
	case ByBounceRate:
		place.Figure = float64(row.Bounces) / sessions
	case ByMeanLength:
		place.Figure = float64(row.Length) / sessions
	case ByMedianLength:
		place.Figure = row.Median
	case ByConversions:
		place.Figure = float64(row.Goals[o.Goal].Conversions)
	case ByConversionRate:
		place.Figure = float64(row.Goals[o.Goal].Conversions) / sessions
	case ByConvertedVisitors:
		place.Figure = float64(row.Goals[o.Goal].Visitors)
	case ByVisitorConversionRate:
		place.Figure = float64(row.Goals[o.Goal].Visitors) / float64(max(row.Visitors, 1))
	case ByGoalValue:
		place.Figure = row.Goals[o.Goal].Value.Float64()
	}
	return place
}

// Compare orders places.
func (o RowOrder) Compare(a, b RowPlace) int {
	figures, values := cmp.Compare(b.Figure, a.Figure), slices.Compare(a.Values, b.Values)
	if o.Ascending {
		figures = -figures
	} else if o.By == ByValues {
		values = -values
	}
	return cmp.Or(figures, values)
}
