package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
)

// splitFields are the fields of the dimensions that visitors are divided by.
var splitFields = map[generated.SplitDimension]filter.Field{
	generated.SplitDimensionBrowser: filter.Browser, generated.SplitDimensionOs: filter.OS, generated.SplitDimensionDevice: filter.Device,
	generated.SplitDimensionCountry: filter.Country, generated.SplitDimensionLanguage: filter.Language,
}

func (r *experimentResultResolver) Splits(ctx context.Context, result *view.ExperimentResult, by generated.SplitDimension, first int) ([]view.VisitorSplit, error) {
	if first < 1 || first > experiment.MaxGroups {
		return nil, model.Invalid("first", "is %d; use 1 to %d", first, experiment.MaxGroups)
	}
	splits, err := result.Splits(ctx, splitFields[by])
	return splits[:min(first, len(splits))], err
}

// splitsOf returns what divides the visitors by a field.
func (r *Resolver) splitsOf(question experiment.Question, reading *experiment.Reading) func(context.Context, filter.Field) ([]view.VisitorSplit, error) {
	question.Metrics = nil
	return func(ctx context.Context, by filter.Field) ([]view.VisitorSplit, error) {
		asked := question
		asked.By = by
		answer, err := collectionOf(ctx).results.ask(ctx, asked)
		if err == nil {
			err = answer.Err
		}
		if err != nil {
			return nil, err
		}
		ratios, err := reading.GroupRatios(&answer)
		splits := make([]view.VisitorSplit, len(ratios))
		for i := range ratios {
			ratio := &ratios[i]
			splits[i] = view.VisitorSplit{
				Value: ratio.Value, Contaminated: ratio.MultipleExposures, SampleRatio: ratio.SampleRatio, AdjustedPValue: ratio.AdjustedPValue, Mismatch: ratio.Mismatch(),
			}
			for _, phases := range ratio.Visitors {
				visitors := 0
				for _, n := range phases {
					visitors += n
				}
				splits[i].Visitors = append(splits[i].Visitors, visitors)
			}
		}
		return splits, err
	}
}
