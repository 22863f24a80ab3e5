package graph

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
)

// rangeOf returns the range that a client gives, as it is now in the zone of a site.
func (r *Resolver) rangeOf(ctx context.Context, siteID int64, given model.TimeRange) (model.Range, error) {
	if !given.IsOfZone() { // which is not to be asked for
		period, err := given.Resolve(r.now(), time.UTC)
		return period.Range, err
	}
	period, err := r.periodOf(ctx, siteID, given)
	return period.Range, err
}

// rangeOrAll returns the range that a client gives, or all of time.
func (r *Resolver) rangeOrAll(ctx context.Context, siteID int64, given *model.TimeRange) (model.Range, error) {
	if given == nil {
		return model.Range{From: -model.Open, To: model.Open}, nil
	}
	return r.rangeOf(ctx, siteID, *given)
}

// said returns the range that a client gives, with its instants in UTC: the zero value for all of time.
func said(given *model.TimeRange) model.TimeRange {
	if given == nil {
		return model.TimeRange{}
	}
	return given.UTC()
}

// periodOf returns the period that a client's range is now in the zone of a site. It follows from the time alone when it
// becomes another one: with a SiteState's step.
func (r *Resolver) periodOf(ctx context.Context, siteID int64, given model.TimeRange) (model.Period, error) {
	site, err := r.siteOf(ctx, siteID)
	if err != nil {
		return model.Period{}, err
	}
	zone, err := site.Location()
	if err != nil {
		return model.Period{}, err
	}
	return given.Resolve(r.now(), zone)
}

// ranges are a range that is counted in, and the one that it is compared with, nil where there is none.
type ranges struct {
	in    model.Range
	other *model.Range
}

func (r *Resolver) rangesOf(ctx context.Context, siteID int64, given model.TimeRange, compare *model.Comparison) (ranges, error) {
	if compare == nil {
		in, err := r.rangeOf(ctx, siteID, given)
		return ranges{in: in}, err
	}
	period, err := r.periodOf(ctx, siteID, given)
	if err != nil {
		return ranges{}, err
	}
	other := period.Other(*compare)
	return ranges{period.Range, &other}, nil
}

// comparedWith returns the other range as clients see it, nil where there is none.
func (r ranges) comparedWith() *view.TimeRangeValue {
	if r.other == nil {
		return nil
	}
	value := view.TimeRangeOf(*r.other)
	return &value
}
