package transport

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
)

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

// Long messages are packed as long as there is room for that, and come as they are where there is none.
func TestMessagesArePackedInBoundedMemory(t *testing.T) {
	t.Parallel()
	messages := []string{strings.Repeat("short", 10), strings.Repeat("a long message. ", 1000)}
	for name, test := range map[string]struct {
		mode    websocket.CompressionMode
		packing chan struct{}
		packed  bool
	}{
		"room": {websocket.CompressionNoContextTakeover, make(chan struct{}, 1), true}, "no room": {websocket.CompressionNoContextTakeover, make(chan struct{}), false},
		"nothing packed, room": {websocket.CompressionDisabled, make(chan struct{}, 1), false}, "nothing packed, no room": {websocket.CompressionDisabled, make(chan struct{}), false},
	} {
		sent, ended := make(chan error, 1), make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: leastPacked})
			if err != nil {
				sent <- err
				return
			}
			s := &socket{Handler: &Handler{limits: Limits{}.withDefaults(), packing: test.packing}, conn: conn, ctx: r.Context()}
			for range 2 { // what was packed with is given back
				for _, message := range messages {
					if err := s.send([]byte(message)); err != nil {
						sent <- err
						return
					}
				}
			}
			sent <- nil
			<-ended
		}))
		read := new(atomic.Int64)
		over := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return countedConn{conn, read}, err
		}}}
		conn, _, err := websocket.Dial(t.Context(), server.URL, &websocket.DialOptions{HTTPClient: over, CompressionMode: test.mode})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, want := range messages {
				if _, got, err := conn.Read(t.Context()); err != nil || string(got) != want {
					t.Fatalf("%s: %v, %.80q; want %.80q", name, err, got, want)
				}
			}
		}
		if err := <-sent; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if packed := read.Load() < int64(len(messages[1])); packed != test.packed {
			t.Errorf("%s: %d bytes for %d", name, read.Load(), 2*len(messages[1]))
		}
		close(ended)
		conn.CloseNow()
		server.Close()
	}
}
