package builtin

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// pageViews matches how many page views the session has, repeated ones too.
func pageViews() plugins.Type { return plugins.Of(pageViewsFilter{}) }

type pageViewsFilter struct{}

func (pageViewsFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "pageViews",
		Title: "Page views",
		Description: "Sessions by the number of their page views; a page viewed twice counts twice. " +
			"Merged, only the numbers that both allow are left.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by the number of their page views. At least one of min and max is given. Merge rule INTERSECTION."
input PageViewsFilter {
  "Page views, 0 or more; sessions of this many are included."
  min: Int
  "Page views, 0 or more; sessions of this many are included."
  max: Int
}`,
		Input: "PageViewsFilter",
	}
}

func (pageViewsFilter) Compile(_ context.Context, args plugins.Span[int]) (filter.Expr, error) {
	if err := args.CheckFrom(0); err != nil {
		return nil, err
	}
	return args.Expr(filter.PageViews), nil
}

func (pageViewsFilter) Merge(_ context.Context, active, goal plugins.Span[int]) (plugins.Span[int], error) {
	return active.Merge(goal)
}

func (pageViewsFilter) Label(args plugins.Span[int]) string { return args.Label("Page views", "") }
