package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// pages matches the paths that the session visited.
func pages() plugins.Type {
	return plugins.Of(allFilter{
		Description: plugins.Description{
			Name:        "pages",
			Title:       "Visited pages",
			Description: "Sessions that visited a page for every one of these path globs. Merging requires the pages of both filters.",
			Rule:        plugins.Union,
			SDL: `
"Sessions that visited a page for every one of these path globs. Merge rule UNION."
input PagesFilter {
  "Path globs (/pricing, /blog/*). Every one must match a page of the session. * stands for any characters; upper and lower case differ."
  all: [String!]!
}`,
			Input:     "PagesFilter",
			Dimension: filter.Pages,
		},
		values: paths{},
		verb:   "Visited",
	})
}
