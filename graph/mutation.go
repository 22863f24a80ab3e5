package graph

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// The mutations of segments and goals stand in their files.
type mutationResolver struct{ *Resolver }

func (r *mutationResolver) CreateSite(ctx context.Context, input generated.CreateSiteInput) (*view.ChangedSite, error) {
	site := &model.Site{Name: input.Name, Domains: input.Domains.Value(), Timezone: "UTC", IgnoredReferrers: input.IgnoredReferrers.Value()}
	set(&site.Timezone, input.Timezone)
	set(&site.Addresses, input.Addresses)
	set(&site.Bots, input.Bots)
	setHoldout(site, input.Holdout)
	site.RetentionDays = input.RetentionDays.Value()
	return r.changedSite(site, underInput(r.store.CreateSite(ctx, site)))
}

func (r *mutationResolver) UpdateSite(ctx context.Context, input generated.UpdateSiteInput) (*view.ChangedSite, error) {
	id, err := decodeID(siteNoun, input.ID, "input.id")
	if err != nil {
		return nil, err
	}
	site, err := r.store.UpdateSite(ctx, id, func(site *model.Site) error {
		if err := unchanged(siteNoun, site.UpdatedAt, input.ExpectedUpdatedAt.Value()); err != nil {
			return err
		}
		set(&site.Name, input.Name)
		set(&site.Timezone, input.Timezone)
		set(&site.Addresses, input.Addresses)
		set(&site.Bots, input.Bots)
		setHoldout(site, input.Holdout)
		if days, isGiven := input.RetentionDays.ValueOK(); isGiven {
			site.RetentionDays = days
		}
		if ignored := input.IgnoredReferrers.Value(); ignored != nil {
			site.IgnoredReferrers = ignored
		}
		if domains := input.Domains.Value(); domains != nil {
			site.Domains = domains
		}
		return nil
	})
	return r.changedSite(site, underInput(aboutID("id", err)))
}

// setHoldout sets a site's holdout if it was given.
func setHoldout(site *model.Site, field graphql.Omittable[*generated.HoldoutInput]) {
	if input := field.Value(); input != nil {
		site.Holdout = &model.Holdout{Share: input.Share}
		set(&site.Holdout.Seed, input.Seed)
	}
}

func (r *mutationResolver) changedSite(site *model.Site, err error) (*view.ChangedSite, error) {
	if err != nil {
		return nil, err
	}
	return &view.ChangedSite{ListedSites: view.ListedSites{Read: r.store.Sites}, Site: site}, nil
}

func (r *mutationResolver) DeleteSite(ctx context.Context, id string, expected *time.Time) (*view.DeletedSite, error) {
	n, err := decodeID(siteNoun, id, "id")
	if err == nil {
		err = aboutID("id", r.store.DeleteSite(ctx, n, func(site *model.Site) error { return unchanged(siteNoun, site.UpdatedAt, expected) }))
	}
	if err != nil {
		return nil, err
	}
	return &view.DeletedSite{ListedSites: view.ListedSites{Read: r.store.Sites}, DeletedID: id}, nil
}

func (r *mutationResolver) DeleteVisitor(ctx context.Context, siteID, visitorID string) (*int, error) {
	site, err := decodeID(siteNoun, siteID, "siteId")
	if err != nil {
		return nil, err
	}
	erased, err := r.store.EraseVisitor(ctx, site, visitorID)
	if err != nil {
		return nil, aboutID("siteId", err)
	}
	return &erased, nil
}

// listed returns what the payloads of a change of a site's lists have in common.
func (r *Resolver) listed(site int64) view.Listed {
	return view.Listed{Read: func(ctx context.Context) (*model.Site, error) { return r.siteOf(ctx, site) }}
}

// deleted is the payload of what deletes an object of a site.
func (r *mutationResolver) deleted(id string, site int64, err error) (*view.Deleted, error) {
	if err != nil {
		return nil, aboutID("id", err)
	}
	return &view.Deleted{Listed: r.listed(site), DeletedID: id}, nil
}

// deletedAll is the payload of what deletes several objects of a site.
func (r *mutationResolver) deletedAll(ids []string, site int64, err error) (*view.DeletedAll, error) {
	if err != nil {
		return nil, model.Under("ids", err)
	}
	return &view.DeletedAll{Listed: r.listed(site), DeletedIDs: ids}, nil
}

// decodeTogether returns the numbers of the objects that are changed together.
func decodeTogether(want noun, ids []string) ([]int64, error) {
	if len(ids) == 0 || len(ids) > store.MaxTogether {
		return nil, model.Invalid("ids", "%d ids are given; give 1 to %d", len(ids), store.MaxTogether)
	}
	return decodeIDs(want, ids, "ids")
}

// unchanged refuses to change what has changed since the client saw it, if he says when that was.
func unchanged(noun noun, updatedAt time.Time, expected *time.Time) error {
	if expected == nil || model.MillisOf(*expected) == model.MillisOf(updatedAt) {
		return nil
	}
	return &model.Error{Code: model.Conflict, Field: "expectedUpdatedAt", Message: fmt.Sprintf("the %s has changed since, at %s; load it again, and see whether you still want this",
		strings.ToLower(string(noun)), updatedAt.UTC().Format(time.RFC3339Nano))}
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
