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
			Description: "Sessions by the city of their first hit. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the city of their first hit. At least one of is and isNot is given. Merge rule INTERSECTION."
input CityFilter {
  "Globs of English names (London, San *); * is any run of characters, upper and lower case differ: one of them."
  is: [String!]
  "Globs of English names (London, San *); * is any run of characters, upper and lower case differ: none of them. A session without a known city satisfies it."
  isNot: [String!]
}`,
			Input:     "CityFilter",
			Dimension: filter.City,
		},
		Values: plugins.Globs{},
	})
}
