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
			Description: "Sessions by operating system name, without the version. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by operating system name, without the version. Give is, isNot or both. Merge rule INTERSECTION."
input OsFilter {
  "One of these names, as sessions show them (Windows, Android)."
  is: [String!]
  "None of these names, as sessions show them (Windows, Android). An unknown operating system matches."
  isNot: [String!]
}`,
			Input:     "OsFilter",
			Dimension: filter.OS,
		},
		Values: plugins.Exact{},
	})
}
