package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/server/ingest"
	"github.com/goalgraph/goalgraph/server/ofrep"
)

const (
	// siteKept is how long what is known of a site is used.
	siteKept = time.Second
	maxSites = 10_000
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
	a.decoder = decoder
	a.writer = ingest.NewWriter(a.store, a.bus, registry, a.options.Log)
	a.pipeline = ingest.NewPipeline(ingest.PipelineOptions{
		Transactions: a.store.Writers(), SiteTransactions: min(2, a.store.Writers()), Write: a.writer.Write,
	})
	a.onStop("writing of messages", a.pipeline.Close)
	if a.senders, err = a.newSenders(); err != nil {
		return nil, err
	}
	return ingest.NewTracker(ingest.TrackerOptions{
		Decoder: decoder, Pipeline: a.pipeline, Sender: a.senders.sender, TrustedProxies: a.options.TrustedProxies, Metrics: registry, Log: a.options.Log,
	}), nil
}

// newFlags makes the part that gives visitors their variants.
func (a *App) newFlags(registry prometheus.Registerer, streams int) (err error) {
	a.flags, err = ofrep.New(ofrep.Options{
		Store: a.store, Host: a.host, Bus: a.bus, Pipeline: a.pipeline, Decoder: a.decoder, Sender: a.senders.asker, Watch: a.directory.Watch,
		TrustedProxies: a.options.TrustedProxies, Streams: streams, Metrics: registry, Log: a.options.Log,
	})
	return err
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

// prune deletes message ids that are too old to arrive again, and kept assignments that can matter no more.
func (a *App) prune(ctx context.Context) {
	before := model.MillisOf(time.Now()).Day() - messagesKept
	sites, err := a.store.Sites(ctx)
	for i := range sites {
		for pruned := pruneSome; err == nil && pruned == pruneSome; {
			pruned, err = a.store.PruneMessages(ctx, sites[i].ID, before, pruneSome)
		}
		for pruned := pruneSome; err == nil && pruned == pruneSome; {
			pruned, err = a.store.PruneAssignments(ctx, sites[i].ID, pruneSome)
		}
	}
	if err != nil && ctx.Err() == nil {
		a.options.Log.WarnContext(ctx, "cannot delete the ids of old messages, or old assignments; trying again later", "error", err)
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
