package graph

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// Options are the parts of a Graph. Store, Engine and Host must be given.
type Options struct {
	Store  *store.Store
	Engine count.Engine
	Host   *host.Host
	// Log takes the errors that clients are not shown; none by default.
	Log *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// Timeout bounds an operation; a minute by default.
	Timeout time.Duration
}

// Limits of one request: bytes of the body, tokens of the document, and fields
// with their lists' elements.
const (
	maxBody       = 1 << 20
	maxTokens     = 20_000
	maxComplexity = 200_000
	cachedQueries = 1000
)

// Graph answers GraphQL over HTTP.
type Graph struct {
	schema  *ast.Schema
	server  *handler.Server
	timeout time.Duration
}

// New returns a Graph of the schema that the host's plugins make.
func New(o Options) (*Graph, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	schema, err := buildSchema(o.Host.Types())
	if err != nil {
		return nil, err
	}
	resolver := &Resolver{store: o.Store, engine: o.Engine, host: o.Host, now: o.Now}
	server := handler.New(generated.NewExecutableSchema(generated.Config{Schema: schema, Resolvers: resolver, Complexity: complexity()}))
	server.AddTransport(transport.Options{})
	server.AddTransport(transport.GET{})
	server.AddTransport(transport.POST{})
	// A schema belongs to the documents that were checked against it.
	server.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	server.SetParserTokenLimit(maxTokens)
	variables := strictVariables{schema}
	server.SetErrorPresenter(presentError(o.Log, variables))
	server.SetRecoverFunc(recovered(o.Log))
	server.Use(extension.Introspection{})
	server.Use(variables)
	server.Use(extension.FixedComplexityLimit(maxComplexity))
	server.AroundOperations(markBegun)
	server.AroundOperations(withLoading(resolver))
	return &Graph{schema: schema, server: server, timeout: o.Timeout}, nil
}

// ServeHTTP answers queries by GET and POST, and mutations by POST.
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(scalar.WithSchema(r.Context(), g.schema), g.timeout)
	defer cancel()
	serve(w, r.WithContext(ctx), g.server)
}

// complexity says how many fields a selection may resolve to, so that one request
// cannot ask for more than a server should hold.
func complexity() generated.ComplexityRoot {
	var c generated.ComplexityRoot
	// A list that is not given is one of a few that the site has.
	many := func(ids []string) int {
		if ids == nil {
			return 5
		}
		return max(len(ids), 1)
	}
	paged := func(child int, first *int, otherwise int) int {
		if first != nil {
			otherwise = min(max(*first, 0), maxFirst)
		}
		return 1 + child*max(otherwise, 1)
	}
	c.Site.Segments = func(child int, _ *string, _ *bool, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Site.Goals = func(child int, _ *string, _ *bool, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Site.Events = func(child int, _ *string, first *int, _ *string) int { return paged(child, first, defaultFirst) }
	c.Site.Values = func(child int, _ string, _ *string, first *int) int { return paged(child, first, defaultFirst) }
	c.Site.Sessions = func(child int, _ []scalar.FilterInput, _ generated.TimeRange, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Site.GoalCards = func(child int, segments, goals []string, _ generated.TimeRange) int {
		return 1 + child*many(segments)*many(goals)
	}
	c.Site.Funnel = func(child int, steps, segments []string, _ generated.TimeRange) int {
		return 1 + child*many(steps)*many(segments)
	}
	c.Goal.Card = func(child int, segments []string, _ generated.TimeRange) int { return 1 + child*many(segments) }
	c.GoalCell.Series = func(child int, _ model.Interval) int { return 1 + child*30 }
	c.Query.Nodes = func(child int, ids []string) int { return 1 + child*many(ids) }
	return c
}
