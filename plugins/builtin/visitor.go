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
		Description: "Sessions by visitor. If you give both is and kind, both must match. Merging keeps what both filters allow.",
		Rule:        plugins.Intersection,
		SDL: `
"Sessions by visitor. Give is, kind or both; all that you give must match. Merge rule INTERSECTION."
input VisitorFilter {
  "One of these visitor ids, exactly as sent."
  is: [String!]
  "Whether the session is the visitor's first."
  kind: VisitorKind
}
"Whether a session is its visitor's first."
enum VisitorKind {
  "The visitor's first session."
  NEW
  "A later session of the visitor."
  RETURNING
}`,
		Input:     "VisitorFilter",
		Dimension: filter.Visitor,
	}
}

func (visitorFilter) Compile(_ context.Context, args visitorArgs) (filter.Expr, error) {
	if args.Is == nil && args.Kind == nil {
		return nil, plugins.ArgError("", "give is, kind or both")
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
			return nil, plugins.ArgError("kind", "%q is neither NEW nor RETURNING; use one of them", *args.Kind)
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
