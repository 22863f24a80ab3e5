package builtin

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// eventValue matches the sum of the values of one event.
func eventValue() plugins.Type { return plugins.Of(eventValueFilter{}) }

type (
	eventValueFilter struct{}
	eventValueArgs   struct {
		Event string `json:"event"`
		plugins.Span[float64]
	}
)

func (eventValueFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "eventValue",
		Title: "Event value",
		Description: "Sessions by the sum of one event's values. A session in which the event had no value never matches. " +
			"Merging keeps the sums that both filters allow; filters on two events must both hold.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by the sum of one event's values. Give min, max or both. Merge rule INTERSECTION."
input EventValueFilter {
  "The event name, exactly as sent."
  event: String!
  "The least sum, included, in the unit of the event's values."
  min: Float
  "The greatest sum, included, in the unit of the event's values."
  max: Float
}`,
		Input:     "EventValueFilter",
		Arguments: []plugins.Argument{{Path: "event", Suggest: plugins.SuggestEvents}},
	}
}

func (eventValueFilter) Compile(_ context.Context, args eventValueArgs) (filter.Expr, error) {
	if err := plugins.CheckValue("event", args.Event); err != nil {
		return nil, err
	}
	if err := args.Check(); err != nil {
		return nil, err
	}
	return args.Expr(filter.EventValue(args.Event)), nil
}

func (eventValueFilter) Merge(_ context.Context, active, goal eventValueArgs) (eventValueArgs, error) {
	if active.Event != goal.Event {
		return eventValueArgs{}, plugins.ErrBoth
	}
	span, err := rounded(active.Span).Merge(rounded(goal.Span))
	return eventValueArgs{Event: active.Event, Span: span}, err
}

// rounded returns a span whose ends are in the order of the decimals that they stand for.
func rounded(span plugins.Span[float64]) plugins.Span[float64] {
	for _, end := range []**float64{&span.Min, &span.Max} {
		if *end != nil {
			decimal := filter.RoundEnd(**end)
			*end = &decimal
		}
	}
	return span
}

func (eventValueFilter) Label(args eventValueArgs) string {
	return args.Span.Label("Value of "+args.Event, "")
}
