package access

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// Door lets requests in.
type Door struct {
	o Options
	// names are the hosts of the server, and publicName the one of its public URL.
	names      map[string]bool
	publicName string
	// onLoopback tells that it can be reached by this machine's own names, and onAny by every address.
	onLoopback, onAny bool
	// ours are the origins whose pages may ask by a cookie or without a key.
	ours       map[string]bool
	protection *http.CrossOriginProtection
}

// Options are the settings of a Door. Directory must be given unless Everyone is true.
type Options struct {
	// Everyone lets everyone do everything, who reaches the server.
	Everyone bool
	// Operators tells that it is the door of --admin-listen, which has no name but its address.
	Operators bool
	// Directory finds the bearers of keys.
	Directory *Directory
	// User returns who asks by a cookie: nil where there is none, and an Unauthenticated error for one that does not hold.
	User func(ctx context.Context, r *http.Request) (*model.Principal, error)
	// Listen is the host that the server listens on; empty for all.
	Listen string
	// Public is the origin of the server's public URL, as model.WebOrigin returns it; empty for none.
	Public string
	// Names are more hosts of the server.
	Names []string
	// Allowed are other origins whose pages may ask, as model.WebOrigin returns them.
	Allowed []string
	// Proxies are the networks of trusted proxies.
	Proxies Proxies
	// Log takes what clients are not told; none by default.
	Log *slog.Logger
}

// NewDoor returns a Door.
func NewDoor(o Options) (*Door, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Door{o: o, names: map[string]bool{}, ours: map[string]bool{}, protection: http.NewCrossOriginProtection()}
	address, err := netip.ParseAddr(o.Listen)
	all := o.Listen == "" || err == nil && address.IsUnspecified()
	d.onLoopback = all || IsLoopback(o.Listen)
	d.onAny = all && !o.Everyone
	if !all {
		d.names[nameOf(o.Listen)] = true
	}
	for _, name := range o.Names {
		d.names[nameOf(name)] = true
	}
	if o.Public != "" {
		public, err := url.Parse(o.Public)
		if err != nil {
			return nil, fmt.Errorf("public URL: %w", err)
		}
		d.publicName = nameOf(public.Host)
		d.names[d.publicName] = true
		d.ours[o.Public] = true
	}
	for _, origin := range o.Allowed {
		d.ours[origin] = true
	}
	for origin := range d.ours {
		if err := d.protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// IsLoopback tells whether a host is this machine's own: localhost, or an address of the loopback network.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// nameOf returns the name, or the address, of a host with or without a port.
func nameOf(host string) string {
	u := url.URL{Host: host}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// knows tells whether a host is one of the server's.
func (d *Door) knows(host string) bool {
	name := nameOf(host)
	if d.names[name] {
		return true
	}
	if IsLoopback(name) {
		return d.onLoopback
	}
	// An address is no name that could be made to point here.
	_, err := netip.ParseAddr(name)
	return err == nil && d.onAny
}

// health are the paths that tell load balancers whether the server works. They check it by its address, or by any name, so
// any is right: the answers have nothing that a page of another site could use.
var health = map[string]bool{"/healthz": true, "/readyz": true}

// Guard is for every request: it refuses what is sent to another host, unless it asks how the server does, and puts the
// sender's address into the context.
func (d *Door) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("X-Frame-Options", "DENY")
		// What is no page loads nothing. Pages have policies of their own.
		header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		if strings.HasPrefix(d.o.Public, "https:") || d.o.Proxies.IsSecure(r) {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if host := d.o.Proxies.Host(r); host != r.Host {
			r = r.WithContext(r.Context()) // a copy
			r.Host = host
		}
		if !d.knows(r.Host) && !health[r.URL.Path] {
			http.Error(w, d.misdirected(r.Host), http.StatusMisdirectedRequest)
			return
		}
		actor := model.Actor{Principal: &model.Principal{Kind: model.AnonymousPrincipal}}
		if address := d.o.Proxies.Sender(r); address.IsValid() {
			actor.Address = address.String()
		}
		next.ServeHTTP(w, r.WithContext(model.WithActor(r.Context(), actor)))
	})
}

func (d *Door) misdirected(host string) string {
	if d.o.Operators {
		return fmt.Sprintf("--admin-listen only answers requests to localhost here, and this one is to %.100q; ask for http://localhost, "+
			"or have --admin-listen at an address that operators reach", host)
	}
	if d.o.Everyone {
		return fmt.Sprintf("without authentication this server only answers requests to localhost, and this one is to %.100q; use http://localhost, "+
			"or start the server with --public-url if a proxy that authenticates stands before it", host)
	}
	return fmt.Sprintf("this request is to %.100q, which is no host of this server; if it is one, start the server with --public-url and its address, "+
		"or have the proxy pass Host on", host)
}

// AllowsOrigin tells whether a request comes from a page of the server, from one of an allowed origin, or from none.
func (d *Door) AllowsOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || d.ours[origin] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.EqualFold(u.Host, r.Host) {
		return false
	}
	// Of the public name there is one origin, which is listed.
	return d.publicName == "" || nameOf(u.Host) != d.publicName
}

// IsForeign tells whether a browser sent a request for a page of another origin that is not allowed.
func (d *Door) IsForeign(r *http.Request) bool {
	if !d.AllowsOrigin(r) || d.protection.Check(r) != nil {
		return true
	}
	if r.Header.Get("Origin") != "" {
		return false
	}
	// What pages include, by <img> or <script>, has no Origin.
	site, mode := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode")
	return (site == "cross-site" || site == "same-site") && mode != "navigate"
}

// Login is for routes by which people log in.
func (d *Door) Login(next http.Handler) http.Handler {
	return d.crossOrigin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.IsForeign(r) {
			d.refuse(w, r, errForeign(r))
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// Private is for routes that answer by who asks. It puts the principal into the context.
func (d *Door) Private(next http.Handler) http.Handler {
	return d.crossOrigin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page has a key of itself. Cookies, and what everyone may do, it would have of its visitor.
		if (d.o.Everyone || r.Header.Get("Authorization") == "") && d.IsForeign(r) {
			d.refuse(w, r, errForeign(r))
			return
		}
		principal, err := d.principal(r)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		actor := model.Actor{Principal: principal, Address: model.ActorOf(r.Context()).Address}
		next.ServeHTTP(w, r.WithContext(model.WithActor(r.Context(), actor)))
	}))
}

func errForeign(r *http.Request) error {
	return model.Errorf(model.Forbidden, "a page of another origin (%.100q) may not do this; start the server with --allowed-origins and that origin if it may", r.Header.Get("Origin"))
}

// principal returns who asks.
func (d *Door) principal(r *http.Request) (*model.Principal, error) {
	if d.o.Everyone {
		return model.Everyone(), nil
	}
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		scheme, secret, _ := strings.Cut(authorization, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, model.Errorf(model.Unauthenticated, "the Authorization header has the scheme %.20q; send Bearer and a key", scheme)
		}
		return d.o.Directory.Bearer(r.Context(), strings.TrimSpace(secret))
	}
	if d.o.User != nil {
		if user, err := d.o.User(r.Context(), r); err != nil || user != nil {
			return user, err
		}
	}
	return model.ActorOf(r.Context()).Principal, nil
}

// crossOrigin lets pages of allowed origins ask, and keeps answers out of caches unless the route says otherwise.
func (d *Door) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if d.ours[origin] {
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
			header.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			if !d.AllowsOrigin(r) {
				d.refuse(w, r, errForeign(r))
				return
			}
			header.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
			header.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
			header.Add("Vary", "Access-Control-Request-Headers")
			header.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers a request that is not let in, in the form of GraphQL.
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, code, message := http.StatusServiceUnavailable, model.CodeOf(err), err.Error()
	header := w.Header()
	switch code {
	case model.Unauthenticated:
		status = http.StatusUnauthorized
		header.Set("WWW-Authenticate", `Bearer realm="goalgraph"`)
	case model.Forbidden:
		status = http.StatusForbidden
	case model.ResourceExhausted:
		status = http.StatusTooManyRequests
		header.Set("Retry-After", "1")
	default:
		if r.Context().Err() == nil {
			d.o.Log.ErrorContext(r.Context(), "cannot tell who asks", "error", err)
		}
		if code != model.Unavailable {
			code, message = model.Unavailable, "the server cannot tell who asks at the moment; try again"
		}
		header.Set("Retry-After", "1")
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// What fails here is the client's connection.
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"message": message, "extensions": map[string]any{"code": code}}}})
}
