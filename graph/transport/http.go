package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// maxBody is how many bytes of a request, or of a message of a WebSocket, are read.
const maxBody = 1 << 20

// retryLater is after how many seconds a request is to be sent again for which there is no room.
const retryLater = "1"

// methods are those that requests may have.
const methods = "GET, HEAD, POST, OPTIONS"

// serveRequest answers a request, as the GraphQL over HTTP specification has it, and returns the status; 0 where the answer
// was a stream: https://graphql.github.io/graphql-over-http/draft/
func (h *Handler) serveRequest(w http.ResponseWriter, r *http.Request) (status int) {
	refuse := func(status int, err error) int {
		h.packer.send(w, r, problem(status, err))
		return status
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	case http.MethodOptions:
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusOK)
		return http.StatusOK
	default:
		w.Header().Set("Allow", methods)
		return refuse(http.StatusMethodNotAllowed, model.Errorf(model.BadInput, "send queries by GET or POST, and mutations by POST"))
	}
	accepted, err := accept(r)
	if err != nil {
		return refuse(http.StatusNotAcceptable, err)
	}
	body, taken, status, err := h.readBody(w, r)
	if err != nil {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryLater)
		}
		return refuse(status, err)
	}
	defer taken.release()
	leave, status, err := h.Charge(w, r, body)
	switch {
	case status == http.StatusTooManyRequests:
		h.packer.send(w, r, refusal(status, accepted.json, h.graph.Present(r.Context(), err)))
		return status
	case err != nil:
		return refuse(status, err)
	}
	leave = sync.OnceFunc(leave)
	defer leave()
	params, err := readRequest(body)
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	if accepted.events {
		h.serveEvents(w, r, params, taken, leave)
		return 0
	}
	answer, isStream := h.answer(w, r, params, accepted, leave)
	if isStream {
		h.serveEvents(w, r, params, taken, leave)
		return 0
	}
	h.send(w, r, answer)
	return answer.status
}

// send answers a request with what may be long. Its client has the time of an operation to take all of it in, and in any case
// that of a message.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, answer reply) {
	// What fails here is a connection without deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(max(h.timeout, h.limits.Write)))
	h.packer.send(w, r, answer)
}

// isSafe tells whether a request may change nothing, for a page of another site may have made it.
func isSafe(r *http.Request) bool { return r.Method != http.MethodPost }

// answer carries out an operation whose answer has one part. isStream tells that it was not, as it is a subscription and
// its client takes events, too. leave ends the turn in which the request is read.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, params *graphql.RawParams, accepted accepted, leave func()) (answer reply, isStream bool) {
	ctx, cancel := context.WithTimeout(graphql.StartOperationTrace(r.Context()), h.timeout)
	defer cancel()
	defer func() {
		if panicked := recover(); panicked != nil {
			answer = refusal(http.StatusInternalServerError, accepted.json, h.graph.Present(ctx, h.graph.Recovered(ctx, panicked)))
		}
	}()
	params.Headers = r.Header
	x := graph.Executor{Graph: h.graph, Safe: isSafe(r)}
	operation, problems := x.CreateOperationContext(ctx, params)
	leave()
	is := func(kind ast.Operation) bool {
		return operation.Operation != nil && operation.Operation.Operation == kind
	}
	if accepted.namesEvents && is(ast.Subscription) {
		return reply{}, true
	}
	var end func()
	if problems == nil {
		var err error
		if end, err = h.admission.begin(ctx, operation); err != nil {
			problems = gqlerror.List{gqlerror.Wrap(err)}
		}
	}
	if problems != nil {
		shown := x.DispatchError(graphql.WithOperationContext(ctx, operation), problems).Errors
		status := http.StatusBadRequest
		switch wait := retryAfter(shown); {
		case wait != "":
			w.Header().Set("Retry-After", wait)
			status = http.StatusTooManyRequests
		case is(ast.Mutation) && isSafe(r):
			w.Header().Set("Allow", http.MethodPost)
			status = http.StatusMethodNotAllowed
		case accepted.json == plainType:
			// Who takes this type alone may take another status for that of something on the way.
			status = http.StatusOK
		}
		return refusal(status, accepted.json, shown), false
	}
	defer end()
	text, err := json.Marshal(h.dispatch(ctx, x, operation))
	if err != nil {
		return refusal(http.StatusOK, accepted.json, h.graph.Present(ctx, err)), false
	}
	return reply{http.StatusOK, accepted.json, text, isSafe(r) && !graph.IsPrivate(operation)}, false
}

// readRequest returns what the body of a request asks.
func readRequest(body []byte) (*graphql.RawParams, error) {
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		return nil, model.Errorf(model.BadInput, "this is a batch, a list of requests: send each operation as a request of its own")
	}
	params, err := readParams(body)
	if err != nil {
		return nil, model.Errorf(model.BadInput, "the request is not the JSON of GraphQL over HTTP: %v", err)
	}
	return params, nil
}

// readBody returns the body of a request, of one without a body the one that says the same as its address, and what it
// takes of the intake. The status is that of the error. A POST must say that it is JSON: what a form of another site could
// send is refused.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) (body []byte, taken *share, status int, err error) {
	if r.Method != http.MethodPost {
		if body, err = urlParams(r.URL.RawQuery); err != nil {
			return nil, nil, http.StatusBadRequest, model.Errorf(model.BadInput, "the parameters of the address cannot be read: %v", err)
		}
		return body, nil, 0, nil
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != plainType {
		return nil, nil, http.StatusUnsupportedMediaType, model.Errorf(model.BadInput, "send the request as application/json")
	}
	return h.take(w, r)
}

// take reads the body of a request, and returns what it takes of the intake. The status is that of the error.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) (body []byte, taken *share, status int, err error) {
	most := int64(maxBody)
	if !model.ActorOf(r.Context()).MaySomewhere(model.ReadScope) {
		most = longRequest - 1 // of who is refused in any case
	}
	body, taken, err = h.intake.read(http.MaxBytesReader(w, r.Body, most))
	_, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
		return body, taken, 0, nil
	case isTooLarge:
		return nil, nil, http.StatusRequestEntityTooLarge, model.Errorf(model.ResourceExhausted, "the request is larger than %d bytes", most)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, http.StatusRequestTimeout, model.Errorf(model.BadInput, "the body did not arrive in time; send it again")
	case model.CodeOf(err) == model.ResourceExhausted:
		return nil, nil, http.StatusServiceUnavailable, err
	}
	return nil, nil, http.StatusBadRequest, model.Errorf(model.BadInput, "the request cannot be read: %v", err)
}

// urlParams returns the parameters of an address as the body that says the same.
func urlParams(query string) ([]byte, error) {
	given, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	params := map[string]any{}
	for _, name := range []string{"query", "operationName", graph.DocumentID} {
		if given.Has(name) {
			params[name] = given.Get(name)
		}
	}
	for _, name := range []string{"variables", "extensions"} {
		if text := given.Get(name); text != "" {
			if !json.Valid([]byte(text)) {
				return nil, errors.New(name + " is not JSON")
			}
			params[name] = json.RawMessage(text)
		}
	}
	return json.Marshal(params)
}

// ServeSchema answers with the schema of the moment, in the schema definition language, for those who may ask for it.
func (h *Handler) ServeSchema(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.packer.send(w, r, problem(http.StatusMethodNotAllowed, model.Errorf(model.BadInput, "get the schema by GET")))
		return
	}
	sdl, err := h.graph.SDL(r.Context())
	if err == nil {
		err = h.admission.charge(r.Context(), len(sdl)/bytesPerPoint)
	}
	if err == nil {
		h.send(w, r, reply{http.StatusOK, "text/plain; charset=utf-8", []byte(sdl), true})
		return
	}
	problems := h.graph.Present(r.Context(), err)
	status := http.StatusInternalServerError
	switch model.CodeOf(err) {
	case model.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="goalgraph"`)
		status = http.StatusUnauthorized
	case model.ResourceExhausted:
		w.Header().Set("Retry-After", retryAfter(problems))
		status = http.StatusTooManyRequests
	}
	h.packer.send(w, r, refusal(status, plainType, problems))
}
