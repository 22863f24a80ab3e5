//go:build system

// The tests in this file run the server and pebble, so they have the tag system: see main_test.go.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// authority is a run of pebble, the ACME server that Let's Encrypt tests clients with.
type authority struct {
	*process
	// directory is its address, and trusted the file with the certificate of that.
	directory, trusted string
	// roots are what it certifies leads to.
	roots *x509.CertPool
}

// mustCertify starts an authority. It finds every domain at a port of this machine.
func mustCertify(tb testing.TB, port string) *authority {
	tb.Helper()
	pebble, err := exec.Command("go", "tool", "-n", "pebble").Output()
	if err != nil {
		tb.Fatalf("go tool pebble: %v", err)
	}
	tlsPort, err := strconv.Atoi(port)
	if err != nil {
		tb.Fatal(err)
	}
	cert, key, pool := mustCertificate(tb, "localhost")
	names := mustResolve(tb)
	secure := &http.Client{Timeout: limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for range 10 { // somebody else may take a port before it does
		listen, manage := freePort(tb), freePort(tb)
		settings, err := json.Marshal(map[string]any{"pebble": map[string]any{
			"listenAddress": "127.0.0.1:" + listen, "managementListenAddress": "127.0.0.1:" + manage, "certificate": cert, "privateKey": key, "tlsPort": tlsPort,
		}})
		if err != nil {
			tb.Fatal(err)
		}
		p := program(tb)
		p.Path = strings.TrimSpace(string(pebble))
		p.Args = []string{"pebble", "-config", mustWriteFile(tb, "pebble.json", string(settings)), "-dnsserver", names}
		p.Env = append(p.Env, "PEBBLE_VA_NOSLEEP=1")
		p.mustStart(tb)
		a := &authority{process: p, directory: "https://localhost:" + listen + "/dir", trusted: cert, roots: x509.NewCertPool()}
		fetch := func(address string) (body []byte, ok bool) {
			response, err := secure.Get(address)
			if err != nil {
				return nil, false
			}
			defer response.Body.Close()
			body, err = io.ReadAll(response.Body)
			return body, err == nil && response.StatusCode == http.StatusOK
		}
		ended := false
		await(tb, "pebble answers, or ends", func() bool {
			select {
			case <-p.ended:
				ended = true
				return true
			default:
			}
			root, ok := fetch("https://localhost:" + manage + "/roots/0")
			if !ok || !a.roots.AppendCertsFromPEM(root) {
				return false
			}
			_, ok = fetch(a.directory)
			return ok
		})
		if !ended {
			return a
		}
		if said := p.stdout.String() + p.stderr.String(); !strings.Contains(said, "address already in use") {
			tb.Fatalf("pebble ended: %v\n%s", p.err, said)
		}
	}
	tb.Fatal("no ports for pebble")
	return nil
}

// orders is how many orders it has taken.
func (a *authority) orders() int { return strings.Count(a.stdout.String(), "Added order ") }

// freePort returns a port on which nobody listens, yet.
func freePort(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// mustResolve starts a name server to which every name is this machine, and returns its address.
func mustResolve(tb testing.TB) string {
	tb.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	go func() {
		packet := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			var message dnsmessage.Message
			if message.Unpack(packet[:n]) != nil || len(message.Questions) != 1 {
				continue
			}
			question := message.Questions[0]
			message.Response, message.Additionals = true, nil
			if question.Type == dnsmessage.TypeA {
				message.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
				}}
			}
			if packed, err := message.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from) // whoever asks will ask again
			}
		}
	}()
	return conn.LocalAddr().String()
}

// certificate returns what a server shows to those who ask it for a domain.
func (a *authority) certificate(tb testing.TB, address, domain string) (*x509.Certificate, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), limit)
	defer cancel()
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: a.roots, ServerName: domain}}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// An authority certifies the domain of --tls-domain. All servers with the database have the certificate: one orders it, another
// one answers the authority's question, and none orders it again, not even one that starts later.
func TestCertificateFromAnAuthority(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		public := newRelay(t)
		authority := mustCertify(t, public.port())
		serve := func() (s *server, address string) {
			t.Helper()
			p := program(t, "serve", "--listen", "127.0.0.1:0", "--database", database, "--public-url", "https://stats.example",
				"--tls-domain", "stats.example", "--tls-authority", authority.directory)
			p.Path = checked
			p.Env = append(p.Env, "SSL_CERT_FILE="+authority.trusted)
			s = p.mustServe(t)
			_, port, ok := strings.Cut(strings.TrimPrefix(s.url, "https://stats.example"), ":")
			if !ok {
				t.Fatalf("it says that it is at %s", s.url)
			}
			return s, "127.0.0.1:" + port
		}
		first, firstAddress := serve()
		second, secondAddress := serve()
		if n := authority.orders(); n != 0 {
			t.Errorf("%d orders before anybody came", n)
		}
		public.lead(secondAddress)
		// Whoever makes names up orders nothing.
		if _, err := authority.certificate(t, firstAddress, "attacker.example"); err == nil || authority.orders() != 0 {
			t.Errorf("another domain: %v, %d orders", err, authority.orders())
		}
		ordered, err := authority.certificate(t, firstAddress, "stats.example")
		if err != nil {
			t.Fatalf("%v\n%s%s", err, &first.stderr, &authority.stdout)
		}
		first.mustStop(t)
		third, thirdAddress := serve()
		for i, address := range []string{secondAddress, thirdAddress} {
			if shown, err := authority.certificate(t, address, "stats.example"); err != nil || !shown.Equal(ordered) {
				t.Errorf("server %d shows another certificate: %v", i+2, err)
			}
		}
		if n := authority.orders(); n != 1 {
			t.Errorf("%d orders, want one:\n%s", n, &authority.stdout)
		}
		transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: authority.roots}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, public.address)
		}}
		request, err := http.NewRequest(http.MethodGet, "https://stats.example/auth/login", nil)
		a, err := doBy(&http.Client{Transport: transport, Timeout: limit}, request, err)
		if err != nil || a.status != http.StatusOK || a.header.Get("Strict-Transport-Security") == "" {
			t.Errorf("the login page: %v, %d %v", err, a.status, a.header)
		}
		transport.CloseIdleConnections()
		for _, s := range []*server{second, third} {
			s.mustStop(t)
		}
	})
}
