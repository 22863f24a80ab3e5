package count

import (
	"context"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// exception is a session of assignment that is folded again by itself: the assignment
// is not the session's first, or the session lasts beyond the end.
type exception struct {
	place   int // of the visitor
	matches []bool
	sums    []float64 // by metric
}

func (m *measuring) isException(a *assignee) bool { return !a.first || a.end >= m.end }

// except measures the exceptions.
func (c *cohort) except(ctx context.Context) error {
	byPartition := map[int32]map[int32]int{} // places by ordinals
	for place, a := range c.assigned.fresh() {
		if a.at < c.end && c.isException(a) {
			if byPartition[a.partition] == nil {
				byPartition[a.partition] = map[int32]int{}
			}
			byPartition[a.partition][a.ordinal] = place
		}
	}
	for at, stored := range c.assigned.partitions {
		places := byPartition[int32(at)]
		err := c.foldAgain(ctx, stored, slices.Collect(maps.Keys(places)), func(visit *model.Visit) (model.Session, bool) {
			a := c.assigned.at(places[visit.Session.ID.Ordinal])
			return visit.Part(model.Hit{At: a.at, ID: store.MessageID(int64(a.high), int64(a.low))}, c.end)
		}, func(session *model.Session) {
			x := exception{places[session.ID.Ordinal], make([]bool, len(c.metrics)), make([]float64, len(c.metrics))}
			for i, metric := range c.metrics {
				x.matches[i] = metric.Where.Match(session)
				event, _ := session.Event(metric.Value)
				x.sums[i] = event.Sum
			}
			c.exception = append(c.exception, x)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// foldAgain calls do with parts of the sessions at the ordinals of a partition, those that
// count, with their variants filled in.
func (m *measuring) foldAgain(ctx context.Context, stored store.Partition, ordinals []int32,
	part func(visit *model.Visit) (model.Session, bool), do func(session *model.Session)) error {
	slices.Sort(ordinals)
	for batch := range slices.Chunk(ordinals, computeBatch) {
		visits, err := m.engine.store.WholeVisitsAt(ctx, stored.ID, batch, false)
		if err != nil {
			return err
		}
		slices.SortFunc(visits, func(a, b model.Visit) int { return int(a.Session.ID.Ordinal) - int(b.Session.ID.Ordinal) })
		for i := range visits {
			session, ok := part(&visits[i])
			if !ok {
				continue
			}
			m.rosters.fill(&visits[i].Session)
			session.Assigned = visits[i].Session.Assigned
			do(&session)
		}
	}
	return ctx.Err()
}

// laterSession is a session that matches a metric and started at or after its visitor's
// assignment.
type laterSession struct {
	place   int // of the visitor
	ordinal int32
	start   model.Millis
	sum     float64
}

// measureLater adds the sessions beside those of assignment. They are found in several
// partitions at a time, and added in the order of partitions and of ordinals.
func (c *cohort) measureLater(ctx context.Context, place int, result *measured) error {
	for some := range slices.Chunk(c.later, 2*runtime.GOMAXPROCS(0)) {
		found := make([][]laterSession, len(some))
		group, within := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i, stored := range some {
			group.Go(func() (err error) {
				found[i], err = c.laterIn(within, stored, place)
				return err
			})
		}
		if err := group.Wait(); err != nil {
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
func (m *measuring) laterIn(ctx context.Context, stored store.Partition, place int) (found []laterSession, err error) {
	metric := m.metrics[place]
	where := column.Prepare(metric.Where)
	dimensions, _ := where.Dimensions()
	dimensions = append(dimensions, rosterDimensions...)
	if metric.Value != "" {
		dimensions = append(dimensions, column.Values)
	}
	if m.end != model.Open {
		dimensions = append(dimensions, column.Dimension(filter.Length.Name))
	}
	var across []laterSession
	err = m.engine.readComputed(ctx, stored, nil, m.rosters, dimensions, func(b *partition, known column.Known) error {
		matched, err := b.sessions.Match(where, known)
		if err != nil {
			return err
		}
		if m.end != model.Open {
			// What lasts beyond the end may match without what comes then.
			beyond := b.sessions.Across(m.end)
			matched = matched.Difference(beyond)
			across = m.laterOf(b, beyond)
		}
		found = m.laterOf(b, matched)
		if metric.Value == "" {
			return nil
		}
		sums := b.sessions.Sums(matched, metric.Value)
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
	err = m.foldAgain(ctx, stored, ordinals, func(visit *model.Visit) (model.Session, bool) {
		return visit.Part(model.Hit{At: -model.Open}, m.end)
	}, func(session *model.Session) {
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
func (m *measuring) laterOf(b *partition, of column.Set) (found []laterSession) {
	b.sessions.EachVisitor(of, func(ordinal int32, visitor int64, start model.Millis) {
		if start >= m.end {
			return
		}
		place := m.assigned.find(visitor)
		if place < 0 {
			return
		}
		a := m.assigned.at(place)
		if start < a.at || a.ordinal == ordinal && m.assigned.partitions[a.partition].ID == b.id {
			return
		}
		found = append(found, laterSession{place: place, ordinal: ordinal, start: start})
	})
	return found
}
