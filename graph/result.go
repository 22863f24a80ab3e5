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

func (r *experimentResolver) Results(ctx context.Context, e *model.Experiment, given []scalar.FilterInput, when *model.TimeRange, goal *string, adHocGoal *generated.AdHocGoalInput, run *int) (*view.ExperimentResult, error) {
	e, err := inRun(e, run)
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
	m, err := r.measure(ctx, e, by, filters, in)
	if err != nil {
		return nil, err
	}
	m.asked = view.IDOf("filters", append([]scalar.FilterInput{}, given...), said(when), by.asked(), run)
	reading, err := r.readingOf(ctx, m, collectionOf(ctx).results.registerAll(m.questions))
	if err != nil {
		return nil, err
	}
	reading.Families = experiment.NewFamilies(func(context.Context) ([]*experiment.Reading, error) { return []*experiment.Reading{reading}, nil })
	return r.resultOf(ctx, m, reading), nil
}

func (r *experimentResolver) Breakdown(ctx context.Context, e *model.Experiment, segmentIDs []string, adHocSegments []generated.AdHocSegmentInput, when *model.TimeRange,
	goal *string, adHocGoal *generated.AdHocGoalInput, run *int) ([]view.SegmentResult, error) {
	e, err := inRun(e, run)
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
	return r.breakdown(ctx, e, by, segments, in, view.IDOf("run", said(when), run)), nil
}

// inRun returns an experiment as it was in the run of a number, by default the last one.
func inRun(e *model.Experiment, run *int) (*model.Experiment, error) {
	if run == nil {
		return e, nil
	}
	return e.AsInRun(*run)
}

// breakdown returns an experiment's results by segment. Where they are selected, all are asked for at once, and each verdict is
// one among those of all segments.
func (r *Resolver) breakdown(ctx context.Context, e *model.Experiment, by metrics, segments []model.Segment, in model.Range, asked string) []view.SegmentResult {
	results := make([]view.SegmentResult, len(segments))
	for i, segment := range segments {
		results[i] = view.SegmentResult{Segment: segment, Asked: view.IDOf("segment", e.ID, segment.ID, asked, by.asked())}
	}
	selected := graphql.CollectFieldsCtx(ctx, []string{"SegmentResult"})
	if !slices.ContainsFunc(selected, func(field graphql.CollectedField) bool { return field.Name == "result" }) {
		return results
	}
	measured := each(len(segments), func(i int) (*measurement, error) { return r.measure(ctx, e, by, segments[i].Filters, in) })
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
			m.value.asked = results[i].Asked
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

// measurement is what is asked of an experiment, for the sessions of assignment that match filters.
type measurement struct {
	experiment *model.Experiment
	in         model.Range
	// asked is view.ExperimentResult.Asked.
	asked string
	// questions are first the one about all metrics that columns can answer, then one for each of the others.
	questions []experiment.Question
	// metrics are the goals, the primary one first: the experiment's, or one that stands for them.
	metrics []measured
	// primary is the id of the goal that decides.
	primary int64
	// follows tells that visitors are chosen by what may follow their assignment.
	follows bool
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
	all := experiment.Question{
		Definition: defined, Later: e.Attribution == model.ExperimentAttribution, Within: model.Millis(e.Window.Milliseconds()),
		Exclude: e.MultipleExposures == model.ExcludeExposures, In: in, Where: where.Predicate,
	}
	for _, phase := range e.Splits()[1:] {
		all.Phases = append(all.Phases, phase.From)
	}
	m := &measurement{
		experiment: e, in: in, primary: by.primary, questions: []experiment.Question{all}, metrics: make([]measured, len(by.goals)),
		follows: experiment.FollowsAssignment(where.Predicate) || experiment.FollowsAssignment(defined.Audience),
	}
	merges := each(len(by.goals), func(i int) (*host.Merged, error) { return r.filters.Merge(ctx, nil, by.goals[i].Filters) })
	for i, goal := range by.goals {
		metric := &m.metrics[i]
		metric.goal = goal
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

// readingOf returns the reading of an experiment when the answers to its questions are there.
func (r *Resolver) readingOf(ctx context.Context, m *measurement, promises []promise[experiment.Question, experiment.Answer]) (*experiment.Reading, error) {
	answers, err := waitAll(ctx, promises)
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		return nil, err
	}
	e, now := m.experiment, model.MillisOf(r.now())
	reading := &experiment.Reading{Experiment: e, Primary: m.primary, Rules: r.rules, Answer: answers[0], Follows: m.follows, Ran: ranIn(e, m.in, now), Left: leftOf(e, m.in, now)}
	for _, metric := range m.metrics {
		err := metric.err
		if err == nil {
			err = answers[metric.asked].Err
		}
		reading.Add(metric.goal, &answers[metric.asked], metric.place, err)
	}
	return reading, reading.Check()
}

// resultOf returns an experiment's result. Its figures are derived where they are selected.
func (r *Resolver) resultOf(ctx context.Context, m *measurement, reading *experiment.Reading) *view.ExperimentResult {
	e := m.experiment
	result := &view.ExperimentResult{
		Experiment: *e, Asked: m.asked, ComputedAt: r.computedAt(ctx), Visitors: reading.Visitors(), Contaminated: reading.Answer.MultipleExposures,
		UnknownVariants: reading.Answer.Unknown, SampleRatio: reading.SampleRatio, Metrics: make([]view.MetricResult, len(m.metrics)),
	}
	for n, phase := range view.PhasesOf(e) {
		result.Phases = append(result.Phases, view.PhaseResult{Phase: phase, Visitors: reading.VisitorsIn(n), SampleRatio: reading.PhaseRatios[n]})
	}
	result.Ratios = r.ratiosOf(m.questions[0], reading)
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
	if e.Assignment != model.GoalgraphAssignment || e.StartedAt == 0 || e.Status == model.Archived {
		return nil, nil
	}
	n, err := r.store.CountUnjoined(ctx, e.SiteID, e.ID, e.StartedAt)
	return &n, err
}

// measured is what is asked of a metric.
type measured struct {
	goal model.Goal
	// question is of this metric alone. It was asked as part of the question at the place
	// asked, as its metric at place.
	question     experiment.Question
	asked, place int
	err          error
}

// ranIn returns for how long an experiment ran within a range, up to now.
func ranIn(e *model.Experiment, in model.Range, now model.Millis) time.Duration {
	run, _ := e.Run()
	ran := min(run.To, in.To, now) - max(run.From, in.From)
	return time.Duration(max(ran, 0)) * time.Millisecond
}

// leftOf returns how long an experiment is to be, from now, its stop or the end of a range on, until its planned look.
func leftOf(e *model.Experiment, in model.Range, now model.Millis) time.Duration {
	if e.DecideAt == 0 {
		return 0
	}
	now = min(now, in.To)
	if run, ran := e.Run(); ran {
		now = min(now, run.To)
	}
	return time.Duration(max(e.DecideAt-now, 0)) * time.Millisecond
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

func (r *variantResultResolver) Series(ctx context.Context, v *view.VariantResult, interval model.Interval) ([]view.VariantPoint, error) {
	all, err := v.Metric.Series(ctx, interval)
	if err != nil {
		return nil, err
	}
	return all[v.Place], nil
}

func (r *experimentResultResolver) SampleRatioSeries(ctx context.Context, result *view.ExperimentResult, interval model.Interval) ([]view.SampleRatioPoint, error) {
	return result.Ratios(ctx, interval)
}

// ratiosOf returns what gives the splits of the visitors over time.
func (r *Resolver) ratiosOf(question experiment.Question, reading *experiment.Reading) func(context.Context, model.Interval) ([]view.SampleRatioPoint, error) {
	question.Metrics = nil
	return func(ctx context.Context, interval model.Interval) ([]view.SampleRatioPoint, error) {
		starts, ends, err := r.steps(ctx, &question, interval)
		if err != nil {
			return nil, err
		}
		asked := question
		asked.Steps = ends
		answer, err := collectionOf(ctx).results.ask(ctx, asked)
		if err == nil {
			err = answer.Err
		}
		if err != nil {
			return nil, err
		}
		visitors, ratios, err := reading.Ratios(&answer, len(starts))
		points := make([]view.SampleRatioPoint, len(ratios))
		for i := range points {
			points[i] = view.SampleRatioPoint{At: starts[i].Time(), Visitors: visitors[i], SampleRatio: ratios[i]}
		}
		return points, err
	}
}

// seriesOf returns what gives the points of each variant by what was asked of a metric. The variants ask for the same
// ones: each interval's are asked for once.
func (r *Resolver) seriesOf(question experiment.Question, trial *experiment.Trial) func(context.Context, model.Interval) ([][]view.VariantPoint, error) {
	known := newLoader(func(ctx context.Context, intervals []model.Interval) ([]outcome[[][]view.VariantPoint], error) {
		return each(len(intervals), func(i int) ([][]view.VariantPoint, error) { return r.series(ctx, question, trial, intervals[i]) }), nil
	})
	return func(ctx context.Context, interval model.Interval) ([][]view.VariantPoint, error) {
		points, err := known.load(ctx, interval)
		if err != nil {
			return nil, err
		}
		return points.value, points.err
	}
}

func (r *Resolver) series(ctx context.Context, question experiment.Question, trial *experiment.Trial, interval model.Interval) (all [][]view.VariantPoint, err error) {
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
	return points(ctx, starts, &answer, trial)
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
	if n := (len(steps) - 1) * len(q.Definition.Variants) * (len(q.Phases) + 1); n > maxStepCells {
		return nil, nil, model.Errorf(model.ResourceExhausted, "the series has %d points of all variants and phases, and the limit is %d: ask for longer intervals or a shorter range", n, maxStepCells)
	}
	return steps[:len(steps)-1], steps[1:], nil
}

// maxStepCells is how many points a series may have, of all variants in all phases: each has counts of its own in memory.
const maxStepCells = 200_000

// points returns what each variant's points were, as the answer's steps tell.
func points(ctx context.Context, starts []model.Millis, answer *experiment.Answer, trial *experiment.Trial) ([][]view.VariantPoint, error) {
	all := make([][]view.VariantPoint, len(answer.Variants))
	for i := range all {
		all[i] = make([]view.VariantPoint, len(starts))
	}
	var last *experiment.Trial
	for n, start := range starts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		then := trial.AsSeenAt(answer, n)
		if last != nil && then.Sees(last) { // what follows from the counts is known
			then = last
		}
		last = then
		for i, v := range answer.Variants {
			visitors, conversions := v.Steps[n], v.Metrics[0].Steps[n]
			all[i][n] = view.VariantPoint{
				At: start.Time(), Visitors: int64(visitors), Conversions: int64(conversions), ConversionRate: view.Rate(conversions, visitors), Trial: then, Place: i,
			}
		}
	}
	return all, nil
}

type variantPointResolver struct{ *Resolver }

func (r *variantPointResolver) ProbabilityToBeBest(ctx context.Context, p *view.VariantPoint) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	best, err := p.Trial.BestRates()
	if err != nil {
		return 0, err
	}
	return best[p.Place], nil
}

// rateAt returns what is known of a rate at a point.
func rateAt(ctx context.Context, p *view.VariantPoint) (stats.Rate, error) {
	if err := ctx.Err(); err != nil {
		return stats.Rate{}, err
	}
	rates, err := p.Trial.Rates()
	if err != nil {
		return stats.Rate{}, err
	}
	return rates[p.Place], nil
}

func (r *variantPointResolver) Estimate(ctx context.Context, p *view.VariantPoint) (*stats.Estimate, error) {
	rate, err := rateAt(ctx, p)
	return &rate.ConversionRate, err
}

func (r *variantPointResolver) Uplift(ctx context.Context, p *view.VariantPoint) (*stats.Estimate, error) {
	rate, err := rateAt(ctx, p)
	return rate.Uplift, err
}

func (r *variantPointResolver) ProbabilityToBeatBaseline(ctx context.Context, p *view.VariantPoint) (*float64, error) {
	rate, err := rateAt(ctx, p)
	return rate.ProbabilityToBeatBaseline, err
}

func (r *variantPointResolver) Anytime(ctx context.Context, p *view.VariantPoint) (*stats.Anytime, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rates, err := p.Trial.Rates()
	if err != nil || rates[p.Place].ProbabilityToBeatBaseline == nil { // the baseline's
		return nil, err
	}
	all, err := p.Trial.AnytimeRates()
	if err != nil {
		return nil, err
	}
	return &all[p.Place], nil
}
