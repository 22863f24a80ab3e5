package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

func (r *siteResolver) SessionCount(ctx context.Context, site *model.Site, filters []scalar.FilterInput, given model.TimeRange) (*int, error) {
	in, err := r.rangeOf(ctx, site.ID, given)
	if err != nil {
		return nil, err
	}
	specs, err := r.filtersOf(ctx, site.ID, filters, "filters")
	if err != nil {
		return nil, err
	}
	return r.sessionCount(ctx, site.ID, specs, in)
}

func (r *siteResolver) Sessions(ctx context.Context, site *model.Site, filters []scalar.FilterInput, given model.TimeRange, orderBy view.Order,
	first *int, after *string, last *int, before *string) (*view.SessionConnection, error) {
	w := window{first, last, after, before}
	query, err := r.sessionQuery(ctx, site, filters, given, orderBy, w)
	if err != nil {
		return nil, err
	}
	found, err := readWithin(ctx, (*model.Session).TextBytes, func() ([]model.Session, error) { return r.engine.Sessions(ctx, query) })
	if err != nil {
		return nil, err
	}
	return sessionConnection(query, found, w), nil
}

// sessionQuery returns what a client asks for, with one session more than the page has.
func (r *Resolver) sessionQuery(ctx context.Context, site *model.Site, filters []scalar.FilterInput, given model.TimeRange, order view.Order, w window) (query count.SessionQuery, err error) {
	limit, err := w.limit()
	if err != nil {
		return query, err
	}
	after, err := decodeSessionCursor("after", w.after)
	if err != nil {
		return query, err
	}
	before, err := decodeSessionCursor("before", w.before)
	if err != nil {
		return query, err
	}
	in, err := r.rangeOf(ctx, site.ID, given)
	if err != nil {
		return query, err
	}
	specs, err := r.filtersOf(ctx, site.ID, filters, "filters")
	if err != nil {
		return query, err
	}
	merged, err := r.filters.Merge(ctx, specs, nil)
	if err != nil {
		return query, err
	}
	oldestFirst := order.Direction == view.Ascending
	if oldestFirst {
		after, before = before, after
	}
	return count.SessionQuery{Site: site.ID, In: in, Where: merged.Predicate, After: after, Before: before, OldestFirst: oldestFirst != w.fromEnd(), Limit: limit + 1}, nil
}

func sessionConnection(query count.SessionQuery, found []model.Session, w window) *view.SessionConnection {
	sessions := make([]view.Session, len(found))
	for i := range found {
		sessions[i] = view.SessionOf(encodeSessionID(found[i].ID), &found[i])
	}
	c := connect[view.Session, view.SessionEdge](sessions, w, query.Limit-1, func(i int) string { return sessionCursor(&found[i]) },
		func(ctx context.Context) (int, error) {
			answer, err := askCount(ctx, count.Question{Site: query.Site, In: query.In, Where: query.Where})
			return answer.Sessions, err
		})
	return (*view.SessionConnection)(c)
}

// sessionCount counts the sessions that match all filters.
func (r *Resolver) sessionCount(ctx context.Context, site int64, filters []model.FilterSpec, in model.Range) (*int, error) {
	merged, err := r.filters.Merge(ctx, filters, nil)
	if err != nil {
		return nil, err
	}
	answer, err := askCount(ctx, count.Question{Site: site, In: in, Where: merged.Predicate})
	return &answer.Sessions, err
}
