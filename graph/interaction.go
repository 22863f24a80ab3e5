package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/model/store"
)

const (
	// maxBeside is how many experiments are looked at beside one at most, those that began last, of so many of the site's newest.
	maxBeside = 10
	newest    = 500
	// interacts is the adjusted p-value from which on down an interaction is told of.
	interacts = 0.05
)

// Interactions compares the effect of each variant in the variants of other experiments.
func (r *experimentResolver) Interactions(ctx context.Context, e *model.Experiment) ([]view.Interaction, error) {
	if e.StartedAt == 0 || e.Primary == 0 {
		return nil, nil
	}
	others, err := r.beside(ctx, e)
	if err != nil {
		return nil, err
	}
	goals, err := r.goalsOf(ctx, []int64{e.Primary})
	if err != nil {
		return nil, err
	}
	m, err := r.measure(ctx, e, metrics{goals: goals, primary: e.Primary}, nil, model.Range{From: -model.Open, To: model.Open})
	if err == nil {
		err = m.metrics[0].err
	}
	if err != nil {
		return nil, err
	}
	var questions []experiment.Question
	for _, other := range others {
		for _, variant := range other.Variants {
			q := m.metrics[0].question
			q.Where = filter.Assigned{Experiment: other.Key, Variants: []string{variant.Key}}
			questions = append(questions, q)
		}
	}
	answers, err := waitAll(ctx, collectionOf(ctx).results.registerAll(questions))
	if err != nil {
		return nil, err
	}
	var all []view.Interaction
	for i := range others {
		those := answers[:len(others[i].Variants)]
		answers = answers[len(those):]
		found, err := interactionsOf(e, &others[i], those)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	p := make([]float64, len(all))
	for i := range all {
		p[i] = all[i].PValue
	}
	for i, adjusted := range stats.Holm(p) {
		all[i].AdjustedPValue = adjusted
		if adjusted < interacts {
			warning := fmt.Sprintf("What %s does depends on whether visitors are in %s of %s. Look at the two experiments together before you decide either.",
				all[i].Variant.Name, all[i].OtherVariant.Name, all[i].Experiment.Name)
			all[i].Warning = &warning
		}
	}
	return all, nil
}

// beside returns the experiments of the site that ran at the same time as one, those that began last.
func (r *Resolver) beside(ctx context.Context, e *model.Experiment) ([]model.Experiment, error) {
	started := []model.ExperimentStatus{model.Running, model.Stopped, model.Archived}
	others, err := r.store.Experiments(ctx, store.ExperimentQuery{Site: e.SiteID, Status: started}, store.Page{Descending: true, Limit: newest})
	if err != nil {
		return nil, err
	}
	run, _ := e.Run()
	others = slices.DeleteFunc(others, func(other model.Experiment) bool {
		theirs, ran := other.Run()
		return !ran || other.ID == e.ID || theirs.From >= run.To || run.From >= theirs.To
	})
	slices.SortStableFunc(others, func(a, b model.Experiment) int { return int(min(max(b.StartedAt-a.StartedAt, -1), 1)) })
	return others[:min(len(others), maxBeside)], nil
}

// interactionsOf compares the effect of each variant in each variant of another experiment, of which there is an answer each,
// with that in the other's baseline. What cannot be asked of the other one, for want of its audience's plugin, is left out.
func interactionsOf(e, other *model.Experiment, answers []experiment.Answer) (all []view.Interaction, err error) {
	if slices.ContainsFunc(answers, func(a experiment.Answer) bool { return a.Err != nil }) {
		return nil, nil
	}
	count := func(of, variant int) stats.Count {
		v := &answers[of].Variants[variant]
		return stats.Count{Visitors: int64(v.Visitors), Conversions: int64(v.Metrics[0].Conversions)}
	}
	isBaseline := func(v model.Variant) bool { return v.Baseline }
	base, otherBase := slices.IndexFunc(e.Variants, isBaseline), slices.IndexFunc(other.Variants, isBaseline)
	variants, others := view.VariantsOf(e), view.VariantsOf(other)
	for i := range variants {
		for j := range others {
			if i == base || j == otherBase {
				continue
			}
			cells := [4]stats.Count{count(otherBase, base), count(otherBase, i), count(j, base), count(j, i)}
			visitors := int64(0)
			for _, cell := range cells {
				visitors += cell.Visitors
			}
			interaction, err := stats.Interact(cells[0], cells[1], cells[2], cells[3])
			if err != nil {
				return nil, err
			}
			all = append(all, view.Interaction{Experiment: other, Variant: variants[i], OtherVariant: others[j], Visitors: visitors, Interaction: interaction})
		}
	}
	return all, nil
}
