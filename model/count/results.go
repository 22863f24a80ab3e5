package count

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
)

// results keep answers to questions about experiments and what they are made of, by what
// that was made of.
type results struct {
	answers *otter.Cache[[16]byte, ExperimentAnswer]
	kept    *otter.Cache[[16]byte, weighed]
	// same makes equal questions that are asked at once one.
	same singleflight.Group

	answerLayer, assignedLayer, measuredLayer layer
}

// weighed is what results keep beside answers: who is assigned (*visitors, *assigned), and
// what they did (*measured).
type weighed interface{ bytes() uint64 }

// kept returns what is kept by a key.
func kept[T weighed](r *results, key [16]byte) (value T, found bool) {
	if w, ok := r.kept.GetIfPresent(key); ok {
		value, found = w.(T)
	}
	return value, found
}

// answersShare is which part of the bytes the answers may take.
const answersShare = 16

func newResults(bytes uint64) (*results, error) {
	answers, err := otter.New(&otter.Options[[16]byte, ExperimentAnswer]{
		MaximumWeight: bytes / answersShare,
		Weigher: func(_ [16]byte, a ExperimentAnswer) uint32 {
			weight := 200
			for _, v := range a.Variants {
				weight += 80 + 8*len(v.Steps)
				for _, m := range v.Metrics {
					weight += 64 + 8*len(m.Steps)
				}
			}
			return uint32(weight)
		},
	})
	if err != nil {
		return nil, err
	}
	kept, err := otter.New(&otter.Options[[16]byte, weighed]{
		MaximumWeight: bytes - bytes/answersShare,
		Weigher:       func(_ [16]byte, w weighed) uint32 { return uint32(min(w.bytes(), 1<<32-1)) },
	})
	return &results{
		answers: answers, kept: kept,
		answerLayer: layer{name: "results"}, assignedLayer: layer{name: "assigned"}, measuredLayer: layer{name: "measured"},
	}, err
}

// clone returns an answer of the caller's own.
func (a ExperimentAnswer) clone() ExperimentAnswer {
	a.Variants = slices.Clone(a.Variants)
	for i := range a.Variants {
		v := &a.Variants[i]
		v.Steps, v.Metrics = slices.Clone(v.Steps), slices.Clone(v.Metrics)
		for m := range v.Metrics {
			v.Metrics[m].Steps = slices.Clone(v.Metrics[m].Steps)
		}
	}
	return a
}

// asking is a question whose answer is not known yet.
type asking struct {
	*ExperimentQuestion
	answer *ExperimentAnswer
	key    [16]byte // of the answer
	// keeps tells that key says all that the answer depends on.
	keeps bool
}

// Results answers questions together: those about one experiment, attribution and end
// share their metrics.
func (e *Columns) Results(ctx context.Context, questions []ExperimentQuestion) ([]ExperimentAnswer, error) {
	answers := make([]ExperimentAnswer, len(questions))
	states := map[string]string{}
	groups := map[string][]*asking{}
	for i := range questions {
		q := &asking{ExperimentQuestion: &questions[i], answer: &answers[i]}
		if !q.inColumns() {
			answer, err := e.scan.Results(ctx, questions[i:i+1])
			if err != nil {
				return nil, err
			}
			answers[i] = answer[0]
			continue
		}
		// Who is assigned depends on the run's partitions, and none behind its end says more.
		state := fmt.Sprint(q.Experiment.Site, q.Experiment.Run.To)
		if _, found := states[state]; !found {
			partitions, err := e.store.Partitions(ctx, q.Experiment.Site, model.Range{From: -model.Open, To: q.Experiment.Run.To})
			if err != nil {
				return nil, err
			}
			states[state] = revisionsOf(partitions)
		}
		// It says nothing of other experiments' definitions, nor of their sessions.
		q.key, q.keeps = askedOf(q.text(), states[state]), len(q.needs()[0]) == 0
		if q.keeps {
			if known, found := e.results.answers.GetIfPresent(q.key); found {
				e.results.answerLayer.hits.Add(1)
				answers[i] = known.clone()
				continue
			}
			e.results.answerLayer.misses.Add(1)
		}
		group := fmt.Sprint(q.Experiment.text(), q.Later, q.end(), q.needs())
		groups[group] = append(groups[group], q)
	}
	for _, group := range groups {
		if err := e.answerTogether(ctx, group); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// predicates are all that the question asks of sessions.
func (q *ExperimentQuestion) predicates() []filter.Expr {
	wheres := []filter.Expr{q.Where, q.Experiment.Audience}
	for _, metric := range q.Metrics {
		wheres = append(wheres, metric.Where)
	}
	return wheres
}

// inColumns tells whether columns can say all. What plugins compute of parts of sessions
// they cannot.
func (q *ExperimentQuestion) inColumns() bool {
	for _, where := range q.predicates() {
		if _, ok := column.Prepare(where).Dimensions(); !ok {
			return false
		}
	}
	return !slices.ContainsFunc(q.Metrics, func(m Metric) bool { return len(filter.Computations(m.Where)) > 0 })
}

// needs are the experiments and the computations that the question needs beside its own
// experiment: what is wrong with them is wrong with the questions that need the same.
func (q *ExperimentQuestion) needs() (keys [2][]string) {
	for _, where := range q.predicates() {
		keys[0], keys[1] = append(keys[0], filter.Experiments(where)...), append(keys[1], filter.Computations(where)...)
	}
	for i := range keys {
		slices.Sort(keys[i])
		keys[i] = slices.Compact(keys[i])
	}
	return keys
}

// text tells the question from others.
func (q *ExperimentQuestion) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n%t %d %d %s\n%d", q.Experiment.text(), q.Later, q.In.From, q.In.To, q.Where, q.Steps)
	for _, metric := range q.Metrics {
		fmt.Fprintf(&text, "\n%q %s", metric.Value, metric.Where)
	}
	return text.String()
}

// answerTogether answers questions about one experiment, attribution and end. Where
// others ask exactly the same at this moment, it is done once.
func (e *Columns) answerTogether(ctx context.Context, group []*asking) error {
	var name strings.Builder
	name.WriteString("answers ")
	for _, q := range group {
		if !q.keeps {
			return take(ctx, group, func() ([]ExperimentAnswer, error) { return e.measure(ctx, group) })
		}
		name.Write(q.key[:])
	}
	return take(ctx, group, func() ([]ExperimentAnswer, error) {
		return once(ctx, &e.results.same, name.String(), func() ([]ExperimentAnswer, error) {
			answers, err := e.measure(ctx, group)
			if err == nil {
				for i, q := range group {
					e.results.answers.Set(q.key, answers[i].clone())
				}
			}
			return answers, err
		})
	})
}

// take hands answers to the questions. An error that a person can do something about is
// the questions' own.
func take(ctx context.Context, group []*asking, ask func() ([]ExperimentAnswer, error)) error {
	answers, err := ask()
	switch {
	case err == nil:
		for i, q := range group {
			*q.answer = answers[i].clone()
		}
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case model.CodeOf(err) == model.Internal:
		return err
	}
	for _, q := range group {
		*q.answer = ExperimentAnswer{Err: err}
	}
	return nil
}
