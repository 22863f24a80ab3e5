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
			Description: "Sessions that visited a page for every one of the path globs. Merged, a session must have visited those of both.",
			Rule:        plugins.Union,
			SDL: `
"Sessions that visited a page for every one of the path globs. Merge rule UNION."
input PagesFilter {
  "Path globs (/pricing, /blog/*): for every one some page of the session matches. * is any run of characters; upper and lower case differ."
  all: [String!]!
}`,
			Input:     "PagesFilter",
			Dimension: filter.Pages,
		},
		values: plugins.Globs{},
		verb:   "Visited",
	})
}
