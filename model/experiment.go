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
	// MaxMetrics is the maximum number of secondary metrics and guardrails together.
	MaxMetrics = 50
	MaxWeight  = 1e6
	// MinPriorLift and MaxPriorLift bound PriorLift.
	MinPriorLift = 0.001
	MaxPriorLift = 10.0
	// MaxWindow is the longest time after an assignment in which something counts.
	MaxWindow = 365 * 24 * time.Hour
	// MaxPhases is how often the weights of a run can change, and MaxRuns how often an experiment can be run.
	MaxPhases = 50
	MaxRuns   = 20
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
	// Secondary are the ids of other goals, each once, without the primary one and guardrails.
	Secondary []int64
	// Guardrails are goals that must not get worse, each once.
	Guardrails []Guardrail
	// Directions are those of metrics that the experiment takes otherwise than their goals say, each once.
	Directions []MetricDirection
	// Notes are what people want to remember of the experiment, and Conclusion what they learnt from its run, the last one if there
	// are several.
	Notes, Conclusion string
	// DecidesBy says which figure of a metric decides. A metric whose goal has no value decides by its rate.
	DecidesBy  DecidesBy
	Monitoring Monitoring
	// PriorLift is the standard deviation of what is expected of lifts, on the logarithm; 0 where nothing is.
	PriorLift float64
	// DecideAt is when the only look is planned under FixedHorizon, else 0.
	DecideAt Millis
	// MetricChangedAt is when the primary metric or a guardrail was last changed after the start, or 0: another goal was taken, or
	// another direction, or the goal itself changed while the experiment ran.
	MetricChangedAt Millis
	// Audience says who takes part: an assignment counts only if its session matches all
	// filters. An empty list admits everyone.
	Audience    []FilterSpec
	Attribution Attribution
	// Unit is what is assigned and counted.
	Unit AssignmentUnit
	// Assignment is who assigns visitors. What follows says how Goalgraph does.
	Assignment AssignmentSource
	// Seed tells the experiment's hashes from those of others; the key by default.
	Seed string
	// TrafficShare is the part of all visitors that take part, 0 to 1. Who takes part stays when it shrinks.
	TrafficShare float64
	// Layer is the experiment's part of a layer, or nil.
	Layer *Layer
	// Forced are visitors who test, each once.
	Forced []ForcedVariant
	// Rollout gives all visitors the winner once the experiment has stopped.
	Rollout bool
	// OnlyEvaluated takes no assignments that Goalgraph has not made itself.
	OnlyEvaluated bool
	// Window is how long after the assignment something counts, in whole seconds; 0 for as long as the experiment runs.
	Window time.Duration
	// MultipleExposures says what becomes of visitors that saw several variants.
	MultipleExposures MultipleExposures
	// Winner is the key of the variant chosen when the experiment stopped, or empty.
	Winner string
	// StartedAt and StoppedAt are the ends of the run, the last one if there are several, or 0 until then.
	StartedAt, StoppedAt Millis
	// Phases are those of the run, the oldest first. The last one has the variants' weights. There are none before the start.
	Phases []Phase
	// EarlierRuns are the runs before that, the oldest first.
	EarlierRuns          []Run
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
	// Value is what code gets that asks for the variant, as JSON of at most MaxVariantValue bytes: a string, a number, true,
	// false or an object. It is empty where that is the key.
	Value string `json:"value,omitempty"`
}

// Guardrail is a goal by which no winner may be worse than the baseline by more than a margin.
type Guardrail struct {
	// Goal is the goal's id.
	Goal int64
	// Margin is relative to the baseline's figure: 0.02 lets it get worse by 2 %. 0 <= Margin < 1.
	Margin float64
}

// MetricDirection says which of two figures of a metric is the better one.
type MetricDirection struct {
	// Goal is the id of a goal that is a metric of the experiment.
	Goal      int64
	Direction Direction
}

// DecidesBy says which figure of a metric decides.
type DecidesBy string

const (
	// ByRate decides by the conversion rate.
	ByRate DecidesBy = "RATE"
	// ByValue decides by the value per visitor.
	ByValue DecidesBy = "VALUE"
)

// Monitoring says when a decision holds.
type Monitoring string

const (
	// Continuous decisions hold whenever one looks, as often as one likes.
	Continuous Monitoring = "CONTINUOUS"
	// FixedHorizon decisions hold for one look, at a time that is set before the start. They need fewer visitors.
	FixedHorizon Monitoring = "FIXED_HORIZON"
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

// AssignmentUnit says what an experiment assigns and counts.
type AssignmentUnit string

const (
	// VisitorUnit takes each visitor, which is a device, by itself.
	VisitorUnit AssignmentUnit = "VISITOR"
	// UserUnit takes the visitors together that are one user's devices. Visitors who are nobody's are units of their own.
	UserUnit AssignmentUnit = "USER"
)

// MultipleExposures says what becomes of visitors that saw several variants.
type MultipleExposures string

const (
	// FirstExposure counts them in the variant of their first assignment.
	FirstExposure MultipleExposures = "FIRST"
	// ExcludeExposures leaves them out.
	ExcludeExposures MultipleExposures = "EXCLUDE"
)

// Metrics returns the ids of all goals: the primary one, the secondary ones, the guardrails.
func (e *Experiment) Metrics() []int64 {
	metrics := make([]int64, 0, 1+len(e.Secondary)+len(e.Guardrails))
	if e.Primary != 0 {
		metrics = append(metrics, e.Primary)
	}
	metrics = append(metrics, e.Secondary...)
	for _, guardrail := range e.Guardrails {
		metrics = append(metrics, guardrail.Goal)
	}
	return metrics
}

// Guardrail returns the guardrail that a goal is. It is false if the goal is none.
func (e *Experiment) Guardrail(goal int64) (Guardrail, bool) {
	i := slices.IndexFunc(e.Guardrails, func(g Guardrail) bool { return g.Goal == goal })
	if i < 0 {
		return Guardrail{}, false
	}
	return e.Guardrails[i], true
}

// Validate brings the experiment into its canonical form. It returns a BadInput error if
// that is impossible. By default the first variant is the baseline, a variant's name is
// its key, attribution is by experiment, visitors are assigned, and rates decide, whenever one looks. The filter types
// check the filters' arguments, and the store checks that the goals exist and have the values
// that decide.
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
	if err := checkText("notes", &e.Notes, 0, MaxDescription); err != nil {
		return err
	}
	if err := checkText("conclusion", &e.Conclusion, 0, MaxDescription); err != nil {
		return err
	}
	if err := e.checkVariants(); err != nil {
		return err
	}
	if err := e.checkMetrics(); err != nil {
		return err
	}
	if err := e.checkDecision(); err != nil {
		return err
	}
	if err := e.checkAssignment(); err != nil {
		return err
	}
	if err := CheckFilters("audience", e.Audience); err != nil {
		return err
	}
	return e.checkAttribution()
}

// checkAttribution checks what says what counts of a visitor.
func (e *Experiment) checkAttribution() error {
	switch e.Attribution {
	case "":
		e.Attribution = ExperimentAttribution
	case SessionAttribution, ExperimentAttribution:
	default:
		return Invalid("attribution", "is %q; use SESSION or EXPERIMENT", clip(string(e.Attribution)))
	}
	if e.Window < 0 || e.Window > MaxWindow {
		return Invalid("window", "is %s; it must be longer than 0 and at most %d days", e.Window, MaxWindow/(24*time.Hour))
	}
	switch e.Unit {
	case "":
		e.Unit = VisitorUnit
	case VisitorUnit, UserUnit:
	default:
		return Invalid("unit", "is %q; use VISITOR or USER", clip(string(e.Unit)))
	}
	switch e.MultipleExposures {
	case "":
		e.MultipleExposures = FirstExposure
	case FirstExposure, ExcludeExposures:
	default:
		return Invalid("multipleExposures", "is %q; use FIRST or EXCLUDE", clip(string(e.MultipleExposures)))
	}
	return nil
}

func (e *Experiment) checkMetrics() error {
	if n := len(e.Guardrails); n > MaxMetrics {
		return Invalid("guardrails", "%d guardrails are too many; the maximum is %d, secondary metrics included", n, MaxMetrics)
	}
	for i, guardrail := range e.Guardrails {
		at := fmt.Sprintf("guardrails[%d]", i)
		switch {
		case guardrail.Goal == e.Primary:
			return Invalid(at+".goal", "is the primary metric, which decides already; choose another goal, or leave the guardrail out")
		case slices.ContainsFunc(e.Guardrails[:i], func(other Guardrail) bool { return other.Goal == guardrail.Goal }):
			return Invalid(at+".goal", "is the goal of an earlier guardrail; leave one of both out")
		case !(guardrail.Margin >= 0 && guardrail.Margin < 1): // also NaN
			return Invalid(at+".margin", "is %v; it must be at least 0 and below 1, such as 0.02 for 2 %%", guardrail.Margin)
		}
	}
	secondary := make([]int64, 0, len(e.Secondary))
	for _, goal := range e.Secondary {
		if _, guards := e.Guardrail(goal); !guards && goal != e.Primary && !slices.Contains(secondary, goal) {
			secondary = append(secondary, goal)
		}
	}
	e.Secondary = secondary
	if n := len(e.Secondary) + len(e.Guardrails); n > MaxMetrics {
		return Invalid("secondaryMetrics", "%d goals are too many, guardrails included; the maximum is %d", n, MaxMetrics)
	}
	return e.checkDirections()
}

func (e *Experiment) checkDirections() error {
	metrics := e.Metrics()
	for i, given := range e.Directions {
		at := fmt.Sprintf("directions[%d]", i)
		switch {
		case !slices.Contains(metrics, given.Goal):
			return Invalid(at+".goal", "is no metric of the experiment; make it one, or leave its direction out")
		case slices.ContainsFunc(e.Directions[:i], func(other MetricDirection) bool { return other.Goal == given.Goal }):
			return Invalid(at+".goal", "has a direction already; leave one of both out")
		case given.Direction != HigherIsBetter && given.Direction != LowerIsBetter:
			return Invalid(at+".direction", "is %q; use HIGHER_IS_BETTER or LOWER_IS_BETTER", clip(string(given.Direction)))
		}
	}
	return nil
}

// DirectionOf returns which of two figures of a goal is the better one to the experiment.
func (e *Experiment) DirectionOf(goal *Goal) Direction {
	for _, given := range e.Directions {
		if given.Goal == goal.ID {
			return given.Direction
		}
	}
	return goal.Direction
}

// decisive returns the direction that the experiment gives each goal that decides, or guards, in their order; empty for the goal's own.
func (e *Experiment) decisive() (directions []Direction) {
	for _, goal := range e.Metrics() {
		if _, guards := e.Guardrail(goal); guards || goal == e.Primary {
			directions = append(directions, e.DirectionOf(&Goal{ID: goal}))
		}
	}
	return directions
}

// checkDecision checks what says how the experiment is decided.
func (e *Experiment) checkDecision() error {
	switch e.DecidesBy {
	case "":
		e.DecidesBy = ByRate
	case ByRate, ByValue:
	default:
		return Invalid("decidesBy", "is %q; use RATE or VALUE", clip(string(e.DecidesBy)))
	}
	if e.PriorLift != 0 && !(e.PriorLift >= MinPriorLift && e.PriorLift <= MaxPriorLift) { // also NaN
		return Invalid("priorLift", "is %v; it must be %v to %v, such as 0.1 where two of three ideas change a rate by less than 10 %%", e.PriorLift, MinPriorLift, MaxPriorLift)
	}
	switch e.Monitoring {
	case "", Continuous:
		e.Monitoring = Continuous
		if e.DecideAt != 0 {
			return Invalid("decideAt", "is given, but an experiment with CONTINUOUS monitoring can be decided at any time; leave it out, or use FIXED_HORIZON")
		}
	case FixedHorizon:
		switch {
		case e.DecideAt == 0:
			return Invalid("decideAt", "is missing; FIXED_HORIZON needs the time of the only look")
		case e.DecideAt <= max(e.StartedAt, 0):
			return Invalid("decideAt", "is %s; it must be after the experiment starts", instant(e.DecideAt))
		}
	default:
		return Invalid("monitoring", "is %q; use CONTINUOUS or FIXED_HORIZON", clip(string(e.Monitoring)))
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
		if err := v.checkValue(); err != nil {
			return Under(at, err)
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
