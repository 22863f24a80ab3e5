package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// hostname matches the host of the page on which the session began.
func hostname() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "hostname",
			Title:       "Hostname",
			Description: "Sessions by the host of the page that they began on. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the host of the page that they began on. At least one of is and isNot is given. Merge rule INTERSECTION."
input HostnameFilter {
  "Host globs (www.shop.example, *.shop.example), without regard to case; * is any run of characters: one of them."
  is: [String!]
  "Host globs (www.shop.example, *.shop.example), without regard to case; * is any run of characters: none of them. A session without a known host satisfies it."
  isNot: [String!]
}`,
			Input:     "HostnameFilter",
			Dimension: filter.Hostname,
		},
		Values: plugins.Globs{Lower: true},
	})
}
