package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// region matches the region that the session's first hit came from.
func region() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "region",
			Title:       "Region",
			Description: "Sessions by the region of the first hit. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the region of the first hit. Give is, isNot or both. Merge rule INTERSECTION."
input RegionFilter {
  "One of these globs of English names (England, California). * stands for any characters; upper and lower case differ."
  is: [String!]
  "None of these globs of English names (England, California). An unknown region matches."
  isNot: [String!]
}`,
			Input:     "RegionFilter",
			Dimension: filter.Region,
		},
		Values: plugins.Globs{},
	})
}
