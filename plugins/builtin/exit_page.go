package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// exitPage matches the session's last page.
func exitPage() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "exitPage",
			Title:       "Exit page",
			Description: "Sessions by the path of the last page viewed. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the path of the last page viewed. Give is, isNot or both. Merge rule INTERSECTION."
input ExitPageFilter {
  "One of these path globs (/pricing, /blog/*). * stands for any characters; upper and lower case differ."
  is: [String!]
  "None of these path globs (/pricing, /blog/*). A session without a page view matches."
  isNot: [String!]
}`,
			Input:     "ExitPageFilter",
			Dimension: filter.ExitPage,
		},
		Values: paths{},
	})
}
