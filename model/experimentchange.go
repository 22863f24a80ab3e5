package model

import (
	"fmt"
	"slices"
)

// CheckChange returns a FailedPrecondition error if e, which is valid, changes anything
// that before may no longer change. Once started, an experiment keeps its variants,
// audience, what says what counts of a visitor, what says how it is decided, and how visitors are assigned but for the share of
// them, and must have a primary metric. Only while it runs can the variants' weights change. Once archived, it keeps everything.
func (e *Experiment) CheckChange(before *Experiment) error {
	switch {
	case before.Status == Archived:
		return Errorf(FailedPrecondition, "the experiment is archived and can no longer change")
	case before.Status == Draft:
		return nil
	}
	fixed := func(field, what string) error {
		return &Error{Code: FailedPrecondition, Field: field,
			Message: fmt.Sprintf("%s cannot change once the experiment has started, because its results would no longer be comparable; create a new experiment", what)}
	}
	switch {
	case !slices.EqualFunc(e.Variants, before.Variants, func(a, b Variant) bool {
		a.Baseline, a.Weight = b.Baseline, b.Weight
		return a == b
	}):
		return fixed("variants", "the variants")
	case before.Status == Stopped && e.Status == Stopped && !slices.Equal(e.split(0).Weights, before.split(0).Weights):
		return &Error{Code: FailedPrecondition, Field: "variants", Message: "the weights can change only while the experiment runs, for those of the run split its visitors"}
	case !slices.EqualFunc(e.Variants, before.Variants, func(a, b Variant) bool { return a.Baseline == b.Baseline }):
		return fixed("baseline", "the baseline")
	case !EqualFilters(e.Audience, before.Audience):
		return fixed("audience", "the audience")
	case e.Attribution != before.Attribution:
		return fixed("attribution", "the attribution")
	case e.Window != before.Window:
		return fixed("window", "the window")
	case e.Unit != before.Unit:
		return fixed("unit", "the unit of assignment")
	case e.MultipleExposures != before.MultipleExposures:
		return fixed("multipleExposures", "what becomes of multiple exposures")
	case e.DecidesBy != before.DecidesBy:
		return fixed("decidesBy", "what the experiment is decided by")
	case e.PriorLift != before.PriorLift:
		return fixed("priorLift", "the prior on lifts")
	case e.Monitoring != before.Monitoring:
		return fixed("monitoring", "the monitoring")
	case e.DecideAt != before.DecideAt && len(e.EarlierRuns) == len(before.EarlierRuns):
		return fixed("decideAt", "the time of the only look")
	case e.Assignment != before.Assignment:
		return fixed("assignment", "who assigns visitors")
	case e.Seed != before.Seed:
		return fixed("seed", "the seed")
	case (e.Layer == nil) != (before.Layer == nil) || e.Layer != nil && *e.Layer != *before.Layer:
		return fixed("layer", "the layer")
	case e.OnlyEvaluated != before.OnlyEvaluated:
		return fixed("onlyEvaluated", "whose assignments count")
	case e.Primary == 0:
		return &Error{Code: FailedPrecondition, Field: "primaryMetric", Message: "an experiment that has started needs a primary metric; choose another goal instead"}
	}
	return nil
}

// NoteChange notes what changes, from what the experiment was before, when results can be seen already: the primary metric or a
// guardrail, and the weights or the share of visitors, with which a phase begins unless one has. The error is that of BeginPhase.
func (e *Experiment) NoteChange(before *Experiment, now Millis) error {
	if before.StartedAt != 0 && e.StartedAt == before.StartedAt &&
		(e.Primary != before.Primary || !slices.Equal(e.Guardrails, before.Guardrails) || !slices.Equal(e.decisive(), before.decisive())) {
		e.MetricChangedAt = now
	}
	if e.Status != Running || before.Status != Running {
		return nil
	}
	phases := e.Splits()
	last := phases[len(phases)-1]
	if e.split(0).sameSplit(last) {
		return nil
	}
	// The clock of the server that began the last phase may be ahead of this one's.
	now = max(now, last.From)
	return e.BeginPhase(now, now)
}
