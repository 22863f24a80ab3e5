package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// serveEvents answers an operation by server-sent events, as the graphql-sse library
// defines it for distinct connections:
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
// leave ends the turn in which the request is read, which takes so much of the intake.
func (h *Handler) serveEvents(w http.ResponseWriter, r *http.Request, params *graphql.RawParams, taken *share, leave func()) {
	dismiss, ok := h.admit()
	if !ok {
		h.refuseConnection(w, r)
		return
	}
	defer dismiss()

	// Events are not packed: whoever unpacks a part may hold it back until there is more.
	header := w.Header()
	header.Set("Content-Type", eventType+"; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no") // of nginx, which would hold events back
	stream := &eventStream{ResponseController: http.NewResponseController(w), w: w, limits: h.limits}
	// The server's own limit is on the time to send a request, and would end this one.
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		h.packer.send(w, r, problem(http.StatusInternalServerError, model.Errorf(model.Internal, "this connection cannot carry events")))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	wake := make(chan struct{}, 1)
	c := &connection{actor: model.ActorOf(r.Context())}
	d := &delivery{connection: c, taken: taken, metrics: &h.metrics, notify: func(*delivery) { wake <- struct{}{} }}
	defer d.abandon()
	c.end = func(problem error) { d.End(h.graph.Present(ctx, problem)) }
	defer h.principals.leave(c)
	if err := h.principals.join(c); err != nil {
		c.end(err)
	} else {
		h.run(ctx, graph.Executor{Graph: h.graph, Streams: true, Safe: isSafe(r)}, params, d, make(chan struct{}, 1))
	}
	leave()
	h.metrics.closed.WithLabelValues(stream.send(ctx, d, wake, h.stopping)).Inc()
}

// eventStream is the answer to a request.
type eventStream struct {
	*http.ResponseController
	w      io.Writer
	limits Limits
}

// send sends what an operation has to send until it ends, and tells why it has.
func (e *eventStream) send(ctx context.Context, d *delivery, wake, stopping <-chan struct{}) (reason string) {
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
			if ended, err = e.sendAll(d); ended {
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
func (e *eventStream) sendAll(d *delivery) (ended bool, err error) {
	for {
		kind, payload, err := d.next()
		if kind == "" || err != nil {
			return false, err
		}
		const complete = "event: complete\ndata:\n\n"
		switch kind {
		case sendNext:
			err = e.write("event: next\ndata: ", string(payload), "\n\n")
			d.metrics.sent.Inc()
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

// write writes, and gives the client a while to take it in. Over HTTP/2, a deadline that passes ends the stream, even if
// there is nothing to be written.
func (e *eventStream) write(parts ...string) error {
	if err := e.SetWriteDeadline(time.Now().Add(e.limits.Write)); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := io.WriteString(e.w, part); err != nil {
			return err
		}
	}
	if err := e.Flush(); err != nil {
		return err
	}
	return e.SetWriteDeadline(time.Time{})
}
