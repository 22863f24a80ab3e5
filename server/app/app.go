// Package app wires the parts of Goalgraph together and runs them. App is the server:
// the store, the plugin host, the count engine and the graph behind HTTP. The other
// functions are the commands that need the same parts without a server.
package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/graph/transport"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/server/access"
	"github.com/goalgraph/goalgraph/server/app/sample"
	"github.com/goalgraph/goalgraph/server/ingest"
	"github.com/goalgraph/goalgraph/server/login"
	"github.com/goalgraph/goalgraph/server/mcp"
	"github.com/goalgraph/goalgraph/server/ofrep"
)

// App is a running Goalgraph.
type App struct {
	options Options
	store   *store.Store
	redis   *redis.Client // nil without --redis
	host    *host.Host
	bus     live.Bus
	// locations is nil without a location database.
	locations *ingest.Locations
	decoder   *ingest.Decoder
	pipeline  *ingest.Pipeline
	writer    *ingest.Writer
	senders   *senders
	flags     *ofrep.Handler
	directory *access.Directory
	door      *access.Door
	logins    *login.Logins
	bodies    *bodies
	// tls is nil for plain HTTP, and certificate where it is not of files.
	tls         *tls.Config
	certificate *certificateFiles
	listener    *connections
	server      *http.Server
	// admin is nil where operators have no address of their own.
	adminListener net.Listener
	admin         *http.Server

	cleanups []cleanup
	stop     sync.Once
	stopErr  error
}

// cleanup undoes a step of New.
type cleanup struct {
	name string
	do   func(context.Context) error
}

// New opens and migrates the database, starts the plugins and listens. If a step fails,
// New undoes the earlier ones. Run answers requests.
func New(ctx context.Context, o Options) (app *App, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	a := &App{options: o, bodies: newBodies(bodyLimit)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop())
		}
	}()

	if o.GeoIP != "" {
		if a.locations, err = ingest.OpenLocations(o.GeoIP); err != nil {
			return nil, err
		}
	}
	if o.Redis != "" {
		if a.redis, err = openRedis(o.Redis); err != nil {
			return nil, err
		}
		a.onStop("Redis client", func(context.Context) error { return a.redis.Close() })
		if err := pingRedis(ctx, a.redis); err != nil {
			o.Log.WarnContext(ctx, "Redis is unreachable; answers stay the same without it", "address", a.redis.Options().Addr, "error", err)
		} else {
			o.Log.InfoContext(ctx, "Redis is reachable", "address", a.redis.Options().Addr)
		}
	}

	// It is told of by the store, which comes first because a shared bus goes by its name.
	defined := func(site int64) {
		if a.flags != nil { // nothing asks for variants before
			a.flags.Forget(site)
		}
		a.bus.Publish(live.Change{Site: site})
	}
	if a.store, err = openStore(ctx, o, defined); err != nil {
		return nil, err
	}
	a.onStop("database", func(context.Context) error { return a.store.Close() })
	if a.bus, err = a.newBus(ctx); err != nil {
		return nil, err
	}

	if a.host, err = StartPlugins(ctx, o); err != nil {
		return nil, err
	}
	a.onStop("plugins", func(context.Context) error { return a.host.Close() })

	if o.Sample {
		if err := sample.Load(ctx, a.store, o.Log); err != nil {
			return nil, fmt.Errorf("load the sample: %w", err)
		}
	}

	registry := newRegistry()
	engine, err := a.newEngine(ctx, registry)
	if err != nil {
		return nil, err
	}
	a.onStop("engine", func(context.Context) error {
		engine.Close()
		return nil
	})
	a.prefetchWrites(engine)
	if err := a.newDoor(ctx); err != nil {
		return nil, err
	}
	tracker, err := a.newTracker(registry)
	if err != nil {
		return nil, err
	}
	rules := stats.Rules{MinVisitors: int64(o.MinVisitors), MinDuration: time.Duration(o.MinDays) * 24 * time.Hour}
	documents, err := readDocuments(o)
	if err != nil {
		return nil, err
	}
	executor, err := graph.New(graph.Options{
		Store: a.store, Engine: engine, Host: a.host, Rules: rules, Documents: documents, OnlyDocuments: a.onlyDocuments, MayIntrospect: mayIntrospect,
		Log: o.Log, NewLink: func(ctx context.Context, user int64) (string, error) { return a.logins.NewLink(ctx, user) },
		NoLinks: login.NoLinks(o.OIDCOnly),
	})
	if err != nil {
		return nil, err
	}
	if err := executor.CheckDocuments(ctx); err != nil {
		return nil, err
	}
	points, err := a.newPoints(ctx)
	if err != nil {
		return nil, err
	}
	most, lasting := mostConnections(descriptors())
	if o.MaxConnections > lasting {
		o.Log.WarnContext(ctx, "the process may open too few files for --max-connections; raise its limit (ulimit -n)", "wanted", o.MaxConnections, "possible", lasting)
	}
	connections := min(cmp.Or(o.MaxConnections, lasting), lasting)
	streams := max(1, connections/4)
	if err := a.newFlags(registry, streams); err != nil {
		return nil, err
	}
	carried := transport.Options{
		Bus: a.bus, Points: points, AllowOrigin: a.door.AllowsOrigin, Limits: transport.Limits{Connections: max(1, connections-streams)},
		Metrics: registry, Log: o.Log,
	}
	if o.Auth == AuthKeys { // without authentication, keys of clients say nothing
		carried.Access = a.directory
	}
	g := transport.New(executor, carried)
	assistants, err := mcp.New(mcp.Options{Graph: g, AllowOrigin: a.door.AllowsOrigin, Version: o.Version, Metrics: registry})
	if err != nil {
		return nil, err
	}
	if err := a.newTLS(); err != nil {
		return nil, err
	}
	if err := a.newAdmin(ctx, registry); err != nil {
		return nil, err
	}
	listener, err := a.listen(ctx, o.Listen)
	if err != nil {
		return nil, err
	}
	a.listener = newConnections(listener, most)
	if a.logins, err = newLogins(ctx, o, a.store, a.directory.Again, a.url(), registry); err != nil {
		return nil, err
	}
	if err := a.warn(ctx); err != nil {
		return nil, err
	}
	if err := a.begin(ctx); err != nil {
		return nil, err
	}
	background, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.directory.Run(background) })
	running.Go(func() { a.sealPartitions(background, engine) })
	running.Go(func() { engine.Backfill(background) })
	running.Go(func() { a.logins.Run(background) })
	running.Go(func() { a.logins.CheckProvider(background) })
	running.Go(func() { a.flags.Run(background) })
	running.Go(func() { every(background, prunePass, a.prune) })
	running.Go(func() { every(background, erasePass, a.eraseDue()) })
	running.Go(func() { every(background, runningPass, a.writer.ReloadExperiments) })
	if a.locations != nil {
		running.Go(func() { every(background, reloadPass, a.reloadLocations()) })
	}
	if a.certificate != nil {
		running.Go(func() { every(background, reloadPass, a.reloadCertificate()) })
	}
	a.onStop("background work", func(context.Context) error {
		end()
		running.Wait()
		return nil
	})
	a.server = a.newServer(a.handler(registry, g, assistants, engine, tracker))
	a.server.ConnState = a.listener.note
	a.onStop("HTTP server", func(ctx context.Context) error {
		// No more connections come first: clients whose subscriptions end connect elsewhere.
		a.server.RegisterOnShutdown(a.bodies.stop)
		a.server.RegisterOnShutdown(a.flags.Close)
		subscriptions := make(chan struct{})
		a.server.RegisterOnShutdown(func() {
			g.Close(ctx)
			close(subscriptions)
		})
		err := a.server.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, a.server.Close()) // cuts off the requests that still run
		}
		<-subscriptions
		return err
	})
	return a, nil
}

// newDoor makes what lets requests in.
func (a *App) newDoor(ctx context.Context) (err error) {
	o := a.options
	if a.directory, err = access.NewDirectory(ctx, a.store, access.DirectoryOptions{Log: o.Log}); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return err
	}
	a.door, err = access.NewDoor(access.Options{
		Everyone: o.Auth == AuthNone, Directory: a.directory, Listen: host, Public: o.PublicURL, Names: o.TLSDomains,
		Allowed: o.AllowedOrigins, Proxies: o.TrustedProxies, Log: o.Log,
		User: func(ctx context.Context, r *http.Request) (*model.Principal, error) {
			return a.logins.Principal(ctx, r)
		},
	})
	return err
}

// mayIntrospect lets those ask for the schema who may read something.
func mayIntrospect(ctx context.Context) error {
	if model.ActorOf(ctx).MaySomewhere(model.ReadScope) {
		return nil
	}
	return model.Errorf(model.Unauthenticated, "the schema is for those who may read: send an API key as Authorization: Bearer KEY, or log in")
}

// onlyDocuments tells whether the context's actor may have nothing but trusted documents carried out: who may do no more
// than read.
func (a *App) onlyDocuments(ctx context.Context) bool {
	return a.options.OnlyDocuments && (a.options.Auth == AuthNone || !model.ActorOf(ctx).MaySomewhere(model.EditScope))
}

// readDocuments returns the trusted documents: those of the options, and the server's own.
func readDocuments(o Options) (documents *document.Manifest, err error) {
	if o.Documents != "" {
		if documents, err = document.ReadManifest(o.Documents); err != nil {
			return nil, model.Invalid("--documents", "%v", err)
		}
	}
	own, err := mcp.Documents()
	if o.Auth == AuthNone { // everyone is confined to trusted documents, and may change nothing by the server's own
		own = slices.DeleteFunc(own, func(text string) bool { return strings.Contains(text, "\nmutation ") })
	}
	return documents.With(own...), err
}

// OpenStore opens the database of the options and migrates it.
func OpenStore(ctx context.Context, o Options) (*store.Store, error) { return openStore(ctx, o, nil) }

// openStore opens and migrates the database. The store calls defined with the sites
// whose definitions change.
func openStore(ctx context.Context, o Options, defined func(site int64)) (*store.Store, error) {
	st, err := store.Open(ctx, o.Database, store.Options{Replica: o.Replica, Log: o.Log, MaxValues: o.MaxValues, Defined: defined})
	if err != nil {
		return nil, err
	}
	applied, err := st.Migrate(ctx)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if applied > 0 {
		o.Log.InfoContext(ctx, "migrated the database", "database", store.Redacted(o.Database), "migrations", applied)
	}
	return st, nil
}

// StartPlugins starts the built-in filter plugin and those in the folder.
func StartPlugins(ctx context.Context, o Options) (*host.Host, error) {
	return host.New(ctx, host.Options{Logger: o.Log, Folder: o.Plugins, Taken: graph.HasType})
}

// Address returns the address that the server listens on.
func (a *App) Address() string { return a.listener.Addr().String() }

// Run answers requests until the context is done, and then stops.
func (a *App) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- a.serve() }()
	at := []any{"graphql", a.url() + "/graphql", "graphiql", a.url() + "/graphiql/"}
	if public := a.options.PublicURL; public != "" {
		at = append(at, "public", public)
	}
	a.options.Log.InfoContext(ctx, "listening", at...)
	if a.admin != nil {
		a.options.Log.InfoContext(ctx, "listening for operators", "metrics", "http://"+a.adminListener.Addr().String()+"/metrics")
	}
	select {
	case err := <-failed:
		return errors.Join(err, a.Stop())
	case <-ctx.Done():
		a.options.Log.InfoContext(ctx, "stopping")
		return a.Stop()
	}
}

func (a *App) onStop(name string, do func(context.Context) error) {
	a.cleanups = append(a.cleanups, cleanup{name, do})
}

// Stop undoes what New did, last step first. It waits for running requests, for a
// limited time. It may be called more than once.
func (a *App) Stop() error {
	a.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), a.options.StopTimeout)
		defer cancel()
		for i := len(a.cleanups) - 1; i >= 0; i-- {
			if err := a.cleanups[i].do(ctx); err != nil {
				a.stopErr = errors.Join(a.stopErr, fmt.Errorf("stop the %s: %w", a.cleanups[i].name, err))
			}
		}
	})
	return a.stopErr
}
