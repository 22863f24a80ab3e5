package builtin

import (
	"context"
	"strconv"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// hour matches the hour in which the session began, in the site's time zone.
func hour() plugins.Type { return plugins.Of(hourFilter{}) }

type (
	hourFilter struct{}
	hourArgs   struct {
		Is []int `json:"is"`
	}
)

func (hourFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "hour",
		Title: "Hour",
		Description: "Sessions by the hour of the day in which they began, in the site's time zone. " +
			"Merging keeps the hours that both filters allow.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by the hour of the day in which they began, in the site's time zone. Merge rule INTERSECTION."
input HourFilter {
  "One of these hours: 0 is from midnight to one o'clock, 23 the last one."
  is: [Int!]!
}`,
		Input:     "HourFilter",
		Dimension: filter.Hour,
		Arguments: []plugins.Argument{{Path: "is", Suggest: plugins.SuggestValues}},
	}
}

func (hourFilter) Compile(_ context.Context, args hourArgs) (filter.Expr, error) {
	switch {
	case len(args.Is) == 0:
		return nil, plugins.ArgError("is", "the list is empty; give at least one hour")
	case len(args.Is) > plugins.MaxValues:
		return nil, plugins.ArgError("is", "%d hours are too many; a day has 24", len(args.Is))
	}
	for i, hour := range args.Is {
		if hour < 0 || hour > 23 {
			return nil, plugins.ArgError(plugins.At("is", i), "%d is no hour of a day; use 0 to 23", hour)
		}
	}
	return filter.In{Field: filter.Hour, Values: texts(args.Is)}, nil
}

func texts(numbers []int) []string {
	list := make([]string, len(numbers))
	for i, number := range numbers {
		list[i] = strconv.Itoa(number)
	}
	return list
}

func (hourFilter) Merge(_ context.Context, active, goal hourArgs) (hourArgs, error) {
	is, err := plugins.Intersect(active.Is, goal.Is)
	return hourArgs{is}, err
}

func (hourFilter) Label(args hourArgs) string {
	is, _ := plugins.Intersect(args.Is, nil) // each once
	return "Hour is " + plugins.OneOf(texts(is))
}
