package app

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// bodyLimit is how long the body of a request may take to arrive.
	bodyLimit = 20 * time.Second
	// stopLimit is how long that may take when the server stops.
	stopLimit = time.Second
	// A client that is refused while it sends reads the answer when it has sent all. So much of that, and for so long, is
	// read and forgotten.
	mostForgotten = 16 << 20
	forgetLimit   = 5 * time.Second
)

// bodies are the requests whose bodies are not read to the end. A body that does not arrive in time is an error of
// whoever reads it, and the end of its connection.
type bodies struct {
	limit time.Duration

	mu       sync.Mutex
	stopping bool
	arriving map[*body]bool
}

func newBodies(limit time.Duration) *bodies { return &bodies{limit: limit, arriving: map[*body]bool{}} }

// body is a request's body.
type body struct {
	io.ReadCloser
	of         *bodies
	header     http.Header
	connection *http.ResponseController
	// left is how much is still to come; negative where the client does not say.
	left int64
	// isAwaited tells that the client sends nothing before it is told to.
	isAwaited bool
}

// within has bodies arrive within the limit. A request that opens a WebSocket has none.
func (b *bodies) within(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		arriving := &body{r.Body, b, w.Header(), http.NewResponseController(w), r.ContentLength, r.Header.Get("Expect") != ""}
		r.Body = arriving
		b.begin(arriving)
		defer arriving.forget()
		next.ServeHTTP(w, r)
	})
}

func (b *bodies) begin(arriving *body) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arriving[arriving] = true
	limit := b.limit
	if b.stopping {
		limit = stopLimit
	}
	arriving.setDeadline(limit)
}

// end says that a body needs no deadline any longer, and tells whether it had one.
func (b *bodies) end(arriving *body) (had bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	had = b.arriving[arriving]
	delete(b.arriving, arriving)
	return had
}

// stop has what has not arrived yet arrive at once, or not at all.
func (b *bodies) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopping = true
	for arriving := range b.arriving {
		arriving.setDeadline(stopLimit)
	}
}

// setDeadline sets when reading ends. What fails here is a connection without deadlines.
func (b *body) setDeadline(limit time.Duration) {
	_ = b.connection.SetReadDeadline(time.Now().Add(limit))
}

// Read reads on. A deadline that has passed stays: the server shall not wait for the rest either.
func (b *body) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.left -= int64(n)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.header.Set("Connection", "close")
	case err == io.EOF && b.of.end(b):
		_ = b.connection.SetReadDeadline(time.Time{})
	}
	return n, err
}

// forget reads what the handler has not, after the answer: a connection that closes before would lose it.
func (b *body) forget() {
	b.of.mu.Lock()
	unread := b.of.arriving[b]
	b.of.mu.Unlock()
	if !unread {
		return
	}
	defer b.of.end(b)
	if b.left != 0 {
		if b.isAwaited {
			return
		}
		b.setDeadline(min(forgetLimit, b.of.limit))
		// What fails here is the client's connection.
		_ = b.connection.Flush()
	}
	_, _ = io.CopyN(io.Discard, b, mostForgotten)
}
