package view

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/stats"
)

// BreakdownConnection is a page of rows.
type BreakdownConnection struct {
	Connection[BreakdownRow, BreakdownEdge]
	Range TimeRangeValue
	Unit  CountUnit
	// ComparedWith is the other period; nil where there is none.
	ComparedWith *TimeRangeValue
}

// BreakdownRow is the sessions with one value, or with one pair of values. What is not selected is zero.
type BreakdownRow struct {
	ID     string
	Values []string
	Figures
	Goals []BreakdownGoal
	// Comparison is with the same row in the other period; nil where there is none.
	Comparison *SessionsComparison
}

// BreakdownGoal is how many of a row reached a goal.
type BreakdownGoal struct {
	GoalFigures
	// Comparison is with the other period; nil where there is none.
	Comparison *GoalComparison
}

// Value returns the sum of the goals' values, nil where none of them has values.
func (r *BreakdownRow) Value(ctx context.Context) (*float64, error) {
	var sum model.Sum
	hasValue := false
	for _, goal := range r.Goals {
		if goal.Goal.ValueEvent == "" {
			continue
		}
		converted, err := goal.Converted(ctx)
		if err != nil {
			return nil, err
		}
		sum, hasValue = sum.Add(converted.Value), true
	}
	if !hasValue {
		return nil, nil
	}
	total := sum.Float64()
	return &total, nil
}

// Figures are those of some sessions, of which there may be none.
type Figures struct {
	Sessions, Visitors, PageViews                          int
	BounceRate, MedianDurationSeconds, MeanDurationSeconds *float64

	bounces int
}

// FiguresOf returns the figures of a row.
func FiguresOf(row *count.Row) Figures {
	figures := Figures{
		Sessions: row.Sessions, Visitors: row.Visitors, PageViews: row.PageViews, bounces: row.Bounces,
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

// SessionsComparison is figures of another period, and how others differ from them.
type SessionsComparison struct {
	Figures
	with Figures
}

// CompareSessions compares figures with those of another period.
func CompareSessions(with, other Figures) *SessionsComparison {
	return &SessionsComparison{other, with}
}

// SessionsChange returns the relative change of Sessions.
func (c *SessionsComparison) SessionsChange() *float64 {
	return relative(float64(c.with.Sessions), float64(c.Sessions))
}

// VisitorsChange returns the relative change of Visitors.
func (c *SessionsComparison) VisitorsChange() *float64 {
	return relative(float64(c.with.Visitors), float64(c.Visitors))
}

// PageViewsChange returns the relative change of PageViews.
func (c *SessionsComparison) PageViewsChange() *float64 {
	return relative(float64(c.with.PageViews), float64(c.PageViews))
}

// MedianDurationSecondsChange returns the relative change of MedianDurationSeconds.
func (c *SessionsComparison) MedianDurationSecondsChange() *float64 {
	return relativeOf(c.with.MedianDurationSeconds, c.MedianDurationSeconds)
}

// MeanDurationSecondsChange returns the relative change of MeanDurationSeconds.
func (c *SessionsComparison) MeanDurationSecondsChange() *float64 {
	return relativeOf(c.with.MeanDurationSeconds, c.MeanDurationSeconds)
}

// BounceRateDifference returns how much higher the bounce rate is than that of the other period.
func (c *SessionsComparison) BounceRateDifference() *stats.RateDifference {
	return differenceOf(c.with.bounced(), c.bounced())
}

func (f *Figures) bounced() stats.Count {
	return stats.Count{Conversions: int64(f.bounces), Visitors: int64(f.Sessions)}
}

// relativeOf is relative for figures that may be none.
func relativeOf(of, from *float64) *float64 {
	if of == nil || from == nil {
		return nil
	}
	return relative(*of, *from)
}

// Totals are the figures of all sessions that are asked for.
type Totals struct {
	Figures
	Range TimeRangeValue
	// ComparedWith is the other period, and Comparison is with it; nil where there is none.
	ComparedWith *TimeRangeValue
	Comparison   *SessionsComparison
	// Query asks for them.
	Query count.BreakdownQuery
}

// TotalsPoint is a point of the series of Totals.
type TotalsPoint struct {
	Figures
	At time.Time
}
