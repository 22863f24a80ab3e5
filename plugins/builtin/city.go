package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// city matches the city that the session's first hit came from.
func city() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "city",
			Title:       "City",
			Description: "Sessions by the city of the first hit. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the city of the first hit. Give is, isNot or both. Merge rule INTERSECTION."
input CityFilter {
  "One of these globs of English names (London, San *). * stands for any characters; upper and lower case differ."
  is: [String!]
  "None of these globs of English names (London, San *). An unknown city matches."
  isNot: [String!]
}`,
			Input:     "CityFilter",
			Dimension: filter.City,
		},
		Values: plugins.Globs{},
	})
}
