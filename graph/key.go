package graph

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
)

// mayManage tells whether a principal may see, rotate and revoke a key: one that can do nothing where it cannot.
func mayManage(p *model.Principal, key *model.Key) bool {
	if p.May(model.AdminScope, model.AllSites) {
		return true
	}
	elsewhere := func(site int64) bool { return !p.May(model.AdminScope, site) }
	return !key.AllSites && len(key.Sites) > 0 && !slices.ContainsFunc(key.Sites, elsewhere)
}

// Keys returns the keys that the actor manages.
func (g guard) Keys(ctx context.Context) ([]model.Key, error) {
	p := model.ActorOf(ctx).Principal
	keys, err := g.store.Keys(ctx)
	return slices.DeleteFunc(keys, func(key model.Key) bool { return !mayManage(p, &key) }), err
}

// managed refuses a key that the actor does not manage, as if it did not exist.
func managed(ctx context.Context) func(*model.Key) error {
	p := model.ActorOf(ctx).Principal
	return func(key *model.Key) error {
		if !mayManage(p, key) {
			return noKey()
		}
		return nil
	}
}

// noKey is what the store says where there is no key.
func noKey() error {
	return model.Errorf(model.NotFound, "there is no such key; it may have been deleted")
}

func (g guard) CreateKey(ctx context.Context, key *model.Key) error {
	if actor := model.ActorOf(ctx); key.AllSites && !actor.May(model.AdminScope, model.AllSites) {
		return forbidden(actor.Principal, model.AdminScope, model.AllSites)
	}
	for i, id := range key.Sites {
		site, err := changeable(ctx, model.AdminScope, id)
		if err == nil {
			_, err = g.store.Site(ctx, site)
		}
		if err != nil {
			return model.Under(fmt.Sprintf("sites[%d]", i), err)
		}
	}
	return g.store.CreateKey(ctx, key)
}

func (g guard) RotateKey(ctx context.Context, id int64, overlap model.Millis) (successor model.Key, secret string, err error) {
	return g.store.RotateKey(ctx, id, overlap, managed(ctx))
}

func (g guard) RevokeKey(ctx context.Context, id int64) (model.Key, error) {
	return g.store.RevokeKey(ctx, id, managed(ctx))
}

func viewOfKey(key *model.Key) *view.Key {
	return &view.Key{
		ID: encodeID(keyNoun, key.ID), Name: key.Name, Prefix: key.Prefix, CreatedBy: key.CreatedBy, Scope: key.Scope, AllSites: key.AllSites, Sites: key.Sites,
		Origins: append([]string{}, key.Origins...), CreatedAt: key.CreatedAt.Time(),
		ExpiresAt: instant(key.ExpiresAt), LastUsedAt: instant(key.LastUsedAt), RevokedAt: instant(key.RevokedAt),
	}
}

type keyResolver struct{ *Resolver }

func (r *keyResolver) Sites(ctx context.Context, key *view.Key) ([]model.Site, error) {
	if key.AllSites {
		return nil, nil
	}
	sites := make([]model.Site, 0, len(key.Sites))
	pointers, err := collectionOf(ctx).sites.loadAll(ctx, key.Sites)
	for _, site := range pointers {
		if site != nil { // which was deleted meanwhile
			sites = append(sites, *site)
		}
	}
	return sites, err
}

func (r *queryResolver) APIKeys(ctx context.Context) ([]view.Key, error) {
	keys, err := r.store.Keys(ctx)
	views := make([]view.Key, len(keys))
	for i := range keys {
		views[i] = *viewOfKey(&keys[i])
	}
	return views, err
}

func (r *mutationResolver) CreateAPIKey(ctx context.Context, input generated.CreateAPIKeyInput) (*generated.CreateAPIKeyPayload, error) {
	key := &model.Key{Name: input.Name, Scope: input.Scope, AllSites: input.Sites.Value() == nil, Origins: input.Origins.Value()}
	var err error
	if key.Sites, err = decodeIDs(siteNoun, input.Sites.Value(), "input.sites"); err != nil {
		return nil, err
	}
	if at, ok := given(input.ExpiresAt); ok {
		key.ExpiresAt = model.MillisOf(at)
	}
	secret := key.NewSecret()
	if err := r.store.CreateKey(ctx, key); err != nil {
		return nil, underInput(err)
	}
	return &generated.CreateAPIKeyPayload{APIKey: viewOfKey(key), Secret: secret}, nil
}

// maxOverlap is how long a key works beside its successor at most.
const maxOverlap = 90 * 24 * time.Hour

func (r *mutationResolver) RotateAPIKey(ctx context.Context, id string, overlap time.Duration) (*generated.RotateAPIKeyPayload, error) {
	n, err := decodeID(keyNoun, id, "id")
	if err != nil {
		return nil, err
	}
	if overlap > maxOverlap {
		return nil, model.Invalid("overlap", "is longer than 90 days; give at most \"P90D\"")
	}
	key, secret, err := r.store.RotateKey(ctx, n, model.Millis(overlap.Milliseconds()))
	if err != nil {
		return nil, aboutID("id", err)
	}
	return &generated.RotateAPIKeyPayload{APIKey: viewOfKey(&key), Secret: secret}, nil
}

func (r *mutationResolver) RevokeAPIKey(ctx context.Context, id string) (*generated.RevokeAPIKeyPayload, error) {
	n, err := decodeID(keyNoun, id, "id")
	if err != nil {
		return nil, err
	}
	key, err := r.store.RevokeKey(ctx, n)
	if err != nil {
		return nil, aboutID("id", err)
	}
	return &generated.RevokeAPIKeyPayload{APIKey: viewOfKey(&key)}, nil
}
