package builtin

import (
	"context"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// weekday matches the day of the week on which the session began, in the site's time zone.
func weekday() plugins.Type { return plugins.Of(weekdayFilter{}) }

type (
	weekdayFilter struct{}
	weekdayArgs   struct {
		Is []string `json:"is"`
	}
)

func (weekdayFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "weekday",
		Title: "Weekday",
		Description: "Sessions by the day of the week on which they began, in the site's time zone. " +
			"Merging keeps the days that both filters allow.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by the day of the week on which they began, in the site's time zone. Merge rule INTERSECTION."
input WeekdayFilter {
  "One of these days."
  is: [Weekday!]!
}
"A day of the week."
enum Weekday {
  "Monday."
  MONDAY
  "Tuesday."
  TUESDAY
  "Wednesday."
  WEDNESDAY
  "Thursday."
  THURSDAY
  "Friday."
  FRIDAY
  "Saturday."
  SATURDAY
  "Sunday."
  SUNDAY
}`,
		Input:     "WeekdayFilter",
		Dimension: filter.Weekday,
	}
}

func (weekdayFilter) Compile(_ context.Context, args weekdayArgs) (filter.Expr, error) {
	if err := plugins.RequireList("is", args.Is); err != nil {
		return nil, err
	}
	days := dimension.Named(filter.Weekday.Name).Values
	for i, day := range args.Is {
		if !slices.Contains(days, day) {
			return nil, plugins.ArgError(plugins.At("is", i), "%q is no day of the week; use one of %s", day, strings.Join(days, ", "))
		}
	}
	return filter.In{Field: filter.Weekday, Values: args.Is}, nil
}

func (weekdayFilter) Merge(_ context.Context, active, goal weekdayArgs) (weekdayArgs, error) {
	is, err := plugins.Intersect(active.Is, goal.Is)
	return weekdayArgs{is}, err
}

func (weekdayFilter) Label(args weekdayArgs) string {
	is, _ := plugins.Intersect(args.Is, nil) // each once
	for i, day := range is {
		is[i] = day[:1] + strings.ToLower(day[1:])
	}
	return "Weekday is " + plugins.OneOf(is)
}
