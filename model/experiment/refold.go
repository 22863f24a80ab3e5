package experiment

import (
	"context"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// refoldedSession is what the metrics make of a session of assignment that was refolded from its hits.
type refoldedSession struct {
	place   int // of the visitor
	matches []bool
	sums    []float64 // by metric
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
			r := refoldedSession{places[session.ID.Ordinal], make([]bool, len(c.metrics)), make([]float64, len(c.metrics))}
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
		visits, err := m.engine.store.WholeVisitsAt(ctx, p.ID, batch, withKeys)
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
