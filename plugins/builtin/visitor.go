package builtin

import (
	"context"
	"strings"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// visitor matches who the session is of.
func visitor() plugins.Type { return plugins.Of(visitorFilter{}) }

type (
	visitorFilter struct{}
	visitorArgs   struct {
		Is   []string `json:"is,omitempty"`
		Kind *string  `json:"kind,omitempty"`
	}
)

func (visitorFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:        "visitor",
		Title:       "Visitor",
		Description: "Sessions by their visitor. Both is and kind must hold where both are given. Merged, only what both allow is left.",
		Rule:        plugins.Intersection,
		SDL: `
"Sessions by their visitor. At least one of is and kind is given, and all that are must hold. Merge rule INTERSECTION."
input VisitorFilter {
  "Visitor ids, exactly as they were sent: one of them."
  is: [String!]
  "Whether it is the visitor's first session."
  kind: VisitorKind
}
"Whether a session is its visitor's first."
enum VisitorKind {
  "The visitor had no session before."
  NEW
  "The visitor had a session before."
  RETURNING
}`,
		Input:     "VisitorFilter",
		Dimension: filter.Visitor,
	}
}

func (visitorFilter) Compile(_ context.Context, args visitorArgs) (filter.Expr, error) {
	if args.Is == nil && args.Kind == nil {
		return nil, plugins.ArgError("", "give is or kind, or both")
	}
	if err := plugins.CheckList("is", args.Is); err != nil {
		return nil, err
	}
	var both filter.And
	if args.Is != nil {
		both = append(both, filter.In{Field: filter.Visitor, Values: args.Is})
	}
	if args.Kind != nil {
		if *args.Kind != filter.NewVisitor && *args.Kind != filter.ReturningVisitor {
			return nil, plugins.ArgError("kind", "%q is neither NEW nor RETURNING", *args.Kind)
		}
		both = append(both, filter.In{Field: filter.VisitorKind, Values: []string{*args.Kind}})
	}
	return both, nil
}

func (visitorFilter) Merge(_ context.Context, active, goal visitorArgs) (visitorArgs, error) {
	merged := active
	switch {
	case active.Kind == nil:
		merged.Kind = goal.Kind
	case goal.Kind != nil && *goal.Kind != *active.Kind:
		return visitorArgs{}, plugins.ErrEmpty
	}
	var err error
	if merged.Is, err = plugins.Intersect(active.Is, goal.Is); err != nil {
		return visitorArgs{}, err
	}
	return merged, nil
}

func (visitorFilter) Label(args visitorArgs) string {
	var parts []string
	if args.Is != nil {
		parts = append(parts, "is "+plugins.OneOf(args.Is))
	}
	if args.Kind != nil {
		parts = append(parts, "is "+strings.ToLower(*args.Kind))
	}
	return "Visitor " + strings.Join(parts, " and ")
}
