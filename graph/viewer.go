package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
)

func (r *queryResolver) Viewer(ctx context.Context) (*view.Viewer, error) {
	p := model.ActorOf(ctx).Principal
	if p.Kind == model.AnonymousPrincipal && len(p.Grants) == 0 {
		return nil, nil
	}
	viewer := &view.Viewer{Name: p.Name, Kind: p.Kind, ExpiresAt: instant(p.Expires), Grants: make([]view.Grant, len(p.Grants))}
	for i, grant := range p.Grants {
		viewer.Grants[i] = view.Grant{Site: grant.Site, Scope: grant.Scope}
		if grant.Site != model.AllSites {
			id := encodeID(siteNoun, grant.Site)
			viewer.Grants[i].SiteID = &id
		}
	}
	return viewer, nil
}

type grantResolver struct{ *Resolver }

func (r *grantResolver) Site(ctx context.Context, grant *view.Grant) (*model.Site, error) {
	return r.oneSite(ctx, grant.Site)
}

type siteRoleResolver struct{ *Resolver }

func (r *siteRoleResolver) Site(ctx context.Context, role *view.SiteRole) (*model.Site, error) {
	return r.oneSite(ctx, role.Site)
}

// oneSite returns the site of a grant; nil for all sites, and for one that the actor does not read.
func (r *Resolver) oneSite(ctx context.Context, site int64) (*model.Site, error) {
	if site == model.AllSites || readable(ctx, site) == nowhere {
		return nil, nil
	}
	return orNil(r.siteOf(ctx, site))
}

func (r *queryResolver) Logins(ctx context.Context) ([]view.Login, error) {
	logins, err := r.store.Logins(ctx)
	views := make([]view.Login, len(logins))
	for i, login := range logins {
		views[i] = view.Login{
			ID: encodeTextID(loginNoun, login.Hash), Current: login.Hash == model.ActorOf(ctx).Login, Address: optional(login.Address), UserAgent: optional(login.UserAgent),
			CreatedAt: login.CreatedAt.Time(), SeenAt: login.SeenAt.Time(), ExpiresAt: login.ExpiresAt.Time(),
		}
	}
	return views, err
}
