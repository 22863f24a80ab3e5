package graph

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
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
	// Log takes the errors that clients are not shown; none by default.
	Log *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// Timeout bounds an operation, of a subscription each answer; a minute by default.
	Timeout time.Duration
	// Bus tells of changes at once. Without one, subscriptions notice them a second later.
	Bus live.Bus
	// Live bounds what subscriptions take.
	Live LiveLimits
	// Metrics takes the figures of subscriptions; none by default.
	Metrics prometheus.Registerer
}

// Limits of one request: bytes of the body, tokens of the document, and fields
// with their lists' elements.
const (
	maxBody       = 1 << 20
	maxTokens     = 20_000
	maxComplexity = 200_000
	cachedQueries = 1000
)

// Graph answers GraphQL over HTTP. It follows the host's plugins: each operation
// has the schema of the moment when it began, until it ends.
type Graph struct {
	options Options
	// transports read requests and write answers, the first that takes a request.
	transports []graphql.Transport
	// outside presents errors of requests that hold no operation.
	outside       *executor.Executor
	subscriptions *subscriptions
	matrices      *matrices

	mu      sync.Mutex
	current *generation // of the newest set
}

// New returns a Graph over the parts. The error says that the types of the host's
// plugins make no schema.
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
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	g := &Graph{options: o, transports: []graphql.Transport{transport.Options{}, transport.GET{}, transport.POST{}}}
	g.outside = executor.New(nil)
	g.outside.SetErrorPresenter(presentError(o.Log, strictVariables{}))
	var err error
	if g.matrices, err = newMatrices(); err != nil {
		return nil, err
	}
	first, err := g.acquire()
	if err != nil {
		return nil, err
	}
	first.set.Release()
	g.subscriptions = newSubscriptions(o)
	return g, nil
}

// Close ends subscriptions and the connections that they come by, which takes a few
// seconds at most. It may be called while requests are answered, and again.
func (g *Graph) Close(ctx context.Context) { g.subscriptions.close(ctx) }

// IsStream tells whether the answer to a request lasts as long as the client wants.
func IsStream(r *http.Request) bool { return isWebSocket(r) || acceptsEvents(r) }

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// ServeHTTP answers queries by GET and POST, and mutations by POST; and everything,
// subscriptions too, by WebSocket and as server-sent events.
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case isWebSocket(r):
		g.serveWebSocket(w, r)
		return
	case acceptsEvents(r):
		g.serveEvents(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(graphql.StartOperationTrace(r.Context()), g.options.Timeout)
	defer cancel()
	serve(w, r.WithContext(ctx), http.HandlerFunc(g.carryOut))
}

// carryOut has the request's transport carry out its operations.
func (g *Graph) carryOut(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err := recovered(g.options.Log)(r.Context(), panicked)
			writeJSON(w, http.StatusInternalServerError, g.outside.DispatchError(r.Context(), gqlerror.List{gqlerror.Wrap(err)}))
		}
	}()
	for _, t := range g.transports {
		if t.Supports(r) {
			t.Do(w, r, operations{graph: g})
			return
		}
	}
	writeProblem(w, http.StatusBadRequest, "the request is not one of GraphQL over HTTP")
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
	c.Site.Experiments = func(child int, _ *string, _ []model.ExperimentStatus, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Goal.Experiments = func(child int) int { return 1 + child*many(nil) }
	c.Experiment.SecondaryMetrics = func(child int) int { return 1 + child*many(nil) }
	c.ExperimentResult.Metrics = func(child int) int { return 1 + child*many(nil) }
	c.MetricResult.Variants = func(child int) int { return 1 + child*3 }
	c.VariantResult.Series = func(child int, _ model.Interval) int { return 1 + child*30 }
	c.Experiment.Breakdown = func(child int, segments []string, _ *generated.TimeRange) int { return 1 + child*many(segments) }
	c.Site.Events = func(child int, _ *string, first *int, _ *string) int { return paged(child, first, defaultFirst) }
	c.Site.Values = func(child int, _ string, _ *string, first *int) int { return paged(child, first, defaultFirst) }
	c.Site.Sessions = func(child int, _ []scalar.FilterInput, _ generated.TimeRange, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Site.GoalCards = func(child int, segments, goals []string, _ generated.TimeRange) int {
		return 1 + child*many(segments)*many(goals)
	}
	c.Subscription.GoalCards = func(child int, _ string, segments, goals []string, _ generated.TimeRange) int {
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
