package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

func (r *siteResolver) Totals(ctx context.Context, site *model.Site, segments []string, filters []scalar.FilterInput, given model.TimeRange) (*view.Totals, error) {
	return r.totals(ctx, site, segments, filters, given)
}

func (r *Resolver) totals(ctx context.Context, site *model.Site, segments []string, filters []scalar.FilterInput, given model.TimeRange) (*view.Totals, error) {
	r.engine.Prefetch(site.ID)
	query, _, err := r.sessionsOf(ctx, site, segments, filters, &given)
	if err != nil {
		return nil, err
	}
	query.Limit, query.Measures = 1, measuresOf(graphql.CollectFieldsCtx(ctx, []string{"Totals"}))
	totals := &view.Totals{Range: view.TimeRangeOf(query.In), Query: query}
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	totals.Figures = view.FiguresOf(&found.Rows[0])
	return totals, nil
}

// measuresOf returns the measures that fields are made of, each once.
func measuresOf(selected []graphql.CollectedField) (found []count.Measure) {
	for _, field := range selected {
		if measure, ok := measures[field.Name]; ok && !slices.Contains(found, measure) {
			found = append(found, measure)
		}
	}
	slices.Sort(found)
	return found
}

type totalsResolver struct{ *Resolver }

// Series asks for the sessions by the interval in which they started.
func (r *totalsResolver) Series(ctx context.Context, totals *view.Totals, interval model.Interval) ([]view.TotalsPoint, error) {
	query := totals.Query
	steps, err := r.stepsOf(ctx, query.Site, query.In, interval)
	if err != nil {
		return nil, err
	}
	points := make([]view.TotalsPoint, max(0, len(steps)-1))
	if err := fits(ctx, len(points)); err != nil || len(points) == 0 {
		return points, err
	}
	query.By, query.Limit, query.Order = []count.Grouping{{Steps: steps}}, len(points), count.RowOrder{By: count.ByValues, Ascending: true}
	query.Measures = measuresOf(graphql.CollectFieldsCtx(ctx, []string{"TotalsPoint"}))
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	row := 0
	for i := range points {
		points[i] = view.TotalsPoint{At: steps[i].Time()}
		if row < len(found.Rows) && found.Rows[row].Values[0] == count.StepValue(i) {
			points[i].Figures = view.FiguresOf(&found.Rows[row])
			row++
		}
	}
	return points, nil
}

func (r *subscriptionResolver) Totals(ctx context.Context, siteID string, segments []string, filters []scalar.FilterInput, given model.TimeRange) (<-chan *view.Totals, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once(r.totals(ctx, site, segments, filters, given))
}
