package access

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

const foreign, public, allowed = "https://attacker.example", "https://stats.example", "https://app.example"

func mustDoor(t *testing.T, o Options) *Door {
	t.Helper()
	d, err := NewDoor(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// request is a GET of /graphql, with headers as pairs of names and values; of these, Host and Method are the request's.
func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/graphql", nil)
	r.Host, r.RemoteAddr = "localhost:8080", "192.0.2.1:1234"
	for i := 0; i < len(headers); i += 2 {
		switch headers[i] {
		case "Method":
			r.Method = headers[i+1]
		case "Host":
			r.Host = headers[i+1]
		case "From":
			r.RemoteAddr = headers[i+1]
		default:
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	return r
}

// through sends a request through a door, and returns the answer and who came in; nil where nobody did.
func through(h func(http.Handler) http.Handler, d *Door, r *http.Request) (answer *httptest.ResponseRecorder, actor *model.Actor) {
	answer = httptest.NewRecorder()
	d.Guard(h(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a := model.ActorOf(r.Context())
		actor = &a
	}))).ServeHTTP(answer, r)
	return answer, actor
}

func open(next http.Handler) http.Handler { return next }

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options Options
		known   string
		unknown string
	}{
		{"loopback without authentication", Options{Everyone: true, Listen: "127.0.0.1"},
			"localhost localhost:1 LOCALHOST localhost.:1 127.0.0.1 127.0.0.1:8080 127.1.2.3 [::1] [::1]:8080",
			"attacker.example attacker.example:8080 localhost.attacker.example 10.0.0.1 127.0.0.1.nip.example stats.example [::2] localhost@attacker.example"},
		{"by a public URL", Options{Everyone: true, Listen: "localhost", Public: public},
			"stats.example stats.example:443 Stats.Example stats.example.:8 localhost 127.0.0.1:8080",
			"attacker.example 10.0.0.1 www.stats.example stats.example.attacker.example"},
		{"one address", Options{Listen: "10.0.0.1", Public: public},
			"10.0.0.1 10.0.0.1:8080 stats.example", "localhost 127.0.0.1 10.0.0.2 attacker.example"},
		{"all addresses", Options{Listen: "", Public: public},
			"10.0.0.1 [2001:db8::1]:8080 localhost 127.0.0.1 stats.example", "attacker.example goalgraph:8080"},
		{"all addresses, more names", Options{Listen: "0.0.0.0", Names: []string{"Other.example"}},
			"10.0.0.1:8080 other.example", "attacker.example stats.example"},
		{"a name", Options{Listen: "server.internal"}, "server.internal:8080", "localhost 10.0.0.1 attacker.example"},
	} {
		d := mustDoor(t, test.options)
		for hosts, want := range map[string]int{test.known: http.StatusOK, test.unknown + " %": http.StatusMisdirectedRequest} {
			for _, host := range strings.Fields(hosts) {
				answer, _ := through(open, d, request("Host", host))
				if answer.Code != want || want != http.StatusOK && !strings.Contains(answer.Body.String(), "--public-url") {
					t.Errorf("%s, Host %q: %d %s, want %d", test.name, host, answer.Code, answer.Body, want)
				}
			}
		}
		for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/readyz/": http.StatusMisdirectedRequest, "/metrics": http.StatusMisdirectedRequest} {
			check := request("Host", "attacker.example")
			check.URL.Path = path
			if answer, _ := through(open, d, check); answer.Code != want {
				t.Errorf("%s, %s at another name: %d, want %d", test.name, path, answer.Code, want)
			}
		}
		if answer, _ := through(open, d, request("Host", "")); answer.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s, without a Host: %d", test.name, answer.Code)
		}
	}
}

// A proxy may pass Host on, or not; what it says of the client is believed if it is trusted.
func TestProxies(t *testing.T) {
	t.Parallel()
	d := mustDoor(t, Options{Listen: "127.0.0.1", Public: public, Proxies: Proxies{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, test := range []struct {
		name    string
		headers []string
		status  int
		address string
		host    string
	}{
		{"keeps Host", []string{"Host", "stats.example", "From", "10.0.0.1:1", "X-Forwarded-For", "192.0.2.7"}, 200, "192.0.2.7", "stats.example"},
		{"tells Host", []string{"Host", "goalgraph:8080", "From", "10.0.0.1:1", "X-Forwarded-Host", "stats.example"}, 200, "10.0.0.1", "stats.example"},
		{"appends", []string{"From", "10.0.0.1:1", "X-Forwarded-Host", "attacker.example, stats.example", "X-Forwarded-For", "192.0.2.66, 192.0.2.7, 10.0.0.3"}, 200, "192.0.2.7", "stats.example"},
		{"tells a foreign Host", []string{"From", "10.0.0.1:1", "X-Forwarded-Host", "attacker.example"}, 421, "", ""},
		{"tells nothing", []string{"Host", "127.0.0.1:8080", "From", "10.0.0.1:1"}, 200, "10.0.0.1", "127.0.0.1:8080"},
		{"is not trusted", []string{"Host", "attacker.example", "From", "192.0.2.1:1", "X-Forwarded-Host", "stats.example"}, 421, "", ""},
		{"is not trusted, and forges", []string{"Host", "stats.example", "From", "[::ffff:192.0.2.1]:1", "X-Forwarded-For", "192.0.2.7"}, 200, "192.0.2.1", "stats.example"},
		{"has no address", []string{"Host", "stats.example", "From", "@"}, 200, "", "stats.example"},
	} {
		answer := httptest.NewRecorder()
		address, host := "", ""
		d.Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			address, host = model.ActorOf(r.Context()).Address, r.Host
		})).ServeHTTP(answer, request(test.headers...))
		if answer.Code != test.status || address != test.address || host != test.host {
			t.Errorf("%s: %d, from %q to %q", test.name, answer.Code, address, host)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		options Options
		request *http.Request
		hsts    bool
	}{
		{Options{Listen: "127.0.0.1"}, request(), false},
		{Options{Listen: "127.0.0.1", Public: "http://stats.example"}, request(), false},
		{Options{Listen: "127.0.0.1", Public: public}, request(), true},
		{Options{Proxies: Proxies{netip.MustParsePrefix("192.0.2.0/24")}}, request("X-Forwarded-Proto", "https"), true},
		{Options{}, request("X-Forwarded-Proto", "https"), false},
	} {
		answer, _ := through(open, mustDoor(t, test.options), test.request)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
			"Content-Security-Policy":   "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Strict-Transport-Security": map[bool]string{true: "max-age=31536000"}[test.hsts],
		} {
			if got := answer.Header().Get(name); got != want {
				t.Errorf("%+v: %s is %q, want %q", test.options, name, got, want)
			}
		}
	}
	secure := request()
	secure.TLS = &tls.ConnectionState{}
	if answer, _ := through(open, mustDoor(t, Options{Listen: "127.0.0.1"}), secure); answer.Header().Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over TLS")
	}
	d := mustDoor(t, Options{Everyone: true, Listen: "127.0.0.1"})
	if answer, _ := through(d.Private, d, request()); answer.Header().Get("Cache-Control") != "no-store" || answer.Header().Get("Vary") != "Origin" {
		t.Errorf("a private answer has %v", answer.Header())
	}
}

// browser are the headers that browsers send for a page of an origin.
func browser(origin, site, mode string, more ...string) []string {
	headers := more
	if origin != "" {
		headers = append(headers, "Origin", origin)
	}
	if site != "" {
		headers = append(headers, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode)
	}
	return headers
}

// What a browser sends for a page of another origin is refused without authentication, with a cookie and without either;
// a key is the page's own.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	c := newClock()
	st := newTestStore(t, storetest.SQLite(t), c)
	directory := newTestDirectory(t, st, c)
	_, secret := mustKey(t, st, model.Key{})
	user := func(_ context.Context, r *http.Request) (*model.Principal, error) {
		if _, err := r.Cookie("login"); err != nil {
			return nil, nil
		}
		return &model.Principal{Kind: model.UserPrincipal, Name: "ann"}, nil
	}
	keys := mustDoor(t, Options{Directory: directory, User: user, Listen: "127.0.0.1", Public: public, Allowed: []string{allowed}})
	everyone := mustDoor(t, Options{Everyone: true, Listen: "127.0.0.1", Allowed: []string{allowed}})
	for _, test := range []struct {
		name    string
		headers []string
		foreign bool
	}{
		{"a program", nil, false},
		{"a program posts", []string{"Method", "POST"}, false},
		{"one's own page", browser("", "same-origin", "cors"), false},
		{"one's own page posts", browser("http://localhost:8080", "same-origin", "cors", "Method", "POST"), false},
		{"one's own page posts in an older browser", browser("http://localhost:8080", "", "", "Method", "POST"), false},
		{"an address is typed", browser("", "none", "navigate"), false},
		{"a link", browser("", "cross-site", "navigate"), false},
		{"an allowed page", browser(allowed, "cross-site", "cors"), false},
		{"an allowed page posts", browser(allowed, "cross-site", "cors", "Method", "POST"), false},
		{"an allowed page opens a WebSocket", browser(allowed, "cross-site", "websocket", "Upgrade", "websocket"), false},
		{"a foreign fetch", browser(foreign, "cross-site", "cors"), true},
		{"a foreign fetch without a look at the answer", browser("", "cross-site", "no-cors"), true},
		{"a foreign image of a site beside", browser("", "same-site", "no-cors"), true},
		{"a foreign post", browser(foreign, "cross-site", "no-cors", "Method", "POST", "Content-Type", "text/plain"), true},
		{"a foreign form", browser(foreign, "cross-site", "navigate", "Method", "POST", "Content-Type", "application/x-www-form-urlencoded"), true},
		{"a foreign form of no origin", browser("null", "cross-site", "navigate", "Method", "POST"), true},
		{"a form that hides its origin", browser("", "cross-site", "navigate", "Method", "POST"), true},
		{"a foreign post in an older browser", browser(foreign, "", "", "Method", "POST"), true},
		{"a foreign EventSource", browser(foreign, "cross-site", "cors", "Accept", "text/event-stream"), true},
		{"a foreign WebSocket", browser(foreign, "cross-site", "websocket", "Upgrade", "websocket"), true},
		{"a foreign WebSocket in an older browser", browser(foreign, "", "", "Upgrade", "websocket"), true},
		{"another port", browser("http://localhost:3000", "same-site", "cors"), true},
		{"another port posts", browser("http://localhost:3000", "same-site", "cors", "Method", "POST"), true},
		{"no origin", browser("null", "cross-site", "cors"), true},
		{"an origin that is none", browser("localhost:8080", "", ""), true},
		{"an origin that begins alike", browser("http://localhost:8080.attacker.example", "", ""), true},
		{"an allowed name over HTTP", browser("http://app.example", "cross-site", "cors"), true},
	} {
		for name, d := range map[string]*Door{"everyone": everyone, "keys": keys} {
			for kind, more := range map[string][]string{"nothing": nil, "a cookie": {"Cookie", "login=1"}, "a key": {"Authorization", "Bearer " + secret}} {
				answer, actor := through(d.Private, d, request(append(more[:len(more):len(more)], test.headers...)...))
				refused := test.foreign && (name == "everyone" || kind != "a key")
				if (actor == nil) != refused || refused && (answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "--allowed-origins")) {
					t.Errorf("%s, %s, with %s: %d %s", test.name, name, kind, answer.Code, answer.Body)
				}
			}
			answer, actor := through(d.Login, d, request(test.headers...))
			if (actor == nil) != test.foreign {
				t.Errorf("%s logs in, %s: %d %s", test.name, name, answer.Code, answer.Body)
			}
			if origin := answer.Header().Get("Access-Control-Allow-Origin"); origin != "" && origin != allowed {
				t.Errorf("%s: pages of %s may read", test.name, origin)
			}
		}
	}
	// Of a public name, the origin is known whole.
	for origin, want := range map[string]bool{public: true, "http://stats.example": false, "https://stats.example:8443": false} {
		_, actor := through(keys.Private, keys, request("Host", strings.TrimPrefix(strings.TrimPrefix(origin, "https://"), "http://"), "Origin", origin))
		if (actor != nil) != want {
			t.Errorf("%s: %v", origin, actor)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	d := mustDoor(t, Options{Everyone: true, Listen: "127.0.0.1", Allowed: []string{allowed}})
	preflight := func(origin string) *http.Request {
		return request("Method", "OPTIONS", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	}
	answer, actor := through(d.Private, d, preflight(allowed))
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": allowed, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "GET, POST, DELETE",
		"Access-Control-Allow-Headers": "authorization,content-type", "Access-Control-Max-Age": "600",
	} {
		if got := answer.Header().Get(name); got != want || answer.Code != http.StatusNoContent || actor != nil {
			t.Errorf("%d, %s is %q, want %q", answer.Code, name, got, want)
		}
	}
	answer, actor = through(d.Private, d, preflight(foreign))
	for name := range answer.Header() {
		if strings.HasPrefix(name, "Access-Control") || answer.Code != http.StatusForbidden || actor != nil {
			t.Errorf("a foreign page gets %d, %v", answer.Code, answer.Header())
		}
	}
	answer, actor = through(d.Private, d, request("Method", "POST", "Origin", allowed))
	if got := answer.Header(); actor == nil || got.Get("Access-Control-Allow-Origin") != allowed || got.Get("Access-Control-Allow-Credentials") != "true" || got.Get("Vary") != "Origin" {
		t.Errorf("an allowed page gets %d, %v", answer.Code, got)
	}
	// What is not a preflight is the route's.
	if _, actor := through(d.Private, d, request("Method", "OPTIONS")); actor == nil {
		t.Error("OPTIONS does not come in")
	}
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	c := newClock()
	st := newTestStore(t, storetest.SQLite(t), c)
	directory := newTestDirectory(t, st, c)
	key, secret := mustKey(t, st, model.Key{})
	stale := model.Errorf(model.Unauthenticated, "the login has ended; log in again")
	user := func(_ context.Context, r *http.Request) (*model.Principal, error) {
		cookie, err := r.Cookie("login")
		switch {
		case err != nil:
			return nil, nil
		case cookie.Value == "stale":
			return nil, stale
		case cookie.Value == "broken":
			return nil, fmt.Errorf("the disk is full")
		}
		return &model.Principal{Kind: model.UserPrincipal, Name: cookie.Value}, nil
	}
	d := mustDoor(t, Options{Directory: directory, User: user, Listen: "127.0.0.1"})
	for _, test := range []struct {
		name    string
		headers []string
		kind    model.PrincipalKind
		status  int
		code    model.Code
		says    string
	}{
		{"nothing", nil, model.AnonymousPrincipal, 200, "", ""},
		{"a key", []string{"Authorization", "Bearer " + secret}, model.KeyPrincipal, 200, "", ""},
		{"a key, in lower case", []string{"Authorization", "bearer  " + secret}, model.KeyPrincipal, 200, "", ""},
		{"a key and a stale cookie", []string{"Authorization", "Bearer " + secret, "Cookie", "login=stale"}, model.KeyPrincipal, 200, "", ""},
		{"a cookie", []string{"Cookie", "login=ann"}, model.UserPrincipal, 200, "", ""},
		{"a stale cookie", []string{"Cookie", "login=stale"}, "", 401, model.Unauthenticated, "log in again"},
		{"a wrong key", []string{"Authorization", "Bearer " + (&model.Key{Scope: model.ReadScope}).NewSecret()}, "", 401, model.Unauthenticated, "unknown"},
		{"a key that is cut off", []string{"Authorization", "Bearer " + secret[:20]}, "", 401, model.Unauthenticated, "cut off"},
		{"a wrong key and a cookie", []string{"Authorization", "Bearer x", "Cookie", "login=ann"}, "", 401, model.Unauthenticated, "unknown"},
		{"a key as a user name", []string{"Authorization", "Basic " + secret}, "", 401, model.Unauthenticated, "send Bearer"},
		{"no key", []string{"Authorization", "Bearer"}, "", 401, model.Unauthenticated, "empty"},
		{"a failure", []string{"Cookie", "login=broken"}, "", 503, model.Unavailable, "try again"},
	} {
		answer, actor := through(d.Private, d, request(test.headers...))
		if answer.Code != test.status || (actor != nil) != (test.kind != "") || actor != nil && (actor.Kind != test.kind || actor.Address != "192.0.2.1") {
			t.Errorf("%s: %d, %+v", test.name, answer.Code, actor)
		}
		if test.code == "" {
			continue
		}
		var body struct {
			Errors []struct {
				Message    string
				Extensions struct{ Code model.Code }
			}
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || len(body.Errors) != 1 || body.Errors[0].Extensions.Code != test.code ||
			!strings.Contains(body.Errors[0].Message, test.says) || strings.Contains(answer.Body.String(), "disk") {
			t.Errorf("%s: %v %s", test.name, err, answer.Body)
		}
		if (answer.Header().Get("WWW-Authenticate") != "") != (test.status == 401) || (answer.Header().Get("Retry-After") != "") != (test.status == 503) {
			t.Errorf("%s: %v", test.name, answer.Header())
		}
	}
	if _, actor := through(d.Private, d, request("Authorization", "Bearer "+secret)); actor == nil || actor.ID != key.ID {
		t.Errorf("%+v", actor)
	}
	// A route that asks nobody has nobody.
	if _, actor := through(open, d, request("Authorization", "Bearer "+secret)); actor.Kind != model.AnonymousPrincipal || len(actor.Grants) != 0 {
		t.Errorf("%+v", actor)
	}
	everyone := mustDoor(t, Options{Everyone: true, Directory: directory, User: user, Listen: "127.0.0.1"})
	if _, actor := through(everyone.Private, everyone, request("Authorization", "Bearer x")); actor == nil || !actor.May(model.AdminScope, model.AllSites) {
		t.Errorf("without authentication: %+v", actor)
	}
}

func TestIsFrom(t *testing.T) {
	t.Parallel()
	origins := []string{"https://shop.example", "http://localhost:3000"}
	for _, test := range []struct {
		origin, referer string
		want            bool
	}{
		{"", "", true}, {"https://shop.example", "", true}, {"HTTPS://SHOP.example:443", "", true}, {"http://localhost:3000", "https://attacker.example/", true},
		{"", "https://shop.example/basket?a=b", true}, {"", "https://shop.example", true},
		{foreign, "", false}, {"null", "", false}, {"http://shop.example", "", false}, {"https://www.shop.example", "", false}, {"http://localhost", "", false},
		{foreign, "https://shop.example/", false}, {"", "https://attacker.example/https://shop.example", false}, {"", "about:client", false}, {"", "%", false},
		{"", "https://shop.example@attacker.example/", false},
	} {
		r := request()
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		if test.referer != "" {
			r.Header.Set("Referer", test.referer)
		}
		if got := IsFrom(r, origins); got != test.want {
			t.Errorf("Origin %q, Referer %q: %v", test.origin, test.referer, got)
		}
		if !IsFrom(r, nil) {
			t.Errorf("Origin %q, Referer %q, and any may: refused", test.origin, test.referer)
		}
	}
}

func FuzzDoor(f *testing.F) {
	d, err := NewDoor(Options{Everyone: true, Listen: "127.0.0.1", Public: public, Proxies: Proxies{netip.MustParsePrefix("192.0.2.1/32")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("stats.example:443", "https://stats.example", "10.0.0.1")
	f.Add("[::1", "null", ",")
	f.Fuzz(func(t *testing.T, host, origin, forwarded string) {
		r := request("Method", "POST", "Host", host)
		r.Header["Origin"], r.Header["X-Forwarded-For"] = []string{origin}, []string{forwarded}
		_, actor := through(d.Private, d, r)
		if actor == nil {
			return
		}
		if name := nameOf(host); name != "stats.example" && !IsLoopback(name) {
			t.Errorf("Host %q comes in", host)
		}
		if origin != "" && origin != public && !strings.EqualFold(origin, "http://"+host) && !strings.EqualFold(origin, "https://"+host) {
			t.Errorf("Origin %q comes in at %q", origin, host)
		}
	})
}
