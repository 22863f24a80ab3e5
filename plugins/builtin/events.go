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
			Description: "Sessions with every one of these events. Merging requires the events of both filters.",
			Rule:        plugins.Union,
			SDL: `
"Sessions with every one of these events. Merge rule UNION."
input EventsFilter {
  "Event names, exactly as sent. Every one must occur."
  all: [String!]!
}`,
			Input:     "EventsFilter",
			Dimension: filter.Events,
			Arguments: []plugins.Argument{{Path: "all", Suggest: plugins.SuggestEvents}},
		},
		values: plugins.Exact{},
		verb:   "Tracked",
	})
}
