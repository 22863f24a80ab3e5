//go:build system

// This file serves the tests of this folder, which run the server, so it has the tag system: see main_test.go.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// cardsQuestion asks for goal cards, as a subscription and as a query. The first cell is
// that of the goal that counts ticks, over all sessions.
type cardsQuestion struct {
	site, segments, goals, from string
	// wide is what else it asks for, to have a large answer.
	wide string
}

func (q cardsQuestion) cards(site string) string {
	return fmt.Sprintf(`goalCards(%ssegments: [%s], goals: [%s], range: { from: %q }) { cells { conversions sessions conversionRate visitors } goal { key %s} }`,
		site, q.segments, q.goals, q.from, q.wide)
}

func (q cardsQuestion) subscription() string {
	return fmt.Sprintf(`subscription { %s }`, q.cards(fmt.Sprintf("siteId: %q, ", q.site)))
}

func (q cardsQuestion) query() string {
	return fmt.Sprintf(`{ site(id: %q) { %s } }`, q.site, q.cards(""))
}

// digest returns one of the cards in an answer to the subscription or to the query: of
// all that stands between the outermost brackets.
func digest(answer []byte) (sum [sha256.Size]byte) {
	begin, end := bytes.IndexByte(answer, '['), bytes.LastIndexByte(answer, ']')
	if begin < 0 || end < begin {
		return sum
	}
	return sha256.Sum256(answer[begin:end])
}

// ticksIn reads how many ticks an answer counts.
func ticksIn(answer []byte) (int, error) {
	_, text, _ := bytes.Cut(answer, []byte(`"conversions":`))
	number, _, _ := bytes.Cut(text, []byte(","))
	return strconv.Atoi(string(number))
}

// viewer is a client that subscribes to a question. Thousands of them run in the test's
// process, so it keeps little of what it is told.
type viewer struct {
	asks cardsQuestion
	// nodes are those that it connects to in turn, when a connection is lost.
	nodes []*server

	mu          sync.Mutex
	connections int
	told        []time.Time // of each tick, when it was first counted
	last        [sha256.Size]byte
	problem     error
}

// connect connects to a node, subscribes, and waits for the first answer.
func (v *viewer) connect(ctx context.Context, node *server, dial *http.Client) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := openSubscription(ctx, node, v.asks, dial)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	v.connections++
	v.mu.Unlock()
	for range 2 { // the acknowledgement, and the answer
		if err := v.read(ctx, conn); err != nil {
			conn.CloseNow()
			return nil, err
		}
	}
	return conn, nil
}

func openSubscription(ctx context.Context, node *server, asks cardsQuestion, dial *http.Client) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, node.url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPClient: dial})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(-1)
	subscribe, err := json.Marshal(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": asks.subscription()}})
	for _, message := range []string{`{"type":"connection_init"}`, string(subscribe)} {
		if err == nil {
			err = conn.Write(ctx, websocket.MessageText, []byte(message))
		}
	}
	if err != nil {
		conn.CloseNow()
		return nil, err
	}
	return conn, nil
}

// read takes in a message.
func (v *viewer) read(ctx context.Context, conn *websocket.Conn) error {
	_, message, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	if bytes.HasPrefix(message, []byte(`{"type":"connection_ack"`)) {
		return nil
	}
	ticks, err := ticksIn(message)
	sum := digest(message)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil || ticks < len(v.told) {
		v.problem = fmt.Errorf("after %d ticks it is told %.300s", len(v.told), message)
		return nil
	}
	for len(v.told) < ticks {
		v.told = append(v.told, now)
	}
	v.last = sum
	return nil
}

// watch takes in messages until the context is done, over one connection after another.
func (v *viewer) watch(ctx context.Context, conn *websocket.Conn, dial *http.Client) {
	for n := 1; ; n++ {
		for conn != nil && v.read(ctx, conn) == nil {
		}
		if conn != nil {
			conn.CloseNow()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		conn, _ = v.connect(ctx, v.nodes[n%len(v.nodes)], dial)
	}
}

// stalledClient returns a client whose connections have little room to receive.
func stalledClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4096)
		}
		return conn, err
	}}}
}

// figure returns one of the server's metrics, 0 where it has none of the name yet.
func (s *server) figure(tb testing.TB, name string) float64 {
	tb.Helper()
	for line := range strings.Lines(s.get(tb, "/metrics").body) {
		if text, found := strings.CutPrefix(line, name+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				tb.Fatal(err)
			}
			return value
		}
	}
	return 0
}
