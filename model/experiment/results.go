package experiment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// ColumnEngine is the Engine that measures by exposures and columns.
type ColumnEngine struct {
	store       *store.Store
	matcher     *count.Matcher
	assignments *Assignments
	ask         Ask

	answers *otter.Cache[count.Fingerprint, Answer]
	// measurements are what metrics came to for the visitors of sealed partitions, by fingerprints of what they were made from.
	measurements *otter.Cache[count.Fingerprint, measured]
	// flights make equal questions one that are asked at the same time.
	flights singleflight.Group

	answerMeter, measuredMeter partition.Meter
}

// Ask asks a count.Computer about parts of sessions. That there is one the resolution of predicates makes sure of.
type Ask func(ctx context.Context, key string, visits []model.Visit) ([]bool, error)

// answersShare is which part of the memory the answers may take.
const answersShare = 16

// NewColumnEngine returns an engine over a store, of about as many bytes in memory at most. The matcher finds sessions
// whose leaves the assignments answer.
func NewColumnEngine(st *store.Store, matcher *count.Matcher, assignments *Assignments, ask Ask, bytes uint64) *ColumnEngine {
	return &ColumnEngine{
		store: st, matcher: matcher, assignments: assignments, ask: ask,
		answerMeter: partition.Meter{Name: "results"}, measuredMeter: partition.Meter{Name: "measurements"},
		measurements: partition.Bounded(bytes-bytes/answersShare, func(_ count.Fingerprint, m measured) uint64 {
			return uint64(100 + 8*len(m.at) + 16*len(m.values) + 16*len(m.before))
		}),
		answers: partition.Bounded(bytes/answersShare, func(_ count.Fingerprint, a Answer) uint64 {
			bytes := 200 + 8*len(a.MultipleSteps)
			for _, group := range a.Groups {
				bytes += 100 + len(group.Value)
				for _, phases := range group.Visitors {
					bytes += 24 + 8*len(phases)
				}
			}
			for _, v := range a.Variants {
				bytes += 100 + 8*len(v.Steps)*(1+len(v.Phases)) + 40*len(v.Phases)
				for _, m := range v.Metrics {
					bytes += 220 + 8*len(m.Steps)*(1+len(m.Phases)) + 120*len(m.Phases)
				}
			}
			return uint64(bytes)
		}),
	}
}

var _ Engine = (*ColumnEngine)(nil)

// Meters count the answers and the measurements that were known.
func (e *ColumnEngine) Meters() []*partition.Meter {
	return []*partition.Meter{&e.answerMeter, &e.measuredMeter}
}

// Bytes is about how much memory the engine takes beside the assignments.
func (e *ColumnEngine) Bytes() uint64 {
	return e.answers.WeightedSize() + e.measurements.WeightedSize()
}

// clone returns an answer of the caller's own.
func (a Answer) clone() Answer {
	a.Variants, a.MultipleSteps, a.Groups = slices.Clone(a.Variants), slices.Clone(a.MultipleSteps), slices.Clone(a.Groups)
	for i := range a.Groups {
		a.Groups[i].Visitors = cloneAll(a.Groups[i].Visitors)
	}
	for i := range a.Variants {
		v := &a.Variants[i]
		v.Steps, v.Phases, v.Metrics = slices.Clone(v.Steps), slices.Clone(v.Phases), slices.Clone(v.Metrics)
		v.PhaseSteps = cloneAll(v.PhaseSteps)
		for m := range v.Metrics {
			to := &v.Metrics[m]
			to.Steps, to.Phases, to.Winsorized.Phases = slices.Clone(to.Steps), slices.Clone(to.Phases), slices.Clone(to.Winsorized.Phases)
			to.PhaseSteps = cloneAll(to.PhaseSteps)
		}
	}
	return a
}

func cloneAll(lists [][]int) [][]int {
	lists = slices.Clone(lists)
	for i := range lists {
		lists[i] = slices.Clone(lists[i])
	}
	return lists
}

// asking is a question whose answer is not known yet.
type asking struct {
	*Question
	answer *Answer
	key    count.Fingerprint // of the answer
	// partitions are those that the answer may depend on.
	partitions []store.Partition
	// units are those that it is answered for.
	units *units
	// isKept tells that key says all that the answer depends on.
	isKept bool
}

// Results answers questions together: those about one experiment, attribution and end share their metrics.
func (e *ColumnEngine) Results(ctx context.Context, questions []Question) ([]Answer, error) {
	answers := make([]Answer, len(questions))
	partitions := map[string][]store.Partition{}
	units := map[int64]*units{} // by site
	groups := map[string][]*asking{}
	for i := range questions {
		q := &asking{Question: &questions[i], answer: &answers[i]}
		// Who is assigned depends on the run's partitions, and none behind its end says more.
		of := fmt.Sprint(q.Definition.Site, q.Definition.Run.To)
		if q.Definition.ByUser {
			site := q.Definition.Site
			if units[site] == nil {
				var err error
				if units[site], err = e.assignments.unitsOf(ctx, &q.Definition); err != nil {
					return nil, err
				}
			}
			q.units = units[site]
		}
		if q.partitions = partitions[of]; q.partitions == nil {
			var err error
			if q.partitions, err = e.store.Partitions(ctx, q.Definition.Site, model.Range{From: -model.Open, To: q.Definition.Run.To}); err != nil {
				return nil, err
			}
			partitions[of] = q.partitions
		}
		state := count.StateOf(q.partitions, always)
		// It says nothing of other experiments' definitions and sessions, nor of visitors' keys.
		q.key, q.isKept = count.FingerprintOf(q.text(), string(state[:]), q.units.text()), q.isLocal()
		if q.isKept {
			begin := time.Now()
			known, found := e.answers.GetIfPresent(q.key)
			if found {
				answers[i] = known.clone()
				e.answerMeter.Add(ctx, 1, 0, begin)
				continue
			}
			e.answerMeter.Add(ctx, 0, 1, begin)
		}
		group := fmt.Sprint(q.Definition.text(), q.Later, q.Within, q.Before, q.End(), q.isKept, q.needs())
		groups[group] = append(groups[group], q)
	}
	for _, group := range groups {
		if err := e.answerGroup(ctx, group); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// predicates are all that the question asks of sessions.
func (q *Question) predicates() []filter.Expr {
	wheres := []filter.Expr{q.Where, q.Definition.Audience}
	for _, metric := range q.Metrics {
		wheres = append(wheres, metric.Where)
	}
	return wheres
}

// isLocal tells whether the answer follows from the definition and the partitions alone.
func (q *Question) isLocal() bool {
	return !slices.ContainsFunc(q.predicates(), func(where filter.Expr) bool {
		return len(filter.Experiments(where)) > 0 || filter.Uses(where, filter.Visitor)
	})
}

// needs are the experiments and the computations that the question needs beside its own experiment: what is wrong with
// them is wrong with the questions that need the same.
func (q *Question) needs() (keys [2][]string) {
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
func (q *Question) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n%t %d %t %t %d %d %s\n%d %d %q", q.Definition.text(), q.Later, q.Within, q.Before, q.Exclude, q.In.From, q.In.To, q.Where, q.Steps, q.Phases, q.By)
	for _, metric := range q.Metrics {
		fmt.Fprintf(&text, "\n%q %s", metric.Value, metric.Where)
	}
	return text.String()
}

// answerGroup answers questions about one experiment, attribution and end. An error that a person can do something about
// is the questions' own.
func (e *ColumnEngine) answerGroup(ctx context.Context, group []*asking) error {
	answers, err := e.measureOnce(ctx, group)
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
		*q.answer = Answer{Err: err}
	}
	return nil
}

// measureOnce measures a group. If an identical call is in flight, it shares that one's answers.
func (e *ColumnEngine) measureOnce(ctx context.Context, group []*asking) ([]Answer, error) {
	var name strings.Builder
	for _, q := range group {
		if !q.isKept {
			return e.measure(ctx, group)
		}
		name.Write(q.key[:])
	}
	return count.Once(ctx, &e.flights, name.String(), func() ([]Answer, error) {
		ctx, watch := count.WithWatch(ctx)
		answers, err := e.measure(ctx, group)
		if err != nil {
			return nil, err
		}
		if watch.HaveMoved(group[0].partitions) {
			return answers, nil
		}
		// The partitions were read again on the way, and what was measured may be later than the key says.
		if moved, err := e.store.HaveMoved(ctx, group[0].partitions); err != nil || moved {
			return answers, err
		}
		for i, q := range group {
			e.answers.Set(q.key, answers[i].clone())
		}
		return answers, nil
	})
}
