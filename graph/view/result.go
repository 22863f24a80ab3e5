package view

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/stats"
)

// ExperimentResult is what the visitors did that are assigned to an experiment's
// variants.
type ExperimentResult struct {
	// Experiment is the experiment as it is now.
	Experiment model.Experiment
	// Run is the run that the result is of; nil in a draft.
	Run *Run
	// Asked says what of the experiment was asked for.
	Asked                                   string
	ComputedAt                              scalar.Moment
	Visitors, Contaminated, UnknownVariants int
	SampleRatio                             stats.SampleRatio
	Phases                                  []PhaseResult
	// Ratios has the split of the visitors of each interval.
	Ratios func(context.Context, model.Interval) ([]SampleRatioPoint, error)
	// Splits has those by a field.
	Splits func(context.Context, filter.Field) ([]VisitorSplit, error)
	// Metrics are in the order of the experiment's, the primary one first.
	Metrics []MetricResult
}

// Phase is a part of a run in which the weights, and the share of visitors that take part, were the same.
type Phase struct {
	From         time.Time
	Weights      []float64
	TrafficShare float64
}

// PhasesOf returns the phases of an experiment's run.
func PhasesOf(e *model.Experiment) []Phase {
	phases := make([]Phase, len(e.Phases))
	for i, phase := range e.Phases {
		phases[i] = Phase{phase.From.Time(), phase.Weights, phase.TrafficShare}
	}
	return phases
}

// PhaseResult is who was assigned in a phase.
type PhaseResult struct {
	Phase       Phase
	Visitors    []int
	SampleRatio stats.SampleRatio
}

// SampleRatioPoint is who was assigned in an interval.
type SampleRatioPoint struct {
	At           time.Time
	Visitors     []int
	Contaminated int
	SampleRatio  stats.SampleRatio
}

// VisitorSplit is who was assigned in sessions of a value.
type VisitorSplit struct {
	Value          string
	Visitors       []int
	Contaminated   int
	SampleRatio    stats.SampleRatio
	AdjustedPValue float64
	Mismatch       bool
}

// Interaction says whether a variant's effect depends on the variant of another experiment.
type Interaction struct {
	Experiment            *model.Experiment
	Variant, OtherVariant Variant
	// Visitors are those of both variants and both baselines.
	Visitors int64
	stats.Interaction
	AdjustedPValue float64
	// Warning is nil where nothing is to be told.
	Warning *string
}

// Run is a run of an experiment.
type Run struct {
	Number                               int
	StartedAt                            time.Time
	StoppedAt, DecideAt, MetricChangedAt *time.Time
	Winner                               *Variant
	Conclusion                           string
	Phases                               []Phase
}

// MetricResult is what an experiment's visitors did by one of its metrics.
type MetricResult struct {
	*experiment.Trial
	// Result is the id of the result that it is part of.
	Result  string
	Primary bool
	// Variants are the experiment's.
	Variants []Variant
	// Series has the points of each variant at an interval.
	Series func(context.Context, model.Interval) ([][]VariantPoint, error)
	// Cuped has the values without what was to be expected of each variant; nil over several phases.
	Cuped func(context.Context) (*[]experiment.CupedValue, error)
}

// VariantResult is what the visitors of a variant did by a metric.
type VariantResult struct {
	Variant Variant
	stats.Rate
	// Metric is whose result it is, and Place the variant's among all.
	Metric *MetricResult
	Place  int
}

// ValueResult is what a variant's values say.
type ValueResult struct {
	stats.Value
	Variant *VariantResult
}

// VariantPoint is a point of a variant's series.
type VariantPoint struct {
	At                    time.Time
	Visitors, Conversions int64
	ConversionRate        *float64
	// Trial is of what was known at the point, and Place the variant's.
	Trial *experiment.Trial
	Place int
}

// ExperimentPlan is what an experiment with one look takes.
type ExperimentPlan struct {
	*experiment.Outlook
	VisitorsPerVariant int64
}

// PlannedEffect is the smallest effect that is found after some days, nil where none is.
type PlannedEffect struct {
	Day                int
	VisitorsPerVariant int64
	Effect             *float64
}

// SegmentResult is an experiment's result for the sessions of a segment. Result waits for it; it is nil where it is not
// selected.
type SegmentResult struct {
	Segment model.Segment
	// Asked says what of which experiment was asked for.
	Asked  string
	Result func(context.Context) (*ExperimentResult, error)
}
