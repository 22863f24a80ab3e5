package graph

import (
	"context"
	"github.com/goalgraph/goalgraph/model/experiment"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/stats"
)

func (r *experimentResolver) Results(ctx context.Context, e *model.Experiment, given []scalar.FilterInput, when *generated.TimeRange) (*view.ExperimentResult, error) {
	in, err := rangeOrAll(when)
	if err != nil {
		return nil, err
	}
	filters, err := r.specs(ctx, given, "filters")
	if err != nil {
		return nil, err
	}
	goals, err := r.goalsOf(ctx, e.Metrics())
	if err != nil {
		return nil, err
	}
	return r.measure(ctx, e, goals, filters, in, loadingOf(ctx).results.ask)
}

func (r *experimentResolver) Breakdown(ctx context.Context, e *model.Experiment, segmentIDs []string, when *generated.TimeRange) ([]view.SegmentResult, error) {
	in, err := rangeOrAll(when)
	if err != nil {
		return nil, err
	}
	goals, segments, err := both(
		func() ([]model.Goal, error) { return r.goalsOf(ctx, e.Metrics()) },
		func() ([]model.Segment, error) { return r.segments(ctx, e.SiteID, segmentIDs) })
	if err != nil {
		return nil, err
	}
	if cells := len(goals) * len(segments); cells > maxCells {
		return nil, model.Errorf(model.ResourceExhausted, "%d metrics for %d segments are %d results; the most is %d: name the segments", len(goals), len(segments), cells, maxCells)
	}
	results := make([]view.SegmentResult, len(segments))
	// As in mergeAhead: the results are then asked for together.
	var group errgroup.Group
	for i, segment := range segments {
		results[i] = view.SegmentResult{Experiment: *e, Goals: goals, Segment: segment, In: in}
		group.Go(func() error {
			_, err := r.filters.Merge(ctx, segment.Filters, nil)
			return err
		})
	}
	_ = group.Wait()
	return results, nil
}

type segmentResultResolver struct{ *Resolver }

func (r *segmentResultResolver) Result(ctx context.Context, s *view.SegmentResult) (*view.ExperimentResult, error) {
	return r.measure(ctx, &s.Experiment, s.Goals, s.Segment.Filters, s.In, loadingOf(ctx).results.ask)
}

// rangeOrAll returns the range that a client gives, or all of time.
func rangeOrAll(given *generated.TimeRange) (model.Range, error) {
	if given == nil {
		return model.Range{From: -model.Open, To: model.Open}, nil
	}
	return rangeOf(*given)
}

// measure returns an experiment's result for the sessions of assignment that match the
// filters. The goals are the experiment's metrics, the primary one first. It needs no
// operation: answer may be an engine's Results as well as what gathers the questions of
// one. What is wrong with one metric is told by what is asked of it.
func (r *Resolver) measure(ctx context.Context, e *model.Experiment, goals []model.Goal, filters []model.FilterSpec, in model.Range,
	answer func(context.Context, []experiment.Question) ([]experiment.Answer, error)) (*view.ExperimentResult, error) {
	defined, err := define(ctx, r.filters, e)
	if err != nil {
		return nil, err
	}
	where, err := r.filters.Merge(ctx, filters, nil)
	if err != nil {
		return nil, err
	}
	all := experiment.Question{Definition: defined, Later: e.Attribution == model.ExperimentAttribution, In: in, Where: where.Predicate}
	questions := []experiment.Question{all}
	metrics := make([]measured, len(goals))
	for i, goal := range goals {
		m := &metrics[i]
		merged, err := r.filters.Merge(ctx, nil, goal.Filters)
		if err != nil {
			m.err = err
			continue
		}
		m.question = all
		m.question.Metrics = []experiment.Metric{{Where: merged.Predicate, Value: goal.ValueEvent}}
		// What plugins compute session by session takes longer, and may fail: the other
		// metrics are asked for without it.
		if len(filter.Computations(merged.Predicate)) > 0 {
			m.asked = len(questions)
			questions = append(questions, m.question)
			continue
		}
		m.place = len(questions[0].Metrics)
		questions[0].Metrics = append(questions[0].Metrics, m.question.Metrics...)
	}
	answers, err := answer(ctx, questions)
	if err != nil {
		return nil, err
	}
	if err := answers[0].Err; err != nil {
		return nil, err
	}
	result := &view.ExperimentResult{
		Experiment: *e, ComputedAt: r.computedAt(ctx), Contaminated: answers[0].MultipleExposures, UnknownVariants: answers[0].Unknown,
		Metrics: make([]view.MetricResult, len(goals)),
	}
	ran := ranIn(e, in, model.MillisOf(r.now()))
	visitors, weights := make([]int64, len(e.Variants)), make([]float64, len(e.Variants))
	for i, v := range answers[0].Variants {
		visitors[i], weights[i] = int64(v.Visitors), e.Variants[i].Weight
		result.Visitors += v.Visitors
	}
	if result.SampleRatio, err = stats.CheckSampleRatio(visitors, weights); err != nil {
		return nil, err
	}
	for i, goal := range goals {
		m := &metrics[i]
		if m.err == nil {
			m.answer, m.err = answers[m.asked], answers[m.asked].Err
		}
		result.Metrics[i] = view.MetricResult{
			Goal: goal, Primary: goal.ID == e.Primary, Variants: e.Variants, Question: m.question, Rates: sync.OnceValues(func() ([]stats.Rate, error) { return m.rates(e) }),
		}
		rates := result.Metrics[i].Rates
		if goal.ValueEvent != "" {
			result.Metrics[i].Values = sync.OnceValues(func() ([]stats.Value, error) { return m.values(e) })
		}
		result.Metrics[i].Decision = func() (stats.Decision, *model.Variant, error) {
			rates, err := rates()
			if err != nil || len(rates) == 0 {
				return stats.Collecting, nil, err
			}
			decision, leader := r.rules.Decide(rates, baselineOf(e), result.SampleRatio, ran)
			if leader < 0 {
				return decision, nil, nil
			}
			return decision, &e.Variants[leader], nil
		}
	}
	return result, nil
}

// measured is what was asked of a metric, and what came of it.
type measured struct {
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
		amounts[i] = stats.Amount{Visitors: int64(v.Visitors), Conversions: int64(metric.Conversions), Sum: metric.Total, SumSquares: metric.Squares}
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

func (r *metricResultResolver) Leader(ctx context.Context, m *view.MetricResult) (*model.Variant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, leader, err := m.Decision()
	return leader, err
}

func (r *metricResultResolver) Decision(ctx context.Context, m *view.MetricResult) (stats.Decision, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	decision, _, err := m.Decision()
	return decision, err
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
	s, err := loadingOf(ctx).series.Load(ctx, seriesKey{v.Metric, interval})()
	if err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.points[v.Place], nil
}

// seriesKey says which series of a metric is asked for.
type seriesKey struct {
	metric   *view.MetricResult
	interval model.Interval
}

// series are the points of each of a metric's variants.
type series struct {
	points [][]view.VariantPoint
	err    error
}

// seriesOf returns series in the order of the keys.
func (r *Resolver) seriesOf(ctx context.Context, keys []seriesKey) ([]series, error) {
	all := make([]series, len(keys))
	var questions []experiment.Question
	starts := make([][]model.Millis, len(keys)) // of those that are asked
	for i, key := range keys {
		q := key.metric.Question
		if starts[i], q.Steps, all[i].err = r.steps(ctx, &q, key.interval); all[i].err == nil {
			questions = append(questions, q)
		}
	}
	answers, err := loadingOf(ctx).results.ask(ctx, questions)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].err != nil {
			continue
		}
		if all[i].err = answers[0].Err; all[i].err == nil {
			all[i].points, all[i].err = points(ctx, starts[i], &answers[0])
		}
		answers = answers[1:]
	}
	return all, nil
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
