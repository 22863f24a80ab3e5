package experiment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// measuring is the work on questions about one experiment, attribution and end.
type measuring struct {
	engine *ColumnEngine
	group  []*asking
	d      *Definition
	end    model.Millis
	within model.Millis
	later  bool
	before bool
	index  *index
	// metrics are those of all questions, each once, and resolution is of their predicates.
	metrics    []measuredMetric
	resolution count.Resolution
	// takes are, for each question, the visitors that take part, by their places.
	takes [][]uint64
}

// measuredMetric is a metric that is asked of many partitions.
type measuredMetric struct {
	Metric
	where *column.Predicate
	// computations are those of the metric. A plugin computes them of parts of sessions, which no column says.
	computations []string
	// foreign are the leaves that no column has and that whole sessions answer.
	foreign []*column.Predicate
}

func measuredMetricOf(metric Metric) measuredMetric {
	m := measuredMetric{Metric: metric, where: column.Prepare(metric.Where), computations: filter.Computations(metric.Where)}
	filter.EachLeaf(metric.Where, func(leaf filter.Expr) {
		if _, ok := leaf.(filter.Assigned); ok || filter.Uses(leaf, filter.Visitor) {
			m.foreign = append(m.foreign, column.Prepare(leaf))
		}
	})
	return m
}

// measured is what a metric comes to for each visitor, by their places. It does not change once it is kept.
type measured struct {
	// at is when the visitor first converted; model.Open where that did not happen.
	at []model.Millis
	// values are nil where the metric has none, and before, which are those before the assignment, where nobody asks.
	values, before []model.Sum
}

// measure answers the questions of a group.
func (e *ColumnEngine) measure(ctx context.Context, group []*asking) ([]Answer, error) {
	first := group[0]
	m := &measuring{engine: e, group: group, d: &first.Definition, end: first.End(), within: first.Within, later: first.Later, before: first.Before}
	var wheres []filter.Expr
	for _, q := range group {
		for _, metric := range q.Metrics {
			if m.place(metric) < 0 {
				m.metrics, wheres = append(m.metrics, measuredMetricOf(metric)), append(wheres, metric.Where)
			}
		}
	}
	var err error
	if len(wheres) > 0 {
		if m.resolution, err = e.matcher.Resolve(ctx, m.d.Site, wheres...); err != nil {
			return nil, err
		}
	}
	if m.index, err = e.assignments.index(ctx, e.matcher, m.d, first.units); err != nil {
		return nil, err
	}
	answers := make([]Answer, len(group))
	for i, q := range group {
		answers[i] = NewAnswer(q.Question)
	}
	if err := m.chooseVisitors(ctx, answers); err != nil {
		return nil, err
	}
	if err := m.countAssignments(ctx, answers); err != nil {
		return nil, err
	}
	results, err := m.measureAll(ctx)
	if err != nil {
		return nil, err
	}
	return answers, count.AtOnce(ctx, results, func(ctx context.Context, place int, result measured) error {
		for i, q := range group {
			for at, metric := range q.Metrics {
				if m.place(metric) == place {
					if err := m.sum(q, m.takes[i], result, at, &answers[i]); err != nil {
						return err
					}
				}
			}
		}
		return ctx.Err()
	})
}

// sum adds up what the visitors that take part in a question did, for its metric at a place.
func (m *measuring) sum(q *asking, takes []uint64, result measured, at int, answer *Answer) error {
	values := q.NewValues()
	for i, a := range m.index.all() {
		converted := result.at[i]
		if converted == model.Open || takes[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		to, phase := &answer.Variants[a.variant].Metrics[at], q.phaseAt(a.at)
		to.Conversions++
		addSteps(to.Steps, q.Steps, converted)
		if to.Phases != nil {
			to.Phases[phase].Conversions++
			addSteps(to.PhaseSteps[phase], q.Steps, converted)
		}
		if result.values == nil {
			continue
		}
		to.Add(result.values[i])
		if to.Phases != nil {
			to.Phases[phase].Add(result.values[i])
		}
		values[a.variant][phase] = append(values[a.variant][phase], result.values[i].Float64())
	}
	cumulate(answer, func(v *VariantAnswer) [][]int { return append(v.Metrics[at].PhaseSteps, v.Metrics[at].Steps) })
	if q.Metrics[at].Value == "" {
		return nil
	}
	if q.Before {
		m.pair(takes, result, at, answer)
	}
	return answer.Winsorize(at, values)
}

// pair puts together what visitors did before and from their assignment on.
func (m *measuring) pair(takes []uint64, result measured, at int, answer *Answer) {
	for i, a := range m.index.all() {
		if takes[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		if before, during := result.before[i].Float64(), result.values[i].Float64(); before != 0 || during != 0 {
			answer.Variants[a.variant].Metrics[at].Pairs.Add(before, during)
		}
	}
	for i := range answer.Variants {
		v := &answer.Variants[i]
		pairs := &v.Metrics[at].Pairs
		pairs.AddZeros(int64(v.Visitors) - pairs.X.N)
	}
}

// place returns the place of a metric among all, -1 where there is none.
func (m *measuring) place(metric Metric) int {
	text := metric.Where.String()
	return slices.IndexFunc(m.metrics, func(other measuredMetric) bool {
		return other.Value == metric.Value && other.where.Text().Value() == text
	})
}

// chooseVisitors says who takes part in each question, and counts them.
func (m *measuring) chooseVisitors(ctx context.Context, answers []Answer) error {
	m.takes = make([][]uint64, len(m.group))
	wheres := map[string][]column.Set{}
	for i, q := range m.group {
		var sets []column.Set // of the partitions; nil where all sessions match
		if q.Where != filter.Expr(filter.Bool(true)) {
			text := q.Where.String()
			if wheres[text] == nil {
				var err error
				if wheres[text], err = m.sessionSets(ctx, q.Where); err != nil {
					return err
				}
			}
			sets = wheres[text]
		}
		var values []sessionValues
		groupOf, groups := q.NewGroups()
		if q.By != (filter.Field{}) {
			var err error
			if values, err = m.valuesOf(ctx, q.By); err != nil {
				return err
			}
		}
		takes, answer := make([]uint64, (m.index.count()+63)/64), &answers[i]
		for place, a := range m.index.all() {
			if !q.In.Contains(a.at) {
				continue
			}
			if sets != nil && !sets[a.partition].Test(uint(a.ordinal)) {
				continue
			}
			var group *Group
			if values != nil {
				group = groupOf(values[a.partition].at(a.ordinal))
			}
			if a.other < m.end {
				answer.MultipleExposures++
				addSteps(answer.MultipleSteps, q.Steps, a.other)
				if group != nil {
					group.MultipleExposures++
				}
				if q.Exclude {
					continue
				}
			}
			takes[place/64] |= 1 << (place % 64)
			v, phase := &answer.Variants[a.variant], q.phaseAt(a.at)
			v.Visitors++
			addSteps(v.Steps, q.Steps, a.at)
			if v.Phases != nil {
				v.Phases[phase]++
				addSteps(v.PhaseSteps[phase], q.Steps, a.at)
			}
			if group != nil {
				group.Visitors[a.variant][phase]++
			}
		}
		accumulate(answer.MultipleSteps)
		if values != nil {
			answer.Groups = groups()
		}
		cumulate(answer, func(v *VariantAnswer) [][]int { return append(v.PhaseSteps, v.Steps) })
		m.takes[i] = takes
	}
	return ctx.Err()
}

// endOf is the instant from which on nothing of a visitor counts.
func (m *measuring) endOf(a *assignee) model.Millis {
	if m.within == 0 {
		return m.end
	}
	return min(m.end, a.at+m.within)
}

// phaseAt returns the place of the phase in which an instant lies.
func (q *Question) phaseAt(at model.Millis) int {
	place, _ := slices.BinarySearchFunc(q.Phases, at, func(from, at model.Millis) int {
		if from <= at {
			return -1
		}
		return 1
	})
	return place
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
func cumulate(answer *Answer, of func(*VariantAnswer) [][]int) {
	for i := range answer.Variants {
		for _, counts := range of(&answer.Variants[i]) {
			accumulate(counts)
		}
	}
}

func accumulate(counts []int) {
	for step := 1; step < len(counts); step++ {
		counts[step] += counts[step-1]
	}
}

// sessionValues are the values of a field in a partition: those that there are, and of each ordinal the place of its own.
type sessionValues struct {
	values []string
	of     []uint32
}

// at returns the value of a session.
func (v *sessionValues) at(ordinal int32) string { return v.values[v.of[ordinal]] }

// valuesOf returns the values of a text field in the partitions of assignments.
func (m *measuring) valuesOf(ctx context.Context, field filter.Field) ([]sessionValues, error) {
	all := make([]sessionValues, len(m.index.partitions))
	return all, m.eachPartition(ctx, 0, func(ctx context.Context, place int, p *store.Partition) error {
		return m.engine.matcher.Read(ctx, p, nil, []column.Dimension{column.Dimension(field.Name)}, func(view *partition.View, _ column.Known) error {
			all[place].values, all[place].of = view.ValuesOf(field)
			return ctx.Err()
		})
	})
}

// eachPartition calls do with the places of the partitions of assignments from one on, some at a time.
func (m *measuring) eachPartition(ctx context.Context, from int, do func(ctx context.Context, place int, p *store.Partition) error) error {
	return count.AtOnce(ctx, m.index.partitions[from:], func(ctx context.Context, behind int, p store.Partition) error {
		if p.Day.Start() >= m.end {
			return nil
		}
		return do(ctx, from+behind, &p)
	})
}

// sessionSets returns the sessions of assignment that match, by the places of partitions.
func (m *measuring) sessionSets(ctx context.Context, where filter.Expr) ([]column.Set, error) {
	resolution, err := m.engine.matcher.Resolve(ctx, m.d.Site, where)
	if err == nil {
		err = resolution.Ready(ctx, m.index.partitions)
	}
	if err != nil {
		return nil, err
	}
	sets := make([]column.Set, len(m.index.partitions))
	for i := range sets {
		sets[i] = bitset.New(0)
	}
	return sets, m.eachPartition(ctx, 0, func(ctx context.Context, place int, p *store.Partition) (err error) {
		sets[place], err = m.engine.matcher.Match(ctx, p, resolution, where)
		return err
	})
}

// countAssignments counts all assignments, to variants that there are and that there are not.
func (m *measuring) countAssignments(ctx context.Context, answers []Answer) error {
	var mu sync.Mutex
	return m.eachPartition(ctx, 0, func(ctx context.Context, _ int, p *store.Partition) error {
		return m.engine.assignments.readExposure(ctx, p, m.d.Key, nil, func(x *exposure) error {
			variants := placesOf(x.variants, m.d.Variants)
			assigned, unknown := make([]int, len(m.group)), make([]int, len(m.group))
			for i := range x.assignments {
				row, counts := &x.assignments[i], assigned
				if variants[row.Variant] < 0 {
					counts = unknown
				}
				if !m.d.Run.Contains(row.At) {
					continue
				}
				for n, q := range m.group {
					if q.In.Contains(row.At) {
						counts[n]++
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for n := range answers {
				answers[n].Assigned += assigned[n]
				answers[n].Unknown += unknown[n]
			}
			return ctx.Err()
		})
	})
}

// measureAll says what the metrics come to for each visitor. What those of the sealed partitions did until then is kept:
// mostly something happens in the head alone.
func (m *measuring) measureAll(ctx context.Context) ([]measured, error) {
	head := len(m.index.partitions) - 1
	if head < 0 {
		return make([]measured, len(m.metrics)), nil // of nobody
	}
	var before, after []store.Partition // the head's day
	if m.later || m.before {
		// No visitor's assignment is earlier, and what is under way then began at most a day before.
		from, day := m.index.partitions[0].Day.Start()-model.MaxSessionLength, m.index.partitions[head].Day
		if m.before {
			from -= PeriodBefore
		}
		partitions, err := m.engine.store.Partitions(ctx, m.d.Site, model.Range{From: from, To: m.end})
		if err != nil {
			return nil, err
		}
		if err := m.resolution.Ready(ctx, partitions); err != nil {
			return nil, err
		}
		i, _ := slices.BinarySearchFunc(partitions, day, func(p store.Partition, day model.Day) int { return cmp.Compare(p.Day, day) })
		before, after = partitions[:i], partitions[i:]
	}
	sealed, err := m.measureSealed(ctx, before)
	if err != nil {
		return nil, err
	}
	return m.extend(ctx, sealed, head, before, after)
}

// measureSealed says what the metrics come to for the visitors of the sealed partitions, with their sessions in the
// partitions before the head's day.
func (m *measuring) measureSealed(ctx context.Context, before []store.Partition) ([]measured, error) {
	partitions := m.index.partitions[:len(m.index.partitions)-1]
	results, keys := make([]measured, len(m.metrics)), make([]count.Fingerprint, len(m.metrics))
	state, stateBefore := count.StateOf(partitions, always), count.StateOf(before, always)
	isKept := m.group[0].isKept // as it is for all of the group
	sealed := *m
	sealed.index = &index{variants: m.index.variants, units: m.index.units, partitions: partitions, sealed: newVisitors(nil), own: m.index.sealed}
	sealed.metrics = nil
	var unknown []int
	for place, metric := range m.metrics {
		keys[place] = count.FingerprintOf(m.d.text(), fmt.Sprint("measured ", m.later, m.before, m.end, m.within, m.index.sealed.serial), metric.Value, metric.where.Text().Value(), string(state[:]), string(stateBefore[:]))
		if known, found := m.engine.measurements.GetIfPresent(keys[place]); found && isKept {
			m.engine.measuredMeter.Add(ctx, 1, 0, time.Now())
			results[place] = known
			continue
		}
		unknown, sealed.metrics = append(unknown, place), append(sealed.metrics, metric)
	}
	if len(unknown) == 0 {
		return results, nil
	}
	begin := time.Now()
	ctx, watch := count.WithWatch(ctx)
	found, err := sealed.extend(ctx, make([]measured, len(unknown)), 0, nil, before)
	if err != nil {
		return nil, err
	}
	m.engine.measuredMeter.Add(ctx, 0, len(unknown), begin)
	if watch.HaveMoved(partitions) || watch.HaveMoved(before) { // what was measured is later than the keys say
		isKept = false
	}
	for i, place := range unknown {
		results[place] = found[i]
		if isKept {
			m.engine.measurements.Set(keys[place], found[i])
		}
	}
	return results, nil
}
