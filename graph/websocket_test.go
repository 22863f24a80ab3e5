package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// limit is how long the tests wait for anything, on a loaded machine.
const limit = time.Minute

// wire is a WebSocket as a client has it, message by message.
type wire struct {
	*testing.T
	conn *websocket.Conn
}

// wireMessage is a message of the protocol.
type wireMessage struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// dial opens a connection with the subprotocols.
func (g *testGraph) dial(subprotocols ...string) *wire {
	g.Helper()
	conn, _, err := websocket.Dial(g.Context(), g.url, &websocket.DialOptions{Subprotocols: subprotocols, HTTPHeader: g.headers()})
	if err != nil {
		g.Fatal(err)
	}
	conn.SetReadLimit(-1)
	g.Cleanup(func() { conn.CloseNow() })
	return &wire{g.T, conn}
}

// connect opens a connection that is acknowledged.
func (g *testGraph) connect() *wire {
	g.Helper()
	w := g.dial("graphql-transport-ws")
	w.send(`{"type":"connection_init"}`)
	w.want("connection_ack", "")
	return w
}

func (w *wire) send(text string) {
	w.Helper()
	if err := w.conn.Write(w.Context(), websocket.MessageText, []byte(text)); err != nil {
		w.Fatal(err)
	}
}

// subscribe sends an operation.
func (w *wire) subscribe(id, query string, variables vars) {
	w.Helper()
	w.send(mustJSON(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables}}))
}

func (w *wire) read() (m wireMessage, err error) {
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	_, text, err := w.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

// want reads the next message, which is of the type and about the operation, and
// returns its payload.
func (w *wire) want(kind, id string) json.RawMessage {
	w.Helper()
	m, err := w.read()
	if err != nil || m.Type != kind || m.ID != id {
		w.Fatalf("%s %q %.300s, %v; want %s %q", m.Type, m.ID, m.Payload, err, kind, id)
	}
	return m.Payload
}

// wantData reads the next message, which holds the data.
func (w *wire) wantData(id, data string) {
	w.Helper()
	if got := w.want("next", id); !sameJSON(w.T, got, []byte(`{"data":`+data+`}`)) {
		w.Fatalf("got %s\nwant data %s", got, data)
	}
}

// wantError reads the next message, which is an error of the code, and returns it.
func (w *wire) wantError(id, code string) answerError {
	w.Helper()
	var problems []answerError
	if err := json.Unmarshal(w.want("error", id), &problems); err != nil {
		w.Fatal(err)
	}
	if len(problems) == 0 || problems[0].Extensions.Code != code || problems[0].Message == "" {
		w.Fatalf("errors %v, want %s", problems, code)
	}
	return problems[0]
}

// wantClosed reads until the connection is closed with the code.
func (w *wire) wantClosed(code websocket.StatusCode) string {
	w.Helper()
	for {
		_, err := w.read()
		if err == nil {
			continue
		}
		closed, ok := asCloseError(err)
		if !ok || closed.Code != code || closed.Reason == "" {
			w.Fatalf("%v, want it to be closed with %d and a reason", err, code)
		}
		return closed.Reason
	}
}

const cards = `subscription($site: ID!, $segments: [ID!], $goals: [ID!]) {
	goalCards(siteId: $site, segments: $segments, goals: $goals, range: { from: "2026-05-17T00:00:00Z" }) {
		goal { name } cells { segment { name } sessions conversions }
	}
}`

// The whole comes first, and then again when a figure or a definition in it has changed.
func TestGoalCardsSubscription(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("shop.example", "UTC")
		goal := g.goal(site, "buy", raw(`{"events":{"all":["buy"]}}`))
		w := g.connect()
		w.subscribe("1", cards, vars{"site": site})
		w.wantData("1", `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":0,"conversions":0}]}]}`)
		g.write("shop.example", event("v1", "2026-05-17T10:00:00Z", "buy", 0), page("v2", "2026-05-17T10:00:00Z", "/"))
		w.wantData("1", `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":2,"conversions":1}]}]}`)
		g.must(`mutation($id: ID!) { updateGoal(input: {id: $id, name: "Bought"}) { goal { id } } }`, vars{"id": goal})
		w.wantData("1", `{"goalCards":[{"goal":{"name":"Bought"},"cells":[{"segment":{"name":"All"},"sessions":2,"conversions":1}]}]}`)
		segment := g.segment(site, "Pages", raw(`{"pages":{"all":["/"]}}`))
		w.wantData("1", `{"goalCards":[{"goal":{"name":"Bought"},"cells":[{"segment":{"name":"All"},"sessions":2,"conversions":1},{"segment":{"name":"Pages"},"sessions":1,"conversions":0}]}]}`)
		w.subscribe("2", cards, vars{"site": site, "segments": []string{segment}})
		w.wantData("2", `{"goalCards":[{"goal":{"name":"Bought"},"cells":[{"segment":{"name":"Pages"},"sessions":1,"conversions":0}]}]}`)
		g.must(`mutation($id: ID!) { updateSegment(input: {id: $id, filters: [{pages: {all: ["/none"]}}], active: false}) { segment { id } } }`, vars{"id": segment})
		first, second := w.nextOf("1", "2")
		if want := `{"data":{"goalCards":[{"goal":{"name":"Bought"},"cells":[{"segment":{"name":"All"},"sessions":2,"conversions":1}]}]}}`; !sameJSON(t, first, []byte(want)) {
			t.Errorf("got %s", first)
		}
		if want := `{"data":{"goalCards":[{"goal":{"name":"Bought"},"cells":[{"segment":{"name":"Pages"},"sessions":0,"conversions":0}]}]}}`; !sameJSON(t, second, []byte(want)) {
			t.Errorf("got %s", second)
		}
		// What a subscription names is gone.
		g.must(`mutation($id: ID!) { deleteSegment(id: $id) { deletedId } }`, vars{"id": segment})
		if e := w.wantError("2", "NOT_FOUND"); e.Extensions.Field != "segments[0]" {
			t.Errorf("%v", e)
		}
		// What it has by default comes and goes.
		more := g.segment(site, "More", raw(`{"pages":{"all":["/"]}}`))
		w.wantData("1", `{"goalCards":[{"goal":{"name":"Bought"},"cells":[{"segment":{"name":"All"},"sessions":2,"conversions":1},{"segment":{"name":"More"},"sessions":1,"conversions":0}]}]}`)
		g.must(`mutation($id: ID!) { deleteSegment(id: $id) { deletedId } }`, vars{"id": more})
		w.wantData("1", `{"goalCards":[{"goal":{"name":"Bought"},"cells":[{"segment":{"name":"All"},"sessions":2,"conversions":1}]}]}`)
		g.must(`mutation($id: ID!) { deleteGoal(id: $id) { deletedId } }`, vars{"id": goal})
		w.wantData("1", `{"goalCards":[]}`)
		g.must(`mutation($id: ID!) { deleteSite(id: $id) { deletedId } }`, vars{"id": site})
		if e := w.wantError("1", "NOT_FOUND"); e.Extensions.Field != "siteId" || !strings.Contains(e.Message, "site") {
			t.Errorf("%v", e)
		}
	})
}

// nextOf reads the next answers of two operations, which come in any order.
func (w *wire) nextOf(a, b string) (first, second json.RawMessage) {
	w.Helper()
	answers := map[string]json.RawMessage{}
	for len(answers) < 2 {
		m, err := w.read()
		if err != nil || m.Type != "next" {
			w.Fatalf("%v %v", m, err)
		}
		answers[m.ID] = m.Payload
	}
	return answers[a], answers[b]
}

func asCloseError(err error) (closed websocket.CloseError, ok bool) {
	code := websocket.CloseStatus(err)
	if code == -1 {
		return closed, false
	}
	closed, ok = errors.AsType[websocket.CloseError](err)
	return closed, ok
}
