package plugins

import (
	"cmp"
	"math"
	"strconv"

	"github.com/goalgraph/goalgraph/model/filter"
)

// Span is the arguments of filters on a number: a minimum, a maximum or both, with
// both ends included. Arguments with more fields can embed it.
type Span[N int | float64] struct {
	Min *N `json:"min,omitempty"`
	Max *N `json:"max,omitempty"`
}

// Check refuses a span without ends, and one whose min is greater than its max.
func (s Span[N]) Check() error {
	switch {
	case s.Min == nil && s.Max == nil:
		return ArgError("", "give min, max or both")
	case s.Min != nil && s.Max != nil && *s.Min > *s.Max:
		return ArgError("min", "min %v is greater than max %v", *s.Min, *s.Max)
	}
	return nil
}

// CheckFrom is like Check, and also refuses ends below least.
func (s Span[N]) CheckFrom(least N) error {
	if s.Min != nil && *s.Min < least {
		return ArgError("min", "must be at least %v, not %v", least, *s.Min)
	}
	if s.Max != nil && *s.Max < least {
		return ArgError("max", "must be at least %v, not %v", least, *s.Max)
	}
	return s.Check()
}

// Expr returns the range of a number field.
func (s Span[N]) Expr(field filter.Field) filter.Range {
	r := filter.Range{Field: field, Min: math.Inf(-1), Max: math.Inf(1)}
	if s.Min != nil {
		r.Min = float64(*s.Min)
	}
	if s.Max != nil {
		r.Max = float64(*s.Max)
	}
	return r
}

// Merge returns the numbers that lie in both spans; the error is ErrEmpty if there
// are none.
func (s Span[N]) Merge(goal Span[N]) (Span[N], error) {
	merged := Span[N]{Min: tighter(s.Min, goal.Min, 1), Max: tighter(s.Max, goal.Max, -1)}
	if merged.Min != nil && merged.Max != nil && *merged.Min > *merged.Max {
		return Span[N]{}, ErrEmpty
	}
	return merged, nil
}

// tighter returns the greater end for sign 1 and the lesser for -1.
func tighter[N int | float64](a, b *N, sign int) *N {
	if a == nil || b != nil && cmp.Compare(*b, *a) == sign {
		return b
	}
	return a
}

// Label describes the span after a title, with a unit if there is one: "Session
// length 5–30 s".
func (s Span[N]) Label(title, unit string) string {
	if unit != "" {
		unit = " " + unit
	}
	switch {
	case s.Min == nil && s.Max == nil:
		return title
	case s.Max == nil:
		return title + " at least " + number(*s.Min) + unit
	case s.Min == nil:
		return title + " at most " + number(*s.Max) + unit
	case *s.Min == *s.Max:
		return title + " " + number(*s.Min) + unit
	case *s.Min < 0:
		return title + " " + number(*s.Min) + " to " + number(*s.Max) + unit
	}
	return title + " " + number(*s.Min) + "–" + number(*s.Max) + unit
}

func number[N int | float64](n N) string {
	return strconv.FormatFloat(float64(n), 'f', -1, 64)
}
