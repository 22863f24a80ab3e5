package experiment

import (
	"context"
	"math"
	"reflect"
	"slices"
	"sync"
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

// Trial is a reading by one metric. What follows from the counts is made when it is asked for, and once. Lists have an element
// for each variant, of which the baseline's is empty in what compares with it; they are nil in an experiment without variants.
type Trial struct {
	Goal model.Goal
	Role Role
	// Rates and AnytimeRates are of the conversion rates, and BestRates the probabilities to be best alone, which takes less.
	Rates        func() ([]stats.Rate, error)
	BestRates    func() ([]float64, error)
	AnytimeRates func() ([]stats.Anytime, error)
	// Values, AnytimeValues and Winsorized are of the values per visitor; nil where the goal has none.
	Values        func() ([]stats.Value, error)
	AnytimeValues func() ([]stats.Anytime, error)
	Winsorized    func() ([]WinsorizedValue, error)
	// WithPrior is what is said of each variant's rate with the experiment's prior on its lift; Higher is the probability to be
	// better than the baseline. It is nil where the experiment has no prior, and over several phases.
	WithPrior func() ([]stats.PriorLift, error)
	// WithinMargin is the probability that a variant is not worse than the baseline by more than the guardrail's margin, by what
	// decides; nil where the metric is none.
	WithinMargin func() ([]float64, error)

	reading *Reading
	figures func() ([]stats.Figure, error)
	margin  float64
	answer  *Answer
	place   int
}

// WinsorizedValue is what a variant's values say under a cap.
type WinsorizedValue struct {
	stats.Value
	// Cap is nil where no value is above 0.
	Cap    *float64
	Capped int
}

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

// onceOf returns what makes a list of a trial once, if it can be made at all.
func onceOf[T any](t *Trial, err error, of func() ([]T, error)) func() ([]T, error) {
	return sync.OnceValues(func() ([]T, error) {
		if err != nil || len(t.reading.Experiment.Variants) == 0 {
			return nil, err
		}
		return of()
	})
}

func (r *Reading) baseline() int {
	return slices.IndexFunc(r.Experiment.Variants, func(v model.Variant) bool { return v.Baseline })
}

// Direction says which of two figures is the better one to the experiment.
func (t *Trial) Direction() model.Direction { return t.reading.Experiment.DirectionOf(&t.Goal) }

func (t *Trial) better() stats.Direction { return stats.Direction(t.Direction()) }

func (t *Trial) decidesByValue() bool {
	return t.reading.Experiment.DecidesBy == model.ByValue && t.Goal.ValueEvent != ""
}

// count and amount are what a tally of so many visitors says.
func (t Tally) count(visitors int) stats.Count {
	return stats.Count{Visitors: int64(visitors), Conversions: int64(t.Conversions)}
}

func (t Tally) amount(visitors int) stats.Amount {
	return stats.AmountOf(int64(visitors), int64(t.Conversions), int64(t.Values), t.Total.Float64(), t.Moments)
}

// counts are those of the visitors assigned in a phase; amounts are their values, and capped these under a cap.
func (t *Trial) counts(phase int) []stats.Count {
	return ofVariants(t, phase, func(visitors int, tally Tally, _ stats.Moments) stats.Count { return tally.count(visitors) })
}

func (t *Trial) amounts(phase int) []stats.Amount {
	return ofVariants(t, phase, func(visitors int, tally Tally, _ stats.Moments) stats.Amount { return tally.amount(visitors) })
}

func (t *Trial) capped(phase int) []stats.Amount {
	return ofVariants(t, phase, func(visitors int, tally Tally, capped stats.Moments) stats.Amount {
		return stats.AmountOf(int64(visitors), int64(tally.Conversions), int64(tally.Values), capped.Mean*float64(capped.N), capped)
	})
}

// ofVariants returns what is said of each variant's visitors assigned in a phase, and of their values under a cap.
func ofVariants[T any](t *Trial, phase int, of func(visitors int, tally Tally, capped stats.Moments) T) []T {
	all := make([]T, len(t.answer.Variants))
	for i := range all {
		v := &t.answer.Variants[i]
		tally, capped := v.Metrics[t.place].in(phase)
		all[i] = of(v.visitorsIn(phase), tally, capped)
	}
	return all
}

// byPhase returns what is said of each phase in which anybody was assigned.
func byPhase[T any](t *Trial, of func(phase int) T) (all []T) {
	for _, n := range t.reading.phases() {
		all = append(all, of(n))
	}
	return all
}

func (t *Trial) rates() ([]stats.Rate, error) {
	phases := byPhase(t, t.counts)
	if len(phases) == 1 {
		return stats.Rates(phases[0], t.reading.baseline(), t.better())
	}
	return stats.RatesOverPhases(phases, t.reading.baseline(), t.better())
}

func (t *Trial) bestRates() ([]float64, error) {
	if phases := t.reading.phases(); len(phases) == 1 {
		return stats.BestRates(t.counts(phases[0]), t.better())
	}
	rates, err := t.Rates()
	best := make([]float64, len(rates))
	for i, rate := range rates {
		best[i] = rate.ProbabilityToBeBest
	}
	return best, err
}

// AsSeenAt returns the trial at a step of an answer, which has one metric, of its rates.
func (t *Trial) AsSeenAt(answer *Answer, step int) *Trial {
	goal := t.Goal
	goal.ValueEvent = ""
	then := &Reading{Experiment: t.reading.Experiment, Primary: t.reading.Primary, Answer: *answer.AsSeenAt(step)}
	then.Add(goal, &then.Answer, 0, nil)
	return then.Trials[0]
}

// Sees tells whether the trial has the same visitors and conversions as another one of the same answer.
func (t *Trial) Sees(other *Trial) bool {
	return reflect.DeepEqual(t.answer.Variants, other.answer.Variants)
}

func (t *Trial) valuesOf(amounts func(phase int) []stats.Amount) ([]stats.Value, error) {
	phases := byPhase(t, amounts)
	if len(phases) == 1 {
		return stats.Values(phases[0], t.reading.baseline(), t.better())
	}
	return stats.ValuesOverPhases(phases, t.reading.baseline(), t.better())
}

func (t *Trial) winsorized() ([]WinsorizedValue, error) {
	values, err := t.valuesOf(t.capped)
	winsorized := make([]WinsorizedValue, len(values))
	for i := range values {
		w := &t.answer.Variants[i].Metrics[t.place].Winsorized
		winsorized[i] = WinsorizedValue{Value: values[i], Capped: w.Capped}
		if w.Cap < math.MaxFloat64 {
			winsorized[i].Cap = &w.Cap
		}
	}
	return winsorized, err
}

// CupedValue is what a variant's values say without what was to be expected by what its visitors did before.
type CupedValue struct {
	stats.Value
	stats.CUPED
}

// Cuped returns the values of each variant without what was to be expected, from an answer that has one metric, with what was
// before. Over several phases there are none: nil.
func (t *Trial) Cuped(answer *Answer) ([]CupedValue, error) {
	if len(t.reading.phases()) > 1 {
		return nil, nil
	}
	amounts, pairs := make([]stats.Amount, len(answer.Variants)), make([]stats.JointMoments, len(answer.Variants))
	for i, v := range answer.Variants {
		amounts[i], pairs[i] = v.Metrics[0].amount(v.Visitors), v.Metrics[0].Pairs
	}
	cuped, adjusted, err := stats.Adjust(amounts, pairs)
	if err != nil {
		return nil, err
	}
	values, err := stats.Values(adjusted, t.reading.baseline(), t.better())
	all := make([]CupedValue, len(values))
	for i := range values {
		all[i] = CupedValue{values[i], cuped}
	}
	return all, err
}

func (t *Trial) withPrior() ([]stats.PriorLift, error) {
	tau := t.reading.Experiment.PriorLift
	if tau == 0 || len(t.reading.phases()) > 1 {
		return nil, nil
	}
	counts := t.counts(t.reading.phases()[0])
	return compared(t, func(variant, baseline int) (stats.PriorLift, error) {
		lift, err := stats.LiftWithPrior(counts[variant], counts[baseline], tau)
		if t.better() == stats.LowerIsBetter {
			lift.Higher = 1 - lift.Higher
		}
		return lift, err
	})
}

// compared returns how each variant compares with the baseline.
func compared[T any](t *Trial, compare func(variant, baseline int) (T, error)) ([]T, error) {
	all, baseline := make([]T, len(t.answer.Variants)), t.reading.baseline()
	for i := range all {
		if i == baseline {
			continue
		}
		var err error
		if all[i], err = compare(i, baseline); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// countPhases are the counts of a variant and the baseline in each phase.
func (t *Trial) countPhases(variant, baseline int) []stats.Phase {
	splits := t.reading.Experiment.Splits()
	return byPhase(t, func(n int) stats.Phase {
		counts, weights := t.counts(n), splits[n].Weights
		return stats.Phase{Baseline: counts[baseline], Variant: counts[variant], BaselineWeight: weights[baseline], VariantWeight: weights[variant]}
	})
}

// valuePhases are the values of a variant and the baseline in each phase.
func (t *Trial) valuePhases(variant, baseline int) []stats.ValuePhase {
	return byPhase(t, func(n int) stats.ValuePhase {
		amounts := t.amounts(n)
		return stats.ValuePhase{Baseline: amounts[baseline], Variant: amounts[variant]}
	})
}

func (t *Trial) anytimeRates() ([]stats.Anytime, error) {
	return compared(t, func(variant, baseline int) (stats.Anytime, error) {
		return stats.AnytimeRates(t.countPhases(variant, baseline)...)
	})
}

func (t *Trial) anytimeValues() ([]stats.Anytime, error) {
	return compared(t, func(variant, baseline int) (stats.Anytime, error) {
		phases := t.valuePhases(variant, baseline)
		if len(phases) > 1 {
			return stats.AnytimeValuesOverPhases(phases...)
		}
		difference, err := stats.AnytimeValues(phases[0].Variant, phases[0].Baseline)
		return difference.Anytime, err
	})
}

func (t *Trial) withinMargin() ([]float64, error) {
	if t.decidesByValue() {
		return compared(t, func(variant, baseline int) (float64, error) {
			phases := t.valuePhases(variant, baseline)
			if len(phases) == 1 {
				return stats.ValueGuardrail(phases[0].Variant, phases[0].Baseline, t.margin, t.better())
			}
			stratified, err := stats.StratifiedValues(phases...)
			if err != nil {
				return 0, err
			}
			return stratified.WithinMargin(t.margin, t.better())
		})
	}
	return compared(t, func(variant, baseline int) (float64, error) {
		phases := t.countPhases(variant, baseline)
		if len(phases) == 1 {
			return stats.Guardrail(phases[0].Variant, phases[0].Baseline, t.margin, t.better())
		}
		stratified, err := stats.StratifiedRates(phases...)
		if err != nil {
			return 0, err
		}
		return stratified.WithinMargin(t.margin, t.better())
	})
}

// figuresBy returns the figures by values or by rates, as the experiment is monitored.
func (t *Trial) figuresBy(value bool) ([]stats.Figure, error) {
	figures, anytime, err := []stats.Figure(nil), t.AnytimeRates, error(nil)
	if value {
		var values []stats.Value
		values, err = t.Values()
		figures, anytime = stats.ValueFigures(values), t.AnytimeValues
	} else {
		var rates []stats.Rate
		rates, err = t.Rates()
		figures = stats.RateFigures(rates)
	}
	if err != nil || t.reading.Experiment.Monitoring != model.Continuous {
		return figures, err
	}
	comparisons, err := anytime()
	if err == nil {
		stats.Monitor(figures, t.reading.baseline(), t.better(), comparisons)
	}
	return figures, err
}

// Adjusted returns the figures that decide, with p-values adjusted for all that is looked at together.
func (t *Trial) Adjusted(ctx context.Context) ([]stats.Figure, error) {
	figures, _, err := t.reading.Families.of(t.Role).adjusted(ctx, t)
	return figures, err
}

// Verdict returns what to do by this metric.
func (t *Trial) Verdict(ctx context.Context) (Verdict, error) {
	r := t.reading
	figures, comparisons, err := r.Families.of(t.Role).adjusted(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	if len(figures) == 0 {
		return Verdict{stats.Collecting, -1, []Reason{{TooFewVisitorsReason, "The experiment has no variants yet."}}}, nil
	}
	e := Evidence{
		Rules: r.Rules, Figures: figures, Baseline: r.baseline(), Better: t.better(), SampleRatio: r.SampleRatio,
		Visitors: r.Visitors(), MultipleExposures: r.Answer.MultipleExposures, Assigned: r.Answer.Assigned, UnknownVariants: r.Answer.Unknown,
		FilterAfterAssignment: r.Follows, Ran: r.Ran, Left: r.Left, Stopped: r.Experiment.Status != model.Running, Comparisons: comparisons,
	}
	for _, variant := range r.Experiment.Variants {
		e.Variants = append(e.Variants, variant.Name)
	}
	if t.decidesByValue() {
		for _, v := range t.answer.Variants {
			e.Values = append(e.Values, int64(v.Metrics[t.place].Values))
		}
	} else if t.Values != nil {
		if e.ByValue, err = t.figuresBy(true); err != nil {
			return Verdict{}, err
		}
		stats.AdjustVariants(e.ByValue, e.Baseline)
	}
	if t.Goal.ID == r.Experiment.Primary {
		e.MetricChanged = r.Experiment.MetricChangedAt
	}
	if t.Role != GuardrailRole {
		if e.Guardrails, err = r.guardrails(); err != nil {
			return Verdict{}, err
		}
	}
	return e.Judge(), nil
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

// Families are the trials of readings that are looked at together: those by the primary metric, and those by all others.
type Families struct{ primary, others family }

// NewFamilies returns the families of readings, which are asked for when they are needed.
func NewFamilies(readings func(context.Context) ([]*Reading, error)) *Families {
	of := func(isPrimary bool) family {
		return family{trials: func(ctx context.Context) (trials []*Trial, err error) {
			all, err := readings(ctx)
			for _, r := range all {
				for _, t := range r.Trials {
					if (t.Role == PrimaryRole) == isPrimary {
						trials = append(trials, t)
					}
				}
			}
			return trials, err
		}}
	}
	return &Families{of(true), of(false)}
}

func (f *Families) of(role Role) *family {
	if role == PrimaryRole {
		return &f.primary
	}
	return &f.others
}

// family is trials whose p-values are adjusted together.
type family struct {
	trials func(context.Context) ([]*Trial, error)

	mu      sync.Mutex
	figures map[*Trial][]stats.Figure
}

// adjusted returns the adjusted figures of a trial, and how many are looked at together.
func (f *family) adjusted(ctx context.Context, t *Trial) ([]stats.Figure, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if _, err := t.figures(); err != nil {
		return nil, 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.figures == nil {
		if err := f.adjust(ctx); err != nil {
			return nil, 0, err
		}
	}
	return f.figures[t], len(f.figures), nil
}

func (f *family) adjust(ctx context.Context) error {
	trials, err := f.trials(ctx)
	if err != nil {
		return err
	}
	adjusted, baseline := make(map[*Trial][]stats.Figure, len(trials)), 0
	var all [][]stats.Figure
	for _, t := range trials {
		if err := ctx.Err(); err != nil {
			return err
		}
		figures, err := t.figures()
		if err != nil || len(figures) == 0 { // it is not looked at
			continue
		}
		adjusted[t], baseline = slices.Clone(figures), t.reading.baseline()
		all = append(all, adjusted[t])
	}
	if len(all) == 1 {
		stats.AdjustVariants(all[0], baseline)
	} else {
		stats.AdjustMetrics(all, baseline)
	}
	f.figures = adjusted
	return nil
}
