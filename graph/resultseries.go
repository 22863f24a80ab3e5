package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/stats"
)

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
			points[i] = view.SampleRatioPoint{At: starts[i].Time(), Visitors: visitors[i], Contaminated: answer.MultipleSteps[i], SampleRatio: ratios[i]}
			if i > 0 {
				points[i].Contaminated -= answer.MultipleSteps[i-1]
			}
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
