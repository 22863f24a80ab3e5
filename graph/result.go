package graph

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/plugins/host"
)

func (r *experimentResolver) Results(ctx context.Context, e *model.Experiment, given []scalar.FilterInput, when *model.TimeRange, goal *string, adHocGoal *generated.AdHocGoalInput) (*view.ExperimentResult, error) {
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
	m, err := r.measure(ctx, e, by, filters, in)
	if err != nil {
		return nil, err
	}
	m.asked = view.IDOf("filters", append([]scalar.FilterInput{}, given...), said(when), by.asked())
	return r.resultOf(ctx, m, collectionOf(ctx).results.registerAll(m.questions))
}

func (r *experimentResolver) Breakdown(ctx context.Context, e *model.Experiment, segmentIDs []string, adHocSegments []generated.AdHocSegmentInput, when *model.TimeRange,
	goal *string, adHocGoal *generated.AdHocGoalInput) ([]view.SegmentResult, error) {
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
	return r.breakdown(ctx, e, by, segments, in, when), nil
}

// breakdown returns an experiment's results by segment. Where they are selected, all are asked for at once.
func (r *Resolver) breakdown(ctx context.Context, e *model.Experiment, by metrics, segments []model.Segment, in model.Range, when *model.TimeRange) []view.SegmentResult {
	results := make([]view.SegmentResult, len(segments))
	for i, segment := range segments {
		results[i] = view.SegmentResult{Segment: segment, Asked: view.IDOf("segment", e.ID, segment.ID, said(when), by.asked())}
	}
	selected := graphql.CollectFieldsCtx(ctx, []string{"SegmentResult"})
	if !slices.ContainsFunc(selected, func(field graphql.CollectedField) bool { return field.Name == "result" }) {
		return results
	}
	measured := each(len(segments), func(i int) (*measurement, error) { return r.measure(ctx, e, by, segments[i].Filters, in) })
	for i, m := range measured {
		if m.err != nil {
			results[i].Result = func(context.Context) (*view.ExperimentResult, error) { return nil, m.err }
			continue
		}
		m.value.asked = results[i].Asked
		promises := collectionOf(ctx).results.registerAll(m.value.questions)
		results[i].Result = func(ctx context.Context) (*view.ExperimentResult, error) { return r.resultOf(ctx, m.value, promises) }
	}
	collectionOf(ctx).results.begin(ctx)
	return results
}

type segmentResultResolver struct{ *Resolver }

func (r *segmentResultResolver) Result(ctx context.Context, s *view.SegmentResult) (*view.ExperimentResult, error) {
	return s.Result(ctx)
}

// measurement is what is asked of an experiment, for the sessions of assignment that match filters.
type measurement struct {
	experiment *model.Experiment
	in         model.Range
	// asked is view.ExperimentResult.Asked.
	asked string
	// questions are first the one about all metrics that columns can answer, then one for each of the others.
	questions []experiment.Question
	// metrics are the experiment's goals, the primary one first.
	metrics []measured
}

// measure returns the measurement of an experiment by metrics. What is wrong with one of them is told by what is asked of
// it.
func (r *Resolver) measure(ctx context.Context, e *model.Experiment, by metrics, filters []model.FilterSpec, in model.Range) (*measurement, error) {
	defined, err := define(ctx, r.filters, e)
	if err != nil {
		return nil, err
	}
	where, err := r.filters.Merge(ctx, filters, nil)
	if err != nil {
		return nil, err
	}
	all := experiment.Question{Definition: defined, Later: e.Attribution == model.ExperimentAttribution, In: in, Where: where.Predicate}
	m := &measurement{experiment: e, in: in, questions: []experiment.Question{all}, metrics: make([]measured, len(by.goals))}
	merges := each(len(by.goals), func(i int) (*host.Merged, error) { return r.filters.Merge(ctx, nil, by.goals[i].Filters) })
	for i, goal := range by.goals {
		metric := &m.metrics[i]
		metric.goal, metric.isPrimary = goal, goal.ID == by.primary
		if metric.err = merges[i].err; metric.err != nil {
			continue
		}
		metric.question = all
		metric.question.Metrics = []experiment.Metric{{Where: merges[i].value.Predicate, Value: goal.ValueEvent}}
		// What plugins compute session by session takes longer, and may fail: the other metrics are asked for without it.
		if len(filter.Computations(merges[i].value.Predicate)) > 0 {
			metric.asked = len(m.questions)
			m.questions = append(m.questions, metric.question)
			continue
		}
		metric.place = len(m.questions[0].Metrics)
		m.questions[0].Metrics = append(m.questions[0].Metrics, metric.question.Metrics...)
	}
	return m, nil
}

// resultOf returns an experiment's result when the answers to its questions are there.
func (r *Resolver) resultOf(ctx context.Context, m *measurement, promises []promise[experiment.Question, experiment.Answer]) (*view.ExperimentResult, error) {
	answers, err := waitAll(ctx, promises)
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		return nil, err
	}
	e := m.experiment
	result := &view.ExperimentResult{
		Experiment: *e, Asked: m.asked, ComputedAt: r.computedAt(ctx), Contaminated: answers[0].MultipleExposures, UnknownVariants: answers[0].Unknown,
		Metrics: make([]view.MetricResult, len(m.metrics)),
	}
	visitors, weights := make([]int64, len(e.Variants)), make([]float64, len(e.Variants))
	for i, v := range answers[0].Variants {
		visitors[i], weights[i] = int64(v.Visitors), e.Variants[i].Weight
		result.Visitors += v.Visitors
	}
	if result.SampleRatio, err = stats.CheckSampleRatio(visitors, weights); err != nil {
		return nil, err
	}
	ran := ranIn(e, m.in, model.MillisOf(r.now()))
	for i, metric := range m.metrics {
		if metric.err == nil {
			metric.answer, metric.err = answers[metric.asked], answers[metric.asked].Err
		}
		result.Metrics[i] = r.metricResult(e, &metric, result.SampleRatio, ran)
		result.Metrics[i].Result = result.ID()
	}
	return result, nil
}

// metricResult returns the result by one metric. Its figures are derived where they are selected.
func (r *Resolver) metricResult(e *model.Experiment, m *measured, ratio stats.SampleRatio, ran time.Duration) view.MetricResult {
	rates, variants := sync.OnceValues(func() ([]stats.Rate, error) { return m.rates(e) }), view.VariantsOf(e)
	result := view.MetricResult{Goal: m.goal, Primary: m.isPrimary, Variants: variants, Series: r.seriesOf(m.question), Rates: rates}
	if m.goal.ValueEvent != "" {
		result.Values = sync.OnceValues(func() ([]stats.Value, error) { return m.values(e) })
	}
	result.Decision = func() (stats.Decision, *view.Variant, error) {
		rates, err := rates()
		if err != nil || len(rates) == 0 {
			return stats.Collecting, nil, err
		}
		decision, leader := r.rules.Decide(rates, baselineOf(e), ratio, ran)
		if leader < 0 {
			return decision, nil, nil
		}
		return decision, &variants[leader], nil
	}
	return result
}

// measured is what was asked of a metric, and what came of it.
type measured struct {
	goal      model.Goal
	isPrimary bool
	// question is of this metric alone. It was asked as part of the question at the place
	// asked, as its metric at place.
	question     experiment.Question
	asked, place int
	answer       experiment.Answer
	err          error
}

func (m *measured) rates(e *model.Experiment) ([]stats.Rate, error) {
	if m.err != nil || len(e.Variants) == 0 {
		return nil, m.err
	}
	counts := make([]stats.Count, len(e.Variants))
	for i, v := range m.answer.Variants {
		counts[i] = stats.Count{Visitors: int64(v.Visitors), Conversions: int64(v.Metrics[m.place].Conversions)}
	}
	return stats.Rates(counts, baselineOf(e))
}

func (m *measured) values(e *model.Experiment) ([]stats.Value, error) {
	if m.err != nil || len(e.Variants) == 0 {
		return nil, m.err
	}
	amounts := make([]stats.Amount, len(e.Variants))
	for i, v := range m.answer.Variants {
		metric := v.Metrics[m.place]
		amounts[i] = stats.Amount{Visitors: int64(v.Visitors), Conversions: int64(metric.Conversions), Sum: metric.Total.Float64(), SumSquares: metric.Squares}
	}
	return stats.Values(amounts, baselineOf(e))
}

func baselineOf(e *model.Experiment) int {
	return slices.IndexFunc(e.Variants, func(v model.Variant) bool { return v.Baseline })
}

// ranIn returns for how long an experiment ran within a range, up to now.
func ranIn(e *model.Experiment, in model.Range, now model.Millis) time.Duration {
	run, _ := e.Run()
	ran := min(run.To, in.To, now) - max(run.From, in.From)
	return time.Duration(max(ran, 0)) * time.Millisecond
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, leader, err := m.Decision()
	return leader, err
}

func (r *metricResultResolver) Decision(ctx context.Context, m *view.MetricResult) (*stats.Decision, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	decision, _, err := m.Decision()
	return &decision, err
}

type variantResultResolver struct{ *Resolver }

func (r *variantResultResolver) Value(ctx context.Context, v *view.VariantResult) (*stats.Value, error) {
	if v.Metric.Values == nil || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	values, err := v.Metric.Values()
	if err != nil {
		return nil, err
	}
	return &values[v.Place], nil
}

func (r *variantResultResolver) Series(ctx context.Context, v *view.VariantResult, interval model.Interval) ([]view.VariantPoint, error) {
	all, err := v.Metric.Series(ctx, interval)
	if err != nil {
		return nil, err
	}
	return all[v.Place], nil
}

// seriesOf returns what gives the points of each variant by what was asked of a metric. The variants ask for the same
// ones: each interval's are asked for once.
func (r *Resolver) seriesOf(question experiment.Question) func(context.Context, model.Interval) ([][]view.VariantPoint, error) {
	known := newLoader(func(ctx context.Context, intervals []model.Interval) ([]outcome[[][]view.VariantPoint], error) {
		return each(len(intervals), func(i int) ([][]view.VariantPoint, error) { return r.series(ctx, question, intervals[i]) }), nil
	})
	return func(ctx context.Context, interval model.Interval) ([][]view.VariantPoint, error) {
		points, err := known.load(ctx, interval)
		if err != nil {
			return nil, err
		}
		return points.value, points.err
	}
}

func (r *Resolver) series(ctx context.Context, question experiment.Question, interval model.Interval) (all [][]view.VariantPoint, err error) {
	var starts []model.Millis
	if starts, question.Steps, err = r.steps(ctx, &question, interval); err != nil {
		return nil, err
	}
	answer, err := collectionOf(ctx).results.ask(ctx, question)
	if err == nil {
		err = answer.Err
	}
	if err != nil {
		return nil, err
	}
	return points(ctx, starts, &answer)
}

// steps returns when the points of a series begin, and when they end, over all of the
// run that the question is about, up to now.
func (r *Resolver) steps(ctx context.Context, q *experiment.Question, interval model.Interval) (starts, ends []model.Millis, err error) {
	site, err := r.siteOf(ctx, q.Definition.Site)
	if err != nil {
		return nil, nil, err
	}
	zone, err := site.Location()
	if err != nil {
		return nil, nil, err
	}
	run := q.Definition.Run
	steps, err := interval.Steps(model.Range{From: max(run.From, q.In.From), To: min(run.To, q.In.To, model.MillisOf(r.now())+1)}, zone)
	if err != nil || len(steps) == 0 {
		return nil, nil, err
	}
	return steps[:len(steps)-1], steps[1:], nil
}

// points returns what each variant's points were, as the answer's steps tell.
func points(ctx context.Context, starts []model.Millis, answer *experiment.Answer) ([][]view.VariantPoint, error) {
	all := make([][]view.VariantPoint, len(answer.Variants))
	for i := range all {
		all[i] = make([]view.VariantPoint, len(starts))
	}
	var counts, last []stats.Count
	var best []float64
	for n, start := range starts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		last, counts = counts, make([]stats.Count, len(all))
		for i, v := range answer.Variants {
			counts[i] = stats.Count{Visitors: int64(v.Steps[n]), Conversions: int64(v.Metrics[0].Steps[n])}
		}
		if !slices.Equal(counts, last) {
			var err error
			if best, err = stats.BestRates(counts); err != nil {
				return nil, err
			}
		}
		for i, c := range counts {
			all[i][n] = view.VariantPoint{
				At: start.Time(), Visitors: c.Visitors, Conversions: c.Conversions,
				ConversionRate: view.Rate(int(c.Conversions), int(c.Visitors)), ProbabilityToBeBest: best[i],
			}
		}
	}
	return all, nil
}
