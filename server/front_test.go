//go:build system

// The tests in this file run the server behind nginx and Caddy, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

const (
	// public is the address that docs/internet.md gives its server.
	public = "https://stats.example"
	// fromAfar is an address of this machine that is none of a trusted proxy.
	fromAfar = "127.0.0.2"
)

// pageBlock returns the block of docs/internet.md that has a text.
func pageBlock(t *testing.T, text string) string {
	t.Helper()
	var found []string
	for _, block := range readmeBlocks(t, "../docs/internet.md") {
		if strings.Contains(block.text, text) {
			found = append(found, block.text)
		}
	}
	if len(found) != 1 {
		t.Fatalf("docs/internet.md has %d blocks with %q, want one", len(found), text)
	}
	return found[0]
}

// replaced returns a text of the page with other texts in place of some, each of which it has once.
func replaced(t *testing.T, text string, edits ...string) string {
	t.Helper()
	for i := 0; i < len(edits); i += 2 {
		if n := strings.Count(text, edits[i]); n != 1 {
			t.Fatalf("the page has %q %d times, want once:\n%s", edits[i], n, text)
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return text
}

// front is a run of a proxy that serves HTTPS for the server.
type front struct {
	address string
	roots   *x509.CertPool
}

// mustStand starts a proxy on a free port. prepare returns its command, and where the roots of its certificate are or will be.
func mustStand(t *testing.T, name string, prepare func(p *process, port string) (args []string, roots string)) *front {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name) // Debian's nginx, which is not in everybody's PATH
	}
	if err != nil {
		t.Fatalf("install %s, or run make test-system, which does: %v", name, err)
	}
	for range 10 { // somebody else may take the port before it does
		p, port := program(t), freePort(t)
		args, roots := prepare(p, port)
		p.Path, p.Args = path, append([]string{name}, args...)
		p.mustStart(t)
		f := &front{address: "127.0.0.1:" + port, roots: x509.NewCertPool()}
		ended := false
		await(t, name+" answers, or ends", func() bool {
			select {
			case <-p.ended:
				ended = true
				return true
			default:
			}
			text, err := os.ReadFile(roots)
			if err != nil || !f.roots.AppendCertsFromPEM(text) {
				return false
			}
			conn, err := tls.Dial("tcp", f.address, f.tls())
			if err != nil {
				return false
			}
			conn.Close()
			return true
		})
		if !ended {
			return f
		}
		if said := p.stdout.String() + p.stderr.String(); !strings.Contains(strings.ToLower(said), "address already in use") {
			t.Fatalf("%s ended: %v\n%s", name, p.err, said)
		}
	}
	t.Fatalf("no port for %s", name)
	return nil
}

func (f *front) tls(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: f.roots, ServerName: "stats.example", NextProtos: protocols}
}

// transport sends everything to the front, from afar: by HTTP/2, or by what WebSockets need.
func (f *front) transport(t *testing.T, http2 bool) *http.Transport {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(fromAfar)}}
	transport := &http.Transport{TLSClientConfig: f.tls(), ForceAttemptHTTP2: http2, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, f.address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Behind nginx and Caddy, set up as docs/internet.md says, people and programs do what they do without: they ask, log in by a
// cookie, subscribe by WebSockets and event streams, and send events. The server knows where they come from, whatever they say.
func TestBehindNginxAndCaddy(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	write := mustKey(t, database)
	read := mustCreateKey(t, database, "--scope", "read", "Dashboard")
	var command []string
	for _, line := range strings.Split(pageBlock(t, "--trusted-proxies 127.0.0.1"), "\n") {
		command = append(command, strings.Fields(line)...)
	}
	args := strings.Fields(replaced(t, strings.Join(command[1:], " "), "127.0.0.1:8080", "127.0.0.1:0"))
	p := program(t, append(args, "--database", database)...)
	p.Path = checked
	s := p.mustServe(t)
	s.mustCreateUser(t, database)
	address := strings.TrimPrefix(s.url, "http://")
	t.Cleanup(func() { s.mustStop(t) })

	t.Run("nginx", func(t *testing.T) {
		t.Parallel()
		f := mustStand(t, "nginx", func(p *process, port string) ([]string, string) {
			cert, key, _ := mustCertificate(t, "stats.example")
			server := replaced(t, pageBlock(t, "proxy_pass"), "listen 443", "listen 127.0.0.1:"+port, "127.0.0.1:8080", address,
				"/etc/ssl/stats.example.pem", cert, "/etc/ssl/stats.example.key", key)
			folders := ""
			for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				folders += what + "_temp_path " + filepath.Join(p.Dir, what) + ";\n"
			}
			settings := "daemon off;\nmaster_process off;\npid " + filepath.Join(p.Dir, "pid") + ";\nevents {}\nhttp {\naccess_log off;\n" + folders + server + "}\n"
			return []string{"-e", "stderr", "-p", p.Dir, "-c", mustWriteFile(t, "nginx.conf", settings)}, cert
		})
		f.serves(t, read, write)
	})
	t.Run("Caddy", func(t *testing.T) {
		t.Parallel()
		f := mustStand(t, "caddy", func(p *process, port string) ([]string, string) {
			// Its own authority certifies, and no other port of this machine is taken.
			global := "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\thttps_port " + port + "\n}\n"
			file := mustWriteFile(t, "Caddyfile", global+replaced(t, pageBlock(t, "reverse_proxy"), "127.0.0.1:8080", address))
			p.Env = append(p.Env, "XDG_DATA_HOME="+p.Dir)
			return []string{"run", "--config", file, "--adapter", "caddyfile"}, filepath.Join(p.Dir, "caddy", "pki", "authorities", "local", "root.crt")
		})
		f.serves(t, read, write)
	})
}

// serves does what people and programs do.
func (f *front) serves(t *testing.T, read, write string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t, &http.Client{Jar: jar, Timeout: limit, Transport: f.transport(t, true), CheckRedirect: client.CheckRedirect}}
	behind := &server{url: public}
	post := func(path, body string, headers ...string) answer {
		t.Helper()
		request, err := http.NewRequest(http.MethodPost, public+path, strings.NewReader(body))
		if err == nil {
			request.Header.Set("Content-Type", "application/json")
			// What clients make up is nothing to the server.
			request.Header.Set("X-Forwarded-For", "203.0.113.9")
			request.Header.Set("X-Forwarded-Host", "attacker.example")
			request.Header.Set("X-Forwarded-Proto", "http")
			for i := 0; i < len(headers); i += 2 {
				request.Header.Set(headers[i], headers[i+1])
			}
		}
		return v.do(request, err)
	}
	ask := func(query string, headers ...string) answer {
		t.Helper()
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		return post("/graphql", string(body), headers...)
	}

	if a := ask(`{ viewer { name } }`, "Authorization", "Bearer "+read, "Origin", public); a.status != http.StatusOK || !strings.Contains(a.body, `"Dashboard"`) {
		t.Errorf("a query with a key: %d %s", a.status, a.body)
	} else if a.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the answer's headers are %v", a.header)
	}
	if a := post("/auth/login", credentials, "Origin", public); a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Set-Cookie"), "__Host-goalgraph=") {
		t.Fatalf("a login: %d %s %v", a.status, a.body, a.header)
	}
	if viewer := v.viewer(behind); viewer != "ann ADMIN" {
		t.Errorf("with the cookie it is %q", viewer)
	}
	if a := ask(`{ logins { current address } }`); !strings.Contains(a.body, fmt.Sprintf(`{"current":true,"address":%q}`, fromAfar)) {
		t.Errorf("the login is from elsewhere: %s", a.body)
	}
	if a := ask(`{ viewer { name } }`, "Origin", "https://attacker.example"); a.status != http.StatusForbidden {
		t.Errorf("a page of another origin: %d %s", a.status, a.body)
	}
	if a := post("/v1/batch", `{"batch": [{"type": "page", "anonymousId": "a", "messageId": "m `+t.Name()+`", "properties": {"path": "/"}}]}`, "Authorization", "Bearer "+write); a.status != http.StatusOK {
		t.Errorf("a batch: %d %s", a.status, a.body)
	}

	// Both kinds of subscriptions have an answer at once, and another when something changes.
	site := `site(domain: "shop.example")`
	var data struct {
		Data struct{ Site struct{ ID string } }
	}
	if a := ask("{ " + site + " { id } }"); json.Unmarshal([]byte(a.body), &data) != nil || data.Data.Site.ID == "" {
		t.Fatalf("the site: %d %s", a.status, a.body)
	}
	subscription := fmt.Sprintf(`subscription { goalCards(siteId: %q, range: { from: "2020-01-01T00:00:00Z" }) { goal { key } } }`, data.Data.Site.ID)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	sockets := &websocket.DialOptions{HTTPClient: &http.Client{Jar: jar, Transport: f.transport(t, false)}, Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: fromPage("https://attacker.example")}
	if _, _, err := websocket.Dial(ctx, public+"/graphql", sockets); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a WebSocket of another origin: %v", err)
	}
	sockets.HTTPHeader = fromPage(public)
	conn, _, err := websocket.Dial(ctx, public+"/graphql", sockets)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for _, message := range []map[string]any{{"type": "connection_init"}, {"type": "subscribe", "id": "1", "payload": map[string]string{"query": subscription}}} {
		if err := wsjson.Write(ctx, conn, message); err != nil {
			t.Fatal(err)
		}
	}
	nextOfSocket := func() string {
		t.Helper()
		for {
			_, message, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(message); strings.Contains(text, `"next"`) {
				return text
			}
		}
	}
	request, err := graphQLRequest(public, subscription)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	stream, err := v.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if stream.ProtoMajor != 2 || !strings.HasPrefix(stream.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("the stream is %s %v", stream.Proto, stream.Header)
	}
	lines := bufio.NewScanner(stream.Body)
	nextOfStream := func() string {
		t.Helper()
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data:"); ok && strings.Contains(text, "goalCards") {
				return text
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
	nextOfSocket()
	nextOfStream()
	key := "bought_" + strings.ToLower(t.Name()[strings.LastIndex(t.Name(), "/")+1:])
	if a := ask(fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: %q, name: "Bought" }) { goal { id } } }`, data.Data.Site.ID, key)); !strings.Contains(a.body, `"id"`) {
		t.Fatalf("a mutation: %s", a.body)
	}
	for !strings.Contains(nextOfSocket(), key) {
	}
	for !strings.Contains(nextOfStream(), key) {
	}
	if a := post("/auth/logout", "{}", "Origin", public); a.status != http.StatusNoContent || v.viewer(behind) != "" {
		t.Errorf("a logout: %d %s", a.status, a.body)
	}
}
