package view

import (
	"github.com/goalgraph/goalgraph/model/experiment"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
)

// ExperimentResult is what the visitors did that are assigned to an experiment's
// variants.
type ExperimentResult struct {
	Experiment                              model.Experiment
	ComputedAt                              time.Time
	Visitors, Contaminated, UnknownVariants int
	SampleRatio                             stats.SampleRatio
	// Metrics are in the order of the experiment's, the primary one first.
	Metrics []MetricResult
}

// MetricResult is what an experiment's visitors did by one of its metrics.
type MetricResult struct {
	Goal    model.Goal
	Primary bool
	// Variants are the experiment's.
	Variants []model.Variant
	// Rates, Values and Decision are made of the counts where they are selected. Rates
	// and Values have an element for each variant; Values is nil where the goal carries no
	// value.
	Rates    func() ([]stats.Rate, error)
	Values   func() ([]stats.Value, error)
	Decision func() (stats.Decision, *model.Variant, error)
	// Question is what was asked of this metric alone.
	Question experiment.Question
}

// VariantResult is what the visitors of a variant did by a metric.
type VariantResult struct {
	Variant model.Variant
	stats.Rate
	// Metric is whose result it is, and Place the variant's among all.
	Metric *MetricResult
	Place  int
}

// VariantPoint is a point of a variant's series.
type VariantPoint struct {
	At                    time.Time
	Visitors, Conversions int64
	ConversionRate        *float64
	ProbabilityToBeBest   float64
}

// SegmentResult is an experiment's result for the sessions of a segment.
type SegmentResult struct {
	Experiment model.Experiment
	// Goals are the experiment's metrics, the primary one first.
	Goals   []model.Goal
	Segment model.Segment
	In      model.Range
}
