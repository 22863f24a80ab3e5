package experiment

import (
	"context"
	"maps"
	"runtime"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
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
	return results, count.AtOnce(ctx, sealed, func(ctx context.Context, place int, sealed measured) (err error) {
		results[place], err = c.measureMetric(ctx, place, sealed)
		return err
	})
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
		return c.engine.assignments.readExposure(ctx, p, c.d.Key, dimensions, func(x *exposure) error {
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

// foreignSets returns the sets of the leaves that whole sessions answer.
func (m *measuring) foreignSets(ctx context.Context, p *store.Partition) (column.Memo, error) {
	sets := column.Memo{}
	if !slices.ContainsFunc(m.metrics, func(metric measuredMetric) bool { return len(metric.foreign) > 0 }) {
		return sets, nil
	}
	err := m.engine.matcher.Read(ctx, p, m.resolution, nil, func(_ *partition.View, known column.Known) error {
		for i := range m.metrics {
			for _, leaf := range m.metrics[i].foreign {
				if set, found := known.Get(leaf); found {
					sets.Put(leaf, set)
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
		result.values = make([]model.Sum, len(result.at))
		copy(result.values, sealed.values)
	}
	for i, a := range c.index.fresh() {
		matches := !isComputed && !c.isRefolded(a) && a.at < c.end && c.evaluated[a.partition].sets[place].Test(uint(a.ordinal))
		result.at[i] = model.Open
		if matches {
			result.at[i] = a.at
		}
		if result.values != nil {
			result.values[i] = model.Sum{}
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

// sumOf returns the sum of an ordinal, 0 where there is none.
func sumOf(sums []column.Sum, ordinal uint32) model.Sum {
	i, found := slices.BinarySearchFunc(sums, ordinal, func(s column.Sum, ordinal uint32) int { return int(s.Ordinal) - int(ordinal) })
	if !found {
		return model.Sum{}
	}
	return sums[i].Sum
}

// add notes a session that matches.
func (r *measured) add(place int, at model.Millis, sum model.Sum) {
	r.at[place] = min(r.at[place], at)
	if r.values != nil {
		r.values[place] = r.values[place].Add(sum)
	}
}

// laterSession is a session that matches a metric and started at or after its visitor's assignment.
type laterSession struct {
	place   int // of the visitor
	ordinal int32
	start   model.Millis
	sum     model.Sum
}

// measureLater adds the sessions beside those of assignment. They are found in several
// partitions at a time.
func (c *cohort) measureLater(ctx context.Context, place int, result *measured) error {
	for some := range slices.Chunk(c.later, 2*runtime.GOMAXPROCS(0)) {
		found := make([][]laterSession, len(some))
		if err := count.AtOnce(ctx, some, func(ctx context.Context, i int, p store.Partition) (err error) {
			found[i], err = c.laterIn(ctx, &p, place)
			return err
		}); err != nil {
			return err
		}
		for _, list := range found {
			for i := range list {
				result.add(list[i].place, list[i].start, list[i].sum)
			}
		}
	}
	return ctx.Err()
}

// laterIn finds those of a partition, in the order of ordinals.
func (m *measuring) laterIn(ctx context.Context, p *store.Partition, place int) (found []laterSession, err error) {
	metric := &m.metrics[place]
	dimensions := append(metric.where.Dimensions(), column.Visitors, column.Dimension(filter.Start.Name))
	if metric.Value != "" {
		dimensions = append(dimensions, column.Values)
	}
	if m.end != model.Open {
		dimensions = append(dimensions, column.Dimension(filter.Length.Name))
	}
	var across []laterSession
	err = m.engine.matcher.Read(ctx, p, m.resolution, dimensions, func(view *partition.View, known column.Known) error {
		matched, err := view.Match(metric.where, known)
		if err != nil {
			return err
		}
		if m.end != model.Open {
			// What lasts beyond the end may match without what comes then.
			beyond := view.Across(m.end)
			matched = matched.Difference(beyond)
			across = m.laterOf(view, beyond)
		}
		found = m.laterOf(view, matched)
		if metric.Value == "" {
			return nil
		}
		sums := view.Sums(matched, metric.Value)
		for i := range found {
			found[i].sum = sumOf(sums, uint32(found[i].ordinal))
		}
		return nil
	})
	if err != nil || len(across) == 0 {
		return found, err
	}
	places, ordinals := make(map[int32]laterSession, len(across)), []int32(nil)
	for _, l := range across {
		places[l.ordinal], ordinals = l, append(ordinals, l.ordinal)
	}
	fromStart := func(model.SessionID) model.Hit { return model.Hit{At: -model.Open} }
	err = m.refold(ctx, p, ordinals, fromStart, func(session *model.Session) {
		if metric.Where.Match(session) {
			l := places[session.ID.Ordinal]
			event, _ := session.Event(metric.Value)
			l.sum = event.Sum
			found = append(found, l)
		}
	})
	slices.SortFunc(found, func(a, b laterSession) int { return int(a.ordinal) - int(b.ordinal) })
	return found, err
}

// laterOf returns those of the sessions that started at or after their visitors'
// assignments and before the end, but the sessions of assignment.
func (m *measuring) laterOf(view *partition.View, of column.Set) (found []laterSession) {
	view.EachVisitor(of, func(ordinal int32, visitor int64, start model.Millis) {
		if start >= m.end {
			return
		}
		place := m.index.find(visitor)
		if place < 0 {
			return
		}
		a := m.index.at(place)
		if start < a.at || a.ordinal == ordinal && m.index.partitions[a.partition].ID == view.Partition {
			return
		}
		found = append(found, laterSession{place: place, ordinal: ordinal, start: start})
	})
	return found
}

// refoldedSession is what the metrics make of a session of assignment that was refolded from its hits.
type refoldedSession struct {
	place   int // of the visitor
	matches []bool
	sums    []model.Sum // by metric
}

// isRefolded tells whether the exposure does not say what the visitor did in the session of assignment: another
// assignment than the session's first stands, or the session lasts beyond the end.
func (m *measuring) isRefolded(a *assignee) bool { return !a.first || a.end >= m.end }

// computations are those of all metrics.
func (m *measuring) computations() (keys []string) {
	for i := range m.metrics {
		keys = append(keys, m.metrics[i].computations...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// refoldAssigned refolds sessions of assignment: those that exposures do not say or, if plugins compute a metric, all.
func (c *cohort) refoldAssigned(ctx context.Context) error {
	all := len(c.computations()) > 0
	byPartition := map[int32]map[int32]int{} // places by ordinals
	for place, a := range c.index.fresh() {
		if a.at < c.end && (all || c.isRefolded(a)) {
			if byPartition[a.partition] == nil {
				byPartition[a.partition] = map[int32]int{}
			}
			byPartition[a.partition][a.ordinal] = place
		}
	}
	for at := range c.index.partitions {
		places := byPartition[int32(at)]
		from := func(session model.SessionID) model.Hit {
			a := c.index.at(places[session.Ordinal])
			return model.Hit{At: a.at, ID: store.MessageID(int64(a.high), int64(a.low))}
		}
		err := c.refold(ctx, &c.index.partitions[at], slices.Collect(maps.Keys(places)), from, func(session *model.Session) {
			r := refoldedSession{places[session.ID.Ordinal], make([]bool, len(c.metrics)), make([]model.Sum, len(c.metrics))}
			for i := range c.metrics {
				r.matches[i] = c.metrics[i].Where.Match(session)
				event, _ := session.Event(c.metrics[i].Value)
				r.sums[i] = event.Sum
			}
			c.refolded = append(c.refolded, r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// refold calls do with those of a partition's sessions at the ordinals that count, folded again from their hits before
// the end, and at or behind from. They have all that the metrics look at.
func (m *measuring) refold(ctx context.Context, p *store.Partition, ordinals []int32, from func(model.SessionID) model.Hit, do func(*model.Session)) error {
	withKeys := slices.ContainsFunc(m.metrics, func(metric measuredMetric) bool {
		return len(metric.computations) > 0 || filter.Uses(metric.Where, filter.Visitor)
	})
	slices.Sort(ordinals)
	for batch := range slices.Chunk(ordinals, visitBatch) {
		var visits []model.Visit
		err := m.engine.store.AtOneMoment(ctx, func(st *store.Store) error {
			revision, err := st.RevisionOf(ctx, p.SiteID, p.ID)
			if err != nil {
				return err
			}
			count.NoteRead(ctx, p, revision)
			visits, err = st.WholeVisitsAt(ctx, p.SiteID, p.ID, batch, withKeys)
			return err
		})
		if err != nil {
			return err
		}
		slices.SortFunc(visits, func(a, b model.Visit) int { return int(a.Session.ID.Ordinal) - int(b.Session.ID.Ordinal) })
		var parts []model.Visit
		for i := range visits {
			visit, first := &visits[i], from(visits[i].Session.ID)
			session, ok := visit.Part(first, m.end)
			if !ok {
				continue
			}
			for _, resolved := range m.resolution {
				if resolved.Fill != nil {
					resolved.Fill(&visit.Session)
				}
			}
			session.Assigned = visit.Session.Assigned
			// A Computer is asked about page views and events alone.
			hits := slices.DeleteFunc(slices.Clone(visit.Hits), func(hit model.Hit) bool {
				return hit.Kind == model.Traits || hit.At >= m.end || hit.Compare(first) < 0
			})
			parts = append(parts, model.Visit{Session: session, Hits: hits})
		}
		if err := m.compute(ctx, parts); err != nil {
			return err
		}
		for i := range parts {
			do(&parts[i].Session)
		}
	}
	return ctx.Err()
}

// compute fills in what plugins compute of parts of sessions.
func (m *measuring) compute(ctx context.Context, parts []model.Visit) error {
	keys := m.computations()
	if len(keys) == 0 || len(parts) == 0 {
		return nil
	}
	for i := range parts {
		parts[i].Session.Computed = make(map[string]bool, len(keys))
	}
	for _, key := range keys {
		matches, err := m.engine.ask(ctx, key, parts)
		if err != nil {
			return err
		}
		for i, match := range matches {
			parts[i].Session.Computed[key] = match
		}
	}
	return nil
}
