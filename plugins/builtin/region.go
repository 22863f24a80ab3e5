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
			Description: "Sessions by the region of their first hit. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the region of their first hit. At least one of is and isNot is given. Merge rule INTERSECTION."
input RegionFilter {
  "Globs of English names (England, *Territory*); * is any run of characters, upper and lower case differ: one of them."
  is: [String!]
  "Globs of English names (England, *Territory*); * is any run of characters, upper and lower case differ: none of them. A session without a known region satisfies it."
  isNot: [String!]
}`,
			Input:     "RegionFilter",
			Dimension: filter.Region,
		},
		Values: plugins.Globs{},
	})
}
