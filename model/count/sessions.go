package count

import (
	"cmp"
	"context"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// PositionOf returns the session's place in a list that is ordered by start.
func PositionOf(s *model.Session) Position { return Position{Start: s.Start, ID: s.ID} }

// compare orders positions from the newest to the oldest.
func (p Position) compare(other Position) int {
	return cmp.Or(cmp.Compare(other.Start, p.Start), cmp.Compare(other.ID.Partition, p.ID.Partition), cmp.Compare(other.ID.Ordinal, p.ID.Ordinal))
}

// has tells whether a position is between those around the page.
func (q *SessionQuery) has(p Position) bool {
	return (q.After == nil || p.compare(*q.After) > 0) && (q.Before == nil || p.compare(*q.Before) < 0)
}

// compare orders positions as the page does.
func (q *SessionQuery) compare(a, b Position) int {
	if q.OldestFirst {
		a, b = b, a
	}
	return a.compare(b)
}

// Sessions fills a page from the newest or the oldest partition on. The first of the matching sessions are found in the
// columns, and only their rows are read.
func (e *ColumnEngine) Sessions(ctx context.Context, q SessionQuery) ([]model.Session, error) {
	var page []model.Session
	if q.Limit <= 0 || q.Where == filter.Expr(filter.Bool(false)) || q.In.From >= q.In.To {
		return page, nil
	}
	if q.After != nil {
		q.In.To = min(q.In.To, q.After.Start+1)
	}
	if q.Before != nil {
		q.In.From = max(q.In.From, q.Before.Start)
	}
	partitions, err := e.store.Partitions(ctx, q.Site, q.In)
	if err != nil {
		return nil, err
	}
	resolution, err := e.matcher.Resolve(ctx, q.Site, q.Where)
	if err != nil {
		return nil, err
	}
	if !q.OldestFirst {
		slices.Reverse(partitions)
	}
	for _, p := range partitions {
		if err := resolution.Ready(ctx, []store.Partition{p}); err != nil {
			return nil, err
		}
		found, err := e.positions(ctx, &p, resolution, &q)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(found, q.compare)
		var ordinals []int32
		for _, position := range found[:min(len(found), q.Limit-len(page))] {
			ordinals = append(ordinals, position.ID.Ordinal)
		}
		sessions, err := e.store.SessionsAt(ctx, p.SiteID, p.ID, ordinals)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(sessions, func(a, b model.Session) int { return q.compare(PositionOf(&a), PositionOf(&b)) })
		if page = append(page, sessions...); len(page) >= q.Limit {
			break
		}
	}
	return page, nil
}

// positions returns the places of a partition's sessions that match and are between those around the page.
func (e *ColumnEngine) positions(ctx context.Context, p *store.Partition, resolution Resolution, q *SessionQuery) (found []Position, err error) {
	where := column.Prepare(within(q.Where, q.In, p.Day))
	dimensions := append(where.Dimensions(), startDimension)
	err = e.matcher.Read(ctx, p, resolution, dimensions, func(view *partition.View, known column.Known) error {
		matched, err := view.Match(where, known)
		if err != nil {
			return err
		}
		view.EachStart(matched, func(ordinal int32, start model.Millis) {
			position := Position{Start: start, ID: model.SessionID{Site: p.SiteID, Partition: p.ID, Ordinal: ordinal}}
			if q.has(position) {
				found = append(found, position)
			}
		})
		return nil
	})
	return found, err
}
