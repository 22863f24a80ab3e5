package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

func (r *siteResolver) Totals(ctx context.Context, site *model.Site, segments []string, adHocSegments []generated.AdHocSegmentInput, filters []scalar.FilterInput,
	given model.TimeRange, compare *model.Comparison) (*view.Totals, error) {
	r.engine.Prefetch(site.ID)
	times, err := r.rangesOf(ctx, site.ID, given, compare)
	if err != nil {
		return nil, err
	}
	query, _, err := r.sessionsOf(ctx, site, segments, adHocSegments, filters, times.in)
	if err != nil {
		return nil, err
	}
	query.Limit = 1
	totals := &view.Totals{Range: view.TimeRangeOf(times.in), ComparedWith: times.comparedWith(), Query: query}
	selected := graphql.CollectFieldsCtx(ctx, []string{"Totals"})
	own, other := measuresOf(ctx, selected)
	if totals.Figures, err = r.figuresOf(ctx, query, own); err != nil {
		return nil, err
	}
	isCompared := slices.ContainsFunc(selected, func(field graphql.CollectedField) bool { return field.Name == "comparison" })
	if times.other != nil && isCompared {
		query.In = *times.other
		others, err := r.figuresOf(ctx, query, other)
		if err != nil {
			return nil, err
		}
		totals.Comparison = view.CompareSessions(totals.Figures, others)
	}
	return totals, nil
}

// figuresOf returns the figures of all sessions that a query asks for.
func (r *Resolver) figuresOf(ctx context.Context, query count.BreakdownQuery, of []count.Measure) (view.Figures, error) {
	query.Measures = of
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return view.Figures{}, err
	}
	return view.FiguresOf(&found.Rows[0]), nil
}

// measuresOf returns the measures that fields are made of, and those of the other period.
func measuresOf(ctx context.Context, selected []graphql.CollectedField) (own, other []count.Measure) {
	ofOwn, ofOther := measureSet{}, measureSet{}
	for _, field := range selected {
		addMeasures(graphql.GetOperationContext(ctx), field, ofOwn, ofOther)
	}
	return ofOwn.list(), ofOther.list()
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
	query.Measures, _ = measuresOf(ctx, graphql.CollectFieldsCtx(ctx, []string{"TotalsPoint"}))
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

func (r *subscriptionResolver) Totals(ctx context.Context, siteID string, segments []string, adHocSegments []generated.AdHocSegmentInput, filters []scalar.FilterInput,
	given model.TimeRange, compare *model.Comparison) (<-chan *view.Totals, error) {
	site, err := r.followed(ctx, siteID)
	if err != nil {
		return nil, err
	}
	return once((&siteResolver{r.Resolver}).Totals(ctx, site, segments, adHocSegments, filters, given, compare))
}
