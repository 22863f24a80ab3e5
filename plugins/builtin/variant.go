package builtin

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// variant matches the variant that the session's visitor is assigned to.
func variant() plugins.Type { return plugins.Of(variantFilter{}) }

type (
	variantFilter struct{}
	variantArgs   struct {
		Experiment string   `json:"experiment"`
		Is         []string `json:"is"`
	}
)

func (variantFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "variant",
		Title: "Variant",
		Description: "Sessions by the visitor's variant in an experiment: the session of the assignment and all that start later. " +
			"Merging keeps the variants that both filters allow; filters on two experiments must both hold.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by the visitor's variant in an experiment, from the assignment on. Merge rule INTERSECTION."
input VariantFilter {
  "The key of the experiment (headline)."
  experiment: String!
  "The keys of variants (a, b, c). The visitor is assigned to one of them."
  is: [String!]!
}`,
		Input: "VariantFilter",
		Arguments: []plugins.Argument{
			{Path: "experiment", Suggest: plugins.SuggestExperiments},
			{Path: "is", Suggest: plugins.SuggestValues, KeyPath: "experiment"},
		},
	}
}

func (variantFilter) Compile(_ context.Context, args variantArgs) (filter.Expr, error) {
	if err := plugins.CheckValue("experiment", args.Experiment); err != nil {
		return nil, err
	}
	if err := plugins.RequireList("is", args.Is); err != nil {
		return nil, err
	}
	return filter.Assigned{Experiment: args.Experiment, Variants: args.Is}, nil
}

func (variantFilter) Merge(_ context.Context, active, goal variantArgs) (variantArgs, error) {
	if active.Experiment != goal.Experiment {
		return variantArgs{}, plugins.ErrBoth
	}
	is, err := plugins.Intersect(active.Is, goal.Is)
	return variantArgs{Experiment: active.Experiment, Is: is}, err
}

func (variantFilter) Label(args variantArgs) string {
	is, _ := plugins.Intersect(args.Is, nil) // each once
	return "Variant of " + args.Experiment + " is " + plugins.OneOf(is)
}
