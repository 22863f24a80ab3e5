package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// direct stands for no referrer.
const direct = "(direct)"

// referrer matches the host that the session came from.
func referrer() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "referrer",
			Title:       "Referrer",
			Description: "Sessions by the host of the page that the visitor came from. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the host of the page that the visitor came from. Give is, isNot or both. Merge rule INTERSECTION."
input ReferrerFilter {
  "One of these host globs (t.co, *google*), in any case. * stands for any characters, (direct) for no referrer."
  is: [String!]
  "None of these host globs (t.co, *google*), in any case. A session without a referrer matches, unless (direct) is listed."
  isNot: [String!]
}`,
			Input:     "ReferrerFilter",
			Dimension: filter.Referrer,
			None:      direct,
		},
		Values: newHosts(direct),
	})
}
