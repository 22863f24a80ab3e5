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
			Description: "Sessions by the path of the last page that they viewed. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the path of the last page that they viewed. At least one of is and isNot is given. Merge rule INTERSECTION."
input ExitPageFilter {
  "Path globs (/pricing, /blog/*); * is any run of characters, upper and lower case differ: one of them."
  is: [String!]
  "Path globs (/pricing, /blog/*); * is any run of characters, upper and lower case differ: none of them. A session without a page view satisfies it."
  isNot: [String!]
}`,
			Input:     "ExitPageFilter",
			Dimension: filter.ExitPage,
		},
		Values: plugins.Globs{},
	})
}
