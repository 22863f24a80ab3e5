package count

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/bits-and-blooms/bitset"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// measuring is the work on questions about one experiment, attribution and end.
type measuring struct {
	engine   *Columns
	group    []*asking
	x        *Experiment
	end      model.Millis
	later    bool
	assigned *assigned
	rosters  rosters
	metrics  []Metric // of all questions, each once
	// takes are, for each question, the visitors that take part, by their places.
	takes [][]uint64
}

// exposedPartition is what the metrics make of what is exposed in a partition.
type exposedPartition struct {
	sets []column.Set // by metric
	sums [][]column.Sum
}

// cohort is some of the visitors on the way to what they did.
type cohort struct {
	*measuring
	// exposed are what is in the partitions of their assignments, by the partitions' places.
	exposed   []exposedPartition
	exception []exception
	// later are the partitions where their other sessions may be.
	later []store.Partition
}

// measured is what a metric comes to for each visitor, by their places. It does not
// change once it is kept.
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
	if err := m.countUnknown(ctx, answers); err != nil {
		return nil, err
	}
	results, err := m.measureAll(ctx)
	if err != nil {
		return nil, err
	}
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for place, result := range results {
		workers.Go(func() error {
			for i, q := range group {
				for at, metric := range q.Metrics {
					if m.place(metric) == place {
						m.sum(q, m.takes[i], result, at, &answers[i])
					}
				}
			}
			return ctx.Err()
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
	m.takes = make([][]uint64, len(m.group))
	wheres := map[string][]column.Set{}
	for i, q := range m.group {
		var sets []column.Set // of the partitions; nil where all sessions match
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
		takes, answer := make([]uint64, (m.assigned.count()+63)/64), &answers[i]
		for place, a := range m.assigned.all() {
			if !q.In.Contains(a.at) || sets != nil && !sets[a.partition].Test(uint(a.ordinal)) {
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

// eachPartition calls do with the places of the partitions of assignments from one on, some at
// a time.
func (m *measuring) eachPartition(ctx context.Context, from int, do func(ctx context.Context, place int, partition store.Partition) error) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for place := from; place < len(m.assigned.partitions); place++ {
		if partition := m.assigned.partitions[place]; partition.Day.Start() < m.end {
			group.Go(func() error { return do(within, place, partition) })
		}
	}
	return group.Wait()
}

// wholeSets returns the sessions of assignment that match, by the places of partitions.
func (m *measuring) wholeSets(ctx context.Context, where filter.Expr) ([]column.Set, error) {
	for _, key := range filter.Computations(where) {
		if err := m.engine.computing.ready(ctx, key, m.assigned.partitions); err != nil {
			return nil, err
		}
	}
	sets := make([]column.Set, len(m.assigned.partitions))
	for i := range sets {
		sets[i] = bitset.New(0)
	}
	return sets, m.eachPartition(ctx, 0, func(ctx context.Context, place int, partition store.Partition) (err error) {
		sets[place], err = m.engine.wholeSet(ctx, partition, where, m.rosters)
		return err
	})
}

// countUnknown counts assignments to variants that there are not.
func (m *measuring) countUnknown(ctx context.Context, answers []ExperimentAnswer) error {
	var mu sync.Mutex
	return m.eachPartition(ctx, 0, func(ctx context.Context, _ int, partition store.Partition) error {
		return m.engine.exposures.read(ctx, partition, m.x.Key, nil, func(x *exposed) error {
			variants := placesOf(x.variants, m.x.Variants)
			if !slices.Contains(variants, -1) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range x.rows {
				if row := &x.rows[i]; variants[row.Variant] < 0 && m.x.Run.Contains(row.At) {
					for n, q := range m.group {
						if q.In.Contains(row.At) {
							answers[n].Unknown++
						}
					}
				}
			}
			return ctx.Err()
		})
	})
}

// measureAll says what the metrics come to for each visitor. What those of all partitions
// but the newest did until then is kept: mostly it is in the newest partition alone that
// something happens.
func (m *measuring) measureAll(ctx context.Context) ([]measured, error) {
	newest := len(m.assigned.partitions) - 1
	if newest < 0 {
		return make([]measured, len(m.metrics)), nil // of nobody
	}
	var earlier, later []store.Partition // than the newest one
	if m.later {
		from, day := m.assigned.partitions[0].Day.Start(), m.assigned.partitions[newest].Day // no visitor's assignment is earlier
		partitions, err := m.engine.store.Partitions(ctx, m.x.Site, model.Range{From: from, To: m.end})
		if err != nil {
			return nil, err
		}
		i, _ := slices.BinarySearchFunc(partitions, day, func(b store.Partition, day model.Day) int { return cmp.Compare(b.Day, day) })
		earlier, later = partitions[:i], partitions[i:]
	}
	older, err := m.measureOlder(ctx, earlier)
	if err != nil {
		return nil, err
	}
	return m.extend(ctx, older, newest, later)
}

// measureOlder says what the metrics come to for the visitors of all partitions but the
// newest, with their sessions in the earlier partitions.
func (m *measuring) measureOlder(ctx context.Context, earlier []store.Partition) ([]measured, error) {
	partitions := m.assigned.partitions[:len(m.assigned.partitions)-1]
	results, keys := make([]measured, len(m.metrics)), make([][16]byte, len(m.metrics))
	keeps := m.group[0].keeps // as it does for all: they need the same
	older := *m
	older.assigned, older.metrics = &assigned{partitions: partitions, older: newVisitors(nil), own: m.assigned.older}, nil
	var unknown []int
	for place, metric := range m.metrics {
		keys[place] = askedOf(m.x.text(), fmt.Sprint("measured ", m.later, m.end), metric.Value, metric.Where.String(), revisionsOf(partitions), revisionsOf(earlier))
		if known, found := kept[*measured](m.engine.results, keys[place]); found && keeps {
			m.engine.results.measuredLayer.hits.Add(1)
			results[place] = *known
			continue
		}
		unknown, older.metrics = append(unknown, place), append(older.metrics, metric)
	}
	if len(unknown) == 0 {
		return results, nil
	}
	begin := time.Now()
	found, err := older.extend(ctx, make([]measured, len(unknown)), 0, earlier)
	if err != nil {
		return nil, err
	}
	m.engine.results.measuredLayer.add(0, len(unknown), begin)
	for i, place := range unknown {
		results[place] = found[i]
		if keeps {
			m.engine.results.kept.Set(keys[place], &found[i])
		}
	}
	return results, nil
}

// extend returns what the metrics come to for each visitor, where older says it of the
// first ones: it adds those that are fresh, whose assignments are in the partitions from a
// place on, and what all of them did in some partitions later.
func (m *measuring) extend(ctx context.Context, older []measured, from int, later []store.Partition) ([]measured, error) {
	c := &cohort{measuring: m, later: later}
	if err := c.expose(ctx, from); err != nil {
		return nil, err
	}
	if err := c.except(ctx); err != nil {
		return nil, err
	}
	results := make([]measured, len(m.metrics))
	workers, within := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for place := range m.metrics {
		workers.Go(func() (err error) {
			results[place], err = c.measureMetric(within, place, older[place])
			return err
		})
	}
	return results, workers.Wait()
}

// expose evaluates the metrics on what is exposed.
func (c *cohort) expose(ctx context.Context, from int) error {
	var dimensions []column.Dimension
	for _, metric := range c.metrics {
		needed, _ := column.Prepare(metric.Where).Dimensions()
		dimensions = append(dimensions, needed...)
		if metric.Value != "" {
			dimensions = append(dimensions, column.Values)
		}
	}
	c.exposed = make([]exposedPartition, len(c.assigned.partitions))
	return c.eachPartition(ctx, from, func(ctx context.Context, place int, partition store.Partition) error {
		whole, err := c.rosterSets(ctx, partition)
		if err != nil {
			return err
		}
		return c.engine.exposures.read(ctx, partition, c.x.Key, dimensions, func(x *exposed) error {
			found := exposedPartition{make([]column.Set, len(c.metrics)), make([][]column.Sum, len(c.metrics))}
			for i, metric := range c.metrics {
				if found.sets[i], err = x.match(metric.Where, whole); err != nil {
					return err
				}
				if metric.Value != "" {
					found.sums[i] = x.sessions.Sums(found.sets[i], metric.Value)
				}
			}
			c.exposed[place] = found
			return ctx.Err()
		})
	})
}

// rosterSets returns what the rosters choose of a partition's whole sessions.
func (m *measuring) rosterSets(ctx context.Context, stored store.Partition) (func(filter.Assigned, int) column.Set, error) {
	sets := map[string][]column.Set{}
	if len(m.rosters) > 0 {
		if err := m.engine.read(ctx, stored, slices.Clone(rosterDimensions), func(b *partition) error {
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

// measureMetric says what a metric comes to for each visitor, where older says it of the
// first ones.
func (c *cohort) measureMetric(ctx context.Context, place int, older measured) (measured, error) {
	result := measured{at: make([]model.Millis, c.assigned.count())}
	copy(result.at, older.at)
	if c.metrics[place].Value != "" {
		result.values = make([]float64, len(result.at))
		copy(result.values, older.values)
	}
	for i, a := range c.assigned.fresh() {
		matches := !c.isException(a) && a.at < c.end && c.exposed[a.partition].sets[place].Test(uint(a.ordinal))
		result.at[i] = model.Open
		if matches {
			result.at[i] = a.at
		}
		if result.values != nil {
			result.values[i] = 0
			if matches {
				result.values[i] = sumOf(c.exposed[a.partition].sums[place], uint32(a.ordinal))
			}
		}
	}
	for _, x := range c.exception {
		if x.matches[place] {
			result.add(x.place, c.assigned.at(x.place).at, x.sums[place])
		}
	}
	return result, c.measureLater(ctx, place, &result)
}

func (r *measured) bytes() uint64 { return uint64(100 + 8*len(r.at) + 8*len(r.values)) }

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
	for i := range m.assigned.inOrder() {
		converted := result.at[i]
		if converted == model.Open || takes[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		to := &answer.Variants[m.assigned.at(i).variant].Metrics[at]
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
