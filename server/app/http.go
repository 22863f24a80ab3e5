package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/transport"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/server/app/graphiql"
	"github.com/goalgraph/goalgraph/server/app/liveexample"
	"github.com/goalgraph/goalgraph/server/dashboard"
	"github.com/goalgraph/goalgraph/server/ingest"
	"github.com/goalgraph/goalgraph/server/mcp"
	"github.com/goalgraph/goalgraph/server/sdk"
)

// handler routes requests. Every request gets an id. The answer carries it, and the log
// has errors under it.
func (a *App) handler(registry *prometheus.Registry, g *transport.Handler, assistants *mcp.Handler, engine *engine.Engine, tracker *ingest.Tracker) http.Handler {
	registry.MustRegister(pluginMetrics{a.host}, engineMetrics{a, engine})

	mux := http.NewServeMux()
	answer := a.door.Private(g)
	mux.Handle("/graphql", answer)
	// The domain is for proxies, which send the questions about a site to one server by it. What is answered does not
	// depend on it, and neither do metrics and logs: anybody can make domains up.
	mux.Handle("/graphql/{domain}", answer)
	mux.HandleFunc("/graphql/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there is nothing at this path; send requests to /graphql, or to /graphql/DOMAIN with a site's domain", http.StatusNotFound)
	})
	mux.Handle("/schema.graphql", a.door.Private(http.HandlerFunc(g.ServeSchema)))
	mux.Handle("/mcp", a.door.Private(assistants))
	tracker.Register(mux)
	a.flags.Register(mux)
	sdk.Register(mux)
	mux.Handle("GET /graphiql/", http.StripPrefix("/graphiql", graphiql.Handler("/graphql")))
	mux.Handle("GET /graphiql", http.RedirectHandler("/graphiql/", http.StatusMovedPermanently))
	if a.options.Auth == AuthKeys {
		people := http.NewServeMux()
		a.logins.Register(people)
		mux.Handle("/auth/", a.door.Login(people))
	}
	if a.options.Sample {
		liveexample.Register(mux)
	}
	dashboard.Register(mux)
	if a.admin == nil {
		a.registerAdmin(mux, registry)
	}
	return withRequestID(a.bodies.within(a.door.Guard(mux)))
}

// newRegistry returns a registry with the metrics of the process.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()[:16]
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(graph.WithRequestID(r.Context(), id)))
	})
}

// readyLimit limits the wait for a database that does not answer at all.
const readyLimit = 2 * time.Second

// ready tells whether the server can answer requests: the database answers, and every
// plugin that started still runs. It shows Redis, but does not require it.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyLimit)
	defer cancel()
	checks, status := map[string]string{"database": "ok"}, http.StatusOK
	if err := a.store.Ping(ctx); err != nil {
		a.options.Log.WarnContext(ctx, "the database does not answer", "error", err)
		checks["database"], status = "unreachable", http.StatusServiceUnavailable
	}
	if a.redis != nil {
		checks["redis"] = "ok"
		if err := pingRedis(ctx, a.redis); err != nil {
			checks["redis"] = "unreachable"
		}
	}
	for _, plugin := range a.host.Plugins() {
		checks["plugin "+plugin.Name] = string(plugin.Status)
		if plugin.Status == host.Restarting || plugin.Builtin && plugin.Status != host.Running {
			status = http.StatusServiceUnavailable
		}
	}
	writeJSON(w, status, checks)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// What fails here is the client's connection.
	_ = json.NewEncoder(w).Encode(value)
}

// pluginMetrics are the metrics of the plugins.
type pluginMetrics struct{ host *host.Host }

var (
	pluginUp       = prometheus.NewDesc("goalgraph_plugin_up", "Whether a filter plugin answers (1) or not (0).", []string{"plugin", "file"}, nil)
	pluginCalls    = prometheus.NewDesc("goalgraph_plugin_calls_total", "Calls to a filter plugin. Remembered answers need no call.", []string{"plugin", "file"}, nil)
	pluginRestarts = prometheus.NewDesc("goalgraph_plugin_restarts_total", "Restarts of a filter plugin.", []string{"plugin", "file"}, nil)
)

// Describe says which metrics there are.
func (m pluginMetrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- pluginUp
	descriptions <- pluginCalls
	descriptions <- pluginRestarts
}

// Collect reads them.
func (m pluginMetrics) Collect(metrics chan<- prometheus.Metric) {
	for _, plugin := range m.host.Plugins() {
		up := 0.0
		if plugin.Status == host.Running {
			up = 1
		}
		metrics <- prometheus.MustNewConstMetric(pluginUp, prometheus.GaugeValue, up, plugin.Name, plugin.File)
		metrics <- prometheus.MustNewConstMetric(pluginCalls, prometheus.CounterValue, float64(plugin.Calls), plugin.Name, plugin.File)
		metrics <- prometheus.MustNewConstMetric(pluginRestarts, prometheus.CounterValue, float64(plugin.Restarts), plugin.Name, plugin.File)
	}
}
