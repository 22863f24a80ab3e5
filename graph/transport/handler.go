package transport

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/subscription"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
	"github.com/goalgraph/goalgraph/model/live"
)

// Options are the parts of a Handler that may be left out.
type Options struct {
	// Access finds the principals of connections again, and of keys that clients send over a WebSocket. Without it,
	// connections keep the principal of their request.
	Access Access
	// Bus tells of changes at once. Without one, subscriptions notice them a second later.
	Bus live.Bus
	// AllowOrigin tells whether the page that opens a WebSocket may; by default those of the host of the request may.
	AllowOrigin func(*http.Request) bool
	// Timeout bounds an operation, of a subscription each answer; a minute by default.
	Timeout time.Duration
	// Limits bound what clients take.
	Limits Limits
	// Points are what callers have for their operations, which take one for each field of an answer; without a bound by
	// default.
	Points allowance.Allowance
	// Metrics takes the figures of connections and subscriptions; none by default.
	Metrics prometheus.Registerer
	// Log takes what clients are not shown; none by default.
	Log *slog.Logger
}

// Limits bound what clients take of a process. Those that are zero have the defaults.
type Limits struct {
	// Connections is how many WebSockets and event streams may be open at once; 20,000 by default.
	Connections int
	// Operations is how many may be open on one WebSocket; 100 by default.
	Operations int
	// AtOnce is how many queries and mutations of one WebSocket run at the same time, while others wait; 4 by default.
	AtOnce int
	// Subscriptions is how many distinct ones there may be; 2,000 by default. One caller may begin half of them.
	Subscriptions int
	// Init is how long a WebSocket may take to send connection_init; 5 s by default.
	Init time.Duration
	// Write is how long a client may take to take in a message, and to answer a ping; 10 s by default.
	Write time.Duration
	// Ping is the pause between pings; 25 s by default, which is shorter than proxies' time-outs.
	Ping time.Duration
}

// withDefaults returns the limits with the defaults of those that are zero.
func (l Limits) withDefaults() Limits {
	defaults := Limits{Connections: 20_000, Operations: 100, AtOnce: 4, Subscriptions: 2000, Init: 5 * time.Second, Write: 10 * time.Second, Ping: 25 * time.Second}
	return Limits{
		cmp.Or(l.Connections, defaults.Connections), cmp.Or(l.Operations, defaults.Operations), cmp.Or(l.AtOnce, defaults.AtOnce), cmp.Or(l.Subscriptions, defaults.Subscriptions),
		cmp.Or(l.Init, defaults.Init), cmp.Or(l.Write, defaults.Write), cmp.Or(l.Ping, defaults.Ping),
	}
}

// Handler answers GraphQL over HTTP: queries by GET and POST, mutations by POST, and everything, subscriptions too, by
// WebSocket and as server-sent events.
type Handler struct {
	graph         *graph.Graph
	subscriptions *subscription.Registry
	principals    *principals
	admission     *admission
	intake        intake
	log           *slog.Logger
	timeout       time.Duration
	limits        Limits
	allowOrigin   func(*http.Request) bool
	metrics       metrics
	packer        packer
	// packing has a place for each message of a WebSocket that is packed at the same time.
	packing chan struct{}
	// goodbyes has a place for each WebSocket that is opened only to be told why it is closed.
	goodbyes chan struct{}

	// ctx is that of connections, stopping is closed when these are to say goodbye, and running is all of them with the
	// operations that they run.
	ctx      context.Context
	cancel   context.CancelFunc
	stop     func()
	stopping chan struct{}
	running  sync.WaitGroup
	watching sync.WaitGroup

	mu          sync.Mutex
	connections int
}

// New returns a Handler over a graph. Close ends it.
func New(g *graph.Graph, o Options) *Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{
		graph: g, log: o.Log, timeout: cmp.Or(o.Timeout, time.Minute), limits: o.Limits.withDefaults(), admission: newAdmission(o.Points),
		allowOrigin: o.AllowOrigin, metrics: newMetrics(o.Metrics), packer: newPacker(), packing: make(chan struct{}, mostPacking), goodbyes: make(chan struct{}, mostGoodbyes), stopping: make(chan struct{}),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.stop = sync.OnceFunc(func() { close(h.stopping) })
	h.subscriptions = subscription.New(g, subscription.Options{
		Bus: o.Bus, Log: o.Log, Timeout: h.timeout, Most: h.limits.Subscriptions, MostEach: (h.limits.Subscriptions + 1) / 2, CallerOf: callerOf,
		Begin: h.admission.compute, Metrics: o.Metrics,
	})
	h.principals = newPrincipals(h.ctx, o.Access, h.subscriptions.Check)
	if o.Access != nil {
		h.watching.Go(h.principals.watch)
	}
	return h
}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isWebSocket(r) {
		h.serveWebSocket(w, r)
		return
	}
	began := time.Now()
	// How long a stream takes is its client's affair.
	if status := h.serveRequest(w, r); status != 0 {
		h.metrics.observe(status, r.Method, time.Since(began))
	}
}

// tooManyConnections is the refusal of a connection.
const tooManyConnections = "this server has as many connections as it takes, or is stopping: try again later"

// mostGoodbyes is how many refused WebSockets are told so by a close frame at the same time. Each stays open until its client
// answers, so those of an attacker would take the places of others: more are refused before they are opened.
const mostGoodbyes = 64

// refuseConnection answers a request for a connection that is not admitted.
func (h *Handler) refuseConnection(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", retryLater)
	h.packer.send(w, r, problem(http.StatusServiceUnavailable, model.Errorf(model.ResourceExhausted, tooManyConnections)))
}

// admit takes in a connection, until dismiss is called. ok is false where there are too many, or the server stops.
func (h *Handler) admit() (dismiss func(), ok bool) {
	defer func() {
		if !ok {
			h.metrics.closed.WithLabelValues("limit").Inc()
		}
	}()
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.stopping:
		return nil, false
	default:
	}
	if h.connections >= h.limits.Connections {
		return nil, false
	}
	h.connections++
	h.metrics.connections.Inc()
	h.running.Add(1)
	return func() {
		h.mu.Lock()
		h.connections--
		h.mu.Unlock()
		h.metrics.connections.Dec()
		h.running.Done()
	}, true
}

// drain is how long connections have to say goodbye when the server stops.
const drain = 3 * time.Second

// Close ends subscriptions and the connections that they come by, and returns when they are gone: those that have not
// ended after a few seconds are cut off. It may be called while requests are answered, and again.
func (h *Handler) Close(ctx context.Context) {
	h.mu.Lock() // a connection is admitted before, and waited for, or is refused
	h.stop()
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	defer context.AfterFunc(ctx, h.cancel)()
	h.running.Wait()
	h.cancel()
	h.watching.Wait()
	h.subscriptions.Close()
}

// metrics count what goes over connections.
type metrics struct {
	connections   prometheus.Gauge
	sent, dropped prometheus.Counter
	closed        *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) metrics {
	m := promauto.With(registry)
	return metrics{
		connections: m.NewGauge(prometheus.GaugeOpts{Name: "goalgraph_live_connections", Help: "Open WebSockets and event streams."}),
		sent:        m.NewCounter(prometheus.CounterOpts{Name: "goalgraph_live_sent_total", Help: "Answers sent to subscribers."}),
		dropped: m.NewCounter(prometheus.CounterOpts{
			Name: "goalgraph_live_dropped_total", Help: "Answers that a slow reader was not sent, because a newer one took their place.",
		}),
		closed: m.NewCounterVec(prometheus.CounterOpts{Name: "goalgraph_live_closed_total", Help: "Connections that closed, by why they did."}, []string{"reason"}),
		seconds: m.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goalgraph_graphql_seconds", Help: "Time to answer a GraphQL request.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"code", "method"}),
	}
}

// observe notes how long the answer to a request took. Anybody can make methods up.
func (m *metrics) observe(status int, method string, took time.Duration) {
	if !slices.Contains(strings.Split(methods, ", "), method) {
		method = "unknown"
	}
	m.seconds.WithLabelValues(strconv.Itoa(status), strings.ToLower(method)).Observe(took.Seconds())
}
