package view

import (
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

// BreakdownRow is the sessions with one value, or with one pair of values. What is not selected is zero.
type BreakdownRow struct {
	ID                                                     string
	Values                                                 []string
	Sessions, Visitors, PageViews                          int
	BounceRate, MedianDurationSeconds, MeanDurationSeconds float64
	Value                                                  *float64
	Goals                                                  []BreakdownGoal
}

// BreakdownGoal is how many sessions of a row reached a goal.
type BreakdownGoal struct {
	Goal           model.Goal
	Conversions    int
	ConversionRate float64
	ValueTotal     *float64
}

// Figures are those of some sessions, of which there may be none.
type Figures struct {
	Sessions, Visitors, PageViews                          int
	BounceRate, MedianDurationSeconds, MeanDurationSeconds *float64
}

// FiguresOf returns the figures of a row.
func FiguresOf(row *count.Row) Figures {
	figures := Figures{
		Sessions: row.Sessions, Visitors: row.Visitors, PageViews: row.PageViews,
		BounceRate: Rate(row.Bounces, row.Sessions), MeanDurationSeconds: Rate(float64(row.Length)/millis, row.Sessions),
	}
	if row.Sessions > 0 {
		median := row.Median / millis
		figures.MedianDurationSeconds = &median
	}
	return figures
}

// millis is how many milliseconds a second has.
const millis = 1000

// Totals are the figures of all sessions that are asked for.
type Totals struct {
	Figures
	Range TimeRangeValue
	// Query asks for them.
	Query count.BreakdownQuery
}

// TotalsPoint is a point of the series of Totals.
type TotalsPoint struct {
	Figures
	At time.Time
}
