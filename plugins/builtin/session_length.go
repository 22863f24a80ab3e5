package builtin

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// sessionLength matches the time from the first to the last hit, in whole
// seconds: 5–30 is every length from 5.000 s to 30.999 s.
func sessionLength() plugins.Type { return plugins.Of(lengthFilter{}) }

type lengthFilter struct{}

func (lengthFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "sessionLength",
		Title: "Session length",
		Description: "Sessions by the time from their first to their last hit, in whole seconds. " +
			"Merged, only the lengths that both allow are left.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by the time from their first to their last hit. At least one of min and max is given. Merge rule INTERSECTION."
input SessionLengthFilter {
  "Whole seconds, 0 or more; sessions of this length are included."
  min: Int
  "Whole seconds, 0 or more; sessions of this length are included, up to the next second."
  max: Int
}`,
		Input: "SessionLengthFilter",
	}
}

func (lengthFilter) Compile(_ context.Context, args plugins.Span[int]) (filter.Expr, error) {
	if err := args.CheckFrom(0); err != nil {
		return nil, err
	}
	r := args.Expr(filter.Length)
	r.Min, r.Max = r.Min*1000, r.Max*1000+999 // an open end stays infinite
	return r, nil
}

func (lengthFilter) Merge(_ context.Context, active, goal plugins.Span[int]) (plugins.Span[int], error) {
	return active.Merge(goal)
}

func (lengthFilter) Label(args plugins.Span[int]) string { return args.Label("Session length", "s") }
