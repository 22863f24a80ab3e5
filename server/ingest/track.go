package ingest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
	"github.com/goalgraph/goalgraph/server/access"
)

const (
	// MaxBatchBytes is the longest body of a request, when it is unpacked.
	MaxBatchBytes = 500 << 10
	// MaxStrangerBytes is the same for a request whose key is in its body: it must be read before its sender is known.
	MaxStrangerBytes = 128 << 10
	// MaxBatchMessages is how many messages it may have: more than there is room for,
	// if each says who did what.
	MaxBatchMessages = 20_000
)

// Tracker takes in messages over HTTP, as the SDKs of the Segment tracking spec and
// compatible ones send them.
type Tracker struct {
	options TrackerOptions
	// room is for requests whose sender is known, and strangers for those whose key is in a body that is still to be read.
	room, strangers *room

	messages *prometheus.CounterVec
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// TrackerOptions are the parts of a Tracker. Decoder, Pipeline and Sender must be given.
type TrackerOptions struct {
	Decoder  *Decoder
	Pipeline *Pipeline
	// Sender returns who sends a request with a key: an Unauthenticated error if there is no such key, and a Forbidden one
	// if it may not send this request.
	Sender func(r *http.Request, key string) (*Sender, error)
	// RoomBytes bounds what requests hold that are not answered: bodies, unpacked, and
	// their messages. 64 MiB by default, which is more than the Pipeline's queue, so that
	// a site whose messages wait leaves room for others. Requests with one key hold at most half of it, and so do those
	// from one address. Requests whose key is in the body hold an eighth more while they arrive, those from one address an
	// eighth of that. What is small is always let in.
	RoomBytes int64
	// TrustedProxies are the networks whose X-Forwarded-For, -Proto and -Host are believed.
	TrustedProxies access.Proxies
	// Metrics takes figures; none by default.
	Metrics prometheus.Registerer
	// Log takes what senders are not told; none by default.
	Log *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// NewTracker returns a Tracker.
func NewTracker(o TrackerOptions) *Tracker {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RoomBytes == 0 {
		o.RoomBytes = 64 << 20
	}
	metrics := promauto.With(o.Metrics)
	t := &Tracker{
		options: o,
		room:    newRoom(o.RoomBytes, o.RoomBytes/2), strangers: newRoom(o.RoomBytes/8, o.RoomBytes/64),
		messages: metrics.NewCounterVec(prometheus.CounterOpts{
			Name: "goalgraph_tracking_messages_total",
			Help: "Messages received over HTTP, by result: kept, ignored (nothing in them is counted), bot (the site excludes bots) or rejected.",
		}, []string{"result"}),
		requests: metrics.NewCounterVec(prometheus.CounterOpts{
			Name: "goalgraph_tracking_requests_total", Help: "Requests with messages, by HTTP status.",
		}, []string{"code"}),
		seconds: metrics.NewHistogram(prometheus.HistogramOpts{
			Name:    "goalgraph_tracking_seconds",
			Help:    "Time to acknowledge a request with messages.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	metrics.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "goalgraph_tracking_queue_bytes", Help: "Memory used by messages that wait to be written, in bytes.",
	}, func() float64 { return float64(o.Pipeline.Queued()) })
	metrics.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "goalgraph_tracking_room_bytes", Help: "Memory used by requests in progress, in bytes.",
	}, func() float64 { return float64(t.room.inUse() + t.strangers.inUse()) })
	return t
}

// types are the paths below /v1/ and Jitsu's folders that take messages, with the short
// forms of browsers' SDKs, and the type of a message that names none.
var types = map[string]string{
	"track": "track", "t": "track", "page": "page", "p": "page", "screen": "screen", "s": "screen",
	"identify": "identify", "i": "identify", "group": "group", "g": "group", "alias": "alias", "a": "alias",
	"batch": "", "b": "",
}

// Register adds the routes to a mux.
func (t *Tracker) Register(mux *http.ServeMux) {
	for path, kind := range types {
		for _, folder := range []string{"/v1/", jitsuPath, jitsuServerPath} {
			mux.Handle(folder+path, anyOrigin.Handler(http.MethodPost, t.take(kind)))
		}
	}
	mux.Handle("/v1/projects/{key}/settings", anyOrigin.Handler(http.MethodGet, http.HandlerFunc(t.settings)))
	mux.Handle("/sourceConfig/{$}", anyOrigin.Handler(http.MethodGet, http.HandlerFunc(t.sourceConfig)))
}

// anyOrigin lets pages of any origin send.
var anyOrigin = access.AnyOrigin{Headers: "Authorization, Content-Type", Refuse: refuse}

// answer is what a sender is told.
type answer struct {
	Success  bool        `json:"success"`
	Error    string      `json:"error,omitempty"`
	Rejected []rejection `json:"rejected,omitempty"`
	// Bots is how many messages were not kept because bots sent them.
	Bots int `json:"bots,omitempty"`
}

// rejection names a message of a batch that was not kept.
type rejection struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// What fails here is the sender's connection.
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, reason string) {
	reply(w, status, answer{Error: reason})
}

// refusal is a request that is not taken, with the status of its answer.
type refusal struct {
	status int
	reason string
	// retry is after how many seconds the request may be sent again; 0 for what is refused for good.
	retry int
}

func (r *refusal) Error() string { return r.reason }

func refusef(status int, format string, args ...any) error {
	refused := &refusal{status: status, reason: fmt.Sprintf(format, args...)}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		refused.retry = 1
	}
	return refused
}

// take answers requests with messages whose type, where they name none, is kind.
func (t *Tracker) take(kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		claim := &claim{room: t.strangers}
		defer claim.release()
		body, err := t.receive(r, kind, claim)
		status, retry := http.StatusOK, 0
		var refused *refusal
		switch {
		case err == nil:
		case errors.As(err, &refused):
			status, body, retry = refused.status, answer{Error: refused.reason}, refused.retry
		case r.Context().Err() != nil:
			// The sender is gone, or sends no more and may still listen. To return would
			// be to answer 200, which means that the messages are kept.
			panic(http.ErrAbortHandler)
		default:
			t.options.Log.ErrorContext(r.Context(), "cannot write messages", "error", err)
			status, body, retry = http.StatusServiceUnavailable, answer{Error: "the messages could not be written; send them again (any that were kept count only once)"}, 1
		}
		if retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(retry))
		}
		t.requests.WithLabelValues(strconv.Itoa(status)).Inc()
		t.seconds.Observe(time.Since(begin).Seconds())
		reply(w, status, body)
	})
}

// receive keeps the messages of a request. Its sender is known before its body is read, unless the key is in there: who
// has no key takes no room of those who have one.
func (t *Tracker) receive(r *http.Request, kind string, claim *claim) (answer, error) {
	network := holder{network: allowance.SenderOf(t.options.TrustedProxies.Sender(r))}
	claim.holders = []holder{network}
	admit := func(key string) (*Sender, error) {
		sender, err := t.bearer(r, key)
		if err != nil {
			return nil, err
		}
		return sender, claim.move(t.room, []holder{network, {key: sender.ID}})
	}
	var sender *Sender
	most := MaxStrangerBytes
	if key := keyOf(r); key != "" {
		var err error
		if sender, err = admit(key); err != nil {
			return answer{}, err
		}
		most = MaxBatchBytes
	}
	raw, err := readBody(r, most, claim)
	if err != nil {
		return answer{}, err
	}
	root, err := parseValue(raw)
	if err != nil {
		return answer{}, refusef(http.StatusBadRequest, "the body is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if !root.isObject() {
		return answer{}, refusef(http.StatusBadRequest, "the body is not a JSON object; send one message, or {\"batch\": [...]}")
	}
	request := readRequest(root)
	if sender == nil {
		if sender, err = admit(request.writeKey.text()); err != nil {
			return answer{}, err
		}
	}
	return t.accept(r, sender, kind, root, request, claim)
}

// accept keeps the messages of a request's body, which is root with the members of request.
func (t *Tracker) accept(r *http.Request, sender *Sender, kind string, root value, request requestWire, claim *claim) (answer, error) {
	received := model.MillisOf(t.options.Now())
	envelope := Envelope{Received: received, Type: kind, IP: t.address(r)}
	batched := request.batch != nil
	if kind == "" && !batched {
		return answer{}, refusef(http.StatusBadRequest, "the body has no batch; send {\"batch\": [...]} with a list of messages")
	}
	if !batched {
		return t.acceptOne(r.Context(), sender, root, envelope, claim)
	}
	if request.batch[0] != '[' {
		return answer{}, refusef(http.StatusBadRequest, "batch is not a list; send a list of messages")
	}
	envelope.context = request.context
	for _, sent := range []value{request.sentAt, jsonString(r.Header.Get("SentAt"))} {
		if at, err := timeOf("sentAt", sent); err == nil && isInRange(at) && envelope.SentAt == 0 {
			envelope.SentAt = at
		}
	}
	return t.acceptBatch(r.Context(), sender, request.batch, envelope, claim)
}

func (t *Tracker) acceptBatch(ctx context.Context, sender *Sender, batch value, envelope Envelope, claim *claim) (answer, error) {
	count, objects := 0, 0
	batch.elements(func(element value) {
		count++
		if element.isObject() {
			objects++
		}
	})
	if count > MaxBatchMessages {
		return answer{}, refusef(http.StatusRequestEntityTooLarge, "the batch has %d messages; the maximum is %d", count, MaxBatchMessages)
	}
	if err := sender.take(t.options.Now(), count); err != nil {
		return answer{}, err
	}
	if err := claim.grow(count * messageBytes); err != nil {
		return answer{}, err
	}
	parcels := parcels{room: objects}
	result := answer{Success: true}
	index := 0
	var failed error // to look up a site
	batch.elements(func(element value) {
		if failed != nil {
			return
		}
		site, err := sender.siteOf(ctx, element, envelope.context)
		message, is := model.Message{}, rejected
		if err == nil {
			message, is, err = t.read(element, envelope, site)
		} else if model.CodeOf(err) != model.BadInput {
			failed = err
			return
		}
		switch is {
		case kept:
			message.Hit.Place = int32(index)
			parcels.add(site.ID, message)
		case rejected:
			result.Rejected = append(result.Rejected, rejection{index, err.Error()})
		case bot:
			result.Bots++
		}
		t.count(is)
		index++
	})
	if failed != nil {
		return answer{}, failed
	}
	for _, parcel := range parcels.all {
		if err := t.submit(ctx, parcel.site, parcel.messages, claim.bytes*int64(len(parcel.messages))/int64(objects)); err != nil {
			return answer{}, err
		}
	}
	return result, nil
}

func (t *Tracker) acceptOne(ctx context.Context, sender *Sender, raw value, envelope Envelope, claim *claim) (answer, error) {
	if len(raw) > MaxMessageBytes {
		return answer{}, refusef(http.StatusRequestEntityTooLarge, "the message is larger than %d KiB", MaxMessageBytes>>10)
	}
	if err := sender.take(t.options.Now(), 1); err != nil {
		return answer{}, err
	}
	site, err := sender.siteOf(ctx, raw, nil)
	message, is := model.Message{}, rejected
	if err == nil {
		message, is, err = t.read(raw, envelope, site)
	} else if model.CodeOf(err) != model.BadInput {
		return answer{}, err
	}
	t.count(is)
	switch is {
	case rejected:
		return answer{}, refusef(http.StatusBadRequest, "%v", err)
	case ignored:
		return answer{Success: true}, nil
	case bot:
		return answer{Success: true, Bots: 1}, nil
	}
	if err := claim.grow(messageBytes); err != nil {
		return answer{}, err
	}
	return answer{Success: true}, t.submit(ctx, site.ID, []model.Message{message}, claim.bytes)
}

// read reads a message to a site. What is older than the site keeps is rejected.
func (t *Tracker) read(raw value, envelope Envelope, site *model.Site) (message model.Message, is fate, err error) {
	envelope.Bots = site.Bots
	if message, is, err = t.options.Decoder.message(raw, envelope); is != kept {
		return message, is, err
	}
	if err := site.CheckTime(message.Hit.At, envelope.Received); err != nil {
		return message, rejected, err
	}
	return message, kept, nil
}

// count counts a message that is not kept. Those that are to be kept count when they are.
func (t *Tracker) count(is fate) {
	switch is {
	case rejected:
		t.messages.WithLabelValues("rejected").Inc()
	case ignored:
		t.messages.WithLabelValues("ignored").Inc()
	case bot:
		t.messages.WithLabelValues("bot").Inc()
	}
}

func (t *Tracker) submit(ctx context.Context, site int64, messages []model.Message, bytes int64) error {
	err := t.options.Pipeline.Submit(ctx, site, messages, bytes)
	switch {
	case err == nil:
		t.messages.WithLabelValues("kept").Add(float64(len(messages)))
		return nil
	case errors.Is(err, ErrBusy), errors.Is(err, ErrClosed):
		return refusef(http.StatusServiceUnavailable, "%v, so nothing was kept; send the request again", err)
	case model.CodeOf(err) == model.NotFound:
		return refusef(http.StatusUnauthorized, "the site of this key was deleted")
	}
	return err
}

// requestWire holds the members of a request's body that are not a message's.
type requestWire struct{ batch, writeKey, sentAt, context value }

func readRequest(root value) (r requestWire) {
	root.members(func(name []byte, v value) {
		switch string(name) {
		case "batch":
			r.batch = v
		case "writeKey":
			r.writeKey = v
		case "sentAt":
			r.sentAt = v
		case "context":
			r.context = v
		}
	})
	return r
}

// jsonString returns a header's text as a JSON string.
func jsonString(text string) value {
	if text == "" {
		return nil
	}
	v, err := json.Marshal(text)
	if err != nil {
		return nil
	}
	return v
}

// readBody returns the body, unpacked, of so many bytes at most, whatever the content type says of it.
func readBody(r *http.Request, most int, claim *claim) ([]byte, error) {
	tooLong := refusef(http.StatusRequestEntityTooLarge, "the body is larger than %d KiB; send smaller batches", most>>10)
	if most < MaxBatchBytes {
		tooLong = refusef(http.StatusRequestEntityTooLarge, "the body is larger than %d KiB; send smaller batches, or the key outside of the body, for up to %d KiB", most>>10, MaxBatchBytes>>10)
	}
	if r.ContentLength > int64(most) {
		return nil, tooLong
	}
	reader := io.LimitReader(r.Body, int64(most)+1)
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(reader)
		if err != nil {
			return nil, refusef(http.StatusBadRequest, "Content-Encoding is gzip, but the body is not: %v", err)
		}
		defer unpacked.Close()
		reader = io.LimitReader(unpacked, int64(most)+1)
	default:
		return nil, refusef(http.StatusUnsupportedMediaType, "the Content-Encoding %q is not supported; use gzip or none", clip(encoding))
	}
	raw, err := claim.readAll(reader)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refusef(http.StatusRequestTimeout, "the body did not arrive in time; send it again")
	case err != nil:
		return nil, refusef(http.StatusBadRequest, "the body ends early: %v", err)
	case len(raw) > most:
		return nil, tooLong
	}
	return raw, nil
}
