package graph

import (
	"context"
	"strings"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// defaultValues is how many values are listed where a client does not say.
const defaultValues = 20

func (r *siteResolver) Values(ctx context.Context, site *model.Site, filterType string, search *string, first *int) ([]view.ValueCount, error) {
	n, err := checkFirst(first, defaultValues)
	if err != nil {
		return nil, err
	}
	t, err := r.typeOfValues(filterType)
	if err != nil {
		return nil, err
	}
	none := t.None != "" && strings.Contains(strings.ToLower(t.None), strings.ToLower(text(search)))
	found, err := r.engine.Values(ctx, count.ValueQuery{Site: site.ID, Field: t.Dimension, Search: text(search), Limit: n, None: none})
	return valuesOfType(t, found), err
}

// typeOfValues returns the filter type of the name, whose values can be listed.
func (r *Resolver) typeOfValues(name string) (*host.Type, error) {
	t, ok := r.filters.Type(name)
	if !ok {
		return nil, model.Invalid("filterType", "there is no filter type %.40q; filterTypes lists them", name)
	}
	if t.Dimension == (filter.Field{}) {
		return nil, model.Invalid("filterType", "%s has no values to list", name)
	}
	return t, nil
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
