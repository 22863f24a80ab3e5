package app

import (
	"net/http"
	"runtime"
	"time"
)

const (
	// writeLimit is how long a client may take to take in a part of an answer.
	writeLimit = 20 * time.Second
	// partBytes is how much of an answer is such a part: whoever takes in less in the time holds the answer no longer.
	partBytes = 64 << 10
)

// answer is the answer to a request. A client that does not read it is cut off: its connection is never idle, and would
// be held for good.
type answer struct {
	http.ResponseWriter
	*http.ResponseController
	limit time.Duration
	// until is when the handler has the answer end, if it has said so.
	until time.Time
}

// answerWithin has clients take in each part of an answer within the limit. Handlers that set a deadline bound the whole.
func answerWithin(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{w, http.NewResponseController(w), limit, time.Time{}}
		// Over HTTP/1 a deadline is the connection's and stays from one request to the next. Over HTTP/2 it ends the stream
		// when it passes, whether anything is written or not: there it is set for writes only.
		if r.ProtoMajor == 1 {
			a.begin()
		}
		defer a.begin() // the server writes what is left
		next.ServeHTTP(a, r)
	})
}

// inTurn has others go first before each request. A goroutine whose client has sent many requests in one go would keep its
// processor for 10 ms otherwise, and there may be hundreds of such clients.
func inTurn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runtime.Gosched()
		next.ServeHTTP(w, r)
	})
}

// Unwrap returns what is answered to, for what a ResponseController asks of it.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Write writes in parts, for each of which the client has the limit.
func (a *answer) Write(text []byte) (written int, err error) {
	defer a.end()
	for {
		part := text[written:min(len(text), written+partBytes)]
		a.begin()
		n, err := a.ResponseWriter.Write(part)
		if written += n; err != nil || written == len(text) {
			return written, err
		}
	}
}

// FlushError sends what is written.
func (a *answer) FlushError() error {
	defer a.end()
	a.begin()
	return a.ResponseController.Flush()
}

// Flush sends what is written, for handlers that do not ask whether it can be sent.
func (a *answer) Flush() { _ = a.FlushError() }

// SetWriteDeadline bounds the whole answer; the zero time is no bound. Its parts are bounded all the same.
func (a *answer) SetWriteDeadline(until time.Time) error {
	a.until = until
	return a.ResponseController.SetWriteDeadline(until)
}

// begin gives the client the limit from now on. What fails here is a connection without deadlines.
func (a *answer) begin() {
	deadline := time.Now().Add(a.limit)
	if !a.until.IsZero() && a.until.Before(deadline) {
		deadline = a.until
	}
	_ = a.ResponseController.SetWriteDeadline(deadline)
}

// end leaves the deadline of the whole.
func (a *answer) end() { _ = a.ResponseController.SetWriteDeadline(a.until) }
