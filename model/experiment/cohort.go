package experiment

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// cohort is some of the visitors on the way to what they did.
type cohort struct {
	*measuring
	// evaluated are what the metrics make of the exposures, by the places of partitions.
	evaluated []evaluatedExposure
	refolded  []refoldedSession
	// later are the partitions where the visitors' other sessions may be.
	later []store.Partition
}

// evaluatedExposure is what the metrics make of the exposure of a partition.
type evaluatedExposure struct {
	sets []column.Set // by metric; nil where the sessions are refolded
	sums [][]column.Sum
}

// extend returns what the metrics come to for each visitor, where sealed says it of the first ones: it adds those that
// are fresh, whose assignments are in the partitions from a place on, and what all of them did in some later partitions.
func (m *measuring) extend(ctx context.Context, sealed []measured, from int, later []store.Partition) ([]measured, error) {
	c := &cohort{measuring: m, later: later}
	if err := c.evaluate(ctx, from); err != nil {
		return nil, err
	}
	if err := c.refoldAssigned(ctx); err != nil {
		return nil, err
	}
	results := make([]measured, len(m.metrics))
	workers, within := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for place := range m.metrics {
		workers.Go(func() (err error) {
			results[place], err = c.measureMetric(within, place, sealed[place])
			return err
		})
	}
	return results, workers.Wait()
}

// evaluate evaluates the metrics on the exposures from a place on.
func (c *cohort) evaluate(ctx context.Context, from int) error {
	var dimensions []column.Dimension
	for i := range c.metrics {
		if metric := &c.metrics[i]; len(metric.computations) == 0 {
			dimensions = append(dimensions, metric.where.Dimensions()...)
			if metric.Value != "" {
				dimensions = append(dimensions, column.Values)
			}
		}
	}
	c.evaluated = make([]evaluatedExposure, len(c.index.partitions))
	return c.eachPartition(ctx, from, func(ctx context.Context, place int, p *store.Partition) error {
		foreign, err := c.foreignSets(ctx, p)
		if err != nil {
			return err
		}
		return c.engine.assignments.exposures.read(ctx, p, c.d.Key, dimensions, func(x *exposure) error {
			found := evaluatedExposure{make([]column.Set, len(c.metrics)), make([][]column.Sum, len(c.metrics))}
			for i := range c.metrics {
				metric := &c.metrics[i]
				if len(metric.computations) > 0 {
					continue
				}
				known := foreign
				if len(metric.foreign) == 0 {
					known = nil
				}
				if found.sets[i], err = x.match(metric.where, known); err != nil {
					return err
				}
				if metric.Value != "" {
					found.sums[i] = x.Sums(found.sets[i], metric.Value)
				}
			}
			c.evaluated[place] = found
			return ctx.Err()
		})
	})
}

// foreignSets returns the sets of the leaves that whole sessions answer, by their text.
func (m *measuring) foreignSets(ctx context.Context, p *store.Partition) (map[string]column.Set, error) {
	sets := map[string]column.Set{}
	if !slices.ContainsFunc(m.metrics, func(metric measuredMetric) bool { return len(metric.foreign) > 0 }) {
		return sets, nil
	}
	err := m.engine.matcher.Read(ctx, p, m.resolution, nil, func(_ *partition.View, known column.Known) error {
		for i := range m.metrics {
			for _, leaf := range m.metrics[i].foreign {
				text := leaf.String()
				if set, found := known.Get(leaf, text); found {
					sets[text] = set
				}
			}
		}
		return nil
	})
	return sets, err
}

// measureMetric says what a metric comes to for each visitor, where sealed says it of the first ones.
func (c *cohort) measureMetric(ctx context.Context, place int, sealed measured) (measured, error) {
	isComputed := len(c.metrics[place].computations) > 0
	result := measured{at: make([]model.Millis, c.index.count())}
	copy(result.at, sealed.at)
	if c.metrics[place].Value != "" {
		result.values = make([]float64, len(result.at))
		copy(result.values, sealed.values)
	}
	for i, a := range c.index.fresh() {
		matches := !isComputed && !c.isRefolded(a) && a.at < c.end && c.evaluated[a.partition].sets[place].Test(uint(a.ordinal))
		result.at[i] = model.Open
		if matches {
			result.at[i] = a.at
		}
		if result.values != nil {
			result.values[i] = 0
			if matches {
				result.values[i] = sumOf(c.evaluated[a.partition].sums[place], uint32(a.ordinal))
			}
		}
	}
	for _, r := range c.refolded {
		if a := c.index.at(r.place); r.matches[place] && (isComputed || c.isRefolded(a)) {
			result.add(r.place, a.at, r.sums[place])
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
func (m *measuring) sum(q *asking, takes []uint64, result measured, at int, answer *Answer) {
	for i := range m.index.inOrder() {
		converted := result.at[i]
		if converted == model.Open || takes[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		to := &answer.Variants[m.index.at(i).variant].Metrics[at]
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
