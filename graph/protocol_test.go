package graph_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/goalgraph/goalgraph/graph/transport"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// limited sets limits of subscriptions.
func limited(limits transport.Limits) func(*testOptions) {
	return func(o *testOptions) { o.transport.Limits = limits }
}

// Each case is one of the protocol's: what a client sends, what it gets, and the code by
// which the connection is closed, where it is.
func TestGraphQLOverWebSocket(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Init: limit}))
	hasty := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Init: time.Second}))
	site := g.site("shop.example", "UTC")
	const hello, ack = `{"type":"connection_init"}`, `{"type":"connection_ack"}`
	operation := func(id, query string) string {
		return mustJSON(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query}})
	}
	field := fmt.Sprintf(`goalCards(siteId: %q, range: { from: "2026-05-17T00:00:00Z" }) { goal { name } }`, site)
	live := "subscription { " + field + " }"
	whole := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"type":"next","payload":{"data":{"goalCards":[]}}}`, id)
	}
	// "<" before a text is what the server sends.
	for name, test := range map[string]struct {
		subprotocols []string
		steps        []string
		code         websocket.StatusCode
	}{
		"another subprotocol":                 {[]string{"graphql-ws"}, nil, 4406},
		"no subprotocol":                      {[]string{}, nil, 4406},
		"no init in time":                     {nil, nil, 4408},
		"no init in time, but pings":          {nil, []string{`{"type":"ping"}`, `<{"type":"pong","payload":null}`}, 4408},
		"two inits":                           {nil, []string{hello, "<" + ack, hello}, 4429},
		"subscribe before init":               {nil, []string{operation("1", live)}, 4401},
		"init with a payload":                 {nil, []string{`{"type":"connection_init","payload":{"authorization":"Bearer KEY","x":1}}`, "<" + ack}, 0},
		"init with null":                      {nil, []string{`{"type":"connection_init","payload":null}`, "<" + ack}, 0},
		"init with a text":                    {nil, []string{`{"type":"connection_init","payload":"KEY"}`}, 4400},
		"no JSON":                             {nil, []string{"hello"}, 4400},
		"no object":                           {nil, []string{`["connection_init"]`}, 4400},
		"no type":                             {nil, []string{hello, "<" + ack, `{"id":"1"}`}, 4400},
		"a type that is none":                 {nil, []string{hello, "<" + ack, `{"type":"start","id":"1"}`}, 4400},
		"a server's type":                     {nil, []string{hello, "<" + ack, `{"type":"connection_ack"}`}, 4400},
		"subscribe without id":                {nil, []string{hello, "<" + ack, `{"type":"subscribe","payload":{"query":"{ sites { id } }"}}`}, 4400},
		"subscribe with an empty id":          {nil, []string{hello, "<" + ack, operation("", live)}, 4400},
		"subscribe with a long id":            {nil, []string{hello, "<" + ack, operation(strings.Repeat("x", 256), live)}, 4400},
		"subscribe with a number for id":      {nil, []string{hello, "<" + ack, `{"type":"subscribe","id":1,"payload":{"query":"{ sites { id } }"}}`}, 4400},
		"subscribe without payload":           {nil, []string{hello, "<" + ack, `{"type":"subscribe","id":"1"}`}, 4400},
		"subscribe without query":             {nil, []string{hello, "<" + ack, `{"type":"subscribe","id":"1","payload":{}}`}, 4400},
		"subscribe with a list of queries":    {nil, []string{hello, "<" + ack, `{"type":"subscribe","id":"1","payload":[]}`}, 4400},
		"subscribe with a list for variables": {nil, []string{hello, "<" + ack, `{"type":"subscribe","id":"1","payload":{"query":"{ sites { id } }","variables":[1]}}`}, 4400},
		"subscribe with a number for a name":  {nil, []string{hello, "<" + ack, `{"type":"subscribe","id":"1","payload":{"query":"{ sites { id } }","operationName":1}}`}, 4400},
		"an id twice":                         {nil, []string{hello, "<" + ack, operation("1", live), "<" + whole("1"), operation("1", live)}, 4409},
		"two ids":                             {nil, []string{hello, "<" + ack, operation("1", live), "<" + whole("1"), operation("2", live), "<" + whole("2")}, 0},
		"an id again, after its end":          {nil, []string{hello, "<" + ack, operation("1", live), "<" + whole("1"), `{"id":"1","type":"complete"}`, operation("1", live), "<" + whole("1")}, 0},
		"the end of an unknown id":            {nil, []string{hello, "<" + ack, `{"id":"1","type":"complete"}`, operation("1", live), "<" + whole("1")}, 0},
		"ping and pong":                       {nil, []string{hello, "<" + ack, `{"type":"ping","payload":{"n":1}}`, `<{"type":"pong","payload":{"n":1}}`, `{"type":"pong"}`, `{"type":"ping"}`, `<{"type":"pong","payload":null}`}, 0},
		"pings at once": {nil, []string{`{"type":"ping","payload":{"n":1}}`, `{"type":"ping","payload":{"n":2}}`, `{"type":"ping","payload":{"n":3}}`,
			`<{"type":"pong","payload":{"n":1}}`, `<{"type":"pong","payload":{"n":2}}`, `<{"type":"pong","payload":{"n":3}}`}, 0},
		"a query": {nil, []string{hello, "<" + ack, operation("q", "{ sites { name } }"),
			`<{"id":"q","type":"next","payload":{"data":{"sites":[{"name":"shop.example"}]}}}`, `<{"id":"q","type":"complete"}`, operation("q", "{ __typename }"),
			`<{"id":"q","type":"next","payload":{"data":{"__typename":"Query"}}}`, `<{"id":"q","type":"complete"}`}, 0},
		"a message that is too large": {nil, []string{hello, "<" + ack, operation("1", strings.Repeat("#", 1<<20))}, 1009},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subprotocols := test.subprotocols
			if subprotocols == nil {
				subprotocols = []string{"graphql-transport-ws"}
			}
			asked := g
			if test.code == 4408 {
				asked = hasty
			}
			w := asked.in(t).dial(subprotocols...)
			for _, step := range test.steps {
				want, isAnswer := strings.CutPrefix(step, "<")
				if !isAnswer {
					w.send(step)
					continue
				}
				m, err := w.read()
				if err != nil || !sameJSON(t, []byte(mustJSON(m)), []byte(want)) {
					t.Fatalf("got %s, %v\nwant %s", mustJSON(m), err, want)
				}
			}
			if test.code != 0 {
				w.wantClosed(test.code)
			}
		})
	}
	t.Run("refused operations", func(t *testing.T) {
		t.Parallel()
		w := g.in(t).connect()
		for query, code := range map[string]string{
			"{": "BAD_USER_INPUT", "{ nothing }": "BAD_USER_INPUT", "subscription { goalCards { goal { name } } }": "BAD_USER_INPUT",
			`subscription { goalCards(siteId: "none", range: { from: "2026-05-17T00:00:00Z" }) { goal { name } } }`:                                     "NOT_FOUND",
			`subscription { goalCards(siteId: "` + encode("Site:999") + `", range: { from: "2026-05-17T00:00:00Z" }) { goal { name } } }`:               "NOT_FOUND",
			`subscription { goalCards(siteId: "` + site + `", range: { from: "2026-05-17T00:00:00Z", to: "2025-05-17T00:00:00Z" }) { goal { name } } }`: "BAD_USER_INPUT",
			`subscription { a: goalCards(siteId: "` + site + `", range: { from: "2026-05-17T00:00:00Z" }) { goal { name } } b: __typename }`:            "BAD_USER_INPUT",
			"subscription { a: " + field + " b: " + field + " }":                                                                                        "BAD_USER_INPUT",
			"subscription { a: " + strings.Replace(field, "{ goal", "@skip(if: true) { goal", 1) + " }":                                                 "BAD_USER_INPUT",
		} {
			w.subscribe("1", query, nil)
			w.wantError("1", code)
		}
		w.subscribe("1", live, nil)
		w.wantData("1", `{"goalCards":[]}`)
	})
	t.Run("what is wrong is said", func(t *testing.T) {
		t.Parallel()
		for payload, says := range map[string]string{
			`{"query":"{ sites { id } }","variables":[1]}`: "variables cannot be a value of type array",
			`{"query":1}`: "query cannot be a value of type number",
			`[]`:          "it must be an object, not a value of type array",
		} {
			w := g.in(t).connect()
			w.send(`{"type":"subscribe","id":"1","payload":` + payload + `}`)
			if reason := w.wantClosed(4400); !strings.Contains(reason, says) {
				t.Errorf("%s: %q", payload, reason)
			}
		}
	})
	// Who asks on and on and does not read is closed, and held up no more than by one answer.
	t.Run("pings without reading", func(t *testing.T) {
		t.Parallel()
		g := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Write: 200 * time.Millisecond}), measured)
		conn := g.stalled("{ __typename }", nil)
		ping := []byte(`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 1000) + `"}}`)
		ctx, stop := context.WithCancel(t.Context())
		pinging := make(chan struct{})
		go func() {
			defer close(pinging)
			for conn.Write(ctx, websocket.MessageText, ping) == nil {
			}
		}()
		await(t, "it is closed", func() bool { return g.figure(`closed_total{reason="stalled"}`) == 1 && g.figure("connections") == 0 })
		stop()
		<-pinging
	})
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		w := g.in(t).dial("graphql-transport-ws")
		if err := w.conn.Write(t.Context(), websocket.MessageBinary, []byte(hello)); err != nil {
			t.Fatal(err)
		}
		w.wantClosed(4400)
	})
	t.Run("another origin", func(t *testing.T) {
		t.Parallel()
		_, response, err := websocket.Dial(t.Context(), g.url, &websocket.DialOptions{
			Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}},
		})
		if err == nil || response.StatusCode != http.StatusForbidden {
			t.Errorf("a page of another origin may connect: %v", err)
		}
	})
	t.Run("a plain request", func(t *testing.T) {
		t.Parallel()
		g.in(t).refused(live, nil, "BAD_USER_INPUT", "")
	})
}

// Whatever a client sends, the connection is closed with a code of the protocol's or goes
// on, and others are not disturbed.
func TestHostileWebSocket(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("shop.example", "UTC")
	good := g.connect()
	r := rand.New(rand.NewPCG(1, 1))
	pieces := []string{`{`, `}`, `[`, `]`, `"id"`, `:`, `,`, `"1"`, `null`, `"type"`, `"subscribe"`, `"complete"`, `"payload"`, `"query"`, `"{ sites { id } }"`, `"connection_init"`,
		`{"id":"1","type":"subscribe","payload":{"query":"{ sites { id } }","variables":{"a":[1,{}]}}}`, `{"id":"1","type":"complete"}`, `{"type":"ping"}`, "\x00", "\xff", `1e999`}
	for range 200 {
		w := g.connect()
		for range 1 + r.IntN(5) {
			var text strings.Builder
			for range 1 + r.IntN(12) {
				text.WriteString(pieces[r.IntN(len(pieces))])
			}
			if w.conn.Write(t.Context(), websocket.MessageText, []byte(strings.ToValidUTF8(text.String(), "?"))) != nil {
				break
			}
		}
		w.conn.CloseNow()
	}
	good.subscribe("1", cards, vars{"site": site})
	good.wantData("1", `{"goalCards":[]}`)
	if log := g.log.String(); strings.Contains(log, "panic") {
		t.Error(log)
	}
}

// One connection may not take everything, nor may all together; who is refused is told
// why, and room that is left is taken again.
func TestLiveLimits(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Connections: 3, Operations: 2, Subscriptions: 3}))
	site := g.site("shop.example", "UTC")
	numbered := func(n int) string { return strings.Replace(cards, "name", fmt.Sprintf("a%d: name", n), 1) }
	other := &model.Principal{Kind: model.UserPrincipal, ID: 1, Name: "Ann", Grants: model.Everyone().Grants}
	a, b := g.connect(), g.as(other).connect()
	for _, id := range []string{"1", "2"} {
		a.subscribe(id, cards, vars{"site": site})
		a.want("next", id)
	}
	a.subscribe("3", cards, vars{"site": site})
	a.wantError("3", "RESOURCE_EXHAUSTED")
	a.send(`{"id":"1","type":"complete"}`)
	a.subscribe("3", numbered(1), vars{"site": site})
	a.want("next", "3")

	again := g.connect() // who has begun two has begun half of all
	again.subscribe("1", numbered(2), vars{"site": site})
	again.wantError("1", "RESOURCE_EXHAUSTED")
	again.subscribe("1", cards, vars{"site": site})
	again.want("next", "1")

	b.subscribe("1", numbered(2), vars{"site": site})
	b.want("next", "1")
	b.subscribe("2", numbered(3), vars{"site": site})
	b.wantError("2", "RESOURCE_EXHAUSTED")
	b.subscribe("2", numbered(1), vars{"site": site}) // as another connection does
	b.want("next", "2")

	g.dial("graphql-transport-ws").wantClosed(websocket.StatusTryAgainLater)
	if response := g.events(`{ sites { id } }`, nil); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("a fourth connection: %d %v", response.StatusCode, response.Header)
	}
	again.conn.CloseNow()
	await(t, "there is room for another connection", func() bool {
		conn, _, err := websocket.Dial(t.Context(), g.url, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
		if err != nil {
			return false
		}
		defer conn.CloseNow()
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"connection_init"}`)); err != nil {
			return false
		}
		_, _, err = conn.Read(t.Context())
		return err == nil
	})
}

// A client that is gone without a word is found out by a ping.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Ping: 50 * time.Millisecond, Write: 2 * time.Second}), measured)
	w := g.connect() // answers pings only while it reads
	idle := g.connect()
	go func() {
		for {
			if _, err := idle.read(); err != nil {
				return
			}
		}
	}()
	await(t, "the silent one alone is closed", func() bool { return g.figure(`closed_total{reason="silent"}`) == 1 && g.figure("connections") == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if _, _, err := w.conn.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the silent one still reads: %v", err)
	}
}

// stalled opens a connection that subscribes and then reads nothing more. Its buffers are small.
func (g *testGraph) stalled(subscription string, variables vars) *websocket.Conn {
	g.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4096)
		}
		return conn, err
	}
	conn, _, err := websocket.Dial(g.Context(), g.url, &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial}},
	})
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { conn.CloseNow() })
	w := &wire{g.T, conn}
	w.send(`{"type":"connection_init"}`)
	w.subscribe("1", subscription, variables)
	return conn
}

// A client that goes on asking without reading what it is told is closed.
func TestClientThatAsksOn(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), limited(transport.Limits{Operations: 5}), measured, trustsWide(t))
	site := g.site("shop.example", "UTC")
	g.describedGoal(site)
	conn := g.stalled(wide, vars{"site": site})
	// A client that has no room to receive may not hear that the connection is reset, and wait.
	ctx, stop := context.WithCancel(t.Context())
	asking := make(chan struct{})
	go func() {
		defer close(asking)
		for n := 2; ; n++ {
			ask := map[string]any{"id": fmt.Sprint(n), "type": "subscribe", "payload": map[string]any{"query": cards, "variables": vars{"site": site}}}
			if conn.Write(ctx, websocket.MessageText, []byte(mustJSON(ask))) != nil {
				return
			}
		}
	}()
	await(t, "it is closed", func() bool { return g.figure(`closed_total{reason="protocol"}`) == 1 })
	stop()
	<-asking
	await(t, "nothing of it is left", func() bool { return g.figure("connections")+g.figure("subscriptions") == 0 })
}
