package builtin

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// property matches a custom property of the session.
func property() plugins.Type { return plugins.Of(propertyFilter{}) }

type (
	propertyFilter struct{}
	propertyArgs   struct {
		Key string `json:"key"`
		plugins.Choice
	}
)

func (propertyFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "property",
		Title: "Property",
		Description: "Sessions by the value of a custom property. Merging keeps what both filters allow; " +
			"filters on two properties must both hold.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by a custom property. Give is, isNot or both. Merge rule INTERSECTION."
input PropertyFilter {
  "The name of the property."
  key: String!
  "One of these values, exactly as sent."
  is: [String!]
  "None of these values, exactly as sent. A session without the property matches."
  isNot: [String!]
}`,
		Input: "PropertyFilter",
		Arguments: []plugins.Argument{
			{Path: "key", Suggest: plugins.SuggestProperties},
			{Path: "is", Suggest: plugins.SuggestValues, KeyPath: "key"},
			{Path: "isNot", Suggest: plugins.SuggestValues, KeyPath: "key"},
		},
	}
}

func (propertyFilter) Compile(_ context.Context, args propertyArgs) (filter.Expr, error) {
	if err := plugins.CheckValue("key", args.Key); err != nil {
		return nil, err
	}
	return args.Choice.Compile(filter.Property(args.Key), plugins.Exact{})
}

func (propertyFilter) Merge(_ context.Context, active, goal propertyArgs) (propertyArgs, error) {
	if active.Key != goal.Key {
		return propertyArgs{}, plugins.ErrBoth
	}
	choice, err := active.Choice.Merge(goal.Choice, plugins.Exact{})
	return propertyArgs{Key: active.Key, Choice: choice}, err
}

func (propertyFilter) Warn(args propertyArgs) []plugins.Warning {
	return args.Choice.Warn(plugins.Exact{})
}

func (propertyFilter) Label(args propertyArgs) string {
	return args.Choice.Label("Property " + args.Key)
}
