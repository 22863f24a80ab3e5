package builtin

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// events matches the events that were tracked in the session.
func events() plugins.Type {
	return plugins.Of(allFilter{
		Description: plugins.Description{
			Name:        "events",
			Title:       "Events",
			Description: "Sessions in which every one of the events was tracked. Merged, the events of both must have been.",
			Rule:        plugins.Union,
			SDL: `
"Sessions in which every one of the events was tracked. Merge rule UNION."
input EventsFilter {
  "Names of events, exactly as they were sent: every one of them."
  all: [String!]!
}`,
			Input:     "EventsFilter",
			Dimension: filter.Events,
		},
		values: plugins.Exact{},
		verb:   "Tracked",
	})
}
