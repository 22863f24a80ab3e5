package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// acceptsEvents tells whether a request asks for server-sent events. One by GET does
// where it takes nothing else, as browsers' EventSource: others list it beside JSON, which
// can be cached.
func acceptsEvents(r *http.Request) bool {
	if r.Method == http.MethodGet {
		return r.Header.Get("Accept") == "text/event-stream"
	}
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
func (h *Handler) serveEvents(w http.ResponseWriter, r *http.Request) {
	if status, problem := unfit(r); status != 0 {
		writeProblem(w, status, problem)
		return
	}
	text, taken, err := h.readEventRequest(w, r)
	if err != nil {
		h.refuseBody(w, r, err)
		return
	}
	defer taken.release()
	dismiss, ok := h.admit()
	if !ok {
		h.metrics.closed.WithLabelValues("limit").Inc()
		h.putOff(w, r, model.Errorf(model.ResourceExhausted, tooManyConnections))
		return
	}
	defer dismiss()
	leave, err := h.admission.read(r.Context(), len(text))
	if err != nil {
		h.putOff(w, r, err)
		return
	}
	leave = sync.OnceFunc(leave)
	defer leave()
	params, err := readParams(text)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "the request is not the JSON of GraphQL over HTTP: "+err.Error())
		return
	}

	header := w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no") // of nginx, which would hold events back
	stream := &eventStream{ResponseController: http.NewResponseController(w), w: w, limits: h.limits}
	// The server's own limit is on the time to send a request, and would end this one.
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		writeProblem(w, http.StatusInternalServerError, "this connection cannot carry events")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	wake := make(chan struct{}, 1)
	c := &connection{actor: model.ActorOf(r.Context())}
	d := &delivery{connection: c, metrics: &h.metrics, notify: func(*delivery) { wake <- struct{}{} }}
	defer d.abandon()
	c.end = func(problem error) { d.End(h.graph.Present(ctx, problem)) }
	defer h.principals.leave(c)
	if err := h.principals.join(c); err != nil {
		c.end(err)
	} else {
		h.run(ctx, graph.Executor{Graph: h.graph, Streams: true, Safe: r.Method == http.MethodGet}, params, d, make(chan struct{}, 1))
	}
	leave()
	h.metrics.closed.WithLabelValues(stream.send(ctx, d, wake, h.stopping)).Inc()
}

// readEventRequest reads what a request asks.
func (h *Handler) readEventRequest(w http.ResponseWriter, r *http.Request) (text []byte, taken *share, err error) {
	if r.Method == http.MethodGet {
		text, err = urlParams(r.URL.Query())
		return text, nil, err
	}
	return h.intake.read(http.MaxBytesReader(w, r.Body, maxBody))
}

// urlParams returns the parameters of a URL as the body that says the same.
func urlParams(given url.Values) ([]byte, error) {
	params := map[string]any{}
	for _, name := range []string{"query", "operationName", graph.DocumentID} {
		if given.Has(name) {
			params[name] = given.Get(name)
		}
	}
	for _, name := range []string{"variables", "extensions"} {
		if text := given.Get(name); text != "" {
			if !json.Valid([]byte(text)) {
				return nil, fmt.Errorf("%s is not JSON", name)
			}
			params[name] = json.RawMessage(text)
		}
	}
	return json.Marshal(params)
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
