package ofrep

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/server/access"
	"github.com/goalgraph/goalgraph/server/ingest"
)

const (
	// patience bounds a look into the database.
	patience = 5 * time.Second
	// turnPatience is how long an evaluation waits for its turn.
	turnPatience = time.Second
	// maxBody is the longest body: a context, and what stands around it.
	maxBody = ingest.MaxContextBytes + 1<<10
)

// Error codes of the protocol.
const (
	parseError       = "PARSE_ERROR"
	noTargetingKey   = "TARGETING_KEY_MISSING"
	invalidContext   = "INVALID_CONTEXT"
	general          = "GENERAL"
	flagNotFound     = "FLAG_NOT_FOUND"
	streamPath       = "/ofrep/v1/events"
	evaluationPath   = "/ofrep/v1/evaluate/flags"
	streamInactivity = 120 // seconds
)

// Handler answers evaluations. Run keeps what they give, until its context is done.
type Handler struct {
	o         Options
	catalog   *catalog
	visitors  *visitors
	keeper    *keeper
	exposures *exposures
	streams   *streams
	turns     chan struct{}
	now       func() time.Time

	seconds *prometheus.HistogramVec
}

// Options are the parts of a Handler. All but those with a default must be given.
type Options struct {
	Store    *store.Store
	Host     *host.Host
	Bus      live.Bus
	Pipeline *ingest.Pipeline
	Decoder  *ingest.Decoder
	// Sender returns who asks with a key: an Unauthenticated error if there is no such key, and a Forbidden one if it may not
	// ask for variants, or not from this page.
	Sender func(r *http.Request, key string) (*ingest.Sender, error)
	// Watch calls changed when Sender may answer otherwise than before, until stop is called: streams whose key
	// does not hold any longer end. changed does not block. Without it, streams ask now and then.
	Watch func(changed func()) (stop func())
	// TrustedProxies are the networks whose X-Forwarded-For, -Proto and -Host are believed.
	TrustedProxies access.Proxies
	// Streams is how many event streams there are at most; 1,000 by default.
	Streams int
	// Metrics takes figures; none by default.
	Metrics prometheus.Registerer
	// Log takes what clients are not told; none by default.
	Log *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// New returns a Handler.
func New(o Options) (h *Handler, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	metrics := promauto.With(o.Metrics)
	h = &Handler{o: o, now: o.Now, turns: make(chan struct{}, 64*runtime.GOMAXPROCS(0))}
	h.seconds = metrics.NewHistogramVec(prometheus.HistogramOpts{
		Name: "goalgraph_evaluation_seconds", Help: "Time to answer an evaluation of flags, by HTTP status.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"code"})
	h.keeper = newKeeper(o.Store, o.Log, metrics.NewCounter(prometheus.CounterOpts{
		Name: "goalgraph_assignments_lost_total", Help: "Assignments that could not be kept. The hash gives them again.",
	}))
	if h.catalog, err = newCatalog(o.Store, o.Host, o.Log, o.Now); err != nil {
		return nil, err
	}
	if h.visitors, err = newVisitors(o.Store); err != nil {
		return nil, err
	}
	if h.exposures, err = newExposures(o.Pipeline); err != nil {
		return nil, err
	}
	h.streams = newStreams(h, cmp.Or(o.Streams, 1000))
	metrics.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "goalgraph_flag_streams", Help: "Open streams that tell of changes of flags.",
	}, func() float64 { return float64(h.streams.count()) })
	return h, nil
}

// Run keeps what is given, and tells streams of changes, until the context is done.
func (h *Handler) Run(ctx context.Context) {
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		h.streams.run(ctx)
	}()
	h.keeper.run(ctx)
	<-watching
}

// Close ends the streams: a server that stops waits for none.
func (h *Handler) Close() { h.streams.close() }

// Forget says that definitions of a site have changed, so that the next evaluation follows them.
func (h *Handler) Forget(site int64) { h.catalog.forget(site) }

// Register adds the routes to a mux.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.Handle(evaluationPath+"/{key}", anyOrigin.Handler(http.MethodPost, h.answer(h.evaluateOne)))
	mux.Handle(evaluationPath, anyOrigin.Handler(http.MethodPost, h.answer(h.evaluateAll)))
	mux.Handle(streamPath, anyOrigin.Handler(http.MethodGet, http.HandlerFunc(h.serveStream)))
}

// anyOrigin lets pages of any origin ask.
var anyOrigin = access.AnyOrigin{
	Headers: "Authorization, Content-Type, If-None-Match, X-API-Key", Exposed: "ETag, Retry-After",
	Refuse: func(w http.ResponseWriter, status int, reason string) { reply(w, status, problem{Details: reason}) },
}

// problem is an answer that is no evaluation.
type problem struct {
	Key     string `json:"key,omitempty"`
	Code    string `json:"errorCode,omitempty"`
	Details string `json:"errorDetails,omitempty"`
}

// refusal is a request that is not answered as it asks.
type refusal struct {
	status int
	problem
	// retry is after how many seconds it may be sent again; 0 for what is refused for good.
	retry int
}

func (r *refusal) Error() string { return r.Details }

func refusef(status int, code, format string, args ...any) *refusal {
	r := &refusal{status: status, problem: problem{Code: code, Details: fmt.Sprintf(format, args...)}}
	if status == http.StatusTooManyRequests {
		r.retry = 1
	}
	return r
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// What fails here is the client's connection.
	_ = encoder.Encode(body)
}

// answer answers evaluations by what do returns or, where that is nil, has answered itself.
func (h *Handler) answer(do func(w http.ResponseWriter, r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		w.Header().Set("Cache-Control", "no-cache, private")
		body, err := do(w, r)
		status := http.StatusOK
		if refused := h.refusalOf(r, err); refused != nil {
			refused.Key = r.PathValue("key")
			status, body = refused.status, refused.problem
			if refused.retry > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(refused.retry))
			}
		}
		switch {
		case body != nil:
			reply(w, status, body)
		case err == nil:
			status = http.StatusNotModified
		}
		h.seconds.WithLabelValues(strconv.Itoa(status)).Observe(time.Since(begin).Seconds())
	})
}

// refusalOf returns how an error is answered, nil for none. Internal errors are logged.
func (h *Handler) refusalOf(r *http.Request, err error) *refusal {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		of := *refused
		return &of
	}
	switch {
	case errors.Is(err, ingest.ErrBusy), errors.Is(err, ingest.ErrClosed):
		return refusef(http.StatusTooManyRequests, "", "the exposure cannot be written, because %v; ask again", err)
	case model.CodeOf(err) == model.NotFound:
		return refusef(http.StatusUnauthorized, "", "the site of this key was deleted")
	}
	if r.Context().Err() == nil {
		h.o.Log.ErrorContext(r.Context(), "cannot evaluate flags", "error", err)
	}
	return refusef(http.StatusInternalServerError, "", "the flags cannot be evaluated at the moment; ask again")
}

// keyOf returns the key of a request.
func keyOf(r *http.Request) string {
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return strings.TrimSpace(r.Header.Get("X-API-Key"))
}

// sender returns who asks with a key.
func (h *Handler) sender(r *http.Request, key string) (*ingest.Sender, error) {
	if key == "" {
		return nil, refusef(http.StatusUnauthorized, "", "the request has no key; send one of scope WRITE as Authorization: Bearer KEY, or as X-API-Key")
	}
	sender, err := h.o.Sender(r, key)
	switch model.CodeOf(err) {
	case model.Unauthenticated:
		return nil, refusef(http.StatusUnauthorized, "", "%v", err)
	case model.Forbidden:
		return nil, refusef(http.StatusForbidden, "", "%v", err)
	case model.ResourceExhausted:
		return nil, refusef(http.StatusTooManyRequests, "", "%v", err)
	}
	return sender, err
}

// siteOf returns the site of a request whose page has a host; empty for none.
func siteOf(r *http.Request, sender *ingest.Sender, page string) (int64, error) {
	if sender.Site != nil {
		return sender.Site.ID, nil
	}
	for _, from := range []string{r.Header.Get("Origin"), r.Header.Get("Referer")} {
		if u, err := url.Parse(from); page == "" && err == nil {
			page = model.Host(u.Hostname())
		}
	}
	if page == "" {
		return 0, refusef(http.StatusBadRequest, invalidContext, "the key is of several sites; tell the hostname of one in the context, or use a key of one site")
	}
	site, err := sender.SiteOf(r.Context(), page)
	if model.CodeOf(err) == model.BadInput {
		return 0, refusef(http.StatusBadRequest, invalidContext, "the host %.100q is a domain of none of the key's sites", page)
	}
	if err != nil {
		return 0, err
	}
	return site.ID, nil
}

// question is a request for evaluations.
type question struct {
	sender *ingest.Sender
	told   ingest.Evaluation
	flags  *flags
}

// read reads a request, and takes one evaluation for it whatever becomes of it. around is what it tells of the visitor beside the context. Its turn begins: leave ends it.
func (h *Handler) read(r *http.Request, around ingest.Surroundings) (q question, leave func(), err error) {
	if q.sender, err = h.sender(r, keyOf(r)); err != nil {
		return q, nil, err
	}
	if err = h.take(q.sender, 1); err != nil {
		return q, nil, err
	}
	context, err := readContext(r)
	if err != nil {
		return q, nil, err
	}
	if q.told, err = h.o.Decoder.Evaluation(context, around); err != nil {
		code := invalidContext
		if e, ok := errors.AsType[*model.Error](err); ok && e.Field == "targetingKey" {
			code = noTargetingKey
		}
		return q, nil, refusef(http.StatusBadRequest, code, "%v", err)
	}
	site, err := siteOf(r, q.sender, q.told.Host)
	if err != nil {
		return q, nil, err
	}
	// A stream has told of flags that are newer than those of this server may be.
	if version := r.URL.Query().Get("flagConfigEtag"); version != "" {
		h.catalog.doubt(r.Context(), site, version)
	}
	if leave, err = h.enter(r.Context()); err != nil {
		return q, nil, err
	}
	if q.flags, err = h.catalog.of(r.Context(), site); err != nil {
		leave()
		return q, nil, err
	}
	return q, leave, nil
}

// enter waits for a turn. leave may be called more than once.
func (h *Handler) enter(ctx context.Context) (leave func(), err error) {
	leave = sync.OnceFunc(func() { <-h.turns })
	select {
	case h.turns <- struct{}{}:
		return leave, nil
	default:
	}
	late := time.NewTimer(turnPatience)
	defer late.Stop()
	select {
	case h.turns <- struct{}{}:
		return leave, nil
	case <-late.C:
		return nil, refusef(http.StatusTooManyRequests, "", "the server evaluates too many flags; ask again")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// take takes as many evaluations as there are from those that the key may have in a second.
func (h *Handler) take(sender *ingest.Sender, evaluations int) error {
	if sender.Rate == nil || sender.Rate.AllowN(h.now(), evaluations) {
		return nil
	}
	return refusef(http.StatusTooManyRequests, "", "this key asks for more evaluations per second than the server makes for one; ask again later")
}

// readContext returns the context in a body.
func readContext(r *http.Request) (json.RawMessage, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refusef(http.StatusBadRequest, parseError, "the body did not arrive in time; send it again")
	case err != nil:
		return nil, refusef(http.StatusBadRequest, parseError, "the body ends early: %v", err)
	case len(raw) > maxBody:
		return nil, refusef(http.StatusBadRequest, invalidContext, "the context is larger than %d KiB; leave out what no audience looks at", ingest.MaxContextBytes>>10)
	}
	var body struct {
		Context json.RawMessage `json:"context"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, refusef(http.StatusBadRequest, parseError, "the body is not a JSON object: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if len(body.Context) == 0 {
		return nil, refusef(http.StatusBadRequest, noTargetingKey, `the body has no context; send {"context": {"targetingKey": …}}`)
	}
	return body.Context, nil
}

// evaluateOne evaluates one flag, which is an exposure. A server asks for its visitors: of those the request tells nothing.
func (h *Handler) evaluateOne(_ http.ResponseWriter, r *http.Request) (any, error) {
	q, leave, err := h.read(r, ingest.Surroundings{})
	if err != nil {
		return nil, err
	}
	defer leave()
	key := r.PathValue("key")
	f := q.flags.named(key)
	if f == nil {
		return nil, refusef(http.StatusNotFound, flagNotFound, "the site has no experiment with the key %.200q that Goalgraph assigns (assignment: GOALGRAPH)", key)
	}
	a, err := h.ask(r.Context(), q.flags, &q.told, []flag{*f})
	if err != nil {
		return nil, err
	}
	e, exposure := a.evaluate(f)
	if e.ErrorCode != "" {
		return nil, refusef(http.StatusInternalServerError, e.ErrorCode, "%s", e.ErrorDetails)
	}
	h.keep(a)
	leave() // those who wait for the database hold up nobody else
	if exposure != (model.MessageID{}) {
		e.Metadata = nil // it is exposed
		if err := h.exposures.write(r.Context(), a, f, e.Variant, exposure); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// eventStream tells where changes are told.
type eventStream struct {
	Type               string `json:"type"`
	URL                string `json:"url"`
	InactivityDelaySec int    `json:"inactivityDelaySec"`
}

// bulk is the answer to a bulk evaluation.
type bulk struct {
	Flags        []evaluation  `json:"flags"`
	EventStreams []eventStream `json:"eventStreams"`
}

// evaluateAll evaluates all flags but drafts and archived ones. It is asked by the visitor's browser or app.
func (h *Handler) evaluateAll(w http.ResponseWriter, r *http.Request) (any, error) {
	around := ingest.Surroundings{UserAgent: r.UserAgent(), AcceptLanguage: r.Header.Get("Accept-Language"), Referer: r.Referer()}
	if address := h.o.TrustedProxies.Sender(r); address.IsValid() {
		around.IP = address.String()
	}
	q, leave, err := h.read(r, around)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := h.take(q.sender, max(0, len(q.flags.all)-1)); err != nil { // the first is taken
		return nil, err
	}
	a, err := h.ask(r.Context(), q.flags, &q.told, q.flags.all)
	if err != nil {
		return nil, err
	}
	answer := bulk{Flags: make([]evaluation, 0, len(q.flags.all)), EventStreams: []eventStream{{"sse", h.streamURL(r), streamInactivity}}}
	for i := range q.flags.all {
		if f := &q.flags.all[i]; f.isPublic() {
			e, _ := a.evaluate(f)
			answer.Flags = append(answer.Flags, e)
		}
	}
	h.keep(a)
	tag, err := tagOf(answer)
	if err != nil {
		return nil, err
	}
	w.Header().Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil, nil
	}
	return answer, nil
}

// tagOf names what an answer says.
func tagOf(answer bulk) (string, error) {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(answer); err != nil {
		return "", err
	}
	sum := sha256.Sum256(text.Bytes())
	return `"` + hex.EncodeToString(sum[:12]) + `"`, nil
}

// matches tells whether a tag is among those of an If-None-Match.
func matches(known, tag string) bool {
	for part := range strings.SplitSeq(known, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == strings.Trim(tag, `"`) || part == "*" {
			return true
		}
	}
	return false
}

// streamURL returns where who asks is told of changes. An EventSource sends no headers: the key is part of it.
func (h *Handler) streamURL(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: streamPath, RawQuery: url.Values{"writeKey": {keyOf(r)}}.Encode()}
	if h.o.TrustedProxies.IsSecure(r) {
		u.Scheme = "https"
	}
	return u.String()
}
