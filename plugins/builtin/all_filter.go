package builtin

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// allFilter is a filter type whose values must all be found in a field of many:
// tags, pages, events.
type allFilter struct {
	plugins.Description
	values plugins.Values
	// verb stands before the values in the label.
	verb string
}

type allArgs struct {
	All []string `json:"all"`
}

func (f allFilter) Describe() plugins.Description { return f.Description }

// normal returns the values in their normal spelling.
func (f allFilter) normal(args allArgs) ([]string, error) {
	if err := plugins.RequireList("all", args.All); err != nil {
		return nil, err
	}
	normal := make([]string, len(args.All))
	for i, value := range args.All {
		var err error
		if normal[i], err = f.values.Normal(value); err != nil {
			return nil, plugins.ArgError(plugins.At("all", i), "%v", err)
		}
	}
	return plugins.Unite(normal, nil)
}

func (f allFilter) Compile(_ context.Context, args allArgs) (filter.Expr, error) {
	values, err := f.normal(args)
	if err != nil {
		return nil, err
	}
	every := make(filter.And, len(values))
	for i, value := range values {
		every[i] = f.values.Expr(f.Dimension, value)
	}
	return every, nil
}

func (f allFilter) Merge(_ context.Context, active, goal allArgs) (allArgs, error) {
	a, err := f.normal(active)
	if err != nil {
		return allArgs{}, err
	}
	g, err := f.normal(goal)
	if err != nil {
		return allArgs{}, err
	}
	all, err := plugins.Unite(a, g)
	return allArgs{All: all}, err
}

func (f allFilter) Warn(args allArgs) []plugins.Warning {
	return plugins.Doubts("all", args.All, f.values)
}

func (f allFilter) Label(args allArgs) string {
	if values, err := f.normal(args); err == nil {
		args.All = values
	}
	return f.verb + " " + plugins.AllOf(args.All)
}
