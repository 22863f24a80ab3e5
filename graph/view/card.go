package view

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
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

// Answer waits for what was counted. The error is of this count or of all that were counted with it.
type Answer func(context.Context) (count.Answer, error)

// GoalCard is how many sessions or visitors of each segment reached a goal.
type GoalCard struct {
	Goal  model.Goal
	Asked Asked
	// AskedSegments names the segments that were asked for, whichever they are at the time.
	AskedSegments string
	Range         TimeRangeValue
	// ComparedWith is the other period; nil where there is none.
	ComparedWith *TimeRangeValue
	Cells        []GoalCell
	ComputedAt   scalar.Moment
}

// Unit is what was counted.
func (c *GoalCard) Unit() CountUnit { return c.Asked.Unit }

// GoalCell is one segment's part of a goal card.
type GoalCell struct {
	GoalFigures
	Segment model.Segment
	Asked   Asked
	// Comparison is with the other period; nil where there is none.
	Comparison *GoalComparison
	// Series are those that are selected.
	Series map[model.Interval]GoalSeries
}

// GoalSeries gives a cell's figures in time: Active and Converted count the sessions between each two neighbours of
// Steps. Err says why there are none.
type GoalSeries struct {
	Steps             []model.Millis
	Err               error
	Active, Converted Answer
}

// GoalPoint is a point of a cell's series.
type GoalPoint struct {
	At                    time.Time
	Sessions, Conversions int
	ConversionRate        *float64
}

// Funnel is a funnel's steps for each segment.
type Funnel struct {
	Asked Asked
	// Steps are the goals' ids, and AskedSegments names the segments that were asked for, whichever they are at the time.
	Steps         []string
	AskedSegments string
	Segments      []FunnelSegment
	Range         TimeRangeValue
	// ComparedWith is the other period; nil where there is none.
	ComparedWith *TimeRangeValue
}

// Unit is what was counted.
func (f *Funnel) Unit() CountUnit { return f.Asked.Unit }

// FunnelSegment is a funnel's steps within one segment.
type FunnelSegment struct {
	Segment model.Segment
	Steps   []FunnelStep
}

// FunnelStep is a step of a funnel within one segment.
type FunnelStep struct {
	FunnelFigures
	Goal    model.Goal
	Segment model.Segment
	Asked   Asked
	// Before are the goals of the steps before this one, in their order.
	Before []model.Goal
	// Comparison is with the other period; nil where there is none.
	Comparison *FunnelComparison
}

// Rate returns part / whole, nil where whole is 0.
func Rate[N int | float64](part N, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	rate := float64(part) / float64(whole)
	return &rate
}
