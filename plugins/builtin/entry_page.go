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
			Description: "Sessions by the path of the first page viewed. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the path of the first page viewed. Give is, isNot or both. Merge rule INTERSECTION."
input EntryPageFilter {
  "One of these path globs (/pricing, /blog/*). * stands for any characters; upper and lower case differ."
  is: [String!]
  "None of these path globs (/pricing, /blog/*). A session without a page view matches."
  isNot: [String!]
}`,
			Input:     "EntryPageFilter",
			Dimension: filter.EntryPage,
		},
		Values: paths{},
	})
}
