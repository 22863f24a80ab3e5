package graph

import (
	"context"
	"math"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
)

func (r *siteResolver) Now(ctx context.Context, site *model.Site, segments []string, filters []scalar.FilterInput) (*view.Now, error) {
	return r.present(ctx, site, segments, filters)
}

// present returns who is there at the last full second.
func (r *Resolver) present(ctx context.Context, site *model.Site, segments []string, filters []scalar.FilterInput) (*view.Now, error) {
	r.engine.Prefetch(site.ID)
	query, _, err := r.sessionsOf(ctx, site, segments, nil, filters, model.Range{})
	if err != nil {
		return nil, err
	}
	now := model.MillisOf(r.now().Truncate(time.Second))
	return &view.Now{
		Last5Minutes: activeSince(query, now-5*minute), Last30Minutes: activeSince(query, now-30*minute), ComputedAt: r.computedAt(ctx),
	}, nil
}

const minute model.Millis = 60 * 1000

// activeSince narrows a question about all sessions to those whose last hit is not before an instant. They began at most
// the length of a session before, so that it is asked of the newest two days.
func activeSince(query count.BreakdownQuery, since model.Millis) view.ActiveVisitors {
	query.In = model.Range{From: since - model.MaxSessionLength, To: model.Open}
	query.Where = filter.Simplify(filter.And{query.Where, filter.Range{Field: filter.End, Min: float64(since), Max: math.Inf(1)}})
	return view.ActiveVisitors{Query: query}
}

type activeVisitorsResolver struct{ *Resolver }

func (r *activeVisitorsResolver) Visitors(ctx context.Context, active *view.ActiveVisitors) (*int, error) {
	answer, err := askCount(ctx, count.Question{Site: active.Query.Site, In: active.Query.In, Where: active.Query.Where, Visitors: true})
	return &answer.Visitors, err
}

// Pages are those that sessions viewed last, without sessions that viewed none.
func (r *activeVisitorsResolver) Pages(ctx context.Context, active *view.ActiveVisitors, first *int) ([]view.ActivePage, error) {
	n, err := checkSize("first", first, defaultPages)
	if err != nil {
		return nil, err
	}
	query := active.Query
	query.Where = filter.Simplify(filter.And{query.Where, filter.Not{Expr: filter.In{Field: filter.ExitPage, Values: []string{""}}}})
	query.By, query.Measures = []count.Grouping{{Field: filter.ExitPage}}, []count.Measure{count.Visitors}
	query.Order, query.Limit = count.RowOrder{By: count.ByVisitors}, n
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	pages := make([]view.ActivePage, len(found.Rows))
	for i, row := range found.Rows {
		pages[i] = view.ActivePage{Path: row.Values[0], Visitors: row.Visitors}
	}
	return pages, nil
}

// defaultPages is how many pages are listed where a client does not say.
const defaultPages = 10

// Now follows the time, too: with each second, somebody may have left.
func (r *subscriptionResolver) Now(ctx context.Context, siteID string, segments []string, filters []scalar.FilterInput) (<-chan *view.Now, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	c, _ := computationOf(ctx)
	c.Lasts = time.Second
	return once(r.present(ctx, site, segments, filters))
}
