package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// entryPage matches the page on which the session began.
func entryPage() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "entryPage",
			Title:       "Entry page",
			Description: "Sessions by the path of the page that they began on. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the path of the page that they began on. At least one of is and isNot is given. Merge rule INTERSECTION."
input EntryPageFilter {
  "Path globs (/pricing, /blog/*); * is any run of characters, upper and lower case differ: one of them."
  is: [String!]
  "Path globs (/pricing, /blog/*); * is any run of characters, upper and lower case differ: none of them. A session without a page satisfies it."
  isNot: [String!]
}`,
			Input:     "EntryPageFilter",
			Dimension: filter.EntryPage,
		},
		Values: plugins.Globs{},
	})
}
