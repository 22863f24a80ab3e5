package graph

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// defaultValues is how many values are listed where a client does not say.
const defaultValues = 20

func (r *siteResolver) Values(ctx context.Context, site *model.Site, filterType string, key, search *string, filters []scalar.FilterInput, given *model.TimeRange, first *int) ([]view.ValueCount, error) {
	n, err := checkSize("first", first, defaultValues)
	if err != nil {
		return nil, err
	}
	t, ok := r.filters.Type(filterType)
	if !ok {
		return nil, model.Invalid("filterType", "there is no filter type %.40q; filterTypes lists them", filterType)
	}
	in, err := r.rangeOrAll(ctx, site.ID, given)
	if err != nil {
		return nil, err
	}
	query, _, err := r.sessionsOf(ctx, site, nil, nil, filters, in)
	if err != nil {
		return nil, err
	}
	if t.Name == variantType {
		return r.variantValues(ctx, site, query, text(key), text(search), n)
	}
	field, err := fieldOf(t, key)
	if err != nil {
		return nil, err
	}
	none := t.None != "" && contains(t.None, text(search))
	found, err := r.engine.Values(ctx, count.ValueQuery{Site: site.ID, In: query.In, Where: query.Where, Field: field, Search: text(search), Limit: n, None: none})
	return valuesOfType(t, found), err
}

// The filter types whose dimension is chosen by a key.
const (
	propertyType = "property"
	variantType  = "variant"
	utmType      = "utm"
)

// utmFields are the fields of the parameters of utmType.
var utmFields = map[string]filter.Field{
	"source": filter.UTMSource, "medium": filter.UTMMedium, "campaign": filter.UTMCampaign, "term": filter.UTMTerm, "content": filter.UTMContent,
}

// fieldOf returns the field whose values are listed for a filter type.
func fieldOf(t *host.Type, key *string) (filter.Field, error) {
	switch {
	case t.Name == propertyType && text(key) == "":
		return filter.PropertyKeys, nil
	case t.Name == propertyType:
		return filter.Property(*key), nil
	case t.Name == utmType && key != nil:
		field, ok := utmFields[*key]
		if !ok {
			return field, model.Invalid("key", "%.40q is no UTM parameter; use %s", *key, strings.Join(slices.Sorted(maps.Keys(utmFields)), ", "))
		}
		return field, nil
	case t.Dimension == filter.Field{}:
		return t.Dimension, model.Invalid("filterType", "%s has no values to list", t.Name)
	case key != nil:
		return t.Dimension, model.Invalid("key", "is given; %s takes none", t.Name)
	}
	return t.Dimension, nil
}

// variantValues returns the variants of the experiment with a key.
func (r *Resolver) variantValues(ctx context.Context, site *model.Site, query count.BreakdownQuery, key, search string, n int) ([]view.ValueCount, error) {
	if key == "" {
		return nil, model.Invalid("key", "is missing; give the key of the experiment")
	}
	variants, err := r.variants(ctx, site, key)
	if err != nil {
		return nil, model.Under("key", err)
	}
	query.By, query.Limit = []count.Grouping{variants}, len(variants.Choices)+1
	found, err := r.engine.Breakdown(ctx, query)
	if err != nil {
		return nil, err
	}
	values := []view.ValueCount{}
	for _, row := range found.Rows {
		if value := row.Values[0]; value != "" && contains(value, search) && len(values) < n {
			values = append(values, view.ValueCount{Value: value, Sessions: row.Sessions})
		}
	}
	return values, nil
}

// contains tells whether a search is part of a text, without regard to case.
func contains(text, search string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(search))
}

// valuesOfType returns values as clients see them: none has the name that the type gives it.
func valuesOfType(t *host.Type, found []count.Value) []view.ValueCount {
	values := make([]view.ValueCount, len(found))
	for i, value := range found {
		if value.Text == "" {
			value.Text = t.None
		}
		values[i] = view.ValueCount{Value: value.Text, Sessions: value.Sessions}
	}
	return values
}
