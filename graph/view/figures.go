package view

import (
	"context"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/stats"
)

// CountUnit is what is counted, and what rates are shares of.
type CountUnit string

const (
	SessionUnit CountUnit = "SESSION"
	VisitorUnit CountUnit = "VISITOR"
)

// of returns how many an answer counts.
func (u CountUnit) of(answer count.Answer) int {
	if u == VisitorUnit {
		return answer.Visitors
	}
	return answer.Sessions
}

// GoalFigures say how many of a segment reached a goal in one range.
type GoalFigures struct {
	Goal model.Goal
	Unit CountUnit
	// Active is of the segment's sessions, with their visitors where these are selected, and Converted of the merged
	// segment's, with their visitors who are the segment's and their value where these are.
	Active, Converted Answer
}

// Sessions returns how many sessions the segment has.
func (f *GoalFigures) Sessions(ctx context.Context) (int, error) {
	active, err := f.Active(ctx)
	return active.Sessions, err
}

// Visitors returns how many distinct visitors the segment has.
func (f *GoalFigures) Visitors(ctx context.Context) (int, error) {
	active, err := f.Active(ctx)
	return active.Visitors, err
}

// Conversions returns how many reached the goal, by the unit.
func (f *GoalFigures) Conversions(ctx context.Context) (int, error) {
	converted, err := f.Converted(ctx)
	return f.Unit.of(converted), err
}

// ConversionRate returns the share of them, nil where the segment has none.
func (f *GoalFigures) ConversionRate(ctx context.Context) (*float64, error) {
	rate, err := f.rate(ctx)
	return Rate(int(rate.Conversions), int(rate.Visitors)), err
}

// ValueTotal returns the sum of the goal's values, nil where it has none.
func (f *GoalFigures) ValueTotal(ctx context.Context) (*float64, error) {
	if f.Goal.ValueEvent == "" {
		return nil, nil
	}
	converted, err := f.Converted(ctx)
	total := converted.Value.Float64()
	return &total, err
}

// ValuePerVisitor returns the mean of the goal's values for a visitor of the segment, nil where it has none.
func (f *GoalFigures) ValuePerVisitor(ctx context.Context) (*float64, error) {
	total, err := f.ValueTotal(ctx)
	if total == nil || err != nil {
		return nil, err
	}
	visitors, err := f.Visitors(ctx)
	return Rate(*total, visitors), err
}

func (f *GoalFigures) rate(ctx context.Context) (stats.Count, error) {
	return rateOf(ctx, f.Unit, f.Converted, f.Active)
}

// GoalComparison is a cell's figures of another period, and how they differ.
type GoalComparison struct {
	GoalFigures
	// With are the cell's own.
	With *GoalFigures
}

// SessionsChange returns the relative change of Sessions.
func (c *GoalComparison) SessionsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.With.Sessions, c.Sessions)
}

// VisitorsChange returns the relative change of Visitors.
func (c *GoalComparison) VisitorsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.With.Visitors, c.Visitors)
}

// ConversionsChange returns the relative change of Conversions.
func (c *GoalComparison) ConversionsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.With.Conversions, c.Conversions)
}

// ValueTotalChange returns the relative change of ValueTotal.
func (c *GoalComparison) ValueTotalChange(ctx context.Context) (*float64, error) {
	if c.Goal.ValueEvent == "" {
		return nil, nil
	}
	total := func(f *GoalFigures) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			total, err := f.ValueTotal(ctx)
			if err != nil {
				return 0, err
			}
			return *total, nil
		}
	}
	return change(ctx, total(c.With), total(&c.GoalFigures))
}

// RateDifference returns how much higher the conversion rate is than that of the other period.
func (c *GoalComparison) RateDifference(ctx context.Context) (*stats.RateDifference, error) {
	return difference(ctx, c.With.rate, c.rate)
}

// FunnelFigures say how many of a segment reached a step of a funnel in one range.
type FunnelFigures struct {
	Unit CountUnit
	// Reached is of the sessions that came through all steps up to this one, Previous up to the one before, and Start of
	// the segment's; with their visitors who are the segment's where these are selected.
	Reached, Previous, Start Answer
}

// Sessions returns how many sessions reached the step.
func (f *FunnelFigures) Sessions(ctx context.Context) (int, error) {
	reached, err := f.Reached(ctx)
	return reached.Sessions, err
}

// Visitors returns how many distinct visitors of the segment reached the step.
func (f *FunnelFigures) Visitors(ctx context.Context) (int, error) {
	reached, err := f.Reached(ctx)
	return reached.Visitors, err
}

// FromPrevious returns the share of those that reached the step before, nil where none did.
func (f *FunnelFigures) FromPrevious(ctx context.Context) (*float64, error) {
	rate, err := rateOf(ctx, f.Unit, f.Reached, f.Previous)
	return Rate(int(rate.Conversions), int(rate.Visitors)), err
}

// FromStart returns the share of the segment's, nil where it has none.
func (f *FunnelFigures) FromStart(ctx context.Context) (*float64, error) {
	rate, err := f.rate(ctx)
	return Rate(int(rate.Conversions), int(rate.Visitors)), err
}

func (f *FunnelFigures) rate(ctx context.Context) (stats.Count, error) {
	return rateOf(ctx, f.Unit, f.Reached, f.Start)
}

// FunnelComparison is a step's figures of another period, and how they differ.
type FunnelComparison struct {
	FunnelFigures
	// With are the step's own.
	With *FunnelFigures
}

// SessionsChange returns the relative change of Sessions.
func (c *FunnelComparison) SessionsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.With.Sessions, c.Sessions)
}

// VisitorsChange returns the relative change of Visitors.
func (c *FunnelComparison) VisitorsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.With.Visitors, c.Visitors)
}

// FromStartDifference returns how much higher FromStart is than that of the other period.
func (c *FunnelComparison) FromStartDifference(ctx context.Context) (*stats.RateDifference, error) {
	return difference(ctx, c.With.rate, c.rate)
}

// rateOf returns how many part counts, as conversions, of how many all does, by a unit.
func rateOf(ctx context.Context, unit CountUnit, part, all Answer) (stats.Count, error) {
	a, err := part(ctx)
	if err != nil {
		return stats.Count{}, err
	}
	b, err := all(ctx)
	return stats.Count{Conversions: int64(unit.of(a)), Visitors: int64(unit.of(b))}, err
}

// change returns how much more one figure is than another, relative to it; nil where the other is 0.
func change[N int | float64](ctx context.Context, of, from func(context.Context) (N, error)) (*float64, error) {
	a, b, err := both(ctx, of, from)
	if err != nil || b == 0 {
		return nil, err
	}
	change := float64(a)/float64(b) - 1
	return &change, nil
}

// difference returns how much higher one rate is than another; nil where one of them is none.
func difference(ctx context.Context, of, from func(context.Context) (stats.Count, error)) (*stats.RateDifference, error) {
	a, b, err := both(ctx, of, from)
	if err != nil {
		return nil, err
	}
	d, ok := stats.CompareRates(a, b)
	if !ok {
		return nil, nil
	}
	return &d, nil
}

func both[T any](ctx context.Context, first, second func(context.Context) (T, error)) (a, b T, err error) {
	if a, err = first(ctx); err == nil {
		b, err = second(ctx)
	}
	return a, b, err
}
