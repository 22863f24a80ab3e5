package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func (r *siteResolver) Events(ctx context.Context, site *model.Site, search *string, orderBy view.Order, first *int, after *string, last *int, before *string) (*view.EventConnection, error) {
	w := window{first, last, after, before}
	limit, err := w.limit()
	if err != nil {
		return nil, err
	}
	page := store.EventPage{Descending: orderBy.Direction == view.Descending, FromEnd: w.fromEnd(), Limit: limit + 1}
	if page.After, err = decodeCursor("after", after); err != nil {
		return nil, err
	}
	if page.Before, err = decodeCursor("before", before); err != nil {
		return nil, err
	}
	query := store.EventQuery{Site: site.ID, Search: text(search)}
	rows, err := r.store.Events(ctx, query, page)
	if err != nil {
		return nil, err
	}
	events := make([]view.Event, len(rows))
	for i, row := range rows {
		events[i] = view.Event{Site: site.ID, Name: row.Name, Count: int(row.Count), FirstSeen: row.FirstAt.Time(), LastSeen: row.LastAt.Time(), HasValue: row.HasValue}
	}
	c := connect[view.Event, view.EventEdge](events, w, limit, func(i int) string { return encodeCursor(events[i].Name) },
		func(ctx context.Context) (int, error) { return r.store.CountEvents(ctx, query) })
	return (*view.EventConnection)(c), nil
}
