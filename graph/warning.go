package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// nothingKnown is the code of warnings about a field of which the site's sessions know nothing.
const nothingKnown plugins.WarningCode = "NOTHING_KNOWN"

// places are the fields that sessions have only if the server, a proxy or the sender looks their addresses up.
var places = []filter.Field{filter.Country, filter.Region, filter.City}

// warningsOf returns what is probably a mistake in filters of a site: what their types say, and places that no session
// knows. The paths begin with a field.
func (r *Resolver) warningsOf(ctx context.Context, site int64, filters []model.FilterSpec, field string) ([]plugins.Warning, error) {
	warnings := []plugins.Warning{}
	for i := range filters {
		compiled, err := r.filters.Compile(ctx, filters[i])
		if err != nil {
			return nil, model.Under(fmt.Sprintf("%s[%d]", field, i), err)
		}
		own := compiled.Warnings
		for _, place := range places {
			if !filter.Uses(compiled.Predicate, place) {
				continue
			}
			isUnknown, err := r.isUnknown(ctx, site, place)
			if err != nil {
				return nil, err
			}
			if isUnknown {
				own = append(slices.Clip(own), unknownPlace(filters[i].Type, place))
			}
		}
		warnings = append(warnings, host.Under(fmt.Sprintf("%s[%d]", field, i), own)...)
	}
	return warnings, nil
}

func unknownPlace(path string, place filter.Field) plugins.Warning {
	return plugins.Warning{Code: nothingKnown, Path: path, Message: fmt.Sprintf(
		"no session of the site has a known %s: start the server with a --geoip database, or have the sender tell context.location.%[1]s", place.Name)}
}

// isUnknown tells whether a site has sessions, and none of them has a value of a field.
func (r *Resolver) isUnknown(ctx context.Context, site int64, field filter.Field) (bool, error) {
	all := count.Question{Site: site, In: model.Range{From: -model.Open, To: model.Open}, Where: filter.Bool(true)}
	known := all
	known.Where = filter.Simplify(filter.Not{Expr: filter.In{Field: field, Values: []string{""}}})
	answers, err := waitAll(ctx, collectionOf(ctx).counts.registerAll([]count.Question{all, known}))
	if err != nil {
		return false, err
	}
	return answers[0].Sessions > 0 && answers[1].Sessions == 0, nil
}

func (r *segmentResolver) Warnings(ctx context.Context, segment *model.Segment) ([]plugins.Warning, error) {
	return r.warningsOf(ctx, segment.SiteID, segment.Filters, "filters")
}

func (r *goalResolver) Warnings(ctx context.Context, goal *model.Goal) ([]plugins.Warning, error) {
	return r.warningsOf(ctx, goal.SiteID, goal.Filters, "filters")
}

// mergedSegment returns what the filters of an active segment and of a goal of a site merge to.
func (r *Resolver) mergedSegment(ctx context.Context, site int64, active, goal []model.FilterSpec) (*view.MergedSegment, error) {
	merged, err := r.filters.Merge(ctx, active, goal)
	if err != nil {
		return nil, err
	}
	return &view.MergedSegment{Merged: merged, Site: site, Active: active, Goal: goal}, nil
}

type mergedSegmentResolver struct{ *Resolver }

func (r *mergedSegmentResolver) Warnings(ctx context.Context, merged *view.MergedSegment) ([]plugins.Warning, error) {
	active, err := r.warningsOf(ctx, merged.Site, merged.Active, "active")
	if err != nil {
		return nil, err
	}
	goal, err := r.warningsOf(ctx, merged.Site, merged.Goal, "goal")
	return append(active, goal...), err
}
