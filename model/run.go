package model

import (
	"fmt"
	"slices"
	"strings"
)

// Phase is a part of a run in which visitors are split by the same weights, and the same share of all takes part.
type Phase struct {
	// From is when the phase begins. It ends when the next one begins, or the run ends.
	From Millis `json:"from"`
	// Weights are those of the variants, in their order.
	Weights []float64 `json:"weights"`
	// TrafficShare is the part of all visitors that take part, 0 to 1.
	TrafficShare float64 `json:"trafficShare"`
}

// sameSplit tells whether visitors are split as in another phase: 50 and 50 is as 1 and 1.
func (p Phase) sameSplit(other Phase) bool {
	return p.TrafficShare == other.TrafficShare && slices.EqualFunc(p.Weights, other.Weights, func(a, b float64) bool {
		return a*other.Weights[0] == b*p.Weights[0]
	})
}

// Run is a run that is over, with what was different of the experiment.
type Run struct {
	StartedAt       Millis  `json:"startedAt"`
	StoppedAt       Millis  `json:"stoppedAt"`
	DecideAt        Millis  `json:"decideAt,omitempty"`
	MetricChangedAt Millis  `json:"metricChangedAt,omitempty"`
	Winner          string  `json:"winner,omitempty"`
	Conclusion      string  `json:"conclusion,omitempty"`
	Phases          []Phase `json:"phases"`
}

// ExperimentStatus is where an experiment is in its life. A Draft is Running, then Stopped, and may be
// Running again. Drafts and stopped experiments can be Archived.
type ExperimentStatus string

const (
	Draft    ExperimentStatus = "DRAFT"
	Running  ExperimentStatus = "RUNNING"
	Stopped  ExperimentStatus = "STOPPED"
	Archived ExperimentStatus = "ARCHIVED"
)

// Run returns the range in which assignments count. It is open while the experiment
// runs. ran is false if it has not started.
func (e *Experiment) Run() (run Range, ran bool) {
	switch {
	case e.StartedAt == 0:
		return Range{}, false
	case e.Status == Running:
		return Range{From: e.StartedAt, To: Open}, true
	}
	return Range{From: e.StartedAt, To: e.StoppedAt}, true
}

// split returns the phase in which visitors are split by the variants' weights, and take part by the share, as they are.
func (e *Experiment) split(from Millis) Phase {
	weights := make([]float64, len(e.Variants))
	for i, v := range e.Variants {
		weights[i] = v.Weight
	}
	return Phase{From: from, Weights: weights, TrafficShare: e.TrafficShare}
}

// Splits returns the phases of the run; before the start the one with which it would begin.
func (e *Experiment) Splits() []Phase {
	if len(e.Phases) == 0 {
		return []Phase{e.split(e.StartedAt)}
	}
	return e.Phases
}

// BeginPhase begins a phase with the variants' weights, at a time since the last one began, up to now. One that lasted no time
// is replaced. The error is FailedPrecondition if the experiment is not running or has changed too often, and BadInput about "phaseAt".
func (e *Experiment) BeginPhase(at, now Millis) error {
	if e.Status != Running {
		return &Error{Code: FailedPrecondition, Field: "phaseAt", Message: "says since when the weights of a running experiment are others, but the experiment is not running; leave it out"}
	}
	if e.Assignment == GoalgraphAssignment && at < now {
		return Invalid("phaseAt", "is in the past, but Goalgraph splits visitors by the new weights from now on; leave it out")
	}
	phases := slices.Clone(e.Splits())
	last := &phases[len(phases)-1]
	switch next := e.split(at); {
	case next.sameSplit(*last):
		return Invalid("phaseAt", "says since when the weights or the share are others, but they stay as they are; leave it out, or change the weights of the variants or trafficShare")
	case at < last.From:
		return Invalid("phaseAt", "is %s, before the weights last changed (%s)", instant(at), instant(last.From))
	case at > now:
		return Invalid("phaseAt", "is %s, which is in the future; change the weights then, or use a time up to now (%s)", instant(at), instant(now))
	case at == last.From && now > at:
		return Invalid("phaseAt", "is %s, when the weights last changed, and visitors were split by those; use a later time", instant(at))
	case at == last.From:
		*last = next
	case len(phases) == MaxPhases:
		return Errorf(FailedPrecondition, "the weights and the share have changed %d times in this run, which is as often as they can", MaxPhases-1)
	default:
		phases = append(phases, next)
	}
	e.Phases = phases
	return nil
}

// AsInRun returns the experiment as it was at the end of a run, of which the first is 1; the last one is the experiment itself.
// The error is BadInput about "run".
func (e *Experiment) AsInRun(n int) (*Experiment, error) {
	if n < 1 || n > len(e.EarlierRuns)+1 {
		return nil, Invalid("run", "is %d; the experiment has runs 1 to %d", n, len(e.EarlierRuns)+1)
	}
	if n > len(e.EarlierRuns) {
		return e, nil
	}
	then, run := *e, e.EarlierRuns[n-1]
	then.Status, then.StartedAt, then.StoppedAt, then.DecideAt = Stopped, run.StartedAt, run.StoppedAt, run.DecideAt
	then.MetricChangedAt, then.Winner, then.Conclusion, then.Phases = max(run.MetricChangedAt, e.MetricChangedAt), run.Winner, run.Conclusion, run.Phases
	// The run is judged by the metrics of today, so whatever changed since then changed after its results could be seen.
	for _, later := range e.EarlierRuns[n:] {
		then.MetricChangedAt = max(then.MetricChangedAt, later.MetricChangedAt)
	}
	return &then, nil
}

// Start begins a run at a time up to now. Assignments count from then on, even those
// tracked before the experiment was defined. A stopped experiment is run again: what the run before came to is kept, and
// none of its assignments counts. Where the only look is planned, decideAt is when that of this run is; 0 leaves it as it is. The error is
// FailedPrecondition if the experiment is running or archived, or lacks what a run needs, and BadInput about "at" and "decideAt".
func (e *Experiment) Start(at, decideAt, now Millis) error {
	switch e.Status {
	case Running:
		return Errorf(FailedPrecondition, "the experiment has been running since %s", instant(e.StartedAt))
	case Stopped:
		if len(e.EarlierRuns)+1 >= MaxRuns {
			return Errorf(FailedPrecondition, "the experiment has been run %d times, which is as often as it can; create a new experiment", MaxRuns)
		}
		if at < e.StoppedAt {
			return Invalid("at", "is %s, before the run before stopped (%s)", instant(at), instant(e.StoppedAt))
		}
	case Archived:
		return Errorf(FailedPrecondition, "the experiment is archived and cannot start; create a new experiment")
	}
	var missing []string
	if e.Primary == 0 {
		missing = append(missing, "a primary metric")
	}
	if n := len(e.Variants); n < MinVariants {
		missing = append(missing, fmt.Sprintf("at least %d variants (it has %d)", MinVariants, n))
	}
	if len(missing) > 0 {
		return Errorf(FailedPrecondition, "the experiment cannot start yet: it needs %s", strings.Join(missing, " and "))
	}
	if at <= 0 {
		return Invalid("at", "is %s; an experiment must start after 1970", instant(at))
	}
	if at > now {
		return Invalid("at", "is %s, which is in the future; start the experiment then, or use a time up to now (%s)", instant(at), instant(now))
	}
	if decideAt != 0 && e.Monitoring != FixedHorizon {
		return Invalid("decideAt", "is given, but an experiment with CONTINUOUS monitoring can be decided at any time; leave it out")
	}
	before := Run{e.StartedAt, e.StoppedAt, e.DecideAt, e.MetricChangedAt, e.Winner, e.Conclusion, e.Splits()}
	if decideAt != 0 {
		e.DecideAt = decideAt
	}
	if e.DecideAt != 0 && e.DecideAt <= at {
		return &Error{Code: FailedPrecondition, Field: "decideAt",
			Message: fmt.Sprintf("the experiment is to be decided at %s, which is not after its start (%s); choose a later time", instant(e.DecideAt), instant(at))}
	}
	if e.Status == Stopped {
		e.EarlierRuns = append(slices.Clip(e.EarlierRuns), before)
	}
	if e.MetricChangedAt <= at {
		e.MetricChangedAt = 0 // it was before this run
	}
	e.Status, e.StartedAt, e.StoppedAt, e.Winner, e.Conclusion = Running, at, 0, "", ""
	e.Phases = []Phase{e.split(at)}
	return nil
}

// Stop ends the run at a time between its start and now, and records the winner, if any.
// Nothing counts from then on. The error is FailedPrecondition if the experiment is not
// running, and BadInput about "at" or "winner".
func (e *Experiment) Stop(winner string, at, now Millis) error {
	switch e.Status {
	case Draft:
		return Errorf(FailedPrecondition, "the experiment has not started")
	case Stopped:
		return Errorf(FailedPrecondition, "the experiment already stopped at %s", instant(e.StoppedAt))
	case Archived:
		return Errorf(FailedPrecondition, "the experiment is archived, so it is not running")
	}
	if winner != "" && !e.hasVariant(winner) {
		return e.noVariant("winner", winner)
	}
	if at < e.StartedAt {
		return Invalid("at", "is %s, before the experiment started (%s)", instant(at), instant(e.StartedAt))
	}
	if at > now {
		return Invalid("at", "is %s, which is in the future; stop the experiment then, or use a time up to now (%s)", instant(at), instant(now))
	}
	e.Status, e.StoppedAt, e.Winner = Stopped, at, winner
	return nil
}

// Archive archives a draft or a stopped experiment; its results remain. The error is
// FailedPrecondition.
func (e *Experiment) Archive() error {
	switch e.Status {
	case Running:
		return Errorf(FailedPrecondition, "the experiment is running; stop it before you archive it")
	case Archived:
		return Errorf(FailedPrecondition, "the experiment is already archived")
	}
	e.Status = Archived
	return nil
}

// CheckDelete returns a FailedPrecondition error if the experiment is running.
func (e *Experiment) CheckDelete() error {
	if e.Status == Running {
		return Errorf(FailedPrecondition, "the experiment is running; stop it before you delete it")
	}
	return nil
}
