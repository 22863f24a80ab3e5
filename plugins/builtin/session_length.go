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
		Description: "Sessions by the time from the first hit to the last, in whole seconds. " +
			"Merging keeps the lengths that both filters allow.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by the time from the first hit to the last. Give min, max or both. Merge rule INTERSECTION."
input SessionLengthFilter {
  "The least length, included; in whole seconds, 0 or more."
  min: Int
  "The greatest length, included up to the next second; in whole seconds, 0 or more."
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
