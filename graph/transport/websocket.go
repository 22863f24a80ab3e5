package transport

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// subprotocol is GraphQL over WebSocket as the graphql-ws library defines it:
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
const subprotocol = "graphql-transport-ws"

// Codes of the protocol by which a connection is closed.
const (
	closeBadRequest       websocket.StatusCode = 4400
	closeUnauthorized     websocket.StatusCode = 4401
	closeForbidden        websocket.StatusCode = 4403
	closeNotAcceptable    websocket.StatusCode = 4406
	closeInitTimeout      websocket.StatusCode = 4408
	closeSubscriberExists websocket.StatusCode = 4409
	closeTooManyInits     websocket.StatusCode = 4429
)

// maxID is how long an operation's id may be, in bytes, and maxPing the payload of a ping.
const (
	maxID   = 255
	maxPing = 1 << 10
)

// socket is a WebSocket. One goroutine reads it, and one writes what is to be sent: of
// each operation the newest answer at the most, so that a client that does not read
// takes no more memory than one that does.
type socket struct {
	*Handler
	conn *websocket.Conn
	// connection is who asks: whoever made the request, or bears the key that connection_init has.
	connection *connection
	// ctx is that of its operations.
	ctx    context.Context
	cancel context.CancelFunc
	// ended says who or what ended it first.
	ended sync.Once
	// work is the writer and the operations that are no subscriptions.
	work sync.WaitGroup

	// turns has a place for each query or mutation that runs.
	turns chan struct{}

	mu           sync.Mutex
	acknowledged bool
	deliveries   map[string]*delivery
	// ack and pongs go before the deliveries in ready, which have something to send.
	ack   bool
	ready []*delivery
	wake  chan struct{}
	// pongs has room for one payload: who pings on and does not read is not read either.
	pongs chan json.RawMessage
}

// clientMessage is what a client sends.
type clientMessage struct {
	ID      *string         `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// serveWebSocket takes in a connection and serves it until it ends.
func (h *Handler) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if h.allowOrigin != nil && !h.allowOrigin(r) {
		h.packer.send(w, r, problem(http.StatusForbidden, model.Errorf(model.Forbidden, "pages of this origin may not open a WebSocket here")))
		return
	}
	dismiss, ok := h.admit()
	if ok {
		defer dismiss()
	} else {
		select {
		case h.goodbyes <- struct{}{}:
			defer func() { <-h.goodbyes }()
		default:
			h.refuseConnection(w, r)
			return
		}
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, InsecureSkipVerify: h.allowOrigin != nil,
		// Without context takeover a connection keeps nothing to pack with between its messages.
		CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: leastPacked,
	})
	if err != nil {
		return // the client has been told
	}
	defer conn.CloseNow()
	if !ok {
		// Who is refused, and does not say goodbye, keeps his connection from others no longer than that.
		defer time.AfterFunc(time.Second, func() { conn.CloseNow() }).Stop()
		conn.Close(websocket.StatusTryAgainLater, tooManyConnections)
		return
	}
	conn.SetReadLimit(longRequest - 1) // until it is known who asks
	s := &socket{
		Handler: h, conn: conn, connection: &connection{actor: model.ActorOf(r.Context())}, turns: make(chan struct{}, h.limits.AtOnce),
		deliveries: map[string]*delivery{}, wake: make(chan struct{}, 1), pongs: make(chan json.RawMessage, 1),
	}
	s.connection.end = func(problem error) { go s.close("access", closeForbidden, "Forbidden: "+problem.Error()) }
	// The request's context has its id, and ends when the connection is taken over.
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	defer context.AfterFunc(h.ctx, s.cancel)()
	s.serve()
}

func (s *socket) serve() {
	s.work.Go(s.write)
	defer s.work.Wait()
	defer s.principals.leave(s.connection)
	defer s.leaveAll()
	defer s.cancel()
	if s.conn.Subprotocol() != subprotocol {
		s.close("protocol", closeNotAcceptable, "Subprotocol not acceptable: use "+subprotocol)
		return
	}
	late := time.AfterFunc(s.limits.Init, func() {
		s.mu.Lock()
		acknowledged := s.acknowledged
		s.mu.Unlock()
		if !acknowledged {
			s.close("protocol", closeInitTimeout, "Connection initialisation timeout")
		}
	})
	defer late.Stop()
	stopPinging := s.keepPinging()
	defer stopPinging()
	for {
		kind, text, taken, err := s.read()
		switch {
		case websocket.CloseStatus(err) == websocket.StatusMessageTooBig || errors.Is(err, websocket.ErrMessageTooBig):
			s.closed("protocol")
			return
		case model.CodeOf(err) == model.ResourceExhausted:
			s.close("limit", websocket.StatusTryAgainLater, err.Error())
			return
		case err != nil:
			s.closed("client")
			return
		case kind != websocket.MessageText:
			s.close("protocol", closeBadRequest, "Messages are text")
			return
		}
		if code, reason := s.takeIn(text, taken); code != 0 {
			s.close("protocol", code, reason)
			return
		}
	}
}

// read reads the next message.
func (s *socket) read() (kind websocket.MessageType, text []byte, taken *share, err error) {
	kind, from, err := s.conn.Reader(s.ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	defer s.endIn(messageLimit, "stalled")()
	text, taken, err = s.intake.read(from)
	return kind, text, taken, err
}

// takeIn does what a message says, in its turn.
func (s *socket) takeIn(text []byte, taken *share) (code websocket.StatusCode, reason string) {
	ctx, cancel := context.WithTimeout(model.WithActor(s.ctx, s.connection.Actor()), s.timeout)
	defer cancel()
	refusal := s.admission.chargeLength(ctx, len(text))
	if refusal != nil && len(text) > smallRequest { // it is not even looked at
		taken.release()
		return websocket.StatusTryAgainLater, refusal.Error()
	}
	leave, err := s.admission.enterReading(ctx, len(text))
	if err != nil {
		taken.release()
		return websocket.StatusTryAgainLater, "Too many long messages arrive at once; connect again"
	}
	defer leave()
	return s.receive(text, taken, refusal)
}

// closed counts the end of the connection, the first time that it is called.
func (s *socket) closed(reason string) {
	s.ended.Do(func() { s.metrics.closed.WithLabelValues(reason).Inc() })
}

// close closes the connection, and waits a while for the client to do the same.
func (s *socket) close(reason string, code websocket.StatusCode, text string) {
	const most = 123 // bytes, says the WebSocket protocol
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	s.closed(reason)
	s.leaveAll()
	// What fails here is the client's connection.
	_ = s.conn.Close(code, text)
}

// keepPinging pings the client now and then, and ends the connection when no answer
// comes.
func (s *socket) keepPinging() (stop func()) {
	var timer *time.Timer
	timer = time.AfterFunc(s.limits.Ping, func() {
		defer s.endIn(s.limits.Write, "silent")()
		// What fails here has ended the connection, or waits for a message that is being
		// sent, which has a limit of its own.
		_ = s.conn.Ping(s.ctx)
		if s.ctx.Err() == nil {
			timer.Reset(s.limits.Ping)
		}
	})
	return func() { timer.Stop() }
}

// receive does what a message says, but for an operation with a refusal, which is told. A code other than 0 closes the
// connection.
func (s *socket) receive(text []byte, taken *share, refusal error) (code websocket.StatusCode, reason string) {
	begun := false // an operation, which keeps what it takes
	defer func() {
		if !begun {
			taken.release()
		}
	}()
	var m clientMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return closeBadRequest, "Invalid message: " + describe(err).Error()
	}
	switch m.Type {
	case "connection_init":
		return s.initialise(m.Payload)
	case "ping":
		if !isObject(m.Payload) {
			return closeBadRequest, "Invalid message: the payload of a ping is an object"
		}
		if len(m.Payload) > maxPing {
			return closeBadRequest, fmt.Sprintf("Invalid message: the payload of a ping has at most %d bytes", maxPing)
		}
		select {
		case s.pongs <- json.RawMessage(cmp.Or(string(m.Payload), "null")):
			s.wakeUp()
		case <-s.ctx.Done():
		}
		return 0, ""
	case "pong":
		return 0, ""
	case "subscribe", "complete":
		if m.ID == nil || *m.ID == "" || len(*m.ID) > maxID {
			return closeBadRequest, fmt.Sprintf("Invalid message: %s needs an id of 1 to %d bytes", m.Type, maxID)
		}
		if m.Type == "complete" {
			s.complete(*m.ID)
			return 0, ""
		}
		begun = true
		return s.start(*m.ID, m.Payload, taken, refusal)
	default:
		return closeBadRequest, fmt.Sprintf("Invalid message: there is no type %.40q", m.Type)
	}
}

// isObject tells whether a payload that may be left out is an object.
func isObject(payload json.RawMessage) bool {
	payload = bytes.TrimSpace(payload)
	return len(payload) == 0 || payload[0] == '{' || string(payload) == "null"
}

// initialise finds out who asks, and takes in the connection.
func (s *socket) initialise(payload json.RawMessage) (websocket.StatusCode, string) {
	if !isObject(payload) {
		return closeBadRequest, "Invalid message: the payload of connection_init is an object"
	}
	s.mu.Lock()
	acknowledged := s.acknowledged
	s.mu.Unlock()
	if acknowledged {
		return closeTooManyInits, "Too many initialisation requests"
	}
	if code, reason := s.identify(payload); code != 0 {
		return code, reason
	}
	s.mu.Lock()
	s.acknowledged, s.ack = true, true
	s.mu.Unlock()
	s.conn.SetReadLimit(maxBody)
	s.wakeUp()
	return 0, ""
}

// identify finds out who asks, by the key in the payload of connection_init or, without one, by the request.
func (s *socket) identify(payload json.RawMessage) (websocket.StatusCode, string) {
	err := s.principals.become(s.connection, payload)
	if err == nil {
		err = s.principals.join(s.connection)
	}
	switch {
	case model.CodeOf(err) == model.Unauthenticated:
		return closeForbidden, "Forbidden: " + err.Error()
	case model.CodeOf(err) == model.BadInput:
		return closeBadRequest, "Invalid message: the payload of connection_init: " + err.Error()
	case model.CodeOf(err) == model.ResourceExhausted: // after too many wrong keys
		return websocket.StatusTryAgainLater, err.Error()
	case err != nil:
		s.log.WarnContext(s.ctx, "who asks over a WebSocket cannot be found out", "error", err)
		return websocket.StatusTryAgainLater, "Who you are cannot be found out at the moment; connect again"
	case len(s.connection.Actor().Grants) == 0:
		return closeForbidden, `Forbidden: send {"authorization": "Bearer KEY"} in connection_init, or log in`
	}
	return 0, ""
}

// start begins an operation, or tells why it is refused.
func (s *socket) start(id string, payload json.RawMessage, taken *share, refusal error) (code websocket.StatusCode, reason string) {
	defer func() {
		if code != 0 {
			taken.release()
		}
	}()
	s.mu.Lock()
	_, exists := s.deliveries[id]
	acknowledged, n := s.acknowledged, len(s.deliveries)
	s.mu.Unlock()
	switch {
	case !acknowledged:
		return closeUnauthorized, "Unauthorized: send connection_init first"
	case exists:
		return closeSubscriberExists, fmt.Sprintf("Subscriber for %s already exists", id)
	case n >= 2*s.limits.Operations:
		// The client keeps subscribing without reading our refusals.
		return websocket.StatusPolicyViolation, fmt.Sprintf("Too many operations: one connection may run %d", s.limits.Operations)
	}
	params, err := readParams(payload)
	if err != nil {
		return closeBadRequest, "Invalid message: the payload of subscribe: " + err.Error()
	}
	d := &delivery{id: id, connection: s.connection, taken: taken, metrics: &s.metrics, notify: s.isReady}
	s.mu.Lock()
	s.deliveries[id] = d // only this goroutine adds any
	s.mu.Unlock()
	if n >= s.limits.Operations {
		refusal = model.Errorf(model.ResourceExhausted,
			"this connection is at its limit of %d operations: complete some, or open another connection", s.limits.Operations)
	}
	if refusal != nil {
		d.End(s.graph.Present(s.ctx, refusal))
		return 0, ""
	}
	s.run(s.ctx, graph.Executor{Graph: s.graph, Streams: true}, params, d, s.turns)
	return 0, ""
}

// complete ends an operation that the client does not want any longer.
func (s *socket) complete(id string) {
	s.mu.Lock()
	d := s.deliveries[id]
	delete(s.deliveries, id)
	s.ready = slices.DeleteFunc(s.ready, func(ready *delivery) bool { return ready == d })
	s.mu.Unlock()
	if d != nil {
		d.abandon()
	}
}

func (s *socket) leaveAll() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.deliveries))
	clear(s.deliveries)
	s.mu.Unlock()
	for _, d := range all {
		d.abandon()
	}
}

// isReady puts a delivery among those that have something to send.
func (s *socket) isReady(d *delivery) {
	s.mu.Lock()
	s.ready = append(s.ready, d)
	s.mu.Unlock()
	s.wakeUp()
}

func (s *socket) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write sends what is to be sent until the connection ends, and ends what waits for that.
func (s *socket) write() {
	defer s.cancel()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.stopping:
			s.close("stopping", websocket.StatusServiceRestart, "The server is stopping; connect again")
			return
		case <-s.wake:
		}
		for message := s.next(); message != nil; message = s.next() {
			if s.send(message) != nil {
				s.conn.CloseNow()
				return
			}
		}
	}
}

// send sends a message, packed if it is long and its client wants that. While many others are being packed it is sent as it
// is, for each takes 1.2 MB until it is sent.
func (s *socket) send(message []byte) error {
	defer s.endIn(s.limits.Write, "stalled")()
	if len(message) >= leastPacked {
		select {
		case s.packing <- struct{}{}:
			defer func() { <-s.packing }()
		default:
			return s.sendUnpacked(message)
		}
	}
	return s.conn.Write(s.ctx, websocket.MessageText, message)
}

// sendUnpacked sends a long message as it is, in frames of which the first is short: by this one the library decides.
func (s *socket) sendUnpacked(message []byte) error {
	w, err := s.conn.Writer(s.ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{message[:leastPacked-1], message[leastPacked-1:]} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

// endIn ends the connection after a while, unless it is called off. A time-out of the
// library's would end it before anybody knew why.
func (s *socket) endIn(while time.Duration, reason string) (callOff func() bool) {
	return time.AfterFunc(while, func() {
		s.closed(reason)
		s.conn.CloseNow()
	}).Stop
}

// next returns the next message to send, nil where there is none.
func (s *socket) next() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ack {
		s.ack = false
		return []byte(`{"type":"connection_ack"}`)
	}
	select {
	case payload := <-s.pongs:
		return fmt.Appendf(nil, `{"type":"pong","payload":%s}`, payload)
	default:
	}
	for len(s.ready) > 0 {
		d := s.ready[0]
		if message := s.nextOf(d); message != nil {
			// Its turn comes again behind the others.
			s.ready = append(s.ready[1:], d)
			return message
		}
		s.ready = s.ready[1:]
	}
	return nil
}

// nextOf returns the next message of a delivery, nil where it has none.
func (s *socket) nextOf(d *delivery) []byte {
	kind, payload, err := d.next()
	if err != nil {
		s.log.ErrorContext(s.ctx, "a message cannot be encoded", "error", err)
	}
	id, _ := json.Marshal(d.id) // a string always can
	switch kind {
	case sendNext:
		s.metrics.sent.Inc()
		return fmt.Appendf(make([]byte, 0, len(payload)+len(id)+64), `{"id":%s,"type":"next","payload":%s}`, id, payload)
	case sendError:
		s.forget(d)
		return fmt.Appendf(nil, `{"id":%s,"type":"error","payload":%s}`, id, payload)
	case sendComplete:
		s.forget(d)
		return fmt.Appendf(nil, `{"id":%s,"type":"complete"}`, id)
	}
	return nil
}

// forget makes room for another operation with the id.
func (s *socket) forget(ended *delivery) {
	if s.deliveries[ended.id] == ended {
		delete(s.deliveries, ended.id)
	}
}
