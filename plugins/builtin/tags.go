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
			Description: "Sessions that carry every one of the tags. Merged, a session must carry the tags of both.",
			Rule:        plugins.Union,
			SDL: `
"Sessions that carry every one of the tags. Merge rule UNION."
input TagsFilter {
  "Tags, exactly as they were sent: every one of them."
  all: [String!]!
}`,
			Input:     "TagsFilter",
			Dimension: filter.Tags,
		},
		values: plugins.Exact{},
		verb:   "Tagged",
	})
}
