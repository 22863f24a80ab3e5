package model

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of an experiment.
const (
	// MinVariants is the number of variants that an experiment needs to start.
	MinVariants = 2
	MaxVariants = 20
	// MaxMetrics is the maximum number of secondary metrics.
	MaxMetrics = 50
	MaxWeight  = 1e6
)

// Experiment compares variants by the goals that their visitors reach. A message
// assigns a visitor (Hit.Experiment); the first such message within the run counts.
type Experiment struct {
	ID     int64
	SiteID int64
	// Key is the name that messages use for the experiment. It is unique on the site.
	Key         string
	Name        string
	Description string
	Status      ExperimentStatus
	// Variants are in display order. If there are any, exactly one is the baseline.
	Variants []Variant
	// Primary is the id of the goal that decides, or 0.
	Primary int64
	// Secondary are the ids of other goals, each once, without the primary one.
	Secondary []int64
	// Audience says who takes part: an assignment counts only if its session matches all
	// filters. An empty list admits everyone.
	Audience    []FilterSpec
	Attribution Attribution
	// Winner is the key of the variant chosen when the experiment stopped, or empty.
	Winner string
	// StartedAt and StoppedAt are the ends of the run, or 0 until then.
	StartedAt, StoppedAt Millis
	CreatedAt, UpdatedAt time.Time
}

// Variant is one of the alternatives that an experiment compares.
type Variant struct {
	// Key is the name that messages use for the variant. It is unique in the experiment.
	Key  string `json:"key"`
	Name string `json:"name"`
	// Weight is the intended share of visitors, relative to the other weights:
	// 0 < Weight <= MaxWeight.
	Weight float64 `json:"weight"`
	// Baseline marks the variant that the others are compared with.
	Baseline bool `json:"baseline"`
}

// ExperimentStatus is where an experiment is in its life. A Draft is Running once, then
// Stopped. Drafts and stopped experiments can be Archived.
type ExperimentStatus string

const (
	Draft    ExperimentStatus = "DRAFT"
	Running  ExperimentStatus = "RUNNING"
	Stopped  ExperimentStatus = "STOPPED"
	Archived ExperimentStatus = "ARCHIVED"
)

// Attribution says which of a visitor's sessions can convert.
type Attribution string

const (
	// SessionAttribution takes the session of the assignment, from the assignment on.
	SessionAttribution Attribution = "SESSION"
	// ExperimentAttribution also takes every session that starts after the assignment
	// and before the end of the run.
	ExperimentAttribution Attribution = "EXPERIMENT"
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

// Metrics returns the ids of all goals, the primary one first.
func (e *Experiment) Metrics() []int64 {
	if e.Primary == 0 {
		return e.Secondary
	}
	return append([]int64{e.Primary}, e.Secondary...)
}

// Validate brings the experiment into its canonical form. It returns a BadInput error if
// that is impossible. By default the first variant is the baseline, a variant's name is
// its key, and attribution is by session. The filter types check the filters' arguments,
// and the store checks that the goals exist.
func (e *Experiment) Validate() error {
	if err := checkText("key", &e.Key, 1, MaxKey); err != nil {
		return err
	}
	if err := checkText("name", &e.Name, 1, MaxName); err != nil {
		return err
	}
	if err := checkText("description", &e.Description, 0, MaxDescription); err != nil {
		return err
	}
	if err := e.checkVariants(); err != nil {
		return err
	}
	secondary := make([]int64, 0, len(e.Secondary))
	for _, goal := range e.Secondary {
		if goal != e.Primary && !slices.Contains(secondary, goal) {
			secondary = append(secondary, goal)
		}
	}
	if len(secondary) > MaxMetrics {
		return Invalid("secondaryMetrics", "%d goals are too many; the maximum is %d", len(secondary), MaxMetrics)
	}
	e.Secondary = secondary
	if err := CheckFilters("audience", e.Audience); err != nil {
		return err
	}
	switch e.Attribution {
	case "":
		e.Attribution = SessionAttribution
	case SessionAttribution, ExperimentAttribution:
	default:
		return Invalid("attribution", "is %q; use SESSION or EXPERIMENT", clip(string(e.Attribution)))
	}
	return nil
}

func (e *Experiment) checkVariants() error {
	if len(e.Variants) > MaxVariants {
		return Invalid("variants", "%d variants are too many; the maximum is %d", len(e.Variants), MaxVariants)
	}
	variants := slices.Clone(e.Variants)
	baselines := 0
	for i := range variants {
		v := &variants[i]
		at := fmt.Sprintf("variants[%d]", i)
		if err := checkText("key", &v.Key, 1, MaxKey); err != nil {
			return Under(at, err)
		}
		if slices.ContainsFunc(variants[:i], func(other Variant) bool { return other.Key == v.Key }) {
			return Invalid(at+".key", "another variant already has the key %q; choose a different key", clip(v.Key))
		}
		if v.Name == "" {
			v.Name = v.Key
		}
		if err := checkText("name", &v.Name, 1, MaxName); err != nil {
			return Under(at, err)
		}
		// Not > covers NaN.
		if !(v.Weight > 0) || v.Weight > MaxWeight {
			return Invalid(at+".weight", "is %v; it must be more than 0 and at most %d", v.Weight, int(MaxWeight))
		}
		if v.Baseline {
			baselines++
		}
	}
	switch {
	case baselines > 1:
		return Invalid("variants", "%d variants are marked as the baseline; mark only one", baselines)
	case baselines == 0 && len(variants) > 0:
		variants[0].Baseline = true
	}
	e.Variants = variants
	return nil
}

// SetBaseline makes the variant with this key the baseline. The error is BadInput if
// there is none.
func (e *Experiment) SetBaseline(key string) error {
	if !e.hasVariant(key) {
		return e.noVariant("baseline", key)
	}
	e.Variants = slices.Clone(e.Variants)
	for i := range e.Variants {
		e.Variants[i].Baseline = e.Variants[i].Key == key
	}
	return nil
}

// CheckChange returns a FailedPrecondition error if e, which is valid, changes anything
// that before may no longer change. Once started, an experiment keeps its variants,
// audience and attribution, and must have a primary metric. Once archived, it keeps
// everything.
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
		a.Baseline = b.Baseline
		return a == b
	}):
		return fixed("variants", "the variants")
	case !slices.Equal(e.Variants, before.Variants):
		return fixed("baseline", "the baseline")
	case !EqualFilters(e.Audience, before.Audience):
		return fixed("audience", "the audience")
	case e.Attribution != before.Attribution:
		return fixed("attribution", "the attribution")
	case e.Primary == 0:
		return &Error{Code: FailedPrecondition, Field: "primaryMetric", Message: "an experiment that has started needs a primary metric; choose another goal instead"}
	}
	return nil
}

// Start begins the run at a time up to now. Assignments count from then on, even those
// tracked before the experiment was defined. The error is FailedPrecondition if the
// experiment is not a draft or lacks what a run needs, and BadInput about "at".
func (e *Experiment) Start(at, now Millis) error {
	switch e.Status {
	case Running:
		return Errorf(FailedPrecondition, "the experiment has been running since %s", instant(e.StartedAt))
	case Stopped:
		return Errorf(FailedPrecondition, "the experiment stopped at %s and runs only once; create a new experiment", instant(e.StoppedAt))
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
	e.Status, e.StartedAt = Running, at
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

func (e *Experiment) hasVariant(key string) bool {
	return slices.ContainsFunc(e.Variants, func(v Variant) bool { return v.Key == key })
}

func (e *Experiment) noVariant(field, key string) error {
	if len(e.Variants) == 0 {
		return Invalid(field, "is %q, but the experiment has no variants", clip(key))
	}
	keys := make([]string, len(e.Variants))
	for i, v := range e.Variants {
		keys[i] = fmt.Sprintf("%q", clip(v.Key))
	}
	return Invalid(field, "is %q, which is not a variant of the experiment; use one of %s", clip(key), strings.Join(keys, ", "))
}

func instant(m Millis) string { return m.Time().Format(time.RFC3339Nano) }
