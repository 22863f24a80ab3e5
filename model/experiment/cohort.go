package experiment

import (
	"context"
	"maps"
	"runtime"
	"slices"

	"github.com/bits-and-blooms/bitset"

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
	// later are the partitions where the visitors' other sessions may be, and acrossIn those of these, by ordinals, of which a
	// part counts.
	later []store.Partition
	// isEve tells that the first of later is the one before them: of its sessions only those of fresh visitors count that were
	// under way at the assignment.
	isEve    bool
	isFresh  map[int]bool // by the places of visitors
	acrossIn []map[int32]*refoldedSession
	// earlier are the partitions where sessions before the assignments of the fresh visitors may be.
	earlier []store.Partition
}

// evaluatedExposure is what the metrics make of the exposure of a partition.
type evaluatedExposure struct {
	sets []column.Set // by metric; nil where the sessions are refolded
	sums [][]column.Sum
}

// extend returns what the metrics come to for each visitor, where sealed says it of the first ones: it adds those that
// are fresh, whose assignments are in the partitions from a place on, and what all of them did in some later partitions. The
// sessions of the fresh ones may have begun in the last partition before these.
func (m *measuring) extend(ctx context.Context, sealed []measured, from int, before, later []store.Partition) ([]measured, error) {
	c := &cohort{measuring: m}
	if len(m.index.partitions) == 0 {
		return make([]measured, len(m.metrics)), nil // of nobody
	}
	if m.before {
		since := m.index.partitions[from].Day.Start() - model.MaxSessionLength - PeriodBefore
		c.earlier = slices.DeleteFunc(slices.Concat(before, later), func(p store.Partition) bool { return p.Day.Start() < since })
	}
	if m.later {
		since := m.index.partitions[0].Day.Start() - model.MaxSessionLength
		c.later = slices.DeleteFunc(slices.Clone(later), func(p store.Partition) bool { return p.Day.Start() < since })
	}
	if m.later && len(before) > 0 && len(later) > 0 {
		c.later, c.isEve = slices.Concat(before[len(before)-1:], later), true
		c.isFresh = map[int]bool{}
		for place := range m.index.fresh() {
			c.isFresh[place] = true
		}
	}
	if err := c.evaluate(ctx, from); err != nil {
		return nil, err
	}
	if err := c.refoldAssigned(ctx); err != nil {
		return nil, err
	}
	if err := c.refoldAcross(ctx); err != nil {
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
	if result.values != nil && c.before {
		result.before = make([]model.Sum, len(result.at))
		copy(result.before, sealed.before)
		if err := c.measureBefore(ctx, place, result.before); err != nil {
			return result, err
		}
	}
	return result, c.measureLater(ctx, place, &result)
}

// measureBefore adds up what the fresh visitors did before their assignment.
func (c *cohort) measureBefore(ctx context.Context, place int, before []model.Sum) error {
	metric, isFresh := &c.metrics[place], make([]bool, len(before))
	for i := range c.index.fresh() {
		isFresh[i], before[i] = true, model.Sum{}
	}
	dimensions := append(metric.where.Dimensions(), column.Visitors, column.Values, column.Dimension(filter.Start.Name), column.Dimension(filter.Length.Name))
	for i := range c.earlier {
		err := c.engine.matcher.Read(ctx, &c.earlier[i], c.resolution, dimensions, func(view *partition.View, known column.Known) error {
			matched, err := view.Match(metric.where, known)
			if err != nil {
				return err
			}
			sums, valued := view.Sums(matched, metric.Value), bitset.New(uint(view.Ordinals()))
			for _, sum := range sums {
				valued.Set(uint(sum.Ordinal))
			}
			next := 0
			view.EachVisit(valued, func(_ int32, visitor int64, start, end model.Millis) {
				sum := sums[next].Sum
				next++
				if place := c.index.find(visitor); place >= 0 && isFresh[place] {
					if at := c.index.at(place).at; end < at && start >= at-PeriodBefore {
						before[place] = before[place].Add(sum)
					}
				}
			})
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
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

// laterSession is a session, not that of the assignment, that matches a metric.
type laterSession struct {
	place   int // of the visitor
	ordinal int32
	start   model.Millis
	sum     model.Sum
}

// measureLater adds the sessions beside those of assignment. They are found in several
// partitions at a time.
func (c *cohort) measureLater(ctx context.Context, place int, result *measured) error {
	places := make([]int, len(c.later))
	for i := range places {
		places[i] = i
	}
	for some := range slices.Chunk(places, 2*runtime.GOMAXPROCS(0)) {
		found := make([][]laterSession, len(some))
		if err := count.AtOnce(ctx, some, func(ctx context.Context, i, at int) (err error) {
			found[i], err = c.laterIn(ctx, at, place)
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

// laterIn finds those of a later partition, in the order of ordinals.
func (c *cohort) laterIn(ctx context.Context, at, place int) (found []laterSession, err error) {
	if !c.isEve || at > 0 {
		if found, err = c.wholeIn(ctx, at, place); err != nil {
			return nil, err
		}
	}
	for ordinal, r := range c.acrossIn[at] {
		if r.isKnown && r.matches[place] {
			found = append(found, laterSession{r.place, ordinal, r.start, r.sums[place]})
		}
	}
	slices.SortFunc(found, func(a, b laterSession) int { return int(a.ordinal) - int(b.ordinal) })
	return found, nil
}

// wholeIn finds those of a later partition that count whole, in the order of ordinals.
func (c *cohort) wholeIn(ctx context.Context, at, place int) (found []laterSession, err error) {
	metric := &c.metrics[place]
	dimensions := append(metric.where.Dimensions(), column.Visitors, column.Dimension(filter.Start.Name))
	if metric.Value != "" {
		dimensions = append(dimensions, column.Values)
	}
	err = c.engine.matcher.Read(ctx, &c.later[at], c.resolution, dimensions, func(view *partition.View, known column.Known) error {
		matched, err := view.Match(metric.where, known)
		if err != nil {
			return err
		}
		view.EachVisitor(matched, func(ordinal int32, visitor int64, start model.Millis) {
			if place := c.laterOf(view, visitor, ordinal); place >= 0 {
				if a := c.index.at(place); start >= a.at && start < c.endOf(a) {
					found = append(found, laterSession{place: place, ordinal: ordinal, start: start})
				}
			}
		})
		found = slices.DeleteFunc(found, func(l laterSession) bool { return c.acrossIn[at][l.ordinal] != nil })
		if metric.Value == "" {
			return nil
		}
		sums := view.Sums(matched, metric.Value)
		for i := range found {
			found[i].sum = sumOf(sums, uint32(found[i].ordinal))
		}
		return nil
	})
	return found, err
}

// laterOf returns the place of the visitor of a session, -1 where there is none or it is the session of the assignment.
func (m *measuring) laterOf(view *partition.View, visitor int64, ordinal int32) int {
	place := m.index.find(visitor)
	if place < 0 {
		return -1
	}
	if a := m.index.at(place); a.ordinal == ordinal && m.index.partitions[a.partition].ID == view.Partition {
		return -1
	}
	return place
}

// refoldAcross refolds sessions, beside those of assignment, of which a part counts: those that were under way at their
// visitor's assignment, or at the end.
func (c *cohort) refoldAcross(ctx context.Context) error {
	c.acrossIn = make([]map[int32]*refoldedSession, len(c.later))
	dimensions := []column.Dimension{column.Visitors, column.Dimension(filter.Start.Name), column.Dimension(filter.Length.Name)}
	return count.AtOnce(ctx, c.later, func(ctx context.Context, at int, p store.Partition) error {
		across := map[int32]*refoldedSession{}
		err := c.engine.matcher.Read(ctx, &p, c.resolution, dimensions, func(view *partition.View, _ column.Known) error {
			view.EachSpan(func(ordinal int32, visitor int64, start, end model.Millis) {
				place := c.laterOf(view, visitor, ordinal)
				if place < 0 || start >= c.end || c.isEve && at == 0 && !c.isFresh[place] {
					return
				}
				a := c.index.at(place)
				if last := c.endOf(a); start < last && end >= a.at && (start < a.at || end >= last) {
					across[ordinal] = &refoldedSession{place: place}
				}
			})
			return nil
		})
		if err != nil || len(across) == 0 {
			return err
		}
		c.acrossIn[at] = across
		whose := func(ordinal int32) *assignee { return c.index.at(across[ordinal].place) }
		return c.refold(ctx, &p, slices.Collect(maps.Keys(across)), whose, func(session *model.Session) {
			*across[session.ID.Ordinal] = c.refoldedOf(across[session.ID.Ordinal].place, session)
		})
	})
}

// refoldedSession is what the metrics make of a session that was refolded from its hits.
type refoldedSession struct {
	place int // of the visitor
	// isKnown tells that something of the session counts, from start on.
	isKnown bool
	start   model.Millis
	matches []bool
	sums    []model.Sum // by metric
}

func (c *cohort) refoldedOf(place int, session *model.Session) refoldedSession {
	r := refoldedSession{place: place, isKnown: true, start: session.Start, matches: make([]bool, len(c.metrics)), sums: make([]model.Sum, len(c.metrics))}
	for i := range c.metrics {
		r.matches[i] = c.metrics[i].Where.Match(session)
		event, _ := session.Event(c.metrics[i].Value)
		r.sums[i] = event.Sum
	}
	return r
}

// isRefolded tells whether the exposure does not say what the visitor did in the session of assignment: another
// assignment than the session's first stands, or the session lasts beyond the end.
func (m *measuring) isRefolded(a *assignee) bool { return !a.first || a.end >= m.endOf(a) }

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
		whose := func(ordinal int32) *assignee { return c.index.at(places[ordinal]) }
		err := c.refold(ctx, &c.index.partitions[at], slices.Collect(maps.Keys(places)), whose, func(session *model.Session) {
			c.refolded = append(c.refolded, c.refoldedOf(places[session.ID.Ordinal], session))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// refold calls do with those of a partition's sessions at the ordinals that count, folded again from their hits at or after
// the assignment of the visitor whose they are, and before that one's end. They have all that the metrics look at.
func (m *measuring) refold(ctx context.Context, p *store.Partition, ordinals []int32, whose func(ordinal int32) *assignee, do func(*model.Session)) error {
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
			visit, a := &visits[i], whose(visits[i].Session.ID.Ordinal)
			first, last := a.at, m.endOf(a)
			session, ok := visit.Part(first, last)
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
				return hit.Kind == model.Traits || hit.At >= last || hit.At < first
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
