package graph

import (
	"context"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/stats"
)

func (r *experimentResolver) Results(ctx context.Context, e *model.Experiment, given []scalar.FilterInput, when *model.TimeRange, goal *string, adHocGoal *generated.AdHocGoalInput, run *int) (*view.ExperimentResult, error) {
	then, err := inRun(e, run)
	if err != nil {
		return nil, err
	}
	in, err := r.rangeOrAll(ctx, e.SiteID, when)
	if err != nil {
		return nil, err
	}
	filters, err := r.filtersOf(ctx, e.SiteID, given, "filters")
	if err != nil {
		return nil, err
	}
	by, err := r.metricsOf(ctx, e, goal, adHocGoal)
	if err != nil {
		return nil, err
	}
	m, err := r.measure(ctx, then.experiment, by, filters, in)
	if err != nil {
		return nil, err
	}
	m.of, m.asked = then, view.IDOf("filters", append([]scalar.FilterInput{}, given...), said(when), by.asked(), run)
	reading, err := r.readingOf(ctx, m, collectionOf(ctx).results.registerAll(m.questions))
	if err != nil {
		return nil, err
	}
	reading.Families = experiment.NewFamilies(func(context.Context) ([]*experiment.Reading, error) { return []*experiment.Reading{reading}, nil })
	return r.resultOf(ctx, m, reading), nil
}

func (r *experimentResolver) Breakdown(ctx context.Context, e *model.Experiment, segmentIDs []string, adHocSegments []generated.AdHocSegmentInput, when *model.TimeRange,
	goal *string, adHocGoal *generated.AdHocGoalInput, run *int) ([]view.SegmentResult, error) {
	then, err := inRun(e, run)
	if err != nil {
		return nil, err
	}
	in, err := r.rangeOrAll(ctx, e.SiteID, when)
	if err != nil {
		return nil, err
	}
	by, segments, err := both(
		func() (metrics, error) { return r.metricsOf(ctx, e, goal, adHocGoal) },
		func() ([]model.Segment, error) { return r.segmentsWith(ctx, e.SiteID, segmentIDs, adHocSegments) })
	if err != nil {
		return nil, err
	}
	if cells := len(by.goals) * len(segments); cells > maxCells {
		return nil, model.Errorf(model.ResourceExhausted, "%d metrics for %d segments are %d results; the limit is %d: name the segments", len(by.goals), len(segments), cells, maxCells)
	}
	return r.breakdown(ctx, then, by, segments, in, view.IDOf("run", said(when), run)), nil
}

// ofRun is an experiment in one of its runs.
type ofRun struct {
	// experiment is as it was at the end of the run, and today as it is now.
	experiment, today *model.Experiment
	number            int
}

// inRun returns an experiment in the run of a number, by default the last one.
func inRun(e *model.Experiment, run *int) (then ofRun, err error) {
	then = ofRun{today: e, number: len(e.EarlierRuns) + 1}
	if run != nil {
		then.number = *run
	}
	then.experiment, err = e.AsInRun(then.number)
	return then, err
}

// breakdown returns an experiment's results by segment. Where they are selected, all are asked for at once, and each verdict is
// one among those of all segments.
func (r *Resolver) breakdown(ctx context.Context, then ofRun, by metrics, segments []model.Segment, in model.Range, asked string) []view.SegmentResult {
	results := make([]view.SegmentResult, len(segments))
	for i, segment := range segments {
		results[i] = view.SegmentResult{Segment: segment, Asked: view.IDOf("segment", then.today.ID, segment.ID, asked, by.asked())}
	}
	selected := graphql.CollectFieldsCtx(ctx, []string{"SegmentResult"})
	if !slices.ContainsFunc(selected, func(field graphql.CollectedField) bool { return field.Name == "result" }) {
		return results
	}
	measured := each(len(segments), func(i int) (*measurement, error) { return r.measure(ctx, then.experiment, by, segments[i].Filters, in) })
	readings := make([]func(context.Context) (*experiment.Reading, error), len(segments))
	families := experiment.NewFamilies(func(ctx context.Context) (all []*experiment.Reading, err error) {
		for _, of := range readings {
			// What fails for one segment its own result tells.
			if reading, err := of(ctx); err == nil {
				all = append(all, reading)
			}
		}
		return all, ctx.Err()
	})
	for i, m := range measured {
		if m.err != nil {
			readings[i] = func(context.Context) (*experiment.Reading, error) { return nil, m.err }
		} else {
			m.value.of, m.value.asked = then, results[i].Asked
			promises := collectionOf(ctx).results.registerAll(m.value.questions)
			readings[i] = memoized(func(ctx context.Context) (*experiment.Reading, error) {
				reading, err := r.readingOf(ctx, m.value, promises)
				if err == nil {
					reading.Families = families
				}
				return reading, err
			})
		}
		results[i].Result = func(ctx context.Context) (*view.ExperimentResult, error) {
			reading, err := readings[i](ctx)
			if err != nil {
				return nil, err
			}
			return r.resultOf(ctx, m.value, reading), nil
		}
	}
	collectionOf(ctx).results.begin(ctx)
	return results
}

// memoized returns a function that makes something once; who asks meanwhile waits for it. An error of one who no longer waits is not
// kept.
func memoized[T any](of func(context.Context) (*T, error)) func(context.Context) (*T, error) {
	var mu sync.Mutex
	var made *T
	var failed error
	return func(ctx context.Context) (*T, error) {
		mu.Lock()
		defer mu.Unlock()
		if made != nil || failed != nil {
			return made, failed
		}
		value, err := of(ctx)
		if ctx.Err() == nil {
			made, failed = value, err
		}
		return value, err
	}
}

type segmentResultResolver struct{ *Resolver }

func (r *segmentResultResolver) Result(ctx context.Context, s *view.SegmentResult) (*view.ExperimentResult, error) {
	return s.Result(ctx)
}

// resultOf returns an experiment's result. Its figures are derived where they are selected.
func (r *Resolver) resultOf(ctx context.Context, m *measurement, reading *experiment.Reading) *view.ExperimentResult {
	e := m.experiment
	result := &view.ExperimentResult{
		Experiment: *m.of.today, Asked: m.asked, ComputedAt: r.computedAt(ctx), Visitors: reading.Visitors(), Contaminated: reading.Answer.MultipleExposures,
		UnknownVariants: reading.Answer.Unknown, SampleRatio: reading.SampleRatio, Metrics: make([]view.MetricResult, len(m.metrics)),
	}
	if e.StartedAt != 0 {
		run := runOf(e, m.of.number)
		result.Run = &run
	}
	for n, phase := range view.PhasesOf(e) {
		result.Phases = append(result.Phases, view.PhaseResult{Phase: phase, Visitors: reading.VisitorsIn(n), SampleRatio: reading.PhaseRatios[n]})
	}
	result.Ratios, result.Splits = r.ratiosOf(m.questions[0], reading), r.splitsOf(m.questions[0], reading)
	id, variants := result.ID(), view.VariantsOf(e)
	for i, trial := range reading.Trials {
		result.Metrics[i] = view.MetricResult{
			Trial: trial, Result: id, Primary: trial.Role == experiment.PrimaryRole, Variants: variants, Series: r.seriesOf(m.metrics[i].question, trial),
			Cuped: r.cupedOf(trial, m.metrics[i].question),
		}
	}
	return result
}

type experimentResultResolver struct{ *Resolver }

func (r *experimentResultResolver) UnjoinedAssignments(ctx context.Context, result *view.ExperimentResult) (*int, error) {
	e := &result.Experiment
	if e.Assignment != model.GoalgraphAssignment || result.Run == nil || e.Status == model.Archived {
		return nil, nil
	}
	n, err := r.store.CountUnjoined(ctx, e.SiteID, e.ID, model.MillisOf(result.Run.StartedAt))
	return &n, err
}

type metricResultResolver struct{ *Resolver }

// What is derived from counts takes a while where there are many variants: each field
// looks first whether anybody still waits.

func (r *metricResultResolver) Variants(ctx context.Context, m *view.MetricResult) ([]view.VariantResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rates, err := m.Rates()
	results := make([]view.VariantResult, len(rates))
	for i, rate := range rates {
		results[i] = view.VariantResult{Variant: m.Variants[i], Rate: rate, Metric: m, Place: i}
	}
	return results, err
}

func (r *metricResultResolver) Leader(ctx context.Context, m *view.MetricResult) (*view.Variant, error) {
	verdict, err := m.Verdict(ctx)
	if err != nil || verdict.Leader < 0 {
		return nil, err
	}
	return &m.Variants[verdict.Leader], nil
}

func (r *metricResultResolver) Decision(ctx context.Context, m *view.MetricResult) (*stats.Decision, error) {
	verdict, err := m.Verdict(ctx)
	if err != nil {
		return nil, err
	}
	return &verdict.Decision, nil
}

func (r *metricResultResolver) Reasons(ctx context.Context, m *view.MetricResult) ([]experiment.Reason, error) {
	verdict, err := m.Verdict(ctx)
	return verdict.Reasons, err
}

type variantResultResolver struct{ *Resolver }

// isBaseline tells whether the variant is the one that others are compared with.
func isBaseline(v *view.VariantResult) bool { return v.Variant.Baseline }

func (r *variantResultResolver) Anytime(ctx context.Context, v *view.VariantResult) (*stats.Anytime, error) {
	return comparisonOf(ctx, v, v.Metric.AnytimeRates)
}

// comparisonOf returns a variant's of all comparisons with the baseline, nil for the baseline.
func comparisonOf[T any](ctx context.Context, v *view.VariantResult, all func() ([]T, error)) (*T, error) {
	if err := ctx.Err(); err != nil || isBaseline(v) || all == nil {
		return nil, err
	}
	list, err := all()
	if err != nil || list == nil {
		return nil, err
	}
	return &list[v.Place], nil
}

func (r *variantResultResolver) AdjustedPValue(ctx context.Context, v *view.VariantResult) (*float64, error) {
	if isBaseline(v) {
		return nil, nil
	}
	figures, err := v.Metric.Adjusted(ctx)
	if err != nil {
		return nil, err
	}
	return &figures[v.Place].AdjustedPValue, nil
}

func (r *variantResultResolver) ProbabilityWithinMargin(ctx context.Context, v *view.VariantResult) (*float64, error) {
	return comparisonOf(ctx, v, v.Metric.WithinMargin)
}

// defaultDensity is how many points a curve has unless told otherwise, and maxDensity how many it may have.
const (
	defaultDensity = 100
	maxDensity     = 1000
)

func (r *variantResultResolver) Density(ctx context.Context, v *view.VariantResult, points int) ([]stats.Point, error) {
	if points < 2 || points > maxDensity {
		return nil, model.Invalid("points", "is %d; use 2 to %d", points, maxDensity)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return v.Curve(points)
}

func (r *variantResultResolver) Value(ctx context.Context, v *view.VariantResult) (*view.ValueResult, error) {
	if v.Metric.Values == nil || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	values, err := v.Metric.Values()
	if err != nil {
		return nil, err
	}
	return &view.ValueResult{Value: values[v.Place], Variant: v}, nil
}

type valueResultResolver struct{ *Resolver }

func (r *valueResultResolver) Anytime(ctx context.Context, v *view.ValueResult) (*stats.Anytime, error) {
	return comparisonOf(ctx, v.Variant, v.Variant.Metric.AnytimeValues)
}

func (r *valueResultResolver) Winsorized(ctx context.Context, v *view.ValueResult) (*experiment.WinsorizedValue, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	values, err := v.Variant.Metric.Winsorized()
	if err != nil {
		return nil, err
	}
	return &values[v.Variant.Place], nil
}

func (r *variantResultResolver) WithPrior(ctx context.Context, v *view.VariantResult) (*stats.PriorLift, error) {
	return comparisonOf(ctx, v, v.Metric.WithPrior)
}

func (r *valueResultResolver) Cuped(ctx context.Context, v *view.ValueResult) (*experiment.CupedValue, error) {
	values, err := v.Variant.Metric.Cuped(ctx)
	if err != nil || *values == nil {
		return nil, err
	}
	return &(*values)[v.Variant.Place], nil
}

// cupedOf returns what asks for what a metric's visitors did before. It takes longer than the results do, so that it is asked for
// where it is selected, and once for all variants.
func (r *Resolver) cupedOf(trial *experiment.Trial, question experiment.Question) func(context.Context) (*[]experiment.CupedValue, error) {
	question.Before = true
	return memoized(func(ctx context.Context) (*[]experiment.CupedValue, error) {
		answer, err := collectionOf(ctx).results.ask(ctx, question)
		if err == nil {
			err = answer.Err
		}
		if err != nil {
			return nil, err
		}
		values, err := trial.Cuped(&answer)
		return &values, err
	})
}
