package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// Event is an event name that has arrived on a site.
type Event struct {
	bun.BaseModel `bun:"table:events,alias:events"`

	SiteID     int64  `bun:",pk"`
	Name       string `bun:",pk"`
	SearchText string
	Count      int64
	// FirstAt and LastAt are the times of the earliest and the latest one.
	FirstAt, LastAt model.Millis
	// HasValue tells whether any of them had a value.
	HasValue bool
}

// EventQuery asks for event names of a site.
type EventQuery struct {
	Site int64
	// Search is a part of the name, in any case; empty for all.
	Search string
}

func (q EventQuery) apply(query *bun.SelectQuery) *bun.SelectQuery {
	return matching(query.Where("site_id = ?", q.Site), q.Search)
}

// Events returns the event names of the query, sorted by name: at most limit names,
// beginning after the name after.
func (s *Store) Events(ctx context.Context, q EventQuery, after string, limit int) (events []Event, err error) {
	defer wrap(&err, "events of site %d", q.Site)
	if !isKeepable(after) {
		return nil, model.Errorf(model.BadInput, "the cursor is not the name of an event")
	}
	query := q.apply(s.db.NewSelect().Model(&events)).Order("name").Limit(int64(limit))
	if after != "" {
		query = query.Where("name > ?", after)
	}
	return events, query.Scan(ctx)
}

// CountEvents returns the number of event names of the query.
func (s *Store) CountEvents(ctx context.Context, q EventQuery) (n int, err error) {
	defer wrap(&err, "count events of site %d", q.Site)
	count, err := q.apply(s.db.NewSelect().Model((*Event)(nil))).Count(ctx)
	return int(count), err
}
