package graph

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// Options are the parts of a Graph. Store, Engine and Host must be given.
type Options struct {
	Store *store.Store
	// Engine counts by NewDefinitions of the same store and host.
	Engine Engine
	Host   *host.Host
	// Rules say when an experiment may be decided; by default those of package stats.
	Rules stats.Rules
	// MayIntrospect returns the refusal of a context's caller who may not ask for the schema, and is told no names of it
	// beside those that he wrote; by default everybody may.
	MayIntrospect func(ctx context.Context) error
	// Documents are trusted: they have no bounds but that of their cost. None by default.
	Documents *document.Manifest
	// OnlyDocuments tells whether a context's caller may have nothing but Documents carried out; by default nobody is so
	// confined.
	OnlyDocuments func(ctx context.Context) bool
	// Log takes the errors that clients are not shown; none by default.
	Log *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// NewLink makes a link by which a user sets a password, once, and returns its address; nil where people do not log in.
	NewLink func(ctx context.Context, user int64) (url string, err error)
	// NoLinks is why NewLink makes none; nil where it does.
	NoLinks error
}

// mayIntrospect returns the refusal of a caller who may not ask for the schema.
func (o *Options) mayIntrospect(ctx context.Context) error {
	if o.MayIntrospect == nil {
		return nil
	}
	return o.MayIntrospect(ctx)
}

// documentBytes is about how many bytes of documents are kept that were read, and registryBytes of those that clients have
// registered.
const (
	documentBytes = 16 << 20
	registryBytes = 8 << 20
)

// Graph carries out GraphQL operations. It follows the host's plugins: each operation has the schema of the moment when
// it began, until it ends.
type Graph struct {
	options Options
	// outside presents errors of requests that hold no operation.
	outside  *executor.Executor
	matrices *matrices
	registry *document.Registry

	mu      sync.Mutex
	current *generation // of the newest set
}

// New returns a Graph over the parts. The error says that the types of the host's plugins make no schema.
func New(o Options) (*Graph, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rules == (stats.Rules{}) {
		o.Rules = stats.Rules{MinVisitors: stats.DefaultMinVisitors, MinDuration: stats.DefaultMinDuration}
	}
	g := &Graph{options: o, outside: executor.New(nil)}
	g.outside.SetErrorPresenter(presentError(o.Log, strictVariables{}))
	var err error
	if g.matrices, err = newMatrices(); err != nil {
		return nil, err
	}
	if g.registry, err = document.NewRegistry(registryBytes); err != nil {
		return nil, err
	}
	first, err := g.acquire()
	if err != nil {
		return nil, err
	}
	first.set.Release()
	return g, nil
}

// SDL returns the schema of the moment in the schema definition language. The error says that the context's caller may not
// ask for it.
func (g *Graph) SDL(ctx context.Context) (string, error) {
	if err := g.options.mayIntrospect(ctx); err != nil {
		return "", err
	}
	generation, err := g.acquire()
	if err != nil {
		return "", err
	}
	defer generation.set.Release()
	return generation.sdl(), nil
}

// Present returns an error as clients see it. Those that are not for them are logged.
func (g *Graph) Present(ctx context.Context, err error) gqlerror.List {
	return g.outside.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(err)}).Errors
}

// Recovered makes an error of a panic, and logs it.
func (g *Graph) Recovered(ctx context.Context, panicked any) error {
	return recovered(g.options.Log)(ctx, panicked)
}
