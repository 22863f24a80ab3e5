package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goalgraph/goalgraph/server/access"
)

// listen listens on an address.
func (a *App) listen(ctx context.Context, address string) (*net.TCPListener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("listen on %s: %w; ports below 1024 need the capability CAP_NET_BIND_SERVICE, or root", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	a.onStop("listener", func(context.Context) error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return listener.(*net.TCPListener), nil
}

// maxHeader is how many bytes the line and the header of a request may have, a query in its URL too: they are held while they
// arrive, of as many connections as there are.
const maxHeader = 32 << 10

// newServer returns a server that gives clients a while to send a request, and to take in its answer.
func (a *App) newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           inTurn(answerWithin(writeLimit, handler)),
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		// Deadlines of HTTP/2 are those of streams. This one is for a client that reads nothing of the connection.
		HTTP2:    &http.HTTP2Config{WriteByteTimeout: writeLimit},
		ErrorLog: slog.NewLogLogger(a.options.Log.Handler(), slog.LevelWarn),
	}
}

// newAdmin listens for operators, if they have an address of their own. It stops last, so that they see how the server stops.
func (a *App) newAdmin(ctx context.Context, registry *prometheus.Registry) (err error) {
	if a.options.AdminListen == "" {
		return nil
	}
	if a.adminListener, err = a.listen(ctx, a.options.AdminListen); err != nil {
		return err
	}
	mux := http.NewServeMux()
	a.registerAdmin(mux, registry)
	// The command line, which pprof would show too, may have passwords.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	handler := http.Handler(mux)
	// On a network of operators, their own names lead here.
	if host, _, err := net.SplitHostPort(a.options.AdminListen); err == nil && access.IsLoopback(host) {
		door, err := access.NewDoor(access.Options{Everyone: true, Operators: true, Listen: host})
		if err != nil {
			return err
		}
		handler = door.Guard(mux)
	}
	a.admin = a.newServer(handler)
	a.onStop("server of --admin-listen", func(ctx context.Context) error { return a.admin.Shutdown(ctx) })
	return nil
}

// registerAdmin adds the routes for operators to a mux.
func (a *App) registerAdmin(mux *http.ServeMux, registry *prometheus.Registry) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// url returns the address of the server for this machine, or the one that its TLS certificate is for.
func (a *App) url() string {
	scheme, address := "http", a.Address()
	if a.tls != nil {
		scheme = "https"
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil && len(a.options.TLSDomains) > 0 {
		domain := a.options.TLSDomains[0]
		if port == "443" {
			return scheme + "://" + domain
		}
		address = net.JoinHostPort(domain, port)
	}
	return scheme + "://" + reachable(address)
}

// serve answers requests until the server stops, or fails.
func (a *App) serve() error {
	failed := make(chan error, 2)
	if a.admin != nil {
		go func() { failed <- a.admin.Serve(a.adminListener) }()
	}
	go func() {
		if a.server.TLSConfig = a.tls; a.tls != nil {
			failed <- a.server.ServeTLS(a.listener, "", "")
			return
		}
		failed <- a.server.Serve(a.listener)
	}()
	return <-failed
}
