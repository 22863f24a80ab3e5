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

// EventPage is a part of the list of event names, sorted by name.
type EventPage struct {
	Descending bool
	// After and Before are the names around the page; empty for the list's ends.
	After, Before string
	// FromEnd reads the list from its end, in reverse.
	FromEnd bool
	Limit   int
}

// Events returns a page of the event names of the query.
func (s *Store) Events(ctx context.Context, q EventQuery, page EventPage) (events []Event, err error) {
	defer wrap(&err, "events of site %d", q.Site)
	if !isKeepable(page.After) || !isKeepable(page.Before) {
		return nil, model.Errorf(model.BadInput, "the cursor is not the name of an event")
	}
	query := q.apply(s.db.NewSelect().Model(&events)).Limit(int64(page.Limit))
	if page.Descending != page.FromEnd {
		query = query.Order("name DESC")
	} else {
		query = query.Order("name")
	}
	after, before := ">", "<"
	if page.Descending {
		after, before = before, after
	}
	if page.After != "" {
		query = query.Where("name "+after+" ?", page.After)
	}
	if page.Before != "" {
		query = query.Where("name "+before+" ?", page.Before)
	}
	return events, query.Scan(ctx)
}

// CountEvents returns the number of event names of the query.
func (s *Store) CountEvents(ctx context.Context, q EventQuery) (n int, err error) {
	defer wrap(&err, "count events of site %d", q.Site)
	count, err := q.apply(s.db.NewSelect().Model((*Event)(nil))).Count(ctx)
	return int(count), err
}
