package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func (r *siteResolver) Events(ctx context.Context, site *model.Site, search *string, first *int, after *string) (*view.EventConnection, error) {
	n, err := checkFirst(first, defaultFirst)
	if err != nil {
		return nil, err
	}
	last, err := decodeCursor(after)
	if err != nil {
		return nil, err
	}
	query := store.EventQuery{Site: site.ID, Search: text(search)}
	rows, err := r.store.Events(ctx, query, last, n+1)
	if err != nil {
		return nil, err
	}
	events := make([]view.Event, len(rows))
	for i, row := range rows {
		events[i] = view.Event{Name: row.Name, Count: int(row.Count), FirstSeen: row.FirstAt.Time(), LastSeen: row.LastAt.Time(), HasValue: row.HasValue}
	}
	c := connect[view.Event, view.EventEdge](events, n, after, func(i int) string { return encodeCursor(events[i].Name) },
		func(ctx context.Context) (int, error) { return r.store.CountEvents(ctx, query) })
	return (*view.EventConnection)(c), nil
}
