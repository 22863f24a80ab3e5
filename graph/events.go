package graph

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// acceptsEvents tells whether a request asks for server-sent events.
func acceptsEvents(r *http.Request) bool {
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		if mediaType, _, err := mime.ParseMediaType(accepted); err == nil && mediaType == "text/event-stream" {
			return r.Method == http.MethodPost
		}
	}
	return false
}

// serveEvents answers an operation by server-sent events, as the graphql-sse library
// defines it for distinct connections:
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
func (g *Graph) serveEvents(w http.ResponseWriter, r *http.Request) {
	if status, problem := unfit(r); status != 0 {
		writeProblem(w, status, problem)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		writeProblem(w, status, "the request cannot be read: "+err.Error())
		return
	}
	params, err := readParams(body)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "the request is no JSON of GraphQL over HTTP: "+err.Error())
		return
	}
	s := g.subscriptions
	dismiss, ok := s.admit()
	if !ok {
		s.metrics.closed.WithLabelValues("limit").Inc()
		w.Header().Set("Retry-After", "5")
		w.Header().Set("Content-Type", "application/json")
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"errors": g.present(r.Context(), model.Errorf(model.ResourceExhausted, tooManyConnections))})
		return
	}
	defer dismiss()

	header := w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no") // of nginx, which would hold events back
	stream := &eventStream{ResponseController: http.NewResponseController(w), w: w, limits: s.limits}
	// The server's own limit is on the time to send a request, and would end this one.
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		writeProblem(w, http.StatusInternalServerError, "this connection takes no events")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	wake := make(chan struct{}, 1)
	o := &running{metrics: &s.metrics, notify: func(*running) { wake <- struct{}{} }}
	defer o.abandon()
	g.run(ctx, params, o)
	s.metrics.closed.WithLabelValues(stream.send(ctx, o, wake, s.stopping)).Inc()
}

// eventStream is the answer to a request.
type eventStream struct {
	*http.ResponseController
	w      io.Writer
	limits LiveLimits
}

// send sends what an operation has to send until it ends, and tells why it has.
func (e *eventStream) send(ctx context.Context, o *running, wake, stopping <-chan struct{}) (reason string) {
	pings := time.NewTicker(e.limits.Ping)
	defer pings.Stop()
	err := e.write(":\n\n") // the client learns that it is connected
	for err == nil {
		select {
		case <-ctx.Done():
			return "client"
		case <-stopping:
			return "stopping" // without an end, so that the client connects again
		case <-pings.C:
			err = e.write(":\n\n")
		case <-wake:
			var ended bool
			if ended, err = e.sendAll(o); ended {
				return "complete"
			}
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "stalled"
	}
	return "client"
}

// sendAll sends what there is at the moment.
func (e *eventStream) sendAll(o *running) (ended bool, err error) {
	for {
		kind, payload, err := o.take()
		if kind == "" || err != nil {
			return false, err
		}
		const complete = "event: complete\ndata:\n\n"
		switch kind {
		case sendNext:
			err = e.write("event: next\ndata: ", string(payload), "\n\n")
			o.metrics.sent.Inc()
		case sendError:
			err = e.write(`event: next`+"\n"+`data: {"errors":`, string(payload), "}\n\n"+complete)
		case sendComplete:
			err = e.write(complete)
		}
		if err != nil || kind != sendNext {
			return true, err
		}
	}
}

// write writes, and gives the client a while to take it in.
func (e *eventStream) write(parts ...string) error {
	if err := e.SetWriteDeadline(time.Now().Add(e.limits.Write)); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := io.WriteString(e.w, part); err != nil {
			return err
		}
	}
	return e.Flush()
}
