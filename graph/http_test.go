package graph_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/coder/websocket"

	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// reply is an answer as it comes over HTTP.
type reply struct {
	status int
	header http.Header
	text   string
}

// send sends a query with headers, which alternate with their values.
func (g *testGraph) send(method, query string, headers ...string) reply {
	g.Helper()
	address, body := g.url, ""
	if method == http.MethodPost {
		body = mustJSON(map[string]any{"query": query})
	} else {
		address += "?query=" + url.QueryEscape(query)
	}
	request, err := http.NewRequestWithContext(g.Context(), method, address, strings.NewReader(body))
	if err != nil {
		g.Fatal(err)
	}
	request.Header = g.headers()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Encoding", "identity") // the library would ask for gzip, and say nothing
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { response.Body.Close() })
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return reply{response.StatusCode, response.Header, mustEvent(g.T, bufio.NewReader(response.Body), "next")}
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// Clients get what they prefer of what they take, and are told where there is nothing of it.
func TestAnswersAsClientsTakeThem(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	const urql = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
	const query = "{ sites { name } }"
	live := fmt.Sprintf(`subscription { goalCards(siteId: %q, range: { from: "2026-05-17T00:00:00Z" }) { goal { name } } }`, site)
	for _, test := range []struct {
		method, accept, query string
		status                int
		mediaType, says       string
	}{
		{"POST", urql, query, 200, "application/graphql-response+json", `{"data":{"sites":[{"name":"a.example"}]}}`},
		{"POST", "text/event-stream;q=0, application/json", query, 200, "application/json", `{"data"`},
		{"POST", "text/event-stream, application/json;q=0.9", query, 200, "text/event-stream; charset=utf-8", `{"data"`},
		{"GET", "application/json, text/event-stream", query, 200, "application/json", `{"data"`},
		{"GET", "text/event-stream, application/json", query, 200, "text/event-stream; charset=utf-8", `{"data"`},
		// Of what is named, only events can carry a subscription.
		{"POST", urql, live, 200, "text/event-stream; charset=utf-8", `{"data":{"goalCards":[]}}`},
		{"GET", urql, live, 200, "text/event-stream; charset=utf-8", `{"data":{"goalCards":[]}}`},
		{"POST", "application/json", live, 200, "application/json", "accept text/event-stream"},
		{"POST", "application/graphql-response+json", live, 400, "application/graphql-response+json", "accept text/event-stream"},
		{"POST", "*/*", live, 200, "application/json", "open a WebSocket"},
		{"POST", "application/json, text/event-stream;q=0", live, 200, "application/json", "open a WebSocket"},
		{"POST", "text/html", query, 406, "application/json", "takes none of them"},
		{"GET", "text/html", live, 406, "application/json", "takes none of them"},
		{"PUT", "application/json", query, 405, "application/json", "by GET or POST"},
	} {
		got := g.send(test.method, test.query, "Accept", test.accept)
		if got.status != test.status || got.header.Get("Content-Type") != test.mediaType || !strings.Contains(got.text, test.says) {
			t.Errorf("%s %q %.20s: %d %s %s", test.method, test.accept, test.query, got.status, got.header.Get("Content-Type"), got.text)
		}
	}
	if a := g.post(`[{"query": "{ __typename }"}]`, "application/json"); a.status != 400 || len(a.Errors) != 1 || !strings.Contains(a.Errors[0].Message, "a request of its own") {
		t.Errorf("a batch: %+v", a)
	}
}

// What is asked by GET may be kept by who asks, and is sent again only if it has changed.
func TestAnswersAreCompared(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	names := fmt.Sprintf("{ site(id: %q) { goals { nodes { name } } } }", site)
	before := g.send("GET", names)
	tag := before.header.Get("ETag")
	if before.status != 200 || before.header.Get("Cache-Control") != "private, no-cache" || len(tag) < 10 || tag[0] != '"' {
		t.Fatalf("%+v", before)
	}
	for _, vary := range []string{"Accept", "Accept-Encoding", "Authorization", "Cookie"} {
		if !strings.Contains(strings.Join(before.header.Values("Vary"), ", "), vary) {
			t.Errorf("Vary %q without %s", before.header.Values("Vary"), vary)
		}
	}
	for _, given := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		for _, method := range []string{"GET", "HEAD"} {
			got := g.send(method, names, "If-None-Match", given)
			if got.status != 304 || got.text != "" || got.header.Get("ETag") != tag || got.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("%s %s: %+v", method, given, got)
			}
		}
	}
	if got := g.send("GET", names, "If-None-Match", `"other"`); got.status != 200 || got.text != before.text {
		t.Errorf("another tag: %+v", got)
	}
	head := g.send("HEAD", names)
	if head.status != 200 || head.text != "" || head.header.Get("ETag") != tag || head.header.Get("Content-Length") != fmt.Sprint(len(before.text)) || head.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %+v", head)
	}
	g.goal(site, "buy")
	if after := g.send("GET", names, "If-None-Match", tag); after.status != 200 || after.header.Get("ETag") == tag || !strings.Contains(after.text, "buy") {
		t.Errorf("after a change: %+v", after)
	}
	for _, private := range []reply{
		g.send("POST", names), g.send("GET", "{ viewer { name } }"), g.send("GET", "{ ...A } fragment A on Query { apiKeys { name } }"),
		g.send("GET", "{ nothing }"), g.send("GET", "{ sites { auditLog { nodes { address } } } }"),
	} {
		if private.header.Get("ETag") != "" || private.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%+v", private)
		}
	}
	if got := g.send("HEAD", `mutation { createGoal(input: {siteId: "x", key: "x", name: "x"}) { __typename } }`); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("a mutation by HEAD: %+v", got)
	}
}

func TestAnswersArePacked(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	g.site("a.example", "UTC")
	const query = "{ __schema { types { name description } } }"
	whole := g.send("POST", query)
	if coding := whole.header.Get("Content-Encoding"); coding != "" {
		t.Fatal(coding)
	}
	for coding, unpack := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	} {
		for range 2 { // what packs is used again
			packed := g.send("POST", query, "Accept-Encoding", coding)
			if packed.header.Get("Content-Encoding") != coding || len(packed.text) > len(whole.text)/3 {
				t.Fatalf("%s: %v, %d of %d bytes", coding, packed.header, len(packed.text), len(whole.text))
			}
			reader, err := unpack(strings.NewReader(packed.text))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(reader); err != nil || string(text) != whole.text {
				t.Errorf("%s: %v: %.200s", coding, err, text)
			}
		}
	}
	// Each coding has a tag of its own.
	tag := g.send("GET", query, "Accept-Encoding", "br").header.Get("ETag")
	if other := g.send("GET", query).header.Get("ETag"); tag == other {
		t.Errorf("one tag for both: %s", tag)
	}
	if got := g.send("GET", query, "Accept-Encoding", "br", "If-None-Match", tag); got.status != 304 || got.header.Get("Content-Encoding") != "" {
		t.Errorf("%+v", got)
	}
	for name, headers := range map[string][]string{
		"a link":                        {"Sec-Fetch-Mode", "navigate"},
		"a cookie from who knows where": {"Cookie", "goalgraph=x"},
	} {
		if got := g.send("GET", query, append(headers, "Accept-Encoding", "br")...); got.header.Get("Content-Encoding") != "" || got.text != whole.text {
			t.Errorf("%s: %v", name, got.header)
		}
	}
	if got := g.send("GET", query, "Cookie", "goalgraph=x", "Sec-Fetch-Mode", "cors", "Accept-Encoding", "br"); got.header.Get("Content-Encoding") != "br" {
		t.Errorf("a page of ours: %v", got.header)
	}
	for name, got := range map[string]reply{
		"a short answer": g.send("POST", "{ __typename }", "Accept-Encoding", "br"), "events": g.send("POST", query, "Accept", "text/event-stream", "Accept-Encoding", "br"),
	} {
		if got.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", name, got.header)
		}
	}
}

// countedConn counts what is read from a connection.
type countedConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countedConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.read.Add(int64(n))
	return n, err
}

func TestMessagesArePacked(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	read := map[websocket.CompressionMode]*atomic.Int64{websocket.CompressionDisabled: {}, websocket.CompressionNoContextTakeover: {}, websocket.CompressionContextTakeover: {}}
	texts := map[string]bool{}
	for mode, bytes := range read {
		over := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return countedConn{conn, bytes}, err
		}}}
		conn, response, err := websocket.Dial(t.Context(), g.url, &websocket.DialOptions{HTTPClient: over, Subprotocols: []string{"graphql-transport-ws"}, CompressionMode: mode})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		conn.SetReadLimit(1 << 20)
		extensions := response.Header.Get("Sec-WebSocket-Extensions")
		if packs := mode != websocket.CompressionDisabled; strings.Contains(extensions, "permessage-deflate") != packs || packs && !strings.Contains(extensions, "server_no_context_takeover") {
			t.Errorf("mode %v: %q", mode, extensions)
		}
		for i, message := range []string{
			`{"type":"connection_init"}`,
			`{"id":"1","type":"subscribe","payload":{"query":"# ` + strings.Repeat("a long request, which is packed. ", 100) + `\n{ __schema { types { name description } } }"}}`,
		} {
			if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
				t.Fatal(err)
			}
			_, text, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				texts[string(text)] = true
			}
		}
	}
	if len(texts) != 1 {
		t.Errorf("%d different answers", len(texts))
	}
	for mode, bytes := range read {
		if whole := read[websocket.CompressionDisabled].Load(); mode != websocket.CompressionDisabled && bytes.Load() > whole/2 {
			t.Errorf("mode %v: %d bytes, and %d unpacked", mode, bytes.Load(), whole)
		}
	}
	// A short message that unpacks to a long one is as long as that.
	conn, _, err := websocket.Dial(t.Context(), g.url, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, CompressionMode: websocket.CompressionNoContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(strings.Repeat(" ", 2<<20))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("2 MiB in a few KiB: %v", err)
	}
}

// A document that was sent once with its hash is carried out by the hash, within the bounds of all others.
func TestRegisteredDocuments(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		o.OnlyDocuments = func(ctx context.Context) bool { return model.ActorOf(ctx).Name == "page" }
	})
	g.site("a.example", "UTC")
	const want = `{"sites":[{"name":"a.example"}]}`
	ask := func(g *testGraph, query, hash string) answer {
		t.Helper()
		body := map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}}
		if query != "" {
			body["query"] = query
		}
		return g.post(mustJSON(body), "application/json")
	}
	isUnknown := func(a answer) bool {
		return a.status == 200 && len(a.Errors) == 1 && a.Errors[0].Extensions.Code == "PERSISTED_QUERY_NOT_FOUND"
	}
	const query = "query Names { sites { name } }"
	hash := document.Hash(query)
	if a := ask(g, "", hash); !isUnknown(a) {
		t.Errorf("before it was sent: %+v", a)
	}
	if a := ask(g, query, document.Hash("{ sites { id } }")); len(a.Errors) != 1 || a.Errors[0].Extensions.Field != "extensions.persistedQuery.sha256Hash" || len(a.Data) > 0 {
		t.Errorf("by another's hash: %+v", a)
	}
	for _, asked := range []string{query, ""} {
		if a := ask(g, asked, hash); string(a.Data) != want {
			t.Errorf("%q: %+v", asked, a)
		}
	}
	extensions := url.QueryEscape(mustJSON(map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}))
	for _, accept := range []string{"application/json", "text/event-stream"} {
		request, err := http.NewRequest(http.MethodGet, g.url+"?extensions="+extensions, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", accept)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("GET %s: %v %s", accept, err, text)
		}
		response.Body.Close()
	}
	// Those who may have trusted documents only neither register any nor use what others have registered.
	page := g.as(readingKey("page"))
	if a := ask(page, "", hash); !isUnknown(a) {
		t.Errorf("a page, by the hash: %+v", a)
	}
	const own = "query Own { sites { id } }"
	if a := ask(page, own, document.Hash(own)); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "FORBIDDEN" {
		t.Errorf("a page: %+v", a)
	}
	nobody := g.as(&model.Principal{Kind: model.AnonymousPrincipal})
	if a := ask(nobody, own, document.Hash(own)); len(a.Errors) == 0 {
		t.Errorf("nobody: %+v", a)
	}
	// What is wrong is not kept, nor is what is too large ever carried out.
	for _, wrong := range []string{"{ nothing }", "{", "{" + strings.Repeat(" a: __typename", 1000) + "}"} {
		if a := ask(g, wrong, document.Hash(wrong)); len(a.Errors) == 0 || len(a.Data) > 0 {
			t.Errorf("%.20s: %+v", wrong, a)
		}
		if a := ask(g, "", document.Hash(wrong)); !isUnknown(a) {
			t.Errorf("%.20s: %+v", wrong, a)
		}
	}
	if a := ask(g, "", document.Hash(own)); !isUnknown(a) {
		t.Errorf("what a page and nobody sent: %+v", a)
	}
}

func TestRegistryIsBounded(t *testing.T) {
	t.Parallel()
	const bytes = 64 << 10
	registry, err := document.NewRegistry(bytes)
	if err != nil {
		t.Fatal(err)
	}
	numbered := func(i int) string { return fmt.Sprintf("query Q%d { %s }", i, strings.Repeat("a ", 500)) }
	for i := range 1000 {
		registry.Add(numbered(i))
	}
	kept := 0
	// What is too much is forgotten a moment later.
	await(t, "no more documents of a kilobyte are kept than fit", func() bool {
		kept = 0
		for i := range 1000 {
			if _, found := registry.Text(document.Hash(numbered(i))); found {
				kept++
			}
		}
		return kept <= bytes/1000
	})
	if kept == 0 {
		t.Error("none is kept")
	}
}

func TestSchemaIsServed(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		o.MayIntrospect = func(ctx context.Context) error {
			if len(model.ActorOf(ctx).Grants) > 0 {
				return nil
			}
			return model.Errorf(model.Unauthenticated, "the schema is for those who may read")
		}
	})
	get := func(method string, actor *model.Principal, tag string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, "/schema.graphql", nil)
		request.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		g.graph.ServeSchema(w, request.WithContext(model.WithActor(t.Context(), model.Actor{Principal: actor})))
		return w
	}
	served := get("GET", model.Everyone(), "")
	text := served.Body.String()
	if served.Code != 200 || !strings.Contains(text, "input FilterInput @oneOf {") || !strings.Contains(text, "scalar Time @specifiedBy(") || strings.Contains(text, "directive @defer") {
		t.Errorf("%d %.2000s", served.Code, text)
	}
	if again := get("GET", model.Everyone(), served.Header().Get("ETag")); again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("again: %d", again.Code)
	}
	if w := get("GET", &model.Principal{Kind: model.AnonymousPrincipal}, ""); w.Code != 401 || !strings.Contains(w.Body.String(), "UNAUTHENTICATED") || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("nobody: %d %.200s", w.Code, w.Body)
	}
	if w := get("POST", model.Everyone(), ""); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", w.Code)
	}
}
