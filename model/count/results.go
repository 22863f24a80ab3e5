package count

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/bits-and-blooms/bitset"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// results keep answers to questions about experiments and who is assigned, by what they
// were made of.
type results struct {
	answers  *otter.Cache[[16]byte, ExperimentAnswer]
	assigned *otter.Cache[[16]byte, *assigned]
	// same makes equal questions that are asked at once one.
	same singleflight.Group

	answerLayer, assignedLayer layer
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
	assigned, err := otter.New(&otter.Options[[16]byte, *assigned]{
		MaximumWeight: bytes - bytes/answersShare,
		Weigher:       func(_ [16]byte, a *assigned) uint32 { return uint32(min(a.bytes(), 1<<32-1)) },
	})
	return &results{answers: answers, assigned: assigned, answerLayer: layer{name: "results"}, assignedLayer: layer{name: "assigned"}}, err
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
		// Who is assigned depends on the run's buckets, and none behind its end says more.
		state := fmt.Sprint(q.Experiment.Site, q.Experiment.Run.To)
		if _, found := states[state]; !found {
			buckets, err := e.store.Buckets(ctx, q.Experiment.Site, model.Range{From: -model.Open, To: q.Experiment.Run.To})
			if err != nil {
				return nil, err
			}
			states[state] = revisionsOf(buckets)
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
		if _, ok := column.DimensionsOf(where); !ok {
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

// measuring is the work on questions about one experiment, attribution and end.
type measuring struct {
	engine    *Columns
	group     []*asking
	x         *Experiment
	end       model.Millis
	later     bool
	assigned  *assigned
	rosters   rosters
	metrics   []Metric // of all questions, each once
	exposed   []exposedBucket
	exception []exception
	// takes are, for each question, the visitors that take part, by their places.
	takes [][]uint64
}

// exposedBucket is what the metrics make of what is exposed in a bucket.
type exposedBucket struct {
	sets []column.Set // by metric
	sums [][]column.Sum
}

// measured is what a metric comes to for each visitor, by their places.
type measured struct {
	// at is when the visitor first converted; model.Open where that did not happen.
	at []model.Millis
	// values are nil where the metric has none.
	values []float64
}

func (e *Columns) measure(ctx context.Context, group []*asking) ([]ExperimentAnswer, error) {
	first := group[0]
	m := &measuring{engine: e, group: group, x: &first.Experiment, end: first.end(), later: first.Later}
	var wheres []filter.Expr
	for _, q := range group {
		wheres = append(wheres, q.Where)
		for _, metric := range q.Metrics {
			wheres = append(wheres, metric.Where)
			if m.place(metric) < 0 {
				m.metrics = append(m.metrics, metric)
			}
		}
	}
	var err error
	if m.rosters, err = rostersFor(ctx, m.x.Site, wheres, nil, e.assign, e.scan.definitions); err != nil {
		return nil, err
	}
	if m.assigned, err = e.assignees(ctx, m.x, nil); err != nil {
		return nil, err
	}
	answers := make([]ExperimentAnswer, len(group))
	for i, q := range group {
		answers[i] = newExperimentAnswer(q.ExperimentQuestion)
	}
	if err := m.chooseVisitors(ctx, answers); err != nil {
		return nil, err
	}
	if err := m.expose(ctx, answers); err != nil {
		return nil, err
	}
	if err := m.except(ctx); err != nil {
		return nil, err
	}
	workers, within := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for place := range m.metrics {
		workers.Go(func() error {
			result, err := m.measureMetric(within, place)
			if err != nil {
				return err
			}
			for i, q := range group {
				for at, metric := range q.Metrics {
					if m.place(metric) == place {
						m.sum(q, m.takes[i], result, at, &answers[i])
					}
				}
			}
			return nil
		})
	}
	return answers, workers.Wait()
}

// place returns the place of a metric among all, -1 where there is none.
func (m *measuring) place(metric Metric) int {
	text := metric.Where.String()
	return slices.IndexFunc(m.metrics, func(other Metric) bool { return other.Value == metric.Value && other.Where.String() == text })
}

// chooseVisitors says who takes part in each question, and counts them.
func (m *measuring) chooseVisitors(ctx context.Context, answers []ExperimentAnswer) error {
	list := m.assigned.list
	m.takes = make([][]uint64, len(m.group))
	wheres := map[string][]column.Set{}
	for i, q := range m.group {
		var sets []column.Set // of the buckets; nil where all sessions match
		if q.Where != filter.Expr(filter.Bool(true)) {
			text := q.Where.String()
			if wheres[text] == nil {
				var err error
				if wheres[text], err = m.wholeSets(ctx, q.Where); err != nil {
					return err
				}
			}
			sets = wheres[text]
		}
		takes, answer := make([]uint64, (len(list)+63)/64), &answers[i]
		for place := range list {
			a := &list[place]
			if !q.In.Contains(a.at) || sets != nil && !sets[a.bucket].Test(uint(a.ordinal)) {
				continue
			}
			takes[place/64] |= 1 << (place % 64)
			v := &answer.Variants[a.variant]
			v.Visitors++
			addSteps(v.Steps, q.Steps, a.at)
			if a.other < m.end {
				answer.Contaminated++
			}
		}
		cumulate(answer, func(v *VariantAnswer) []int { return v.Steps })
		m.takes[i] = takes
	}
	return ctx.Err()
}

// addSteps counts an instant at the first step that is later.
func addSteps(counts []int, steps []model.Millis, at model.Millis) {
	if len(steps) == 0 || at >= steps[len(steps)-1] {
		return
	}
	i, found := slices.BinarySearch(steps, at)
	for found && i < len(steps) && steps[i] == at {
		i++
	}
	counts[i]++
}

// cumulate makes of what is counted at each step what is counted up to it.
func cumulate(answer *ExperimentAnswer, of func(*VariantAnswer) []int) {
	for i := range answer.Variants {
		counts := of(&answer.Variants[i])
		for step := 1; step < len(counts); step++ {
			counts[step] += counts[step-1]
		}
	}
}

// eachBucket calls do with the places of the buckets of sessions of assignment, some at
// a time.
func (m *measuring) eachBucket(ctx context.Context, do func(ctx context.Context, place int, bucket store.Bucket) error) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for place, bucket := range m.assigned.buckets {
		if bucket.Day.Start() < m.end {
			group.Go(func() error { return do(within, place, bucket) })
		}
	}
	return group.Wait()
}

// wholeSets returns the sessions of assignment that match, by the places of buckets.
func (m *measuring) wholeSets(ctx context.Context, where filter.Expr) ([]column.Set, error) {
	for _, key := range filter.Computations(where) {
		if err := m.engine.computing.ready(ctx, key, m.assigned.buckets); err != nil {
			return nil, err
		}
	}
	sets := make([]column.Set, len(m.assigned.buckets))
	for i := range sets {
		sets[i] = bitset.New(0)
	}
	return sets, m.eachBucket(ctx, func(ctx context.Context, place int, bucket store.Bucket) (err error) {
		sets[place], err = m.engine.wholeSet(ctx, bucket, where, m.rosters)
		return err
	})
}

// expose evaluates the metrics on what is exposed, and counts assignments to variants
// that there are not.
func (m *measuring) expose(ctx context.Context, answers []ExperimentAnswer) error {
	var dimensions []column.Dimension
	for _, metric := range m.metrics {
		needed, _ := column.DimensionsOf(metric.Where)
		dimensions = append(dimensions, needed...)
		if metric.Value != "" {
			dimensions = append(dimensions, column.Values)
		}
	}
	m.exposed = make([]exposedBucket, len(m.assigned.buckets))
	unknown := make([][]int, len(m.assigned.buckets))
	err := m.eachBucket(ctx, func(ctx context.Context, place int, bucket store.Bucket) error {
		whole, err := m.rosterSets(ctx, bucket)
		if err != nil {
			return err
		}
		return m.engine.exposures.read(ctx, bucket, m.x.Key, dimensions, func(x *exposed) error {
			unknown[place] = m.countUnknown(x)
			found := exposedBucket{make([]column.Set, len(m.metrics)), make([][]column.Sum, len(m.metrics))}
			for i, metric := range m.metrics {
				if found.sets[i], err = x.match(metric.Where, whole); err != nil {
					return err
				}
				if metric.Value != "" {
					found.sums[i] = x.sessions.Sums(found.sets[i], metric.Value)
				}
			}
			m.exposed[place] = found
			return ctx.Err()
		})
	})
	for _, counts := range unknown {
		for i, n := range counts {
			answers[i].Unknown += n
		}
	}
	return err
}

// countUnknown returns for each question how many assignments are to variants that there
// are not.
func (m *measuring) countUnknown(x *exposed) []int {
	variants := placesOf(x.variants, m.x.Variants)
	if !slices.Contains(variants, -1) {
		return nil
	}
	counts := make([]int, len(m.group))
	for i := range x.rows {
		if row := &x.rows[i]; variants[row.Variant] < 0 && m.x.Run.Contains(row.At) {
			for n, q := range m.group {
				if q.In.Contains(row.At) {
					counts[n]++
				}
			}
		}
	}
	return counts
}

// rosterSets returns what the rosters choose of a bucket's whole sessions.
func (m *measuring) rosterSets(ctx context.Context, stored store.Bucket) (func(filter.Assigned, int) column.Set, error) {
	sets := map[string][]column.Set{}
	if len(m.rosters) > 0 {
		if err := m.engine.read(ctx, stored, slices.Clone(rosterDimensions), func(b *bucket) error {
			for key, roster := range m.rosters {
				sets[key] = roster.setsOf(b)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return func(e filter.Assigned, ordinals int) column.Set {
		return m.rosters[e.Experiment].choose(sets[e.Experiment], e.Variants, ordinals)
	}, nil
}

// measureMetric says what a metric comes to for each visitor.
func (m *measuring) measureMetric(ctx context.Context, place int) (measured, error) {
	list := m.assigned.list
	result := measured{at: make([]model.Millis, len(list))}
	if m.metrics[place].Value != "" {
		result.values = make([]float64, len(list))
	}
	for i := range list {
		a := &list[i]
		result.at[i] = model.Open
		if m.isException(a) || a.at >= m.end || !m.exposed[a.bucket].sets[place].Test(uint(a.ordinal)) {
			continue
		}
		result.at[i] = a.at
		if result.values != nil {
			result.values[i] = sumOf(m.exposed[a.bucket].sums[place], uint32(a.ordinal))
		}
	}
	for _, x := range m.exception {
		if x.matches[place] {
			result.add(x.place, list[x.place].at, x.sums[place])
		}
	}
	if m.later {
		if err := m.measureLater(ctx, place, &result); err != nil {
			return result, err
		}
	}
	return result, ctx.Err()
}

// sumOf returns the sum of an ordinal, 0 where there is none.
func sumOf(sums []column.Sum, ordinal uint32) float64 {
	i, found := slices.BinarySearchFunc(sums, ordinal, func(s column.Sum, ordinal uint32) int { return int(s.Ordinal) - int(ordinal) })
	if !found {
		return 0
	}
	return sums[i].Sum
}

// add notes a session that matches.
func (r *measured) add(place int, at model.Millis, sum float64) {
	r.at[place] = min(r.at[place], at)
	if r.values != nil {
		r.values[place] += sum
	}
}

// sum adds up what the visitors that take part in a question did, for its metric at a
// place.
func (m *measuring) sum(q *asking, takes []uint64, result measured, at int, answer *ExperimentAnswer) {
	for i, converted := range result.at {
		if converted == model.Open || takes[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		to := &answer.Variants[m.assigned.list[i].variant].Metrics[at]
		to.Conversions++
		addSteps(to.Steps, q.Steps, converted)
		if result.values != nil {
			value := result.values[i]
			to.Total += value
			to.Squares += value * value
		}
	}
	cumulate(answer, func(v *VariantAnswer) []int { return v.Metrics[at].Steps })
}
