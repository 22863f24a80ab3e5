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
			Description: "Sessions by the host of the first page viewed. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the host of the first page viewed. Give is, isNot or both. Merge rule INTERSECTION."
input HostnameFilter {
  "One of these host globs (www.shop.example, *.shop.example), in any case. * stands for any characters."
  is: [String!]
  "None of these host globs (www.shop.example, *.shop.example), in any case. An unknown host matches."
  isNot: [String!]
}`,
			Input:     "HostnameFilter",
			Dimension: filter.Hostname,
		},
		Values: newHosts(""),
	})
}
