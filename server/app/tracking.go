package app

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/server/ingest"
)

const (
	// keyKept is how long a key's lookup is cached. A revoked key may send for that
	// long.
	keyKept = time.Second
	maxKeys = 10_000
	// Message ids are kept for at least messagesKept days: for longer than SDKs send a message again.
	messagesKept = 8
	prunePass    = time.Hour
	pruneSome    = 20_000
	// reloadPass is the time between two checks of the location database file.
	reloadPass = 2 * time.Second
	// runningPass is the time between two loads of the running experiments.
	runningPass = 2 * time.Second
)

// newTracker returns the part that receives messages over HTTP.
func (a *App) newTracker(registry prometheus.Registerer) (*ingest.Tracker, error) {
	decoder, err := ingest.NewDecoder(a.locations)
	if err != nil {
		return nil, err
	}
	a.writer = ingest.NewWriter(a.store, a.bus, registry, a.options.Log)
	a.pipeline = ingest.NewPipeline(ingest.PipelineOptions{
		Transactions: a.store.Writers(), SiteTransactions: min(2, a.store.Writers()), Write: a.writer.Write,
	})
	a.onStop("writing of messages", a.pipeline.Close)
	keys, err := otter.New(&otter.Options[string, *model.Site]{
		MaximumSize: maxKeys, ExpiryCalculator: otter.ExpiryWriting[string, *model.Site](keyKept),
	})
	if err != nil {
		return nil, err
	}
	return ingest.NewTracker(ingest.TrackerOptions{
		Decoder: decoder, Pipeline: a.pipeline, TrustedProxies: a.options.TrustedProxies, Metrics: registry, Log: a.options.Log,
		Site: func(ctx context.Context, key string) (*model.Site, error) {
			if site, known := keys.GetIfPresent(key); known {
				return site, nil
			}
			site, err := a.siteOfKey(ctx, key)
			if err == nil {
				keys.Set(key, site)
			}
			return site, err
		},
	}), nil
}

// siteOfKey returns the site of a write key. Without authentication, which requires a
// loopback address, a site's domain is a write key too.
func (a *App) siteOfKey(ctx context.Context, secret string) (*model.Site, error) {
	if secret == "" {
		return nil, model.Errorf(model.Unauthenticated, "the request has no write key; send it as the user name of Basic authentication, as a Bearer token, or as writeKey in the body")
	}
	key, err := a.store.KeyByHash(ctx, model.HashOf(secret))
	switch {
	case model.CodeOf(err) == model.NotFound && a.options.Auth == AuthNone:
		site, err := a.store.SiteByDomain(ctx, secret)
		if model.CodeOf(err) == model.NotFound {
			return nil, model.Errorf(model.Unauthenticated, "the write key is unknown; without authentication, a site's domain works as well")
		}
		return site, err
	case model.CodeOf(err) == model.NotFound:
		return nil, model.Errorf(model.Unauthenticated, "the write key is unknown")
	case err != nil:
		return nil, err
	case key.RevokedAt != 0:
		return nil, model.Errorf(model.Unauthenticated, "the write key was revoked")
	case !key.Scope.Includes(model.WriteScope):
		return nil, model.Errorf(model.Unauthenticated, "the key has the scope %s; use a write key to send messages", key.Scope)
	case len(key.Sites) != 1:
		return nil, model.Errorf(model.Unauthenticated, "the key is of several sites; use a key of one site to send messages")
	}
	site, err := a.store.Site(ctx, key.Sites[0])
	if model.CodeOf(err) == model.NotFound {
		return nil, model.Errorf(model.Unauthenticated, "the site of this key was deleted")
	}
	return site, err
}

// prefetchWrites makes the engine read new writes before anyone asks.
func (a *App) prefetchWrites(e *engine.Engine) {
	cancel := a.bus.Subscribe(func(change live.Change) { e.Prefetch(change.Site) })
	a.onStop("prefetching of writes", func(context.Context) error {
		cancel()
		return nil
	})
}

// every calls do at once, and then after every pause, until the context is done.
func every(ctx context.Context, pause time.Duration, do func(context.Context)) {
	ticks := time.NewTicker(pause)
	defer ticks.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// pruneMessages deletes message ids that are too old to arrive again.
func (a *App) pruneMessages(ctx context.Context) {
	before := model.MillisOf(time.Now()).Day() - messagesKept
	sites, err := a.store.Sites(ctx)
	for i := range sites {
		for pruned := pruneSome; err == nil && pruned == pruneSome; {
			pruned, err = a.store.PruneMessages(ctx, sites[i].ID, before, pruneSome)
		}
	}
	if err != nil && ctx.Err() == nil {
		a.options.Log.WarnContext(ctx, "cannot delete the ids of old messages; trying again later", "error", err)
	}
}

// reloadLocations returns a function that reloads the location database if its file has
// changed.
func (a *App) reloadLocations() func(context.Context) {
	said := ""
	return func(ctx context.Context) {
		changed, err := a.locations.Reload()
		switch {
		case err != nil && err.Error() != said:
			said = err.Error()
			a.options.Log.WarnContext(ctx, "cannot reload the location database; using the one loaded before", "error", err)
		case err == nil:
			if said = ""; changed {
				a.options.Log.InfoContext(ctx, "reloaded the location database", "file", a.options.GeoIP)
			}
		}
	}
}
