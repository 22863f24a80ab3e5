package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// tags matches what the session was tagged with.
func tags() plugins.Type {
	return plugins.Of(allFilter{
		Description: plugins.Description{
			Name:        "tags",
			Title:       "Tags",
			Description: "Sessions with every one of these tags. Merging requires the tags of both filters.",
			Rule:        plugins.Union,
			SDL: `
"Sessions with every one of these tags. Merge rule UNION."
input TagsFilter {
  "Tags, exactly as sent. Every one must occur."
  all: [String!]!
}`,
			Input:     "TagsFilter",
			Dimension: filter.Tags,
		},
		values: plugins.Exact{},
		verb:   "Tagged",
	})
}
