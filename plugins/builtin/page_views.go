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
		Description: "Sessions by number of page views. A page viewed twice counts twice. " +
			"Merging keeps the numbers that both filters allow.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by number of page views. Give min, max or both. Merge rule INTERSECTION."
input PageViewsFilter {
  "The least number, included; 0 or more."
  min: Int
  "The greatest number, included; 0 or more."
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
