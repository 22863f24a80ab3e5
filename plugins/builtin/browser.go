package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// browser matches the browser's name.
func browser() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "browser",
			Title:       "Browser",
			Description: "Sessions by browser name, without the version. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by browser name, without the version. Give is, isNot or both. Merge rule INTERSECTION."
input BrowserFilter {
  "One of these names, as sessions show them (Chrome, Firefox)."
  is: [String!]
  "None of these names, as sessions show them (Chrome, Firefox). An unknown browser matches."
  isNot: [String!]
}`,
			Input:     "BrowserFilter",
			Dimension: filter.Browser,
		},
		Values: plugins.Exact{},
	})
}
