package experiment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
)

// Verdict is what to do with an experiment, judged by one metric, and why.
type Verdict struct {
	Decision stats.Decision
	// Leader is the place of the variant that won, or of the best choice so far; -1 where there is none.
	Leader int
	// Reasons are those that withhold a decision first. There is one at least.
	Reasons []Reason
}

// Reason is why a verdict is what it is.
type Reason struct {
	Code ReasonCode
	// Message is a sentence for who runs the experiment.
	Message string
}

// ReasonCode says what kind of reason it is.
type ReasonCode string

const (
	// SampleRatioReason means that visitors are not split as the weights say. It makes the experiment invalid.
	SampleRatioReason ReasonCode = "SAMPLE_RATIO"
	// MultipleExposuresReason, UnknownVariantsReason and FilterAfterAssignmentReason mean that variants cannot be compared. They withhold
	// a decision, as do the next four, which mean that it is too early.
	MultipleExposuresReason     ReasonCode = "MULTIPLE_EXPOSURES"
	UnknownVariantsReason       ReasonCode = "UNKNOWN_VARIANTS"
	FilterAfterAssignmentReason ReasonCode = "FILTER_AFTER_ASSIGNMENT"
	TooFewDaysReason            ReasonCode = "TOO_FEW_DAYS"
	TooFewVisitorsReason        ReasonCode = "TOO_FEW_VISITORS"
	TooFewConversionsReason     ReasonCode = "TOO_FEW_CONVERSIONS"
	BeforeHorizonReason         ReasonCode = "BEFORE_HORIZON"
	// GuardrailReason means that a variant may be worse by a guardrail than its margin allows. It withholds WINNER and NO_DIFFERENCE.
	GuardrailReason ReasonCode = "GUARDRAIL"
	// ContraryValueReason, ManyComparisonsReason and MetricChangedReason are to be known beside a decision.
	ContraryValueReason   ReasonCode = "CONTRARY_VALUE"
	ManyComparisonsReason ReasonCode = "MANY_COMPARISONS"
	MetricChangedReason   ReasonCode = "METRIC_CHANGED"
	// OpenReason means that nothing withholds a decision but that the variants are still too close, and ClearReason that there is one.
	OpenReason  ReasonCode = "OPEN"
	ClearReason ReasonCode = "CLEAR"
)

// tolerableShare is the share of visitors of whom it may be unknown which variant they saw.
const tolerableShare = 0.01

// sureEnough is the probability at which a guardrail holds.
const sureEnough = 0.95

// Evidence is all that a verdict on one metric follows from.
type Evidence struct {
	Rules stats.Rules
	// Figures are of each variant, adjusted, by rate or by value as the metric decides.
	Figures  []stats.Figure
	Baseline int
	Better   stats.Direction
	// Variants are the variants' names.
	Variants []string
	// ByValue are the figures by value where the metric decides by rate and has values; nil else.
	ByValue []stats.Figure
	// Values are how many values each variant has where the metric decides by value; nil else.
	Values []int64

	SampleRatio stats.SampleRatio
	// Visitors are those who saw a variant, MultipleExposures how many of them saw several. Assigned are the assignments to any
	// variant, of whomever, and UnknownVariants those to none.
	Visitors, MultipleExposures, Assigned, UnknownVariants int
	// FilterAfterAssignment tells that visitors are chosen by what they did once they were assigned, which a variant may have caused.
	FilterAfterAssignment bool
	// Guardrails are those of the experiment, of all variants.
	Guardrails []Guardrail
	// Ran is how long the experiment has been running; Left how long it is to be until the time that was planned for the only look. It is 0
	// where there is none, or where it has come.
	Ran, Left time.Duration
	// Stopped tells that nothing is to come.
	Stopped bool
	// Comparisons is how many metrics or segments are looked at together.
	Comparisons int
	// MetricChanged is when the primary metric or a guardrail was changed during the run or after; 0 if neither was.
	MetricChanged model.Millis
}

// Guardrail is what a guardrail says of a variant.
type Guardrail struct {
	Metric  string
	Variant int
	// Holds is the probability that the variant is not worse by more than the margin.
	Holds, Margin float64
}

// Judge returns the verdict of evidence.
//
//   - A sample ratio that does not fit makes it INVALID. What else speaks against comparing the variants may explain that.
//   - Where variants cannot be compared, or it is too early, it is COLLECTING, whatever the figures say.
//   - A winner for which a guardrail does not hold with a probability of 95 % is withheld: COLLECTING too. So is NO_DIFFERENCE where
//     one does not hold for some variant.
//   - Else it is what the rules decide by the figures.
func (e Evidence) Judge() Verdict {
	decision, leader := e.Rules.Decide(e.Figures, e.Baseline, e.Better, e.SampleRatio, e.Ran)
	v := Verdict{Decision: decision, Leader: leader}
	if decision == stats.Invalid {
		v.say(SampleRatioReason, "Visitors are not split as the weights say (p = %.2g). Something is broken: find it before you trust any figure.",
			e.SampleRatio.AnytimePValue)
		e.doubt(&v)
		return v
	}
	e.doubt(&v)
	e.wait(&v)
	if len(v.Reasons) > 0 {
		v.Decision = stats.Collecting
	}
	e.guard(&v)
	switch {
	case len(v.Reasons) > 0:
	case v.Decision == stats.Collecting:
		v.say(OpenReason, "The variants are too close to tell which is better.%s", e.unlessStopped(" Let the experiment run."))
	default:
		v.say(ClearReason, "%s", e.conclusion(v))
	}
	e.remark(&v)
	return v
}

// guard withholds what a guardrail does not allow: a winner, or that every choice is safe.
func (e Evidence) guard(v *Verdict) {
	if v.Decision != stats.Winner && v.Decision != stats.NoDifference {
		return
	}
	decision := v.Decision
	for _, g := range e.Guardrails {
		if g.Holds >= sureEnough || decision == stats.Winner && g.Variant != v.Leader {
			continue
		}
		would := "would win"
		if decision == stats.NoDifference {
			would = "makes no difference to this metric"
		}
		v.Decision = stats.Collecting
		v.say(GuardrailReason, "%s %s, but it is not sure that %s does not get worse by more than %s: the probability is %s, and must be %s.",
			e.Variants[g.Variant], would, g.Metric, percent(g.Margin), percent(g.Holds), percent(sureEnough))
	}
}

func (v *Verdict) say(code ReasonCode, format string, args ...any) {
	v.Reasons = append(v.Reasons, Reason{code, fmt.Sprintf(format, args...)})
}

// unlessStopped returns what is said of an experiment that goes on.
func (e Evidence) unlessStopped(text string) string {
	if e.Stopped {
		return ""
	}
	return text
}

// doubt says why variants cannot be compared.
func (e Evidence) doubt(v *Verdict) {
	if share := share(e.MultipleExposures, e.Visitors); share > tolerableShare {
		v.say(MultipleExposuresReason, "%s of the visitors (%d) saw more than one variant. Up to %s is usual; check that an assignment stays with its visitor.",
			percent(share), e.MultipleExposures, percent(tolerableShare))
	}
	if share := share(e.UnknownVariants, e.Assigned); share > tolerableShare {
		v.say(UnknownVariantsReason, "%d assignments name a variant that the experiment does not have. Check the variants' keys where assignments are sent.",
			e.UnknownVariants)
	}
	if e.FilterAfterAssignment {
		v.say(FilterAfterAssignmentReason, "The visitors are chosen by what they did after they were assigned, which their variant may have caused. "+
			"Choose them by what was there before.")
	}
}

// wait says what there is too little of for a decision.
func (e Evidence) wait(v *Verdict) {
	// What is missing is to come, unless the experiment has stopped.
	needs, toGo := "needs", "to go"
	if e.Stopped {
		needs, toGo = "needed", "missing"
	}
	if missing := e.Rules.MinDuration - e.Ran; missing > 0 {
		v.say(TooFewDaysReason, "The experiment %s to run for %s, so that each weekday is in it; %s %s.", needs, inDays(e.Rules.MinDuration), inDays(missing), toGo)
	}
	if missing := e.missing(e.Rules.MinVisitors, func(i int) int64 { return e.Figures[i].Visitors }); missing != "" {
		v.say(TooFewVisitorsReason, "Each variant %s %d visitors; %s: %s.", needs, e.Rules.MinVisitors, toGo, missing)
	}
	if e.Values != nil {
		if missing := e.missing(stats.MinValues, func(i int) int64 { return e.Values[i] }); missing != "" {
			v.say(TooFewConversionsReason, "Each variant %s %d conversions with a value; %s: %s.", needs, stats.MinValues, toGo, missing)
		}
	}
	switch {
	case e.Left > 0 && e.Stopped:
		v.say(BeforeHorizonReason, "The experiment stopped %s before the only time at which it was to be decided. A look before that proves nothing.", inDays(e.Left))
	case e.Left > 0:
		v.say(BeforeHorizonReason, "The experiment is to be decided at one time only, after %s more. A look before that proves nothing.", inDays(e.Left))
	}
}

// missing says of each variant how many it needs; it is empty if all have enough.
func (e Evidence) missing(needed int64, of func(i int) int64) string {
	var missing []string
	for i := range e.Figures {
		if n := needed - of(i); n > 0 {
			missing = append(missing, fmt.Sprintf("%d for %s", n, e.Variants[i]))
		}
	}
	return strings.Join(missing, ", ")
}

// remark says what is to be known beside a decision.
func (e Evidence) remark(v *Verdict) {
	if contrary := e.contrary(v); contrary != "" {
		v.say(ContraryValueReason, "%s", contrary)
	}
	if e.Comparisons > 1 {
		v.say(ManyComparisonsReason, "%d results are looked at together, so each needs stronger evidence; p-values are adjusted for that.", e.Comparisons)
	}
	if e.MetricChanged != 0 {
		v.say(MetricChangedReason, "The primary metric or a guardrail, or what its goal means, was changed on %s, when results could already be seen.", e.MetricChanged.Time().Format(time.DateOnly))
	}
}

// contrary says what is contrary by value to a decision by rate.
func (e Evidence) contrary(v *Verdict) string {
	if e.ByValue == nil || v.Decision == stats.Collecting || v.Decision == stats.Invalid {
		return ""
	}
	byValue, leader := e.Rules.Decide(e.ByValue, e.Baseline, e.Better, e.SampleRatio, e.Ran)
	if byValue != stats.Winner && byValue != stats.BaselineWins || byValue == v.Decision && leader == v.Leader {
		return ""
	}
	return fmt.Sprintf("By value per visitor %s is better. Decide by what the experiment is for.", e.Variants[leader])
}

// conclusion is the sentence of a decision.
func (e Evidence) conclusion(v Verdict) string {
	switch v.Decision {
	case stats.Winner:
		return fmt.Sprintf("%s is better than %s, and a safe choice.", e.Variants[v.Leader], e.Variants[e.Baseline])
	case stats.BaselineWins:
		others := slices.Delete(slices.Clone(e.Variants), e.Baseline, e.Baseline+1)
		return fmt.Sprintf("%s is better than %s, and a safe choice.", e.Variants[e.Baseline], strings.Join(others, " and "))
	}
	return "Every choice is safe: none costs more than about 1 %. Choose the simplest."
}

func share(part, all int) float64 {
	if part == 0 {
		return 0
	}
	return float64(part) / float64(max(all, 1))
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }

// inDays rounds up: what is to go is over by then.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	days := int64((d + day - 1) / day)
	if days == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", days)
}
