package graph

import (
	"context"
	"fmt"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
)

// fields are the dimensions that are text fields without a key.
var fields = map[generated.Dimension]filter.Field{
	generated.DimensionReferrer:    filter.Referrer,
	generated.DimensionPage:        filter.Pages,
	generated.DimensionEntryPage:   filter.EntryPage,
	generated.DimensionExitPage:    filter.ExitPage,
	generated.DimensionHostname:    filter.Hostname,
	generated.DimensionCountry:     filter.Country,
	generated.DimensionRegion:      filter.Region,
	generated.DimensionCity:        filter.City,
	generated.DimensionBrowser:     filter.Browser,
	generated.DimensionOs:          filter.OS,
	generated.DimensionDevice:      filter.Device,
	generated.DimensionLanguage:    filter.Language,
	generated.DimensionUtmSource:   filter.UTMSource,
	generated.DimensionUtmMedium:   filter.UTMMedium,
	generated.DimensionUtmCampaign: filter.UTMCampaign,
	generated.DimensionUtmTerm:     filter.UTMTerm,
	generated.DimensionUtmContent:  filter.UTMContent,
	generated.DimensionVisitorKind: filter.VisitorKind,
	generated.DimensionTag:         filter.Tags,
	generated.DimensionEvent:       filter.Events,
}

// argument names an argument of a filter type.
type argument struct{ filterType, path string }

// keeping are the arguments of the built-in filter types that keep the sessions with a value of a dimension.
var keeping = map[argument]generated.Dimension{
	{"referrer", "is"}:    generated.DimensionReferrer,
	{"pages", "all"}:      generated.DimensionPage,
	{"entryPage", "is"}:   generated.DimensionEntryPage,
	{"exitPage", "is"}:    generated.DimensionExitPage,
	{"hostname", "is"}:    generated.DimensionHostname,
	{"country", "is"}:     generated.DimensionCountry,
	{"region", "is"}:      generated.DimensionRegion,
	{"city", "is"}:        generated.DimensionCity,
	{"browser", "is"}:     generated.DimensionBrowser,
	{"os", "is"}:          generated.DimensionOs,
	{"device", "is"}:      generated.DimensionDevice,
	{"language", "is"}:    generated.DimensionLanguage,
	{utmType, "source"}:   generated.DimensionUtmSource,
	{utmType, "medium"}:   generated.DimensionUtmMedium,
	{utmType, "campaign"}: generated.DimensionUtmCampaign,
	{utmType, "term"}:     generated.DimensionUtmTerm,
	{utmType, "content"}:  generated.DimensionUtmContent,
	{"visitor", "kind"}:   generated.DimensionVisitorKind,
	{"tags", "all"}:       generated.DimensionTag,
	{"events", "all"}:     generated.DimensionEvent,
	{"hour", "is"}:        generated.DimensionHour,
	{"weekday", "is"}:     generated.DimensionWeekday,
	{propertyType, "is"}:  generated.DimensionProperty,
	{variantType, "is"}:   generated.DimensionVariant,
}

// groupings returns what sessions are grouped by. Each PROPERTY and VARIANT takes the next of the keys.
func (r *Resolver) groupings(ctx context.Context, site *model.Site, by []generated.Dimension, keys []string) ([]count.Grouping, error) {
	if len(by) == 0 || len(by) > count.MaxGroupings {
		return nil, model.Invalid("by", "%d dimensions are given; a breakdown has 1 to %d", len(by), count.MaxGroupings)
	}
	groupings, taken := make([]count.Grouping, len(by)), 0
	for i, dimension := range by {
		key := ""
		if dimension == generated.DimensionProperty || dimension == generated.DimensionVariant {
			if taken == len(keys) {
				return nil, model.Invalid("keys", "has %d keys; %s at by[%d] needs one more", len(keys), dimension, i)
			}
			if key = keys[taken]; key == "" {
				return nil, model.Invalid(fmt.Sprintf("keys[%d]", taken), "is empty; %s at by[%d] needs a key", dimension, i)
			}
			taken++
		}
		var err error
		if groupings[i], err = r.grouping(ctx, site, dimension, key); err != nil {
			return nil, model.Under(fmt.Sprintf("keys[%d]", max(0, taken-1)), err)
		}
	}
	if taken < len(keys) {
		return nil, model.Invalid("keys", "has %d keys; the dimensions of `by` take %d", len(keys), taken)
	}
	if len(by) == 2 && by[0] == by[1] && (taken == 0 || keys[0] == keys[1]) {
		return nil, model.Invalid("by[1]", "is the same dimension as by[0]; name another one, or leave it out")
	}
	return groupings, nil
}

func (r *Resolver) grouping(ctx context.Context, site *model.Site, dimension generated.Dimension, key string) (count.Grouping, error) {
	switch dimension {
	case generated.DimensionHour, generated.DimensionWeekday:
		zone, err := site.Location()
		clock := count.HourOfDay
		if dimension == generated.DimensionWeekday {
			clock = count.DayOfWeek
		}
		return count.Grouping{Clock: clock, Zone: zone}, err
	case generated.DimensionProperty:
		return count.Grouping{Field: filter.Property(key)}, nil
	case generated.DimensionVariant:
		return r.variants(ctx, site, key)
	}
	return count.Grouping{Field: fields[dimension]}, nil
}

// variants returns the grouping by the variants of an experiment.
func (r *Resolver) variants(ctx context.Context, site *model.Site, key string) (g count.Grouping, err error) {
	e, err := orNil(r.store.ExperimentByKey(ctx, site.ID, key))
	if err != nil {
		return g, err
	}
	if e == nil {
		return g, model.Invalid("", "the site has no experiment %.40q; experiments lists them", key)
	}
	for _, variant := range e.Variants {
		g.Choices = append(g.Choices, count.Choice{Value: variant.Key, Where: filter.Simplify(filter.Assigned{Experiment: key, Variants: []string{variant.Key}})})
	}
	return g, nil
}
