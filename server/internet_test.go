//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Behind a proxy with TLS, whether it keeps Host or not, pages of the public address and of no other may do what they do.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	read := mustCreateKey(t, database, "--scope", "read", "Dashboard")
	for _, test := range []struct {
		name string
		args []string
		set  func(*httputil.ProxyRequest)
	}{
		{"keeps Host", nil, func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host }},
		{"does not keep Host", nil, func(r *httputil.ProxyRequest) { r.Out.Host = "" }},
		{"does not keep Host, and says so", []string{"--trusted-proxies", "127.0.0.1"}, func(r *httputil.ProxyRequest) {
			r.Out.Host = "goalgraph:8080"
			r.SetXForwarded()
			r.Out.Header.Set("X-Forwarded-Proto", "https")
		}},
	} {
		for _, auth := range []string{"keys", "none"} {
			t.Run(test.name+", --auth "+auth, func(t *testing.T) {
				s := mustServeKeys(t, database, append([]string{"--auth", auth, "--public-url", public}, test.args...)...)
				target, err := url.Parse(s.url)
				if err != nil {
					t.Fatal(err)
				}
				// The default transport's connections are closed when any test closes a server.
				proxy := httptest.NewServer(&httputil.ReverseProxy{Transport: &http.Transport{}, Rewrite: func(r *httputil.ProxyRequest) {
					r.SetURL(target)
					test.set(r)
					// As nginx does, it has the whole body before it asks: the server may refuse a request that it has not read.
					body, err := io.ReadAll(r.In.Body)
					if err != nil {
						t.Error(err)
					}
					r.Out.Body = io.NopCloser(bytes.NewReader(body))
				}})
				defer proxy.Close()
				behind := &server{process: s.process, url: proxy.URL}
				for origin, allowed := range map[string]bool{"": true, public: true, "http://stats.example": false, "https://attacker.example": false, "null": false} {
					headers := []string{"Host", "stats.example", "Origin", origin}
					if origin == "" {
						headers = headers[:2]
					}
					want := map[bool]int{true: 200, false: 403}[allowed]
					if a := behind.asksAs(t, headers...); a.status != want {
						t.Errorf("a page of %q: %d %s, want %d", origin, a.status, a.body, want)
					}
					if a := behind.asksAs(t, append(headers, "Authorization", "Bearer "+read)...); a.status != 200 && (auth == "keys" || a.status != want) {
						t.Errorf("a page of %q with a key: %d %s", origin, a.status, a.body)
					}
					conn, response, err := websocket.Dial(t.Context(), proxy.URL+"/graphql", &websocket.DialOptions{
						Subprotocols: []string{"graphql-transport-ws"}, Host: "stats.example", HTTPHeader: fromPage(origin),
					})
					if (err == nil) != allowed {
						t.Errorf("a WebSocket of %q: %v %v", origin, response, err)
					}
					if err == nil {
						conn.CloseNow()
					}
				}
				s.mustStop(t)
			})
		}
	}
}

// fromPage are the headers of a request from a page of an origin; none for no page.
func fromPage(origin string) http.Header {
	if origin == "" {
		return nil
	}
	return http.Header{"Origin": {origin}}
}

// mustCertificate writes a certificate for a name and its key.
func mustCertificate(tb testing.TB, name string) (cert, key string, pool *x509.CertPool) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		tb.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	return mustWriteFile(tb, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))),
		mustWriteFile(tb, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}))), pool
}

// HTTPS is served by files, and operators have an address of their own.
func TestServeTLSAndAdmin(t *testing.T) {
	t.Parallel()
	cert, key, pool := mustCertificate(t, "localhost")
	s := mustServe(t, "--tls-cert", cert, "--tls-key", key, "--admin-listen", "127.0.0.1:0")
	secure := &http.Client{Timeout: limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true}}
	for path, want := range map[string]int{
		"/graphql?query=%7B__typename%7D": 200, "/graphiql/": 200, "/metrics": 404, "/healthz": 404, "/readyz": 404, "/debug/pprof/": 404,
	} {
		response, err := secure.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want || response.Header.Get("Strict-Transport-Security") == "" || response.ProtoMajor != 2 || !strings.HasPrefix(s.url, "https://") {
			t.Errorf("%s: %s %d, %v", path, response.Proto, response.StatusCode, response.Header)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.url+"/graphql", &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"},
	}}, Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.CloseNow()
	found := regexp.MustCompile(`metrics=(http://\S+)/metrics`).FindStringSubmatch(s.stderr.String())
	if found == nil {
		t.Fatalf("it does not say where metrics are: %s", &s.stderr)
	}
	for path, want := range map[string]int{
		"/metrics": 200, "/healthz": 200, "/readyz": 200, "/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/cmdline": 404, "/graphql": 404, "/graphiql/": 404,
	} {
		request, err := http.NewRequest(http.MethodGet, found[1]+path, nil)
		if a := withHeaders(t, request, err); a.status != want {
			t.Errorf("for operators, %s: %d", path, a.status)
		}
		if path != "/healthz" && path != "/readyz" { // load balancers ask for these by any name
			want = 421
		}
		request, err = http.NewRequest(http.MethodGet, found[1]+path, nil)
		if a := withHeaders(t, request, err, "Host", "attacker.example"); a.status != want || want == 421 && !strings.Contains(a.body, "--admin-listen") {
			t.Errorf("for operators at another name, %s: %d %s", path, a.status, a.body)
		}
	}
	s.mustStop(t)
}

// Without options, and without anything yet, the server says how to get in.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	serve := func() *server {
		p := program(t, "--listen", "127.0.0.1:0", "--database", database)
		p.Path = checked
		return p.mustServe(t)
	}
	s := serve()
	link := regexp.MustCompile(`(?m)^  (http://\S+/auth/password)#(\S+)$`)
	var found []string
	says := func() bool { // it listens before it says so
		found = link.FindStringSubmatch(s.stdout.String())
		return found != nil && strings.Contains(s.stdout.String(), "goalgraph key create")
	}
	await(t, "the link", says)
	if !strings.HasPrefix(found[1], s.url) || strings.Contains(s.stderr.String(), found[2]) {
		t.Fatalf("it says %s", &s.stdout)
	}
	s.mustStop(t)
	// A key that only writes lets nobody in.
	mustCreateKey(t, database, "--scope", "write", "--site", "shop.example", "Web shop")
	s = serve()
	first := found
	await(t, "the link again", says)
	again := found
	if again[2] == first[2] || !strings.Contains(s.stdout.String(), "goalgraph key create --database "+database) {
		t.Fatalf("nobody has used the link, and it says %s", &s.stdout)
	}
	post := func(path, body string, headers ...string) answer {
		request, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(body))
		return withHeaders(t, request, err, append(headers, "Content-Type", "application/json")...)
	}
	const password = "a horse of correct batteries"
	if a := post("/auth/password", `{"token":"`+again[2]+`","password":"`+password+`"}`, "Origin", "https://attacker.example"); a.status != 403 {
		t.Errorf("a foreign page: %d %s", a.status, a.body)
	}
	if a := post("/auth/password", `{"token":"`+again[2]+`","password":"`+password+`"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a := post("/auth/login", `{"name":"admin","password":"`+password+`"}`)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if a.status >= 300 || cookie == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.asksAs(t, "Cookie", cookie); a.status != 200 {
		t.Errorf("with the cookie: %d %s", a.status, a.body)
	}
	if a := s.asksAs(t, "Cookie", cookie, "Origin", "https://attacker.example"); a.status != 403 {
		t.Errorf("with the cookie, a foreign page: %d %s", a.status, a.body)
	}
	if a := s.asksAs(t, "Cookie", cookie[:len(cookie)-4]+"AAAA"); a.status != 401 {
		t.Errorf("with another cookie: %d %s", a.status, a.body)
	}
	s.mustStop(t)
	if strings.Contains(s.stderr.String(), "process exited") {
		t.Errorf("it tells of plugins that it ends: %s", &s.stderr)
	}
	s = serve()
	if s.stdout.String() != "" {
		t.Errorf("there is a user, and it says %s", &s.stdout)
	}
	s.mustStop(t)
}
