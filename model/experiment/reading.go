package experiment

import (
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
)

// Reading is what an experiment's visitors, or those of a segment, did at one look, and what that means.
type Reading struct {
	Experiment *model.Experiment
	// Primary is the id of the goal that decides: the experiment's primary metric, or a goal that stands for all metrics.
	Primary int64
	Rules   stats.Rules
	// Families are what the trials are looked at together with.
	Families *Families
	// Answer has who takes part.
	Answer Answer
	// Follows tells that visitors are chosen by what may follow their assignment.
	Follows bool
	// Ran is how long the experiment has been running, or ran, and Left how long it is to until the planned look: 0 where none is
	// planned, or the time has come.
	Ran, Left time.Duration
	// SampleRatio and PhaseRatios, which are of each phase, are set by Check.
	SampleRatio stats.SampleRatio
	PhaseRatios []stats.SampleRatio
	// Trials are those of the experiment's metrics, in their order: Add adds them.
	Trials []*Trial
}

// Role is what a metric of an experiment is for.
type Role string

const (
	// PrimaryRole is that of the metric that decides.
	PrimaryRole Role = "PRIMARY"
	// SecondaryRole is that of a metric to watch.
	SecondaryRole Role = "SECONDARY"
	// GuardrailRole is that of a metric by which no winner may be worse than its margin allows.
	GuardrailRole Role = "GUARDRAIL"
)

// Check checks the split of the visitors, of each phase by its weights, and of all phases together.
func (r *Reading) Check() error {
	splits := make([]stats.Split, len(r.Experiment.Splits()))
	r.PhaseRatios = make([]stats.SampleRatio, len(splits))
	for n, phase := range r.Experiment.Splits() {
		splits[n].Weights = phase.Weights
		for _, v := range r.Answer.Variants {
			splits[n].Visitors = append(splits[n].Visitors, int64(v.visitorsIn(n)))
		}
		var err error
		if r.PhaseRatios[n], err = stats.CheckSampleRatios(splits[n]); err != nil {
			return err
		}
	}
	var err error
	r.SampleRatio, err = stats.CheckSampleRatios(splits...)
	return err
}

// Ratios returns of each step of an answer how many visitors were assigned to each variant since the step before, and whether
// their split fits the weights.
func (r *Reading) Ratios(answer *Answer, steps int) (visitors [][]int, ratios []stats.SampleRatio, err error) {
	splits := r.Experiment.Splits()
	visitors, ratios = make([][]int, steps), make([]stats.SampleRatio, steps)
	since := func(counts []int, step int) int {
		if step == 0 {
			return counts[0]
		}
		return counts[step] - counts[step-1]
	}
	for step := range steps {
		phases := make([]stats.Split, len(splits))
		for _, v := range answer.Variants {
			visitors[step] = append(visitors[step], since(v.Steps, step))
			for n := range phases {
				counts := v.Steps
				if v.PhaseSteps != nil {
					counts = v.PhaseSteps[n]
				}
				phases[n].Weights = splits[n].Weights
				phases[n].Visitors = append(phases[n].Visitors, int64(since(counts, step)))
			}
		}
		if ratios[step], err = stats.CheckSampleRatios(phases...); err != nil {
			return nil, nil, err
		}
	}
	return visitors, ratios, nil
}

// GroupRatio says whether the split of a group fits the weights.
type GroupRatio struct {
	Group
	SampleRatio stats.SampleRatio
	// AdjustedPValue is the p-value for any number of looks, adjusted for the number of groups.
	AdjustedPValue float64
}

// Mismatch tells that the split does not fit.
func (g *GroupRatio) Mismatch() bool { return g.AdjustedPValue < stats.MismatchBelow }

// GroupRatios returns whether the split of each group of an answer fits the weights, each phase's by its own. P-values are adjusted by
// Holm: some group that fits is told not to in one of 1,000 experiments at most.
func (r *Reading) GroupRatios(answer *Answer) ([]GroupRatio, error) {
	splits := r.Experiment.Splits()
	ratios, p := make([]GroupRatio, len(answer.Groups)), make([]float64, len(answer.Groups))
	for i, group := range answer.Groups {
		phases := make([]stats.Split, len(splits))
		for n := range phases {
			phases[n].Weights = splits[n].Weights
			for _, visitors := range group.Visitors {
				phases[n].Visitors = append(phases[n].Visitors, int64(visitors[n]))
			}
		}
		ratio, err := stats.CheckSampleRatios(phases...)
		if err != nil {
			return nil, err
		}
		ratios[i], p[i] = GroupRatio{Group: group, SampleRatio: ratio}, ratio.AnytimePValue
	}
	for i, adjusted := range stats.Holm(p) {
		ratios[i].AdjustedPValue = adjusted
	}
	return ratios, nil
}

// VisitorsIn is how many visitors were assigned to each variant in a phase of the run.
func (r *Reading) VisitorsIn(phase int) []int {
	visitors := make([]int, len(r.Answer.Variants))
	for i := range visitors {
		visitors[i] = r.Answer.Variants[i].visitorsIn(phase)
	}
	return visitors
}

// visitorsIn is how many visitors were assigned in a phase.
func (v *VariantAnswer) visitorsIn(phase int) int {
	if v.Phases == nil {
		return v.Visitors
	}
	return v.Phases[phase]
}

// in is what the visitors did who were assigned in a phase, and with capped values.
func (m *MetricAnswer) in(phase int) (Tally, stats.Moments) {
	if m.Phases == nil {
		return m.Tally, m.Winsorized.Moments
	}
	if m.Winsorized.Phases == nil { // the metric has no values
		return m.Phases[phase], stats.Moments{}
	}
	return m.Phases[phase], m.Winsorized.Phases[phase]
}

// phases are the places of the phases in which anybody was assigned; the first one if nobody was.
func (r *Reading) phases() (places []int) {
	for n := range r.Experiment.Splits() {
		if slices.ContainsFunc(r.Answer.Variants, func(v VariantAnswer) bool { return v.visitorsIn(n) > 0 }) {
			places = append(places, n)
		}
	}
	if places == nil {
		return []int{0}
	}
	return places
}

// Visitors is how many visitors take part.
func (r *Reading) Visitors() (n int) {
	for _, v := range r.Answer.Variants {
		n += v.Visitors
	}
	return n
}

// exposed is how many visitors saw a variant, those among them who take no part because they saw several.
func (r *Reading) exposed() int {
	if r.Experiment.MultipleExposures == model.ExcludeExposures {
		return r.Visitors() + r.Answer.MultipleExposures
	}
	return r.Visitors()
}

// Add adds the trial of a metric, which is at a place of an answer's. An error is why there is none: it is that of all that
// follows.
func (r *Reading) Add(goal model.Goal, answer *Answer, place int, err error) {
	t := &Trial{Goal: goal, Role: SecondaryRole, reading: r, answer: answer, place: place}
	t.Rates = onceOf(t, err, t.rates)
	t.BestRates = onceOf(t, err, t.bestRates)
	t.AnytimeRates = onceOf(t, err, t.anytimeRates)
	t.WithPrior = onceOf(t, err, t.withPrior)
	if goal.ValueEvent != "" {
		t.Values = onceOf(t, err, func() ([]stats.Value, error) { return t.valuesOf(t.amounts) })
		t.AnytimeValues = onceOf(t, err, t.anytimeValues)
		t.Winsorized = onceOf(t, err, t.winsorized)
	}
	t.figures = onceOf(t, err, func() ([]stats.Figure, error) { return t.figuresBy(t.decidesByValue()) })
	if goal.ID == r.Primary {
		t.Role = PrimaryRole
	} else if guardrail, guards := r.Experiment.Guardrail(goal.ID); guards {
		t.Role, t.margin = GuardrailRole, guardrail.Margin
		t.WithinMargin = onceOf(t, err, t.withinMargin)
	}
	r.Trials = append(r.Trials, t)
}

func (r *Reading) baseline() int {
	return slices.IndexFunc(r.Experiment.Variants, func(v model.Variant) bool { return v.Baseline })
}

// guardrails returns what the guardrails say of each variant.
func (r *Reading) guardrails() (all []Guardrail, err error) {
	for _, t := range r.Trials {
		if t.Role != GuardrailRole {
			continue
		}
		within, err := t.WithinMargin()
		if err != nil {
			return nil, err
		}
		for i, holds := range within {
			if i != r.baseline() {
				all = append(all, Guardrail{Metric: t.Goal.Name, Variant: i, Holds: holds, Margin: t.margin})
			}
		}
	}
	return all, nil
}
