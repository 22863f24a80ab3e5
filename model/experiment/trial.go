package experiment

import (
	"context"
	"math"
	"reflect"
	"slices"
	"sync"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
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

// onceOf returns what makes a list of a trial once, if it can be made at all.
func onceOf[T any](t *Trial, err error, of func() ([]T, error)) func() ([]T, error) {
	return sync.OnceValues(func() ([]T, error) {
		if err != nil || len(t.reading.Experiment.Variants) == 0 {
			return nil, err
		}
		return of()
	})
}

// Direction says which of two figures is the better one to the experiment.
func (t *Trial) Direction() model.Direction { return t.reading.Experiment.DirectionOf(&t.Goal) }

func (t *Trial) better() stats.Direction { return stats.Direction(t.Direction()) }

// decidesByValue tells whether values decide. A secondary metric or a guardrail without any is one of rates, whatever the experiment is decided by.
func (t *Trial) decidesByValue() bool {
	if t.reading.Experiment.DecidesBy != model.ByValue || t.Goal.ValueEvent == "" {
		return false
	}
	return t.Role == PrimaryRole || slices.ContainsFunc(t.answer.Variants, func(v VariantAnswer) bool {
		return t.place < len(v.Metrics) && v.Metrics[t.place].Values > 0
	})
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
		Visitors: r.exposed(), MultipleExposures: r.Answer.MultipleExposures, Assigned: r.Answer.Assigned, UnknownVariants: r.Answer.Unknown,
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
