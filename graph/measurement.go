package graph

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// measurement is what is asked of an experiment, for the sessions of assignment that match filters.
type measurement struct {
	experiment *model.Experiment
	// of says in which run the experiment was so.
	of ofRun
	in model.Range
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
		// By the audience, Goalgraph chooses whom it assigns: it looks at what was there before.
		follows: experiment.FollowsAssignment(where.Predicate) ||
			e.Assignment != model.GoalgraphAssignment && experiment.FollowsAssignment(defined.Audience),
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
