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

// Sessions returns how many sessions there are.
func (a Answer) Sessions(ctx context.Context) (int, error) {
	answer, err := a(ctx)
	return answer.Sessions, err
}

// Visitors returns how many distinct visitors they have.
func (a Answer) Visitors(ctx context.Context) (int, error) {
	answer, err := a(ctx)
	return answer.Visitors, err
}

// share is a part of all, by a unit.
type share struct {
	unit      CountUnit
	part, all Answer
}

// count returns how many the part counts, as conversions, of how many all do.
func (s share) count(ctx context.Context) (stats.Count, error) {
	part, all, err := both(ctx, s.part, s.all)
	return stats.Count{Conversions: int64(s.unit.of(part)), Visitors: int64(s.unit.of(all))}, err
}

// rate returns the share, nil of none.
func (s share) rate(ctx context.Context) (*float64, error) {
	count, err := s.count(ctx)
	return Rate(int(count.Conversions), int(count.Visitors)), err
}

// differenceFrom returns how much higher the share is than another one; nil where one of them is none.
func (s share) differenceFrom(ctx context.Context, other share) (*stats.RateDifference, error) {
	a, b, err := both(ctx, s.count, other.count)
	if err != nil {
		return nil, err
	}
	return differenceOf(a, b), nil
}

// sessionsChange gives the relative changes of how many sessions and visitors there are.
type sessionsChange struct{ of, from Answer }

// SessionsChange returns the relative change of the sessions.
func (c sessionsChange) SessionsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.of.Sessions, c.from.Sessions)
}

// VisitorsChange returns the relative change of the visitors.
func (c sessionsChange) VisitorsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.of.Visitors, c.from.Visitors)
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
func (f *GoalFigures) Sessions(ctx context.Context) (int, error) { return f.Active.Sessions(ctx) }

// Visitors returns how many distinct visitors the segment has.
func (f *GoalFigures) Visitors(ctx context.Context) (int, error) { return f.Active.Visitors(ctx) }

// Conversions returns how many reached the goal, by the unit.
func (f *GoalFigures) Conversions(ctx context.Context) (int, error) {
	converted, err := f.Converted(ctx)
	return f.Unit.of(converted), err
}

// ConversionRate returns the share of them, nil where the segment has none.
func (f *GoalFigures) ConversionRate(ctx context.Context) (*float64, error) {
	return f.share().rate(ctx)
}

func (f *GoalFigures) share() share { return share{f.Unit, f.Converted, f.Active} }

// ValueTotal returns the sum of the goal's values, nil where it has none.
func (f *GoalFigures) ValueTotal(ctx context.Context) (*float64, error) {
	if f.Goal.ValueEvent == "" {
		return nil, nil
	}
	total, err := f.value(ctx)
	return &total, err
}

func (f *GoalFigures) value(ctx context.Context) (float64, error) {
	converted, err := f.Converted(ctx)
	return converted.Value.Float64(), err
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

// GoalComparison is figures of another period, and how others differ from them.
type GoalComparison struct {
	GoalFigures
	sessionsChange
	with *GoalFigures
}

// CompareGoals compares figures with those of another period.
func CompareGoals(with *GoalFigures, other GoalFigures) *GoalComparison {
	return &GoalComparison{other, sessionsChange{with.Active, other.Active}, with}
}

// ConversionsChange returns the relative change of Conversions.
func (c *GoalComparison) ConversionsChange(ctx context.Context) (*float64, error) {
	return change(ctx, c.with.Conversions, c.Conversions)
}

// ValueTotalChange returns the relative change of ValueTotal.
func (c *GoalComparison) ValueTotalChange(ctx context.Context) (*float64, error) {
	if c.Goal.ValueEvent == "" {
		return nil, nil
	}
	return change(ctx, c.with.value, c.value)
}

// RateDifference returns how much higher the conversion rate is than that of the other period.
func (c *GoalComparison) RateDifference(ctx context.Context) (*stats.RateDifference, error) {
	return c.with.share().differenceFrom(ctx, c.share())
}

// FunnelFigures say how many of a segment reached a step of a funnel in one range.
type FunnelFigures struct {
	Unit CountUnit
	// Reached is of the sessions that came through all steps up to this one, Previous up to the one before, and Start of
	// the segment's; with their visitors who are the segment's where these are selected.
	Reached, Previous, Start Answer
}

// Sessions returns how many sessions reached the step.
func (f *FunnelFigures) Sessions(ctx context.Context) (int, error) { return f.Reached.Sessions(ctx) }

// Visitors returns how many distinct visitors of the segment reached the step.
func (f *FunnelFigures) Visitors(ctx context.Context) (int, error) { return f.Reached.Visitors(ctx) }

// FromPrevious returns the share of those that reached the step before, nil where none did.
func (f *FunnelFigures) FromPrevious(ctx context.Context) (*float64, error) {
	return share{f.Unit, f.Reached, f.Previous}.rate(ctx)
}

// FromStart returns the share of the segment's, nil where it has none.
func (f *FunnelFigures) FromStart(ctx context.Context) (*float64, error) { return f.share().rate(ctx) }

func (f *FunnelFigures) share() share { return share{f.Unit, f.Reached, f.Start} }

// FunnelComparison is a step's figures of another period, and how its own differ from them.
type FunnelComparison struct {
	FunnelFigures
	sessionsChange
	with *FunnelFigures
}

// CompareFunnels compares a step's figures with those of another period.
func CompareFunnels(with *FunnelFigures, other FunnelFigures) *FunnelComparison {
	return &FunnelComparison{other, sessionsChange{with.Reached, other.Reached}, with}
}

// FromStartDifference returns how much higher FromStart is than that of the other period.
func (c *FunnelComparison) FromStartDifference(ctx context.Context) (*stats.RateDifference, error) {
	return c.with.share().differenceFrom(ctx, c.share())
}

// change returns how much more one figure is than another, relative to it; nil where the other is 0.
func change[N int | float64](ctx context.Context, of, from func(context.Context) (N, error)) (*float64, error) {
	a, b, err := both(ctx, of, from)
	if err != nil {
		return nil, err
	}
	return relative(float64(a), float64(b)), nil
}

// relative returns how much more a figure is than another, relative to it; nil where the other is 0.
func relative(of, from float64) *float64 {
	if from == 0 {
		return nil
	}
	change := of/from - 1
	return &change
}

// differenceOf returns how much higher one rate is than another; nil where one of them is none.
func differenceOf(a, b stats.Count) *stats.RateDifference {
	if d, ok := stats.CompareRates(a, b); ok {
		return &d
	}
	return nil
}

func both[T any, F ~func(context.Context) (T, error)](ctx context.Context, first, second F) (a, b T, err error) {
	if a, err = first(ctx); err == nil {
		b, err = second(ctx)
	}
	return a, b, err
}
