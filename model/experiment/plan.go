package experiment

import (
	"fmt"
	"math"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
)

// Outlook is what an experiment with one look, at its end, is planned from.
type Outlook struct {
	// Plan is of one variant's comparison with the baseline.
	Plan stats.Plan
	// Count is of the visitors that the figures of the baseline are taken from. By value, Amount is.
	Count   stats.Count
	Amount  stats.Amount
	ByValue bool
	// Weights say how the visitors are split.
	Weights []float64
	// Visitors are how many each variant has already; nil of an experiment that has not started.
	Visitors []int64
	// VisitorsPerDay come to all variants together.
	VisitorsPerDay float64
}

// MaxPlanned is the highest number of visitors of a variant that is planned with: what an Int of GraphQL holds.
const MaxPlanned = math.MaxInt32

// PlanOf returns the plan of each comparison with the baseline of so many variants: the probability of a false winner is shared
// by their comparisons. The error is BadInput.
func PlanOf(variants int, alpha, power float64) (stats.Plan, error) {
	switch {
	case variants < model.MinVariants || variants > model.MaxVariants:
		return stats.Plan{}, model.Invalid("variants", "is %d; use %d to %d", variants, model.MinVariants, model.MaxVariants)
	case !(alpha > 0 && alpha < 1):
		return stats.Plan{}, model.Invalid("alpha", "is %v; it must lie between 0 and 1, and is 0.05 usually", alpha)
	case !(power > alpha && power < 1):
		return stats.Plan{}, model.Invalid("power", "is %v; it must lie between alpha (%v) and 1, and is 0.8 usually", power, alpha)
	}
	return stats.Plan{Alpha: alpha / float64(variants-1), Power: power}, nil
}

// Check returns a FailedPrecondition error if there is nothing to plan from.
func (o *Outlook) Check() error {
	n, c := o.Count.Visitors, o.Count.Conversions
	switch {
	case o.ByValue && (o.Amount.Values < stats.MinValues || !(o.Amount.Mean() > 0) || !(o.Amount.Deviation() > 0)):
		return model.Errorf(model.FailedPrecondition, "a plan by value starts from %d values at least, with a mean above 0 and not all alike; there are %d, with a mean of %.3g", stats.MinValues, o.Amount.Values, o.Amount.Mean())
	case o.ByValue:
		return nil
	case c == 0:
		return model.Errorf(model.FailedPrecondition, "none of %d visitors reached the goal, so there is no rate to plan from; wait for more data, or choose another metric or other filters", n)
	case c == n:
		return model.Errorf(model.FailedPrecondition, "all of %d visitors reached the goal, so there is nothing to improve; choose another metric or other filters", n)
	}
	return nil
}

// Figure is the baseline's figure: the rate or the value per visitor.
func (o *Outlook) Figure() float64 {
	if o.ByValue {
		return o.Amount.Mean()
	}
	return float64(o.Count.Conversions) / float64(o.Count.Visitors)
}

// VisitorsFor returns how many visitors each variant needs to find a relative effect. The error is BadInput about
// minimumEffect.
func (o *Outlook) VisitorsFor(effect float64) (int64, error) {
	figure := o.Figure()
	switch {
	case effect == 0 || !(effect > -1) || math.IsInf(effect, 1):
		return 0, model.Invalid("minimumEffect", "is %v; it must be above -1 and not 0, such as 0.05 for 5 %% more", effect)
	case !o.ByValue && figure*(1+effect) > 1:
		return 0, model.Invalid("minimumEffect", "is %v, but at a rate of %.3g the highest effect is %.3g", effect, figure, 1/figure-1)
	}
	needed, err := 0.0, error(nil)
	if o.ByValue {
		needed, err = o.Plan.VisitorsForValue(figure, o.Amount.Deviation(), effect)
	} else {
		needed, err = o.Plan.VisitorsForRate(figure, effect)
	}
	if err != nil {
		return 0, fmt.Errorf("plan an effect of %v: %w", effect, err)
	}
	if needed > MaxPlanned {
		return 0, model.Invalid("minimumEffect", "is %v, which takes %.3g visitors of each variant; use a larger one", effect, needed)
	}
	return int64(math.Ceil(needed)), nil
}

// DaysFor returns in how many whole days each variant has so many visitors, those counted that it has already. It is false where
// they never come.
func (o *Outlook) DaysFor(visitors int64) (days int, ok bool) {
	longest, weights := 0.0, totalOf(o.Weights)
	for i, weight := range o.Weights {
		missing := visitors
		if o.Visitors != nil {
			missing -= o.Visitors[i]
		}
		if missing <= 0 {
			continue
		}
		longest = max(longest, math.Ceil(float64(missing)*weights/(weight*o.VisitorsPerDay)))
	}
	if longest > MaxPlanned { // without anybody, too
		return 0, false
	}
	return int(longest), true
}

// EffectAfter returns how many visitors the variant with the fewest has after so many days more, and the smallest effect, above
// 0, that they find. It is false where they find none.
func (o *Outlook) EffectAfter(days int) (visitors int64, effect float64, ok bool, err error) {
	fewest, weights := math.Inf(1), totalOf(o.Weights)
	for i, weight := range o.Weights {
		n := o.VisitorsPerDay * float64(days) * weight / weights
		if o.Visitors != nil {
			n += float64(o.Visitors[i])
		}
		fewest = min(fewest, n)
	}
	visitors = int64(min(fewest, MaxPlanned))
	switch {
	case visitors == 0:
	case o.ByValue:
		effect, err = o.Plan.EffectForValue(o.Figure(), o.Amount.Deviation(), float64(visitors))
		ok = true
	default:
		effect, ok, err = o.Plan.EffectForRate(o.Figure(), float64(visitors))
	}
	return visitors, effect, ok && err == nil, err
}

func totalOf(weights []float64) (total float64) {
	for _, weight := range weights {
		total += weight
	}
	return total
}

// Outlook returns what is planned from the trial: from the baseline's figures so far, and the visitors of all variants.
func (t *Trial) Outlook(alpha, power float64) (*Outlook, error) {
	if _, err := t.figures(); err != nil {
		return nil, err
	}
	r := t.reading
	plan, err := PlanOf(len(r.Experiment.Variants), alpha, power)
	if err != nil {
		return nil, err
	}
	o := &Outlook{Plan: plan, ByValue: t.decidesByValue()}
	v := &t.answer.Variants[r.baseline()]
	if tally := v.Metrics[t.place].Tally; o.ByValue {
		o.Amount = tally.amount(v.Visitors)
	} else {
		o.Count = tally.count(v.Visitors)
	}
	for i, v := range r.Experiment.Variants {
		o.Visitors, o.Weights = append(o.Visitors, int64(r.Answer.Variants[i].Visitors)), append(o.Weights, v.Weight)
	}
	ran, came := r.Ran, r.Visitors()
	// As many come as in the last phase, once that has lasted for a day.
	splits := r.Experiment.Splits()
	last := len(splits) - 1
	if since := time.Duration(splits[last].From-splits[0].From) * time.Millisecond; last > 0 && ran-since >= 24*time.Hour {
		ran, came = ran-since, 0
		for _, visitors := range r.VisitorsIn(last) {
			came += visitors
		}
	}
	if days := ran.Hours() / 24; days > 0 && r.Experiment.Status == model.Running { // nobody comes to one that has stopped
		o.VisitorsPerDay = float64(came) / days
	}
	return o, o.Check()
}
