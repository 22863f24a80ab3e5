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
			Description: "Sessions by the host of the page that led to them. Merged, only what both allow is left.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the host of the page that led to them. At least one of is and isNot is given. Merge rule INTERSECTION."
input ReferrerFilter {
  "Host globs (t.co, *google*), without regard to case; * is any run of characters, and (direct) stands for no referrer: one of them."
  is: [String!]
  "Host globs (t.co, *google*), without regard to case; * is any run of characters, and (direct) stands for no referrer: none of them. A session without a referrer satisfies it, unless (direct) is among them."
  isNot: [String!]
}`,
			Input:     "ReferrerFilter",
			Dimension: filter.Referrer,
			None:      direct,
		},
		Values: plugins.Globs{None: direct, Lower: true},
	})
}
