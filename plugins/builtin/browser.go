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
			Description: "Sessions by the name of the browser, without its version. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the name of the browser, without its version. At least one of is and isNot is given. Merge rule INTERSECTION."
input BrowserFilter {
  "Names as sessions show them (Chrome, Firefox): one of them."
  is: [String!]
  "Names as sessions show them (Chrome, Firefox): none of them. A session without a known browser satisfies it."
  isNot: [String!]
}`,
			Input:     "BrowserFilter",
			Dimension: filter.Browser,
		},
		Values: plugins.Exact{},
	})
}
