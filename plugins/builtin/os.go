package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// operatingSystem matches the operating system's name.
func operatingSystem() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "os",
			Title:       "Operating system",
			Description: "Sessions by the name of the operating system, without its version. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the name of the operating system, without its version. At least one of is and isNot is given. Merge rule INTERSECTION."
input OsFilter {
  "Names as sessions show them (Windows, Android): one of them."
  is: [String!]
  "Names as sessions show them (Windows, Android): none of them. A session without a known operating system satisfies it."
  isNot: [String!]
}`,
			Input:     "OsFilter",
			Dimension: filter.OS,
		},
		Values: plugins.Exact{},
	})
}
