package experiment

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

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
		for i := range some {
			group.Go(func() (err error) {
				found[i], err = c.laterIn(within, &some[i], place)
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
