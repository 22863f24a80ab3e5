package view

import (
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// TimeRangeValue is a range as it was asked for.
type TimeRangeValue struct {
	From time.Time
	To   *time.Time
}

// TimeRangeOf returns a range as clients see it.
func TimeRangeOf(in model.Range) TimeRangeValue {
	value := TimeRangeValue{From: in.From.Time()}
	if in.To != model.Open {
		to := in.To.Time()
		value.To = &to
	}
	return value
}

// GoalCard is how many sessions of each segment reached a goal.
type GoalCard struct {
	Goal       model.Goal
	Range      TimeRangeValue
	Cells      []GoalCell
	ComputedAt time.Time
}

// GoalCell is one segment's part of a goal card.
type GoalCell struct {
	Goal    model.Goal
	Segment model.Segment
	In      model.Range
	// CountActive and CountMerged wait for how many sessions there are in the segment and
	// in the merged one; nil where that was not asked before the cell is resolved.
	CountActive, CountMerged func() (int, error)
}

// GoalPoint is a point of a cell's series.
type GoalPoint struct {
	At                    time.Time
	Sessions, Conversions int
	ConversionRate        *float64
}

// Funnel is a funnel's steps for each segment.
type Funnel struct {
	Segments []FunnelSegment
	Range    TimeRangeValue
}

// FunnelSegment is a funnel's steps within one segment.
type FunnelSegment struct {
	Segment model.Segment
	Steps   []FunnelStep
}

// FunnelStep is a step of a funnel within one segment.
type FunnelStep struct {
	Goal    model.Goal
	Segment model.Segment
	In      model.Range
	// Before are the goals of the steps before this one, in their order.
	Before []model.Goal
}

// Rate returns part / whole, nil where whole is 0.
func Rate[N int | float64](part N, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	rate := float64(part) / float64(whole)
	return &rate
}
