package plugins

import (
	"context"
	"errors"
	"slices"

	"github.com/goalgraph/goalgraph/model/filter"
)

// Choice is the arguments of filters that allow and forbid values: a session matches
// if its value is one of Is and none of IsNot. At least one of the lists is given. A
// session without a value matches every IsNot that does not list the value for none.
//
// Arguments with more fields can embed it.
type Choice struct {
	Is    []string `json:"is,omitempty"`
	IsNot []string `json:"isNot,omitempty"`
}

// Check returns the choice with its values distinct and in their normal
// spelling, or an ArgumentError.
func (c Choice) Check(values Values) (Choice, error) {
	if c.Is == nil && c.IsNot == nil {
		return Choice{}, ArgError("", "give is, isNot or both")
	}
	is, err := normalList("is", c.Is, values)
	if err != nil {
		return Choice{}, err
	}
	isNot, err := normalList("isNot", c.IsNot, values)
	if err != nil {
		return Choice{}, err
	}
	return Choice{Is: is, IsNot: isNot}, nil
}

func normalList(path string, list []string, values Values) ([]string, error) {
	if err := CheckList(path, list); err != nil {
		return nil, err
	}
	normal := slices.Clone(list)
	for i, value := range list {
		var err error
		if normal[i], err = values.Normal(value); err != nil {
			if e, ok := errors.AsType[*ArgumentError](err); ok {
				err = errors.New(e.Message)
			}
			return nil, ArgError(At(path, i), "%v", err)
		}
	}
	return distinct(normal), nil
}

// Compile returns the predicate of the choice over a text field, or an
// ArgumentError.
func (c Choice) Compile(field filter.Field, values Values) (filter.Expr, error) {
	c, err := c.Check(values)
	if err != nil {
		return nil, err
	}
	any := func(list []string) filter.Expr {
		parts := make(filter.Or, len(list))
		for i, value := range list {
			parts[i] = values.Expr(field, value)
		}
		return parts
	}
	var both filter.And
	if c.Is != nil {
		both = append(both, any(c.Is))
	}
	if c.IsNot != nil {
		both = append(both, filter.Not{Expr: any(c.IsNot)})
	}
	return both, nil
}

// maxPairs bounds the comparisons of a merge that are not between literals; with
// more, both filters stay, which says the same.
const maxPairs = 50_000

// Merge returns the choice that allows what both choices allow. Both must pass Check.
// The error is ErrEmpty or ErrBoth, as for a Merger.
func (c Choice) Merge(goal Choice, values Values) (Choice, error) {
	c, err := c.Check(values)
	if err != nil {
		return Choice{}, err
	}
	if goal, err = goal.Check(values); err != nil {
		return Choice{}, err
	}
	if pairs(c, goal) > maxPairs {
		return Choice{}, ErrBoth
	}
	merged := Choice{Is: c.Is, IsNot: distinct(slices.Concat(c.IsNot, goal.IsNot))}
	switch {
	case c.Is == nil:
		merged.Is = goal.Is
	case goal.Is != nil:
		if merged.Is, err = intersect(c.Is, goal.Is, values); err != nil {
			return Choice{}, err
		}
	}
	if merged.Is != nil {
		merged.Is = slices.DeleteFunc(slices.Clone(merged.Is), func(is string) bool {
			return slices.ContainsFunc(merged.IsNot, func(not string) bool { return values.Relate(is, not) == Inside })
		})
		if len(merged.Is) == 0 {
			return Choice{}, ErrEmpty
		}
		// What excludes none of the allowed values says nothing more.
		merged.IsNot = slices.DeleteFunc(merged.IsNot, func(not string) bool {
			return !slices.ContainsFunc(merged.Is, func(is string) bool { return values.Relate(is, not) != Disjoint })
		})
	}
	if len(merged.Is) > MaxValues || len(merged.IsNot) > MaxValues {
		return Choice{}, ErrBoth
	}
	return merged, nil
}

// pairs counts the comparisons in which a glob takes part.
func pairs(a, b Choice) int {
	count := func(list []string) (all, globs int) {
		for _, value := range list {
			if isGlob(value) {
				globs++
			}
		}
		return len(list), globs
	}
	between := func(x, y []string) int {
		xs, xGlobs := count(x)
		ys, yGlobs := count(y)
		return xGlobs*ys + (xs-xGlobs)*yGlobs
	}
	is, isNot := slices.Concat(a.Is, b.Is), slices.Concat(a.IsNot, b.IsNot)
	return between(a.Is, b.Is) + between(is, isNot)
}

// intersect returns the values that both lists allow.
func intersect(a, b []string, values Values) ([]string, error) {
	kept := []string{}
	for _, x := range a {
		for _, y := range b {
			switch values.Relate(x, y) {
			case Inside:
				kept = append(kept, x)
			case Around:
				kept = append(kept, y)
			case Overlapping:
				return nil, ErrBoth
			}
		}
	}
	if len(kept) == 0 {
		return nil, ErrEmpty
	}
	return distinct(kept), nil
}

// Label describes the choice after a title: "Country is RO or US and is not DE".
func (c Choice) Label(title string) string {
	switch {
	case c.IsNot == nil:
		return title + " is " + OneOf(c.Is)
	case c.Is == nil:
		return title + " is not " + OneOf(c.IsNot)
	}
	return title + " is " + OneOf(c.Is) + " and is not " + OneOf(c.IsNot)
}

// Warn returns warnings about values that are probably mistakes.
func (c Choice) Warn(values Values) []Warning {
	return slices.Concat(Doubts("is", c.Is, values), Doubts("isNot", c.IsNot, values))
}

// ChoiceFilter is a complete filter type: a Choice over its Dimension.
type ChoiceFilter struct {
	Description
	Values Values
}

// Describe returns the description.
func (f ChoiceFilter) Describe() Description { return f.Description }

// Compile returns the choice's predicate over the dimension.
func (f ChoiceFilter) Compile(_ context.Context, args Choice) (filter.Expr, error) {
	return args.Compile(f.Dimension, f.Values)
}

// Merge returns the choice that allows what both allow.
func (f ChoiceFilter) Merge(_ context.Context, active, goal Choice) (Choice, error) {
	return active.Merge(goal, f.Values)
}

// Label describes the choice, with values in their normal spelling.
func (f ChoiceFilter) Label(args Choice) string {
	if normal, err := args.Check(f.Values); err == nil {
		args = normal
	}
	return args.Label(f.Title)
}

// Warn returns warnings about values that are probably mistakes.
func (f ChoiceFilter) Warn(args Choice) []Warning { return args.Warn(f.Values) }
