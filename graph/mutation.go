package graph

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/model"
)

// The mutations of segments and goals stand in their files.
type mutationResolver struct{ *Resolver }

func (r *mutationResolver) CreateSite(ctx context.Context, input generated.CreateSiteInput) (*model.Site, error) {
	site := &model.Site{Name: input.Name, Domains: input.Domains.Value(), Timezone: "UTC", IgnoredReferrers: input.IgnoredReferrers.Value()}
	set(&site.Timezone, input.Timezone)
	set(&site.Addresses, input.Addresses)
	set(&site.Bots, input.Bots)
	return site, underInput(r.store.CreateSite(ctx, site))
}

func (r *mutationResolver) UpdateSite(ctx context.Context, input generated.UpdateSiteInput) (*model.Site, error) {
	id, err := decodeID(siteNoun, input.ID, "input.id")
	if err != nil {
		return nil, err
	}
	site, err := r.store.UpdateSite(ctx, id, func(site *model.Site) error {
		set(&site.Name, input.Name)
		set(&site.Timezone, input.Timezone)
		set(&site.Addresses, input.Addresses)
		set(&site.Bots, input.Bots)
		if ignored := input.IgnoredReferrers.Value(); ignored != nil {
			site.IgnoredReferrers = ignored
		}
		if domains := input.Domains.Value(); domains != nil {
			site.Domains = domains
		}
		return nil
	})
	return site, underInput(aboutID("id", err))
}

func (r *mutationResolver) DeleteSite(ctx context.Context, id string) (string, error) {
	n, err := decodeID(siteNoun, id, "id")
	if err != nil {
		return "", err
	}
	return id, aboutID("id", r.store.DeleteSite(ctx, n))
}

// underInput puts the field that an error is about under the mutation's argument.
func underInput(err error) error {
	if e, ok := errors.AsType[*model.Error](err); ok && e.Field != "" {
		return model.Under("input", e)
	}
	return err
}

// aboutID says of which field the id is that nothing was found for.
func aboutID(field string, err error) error {
	if e, ok := errors.AsType[*model.Error](err); ok && e.Code == model.NotFound && e.Field == "" {
		return model.Under(field, e)
	}
	return err
}

// given returns what an optional input field says, and whether it says something
// other than null.
func given[T any](field graphql.Omittable[*T]) (value T, ok bool) {
	if pointer := field.Value(); pointer != nil {
		return *pointer, true
	}
	return value, false
}

// set sets *to where the optional input field says something other than null.
func set[T any](to *T, field graphql.Omittable[*T]) {
	if value, ok := given(field); ok {
		*to = value
	}
}

// setOrRefuse is set for texts that have a default: an empty one is refused
// rather than taken for none.
func setOrRefuse(to *string, field graphql.Omittable[*string], name string) error {
	if value, ok := given(field); ok && value == "" {
		return model.Invalid(name, "is empty; leave it out for the default")
	}
	set(to, field)
	return nil
}
