package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// maxBody is how many bytes of a request, or of a message of a WebSocket, are read.
const maxBody = 1 << 20

// exchange is one request and its answer over HTTP. An answer of an operation that
// began goes through as it is. What refuses the request before that is held back
// and put into the form that the GraphQL over HTTP specification wants, which the
// library's is not quite: no data beside the errors, status 200 for a client that
// takes application/json alone where the request could be read, and a status that
// says what is wrong where it could not.
type exchange struct {
	http.ResponseWriter
	began bool
	// leave ends the turn in which the request is read, and end the turn of the operation.
	leave, end func()
	// documentID is that of the request; empty without one.
	documentID string
	status     int
	body       bytes.Buffer
}

// executor carries out the operations of an exchange.
type executor struct {
	graph.Executor
	admission *admission
	exchange  *exchange
}

// DispatchOperation lets the answer through.
func (e executor) DispatchOperation(ctx context.Context, operation *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	e.exchange.began = true
	return e.Executor.DispatchOperation(ctx, operation)
}

// serveRequest answers a request by one of the library's transports.
func (h *Handler) serveRequest(w http.ResponseWriter, r *http.Request) {
	if status, problem := unfit(r); status != 0 {
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
		writeProblem(w, status, problem)
		return
	}
	ctx, cancel := context.WithTimeout(graphql.StartOperationTrace(r.Context()), h.timeout)
	defer cancel()
	r = r.WithContext(ctx)
	x := &exchange{ResponseWriter: w, status: http.StatusOK, end: func() {}}
	length := len(r.URL.RawQuery)
	if r.Method == http.MethodPost {
		text, taken, err := h.intake.read(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			h.refuseBody(w, r, err)
			return
		}
		defer taken.release()
		r.Body, length = io.NopCloser(bytes.NewReader(text)), len(text)
		x.documentID = documentIDOf(text)
	} else {
		x.documentID = r.URL.Query().Get(graph.DocumentID)
	}
	leave, err := h.admission.read(ctx, length)
	if err != nil {
		h.putOff(w, r, err)
		return
	}
	x.leave = sync.OnceFunc(leave)
	defer x.leave()
	defer func() { x.end() }()
	h.carryOut(x, r)
	x.finish()
}

// documentIDOf returns the id of a request's document, which the library's transports do not read.
func documentIDOf(body []byte) string {
	if !bytes.Contains(body, []byte(`"`+graph.DocumentID+`"`)) {
		return ""
	}
	var given struct {
		DocumentID string `json:"documentId"`
	}
	_ = json.Unmarshal(body, &given) // what is wrong with it is told when all of it is read
	return given.DocumentID
}

// carryOut has the request's transport carry out its operations.
func (h *Handler) carryOut(x *exchange, r *http.Request) {
	defer func() {
		if panicked := recover(); panicked != nil {
			writeJSON(x, http.StatusInternalServerError, &graphql.Response{Errors: h.graph.Present(r.Context(), h.graph.Recovered(r.Context(), panicked))})
		}
	}()
	for _, t := range h.transports {
		if t.Supports(r) {
			t.Do(x, r, executor{graph.Executor{Graph: h.graph}, h.admission, x})
			return
		}
	}
	writeProblem(x, http.StatusBadRequest, "this is not a request of GraphQL over HTTP")
}

// unfit returns the status and the problem of a request that no transport takes.
// A POST must say that it is JSON: what a form of another site could send is refused.
func unfit(r *http.Request) (status int, problem string) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return 0, ""
	case http.MethodPost:
		mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || mediaType != "application/json" {
			return http.StatusUnsupportedMediaType, "send the request as application/json"
		}
		return 0, ""
	}
	return http.StatusMethodNotAllowed, "send queries by GET or POST, and mutations by POST"
}

// WriteHeader sends the status, or keeps it until finish.
func (x *exchange) WriteHeader(status int) {
	if x.began {
		x.ResponseWriter.WriteHeader(status)
	}
	x.status = status
}

// Write sends a part of the answer, or keeps it until finish.
func (x *exchange) Write(part []byte) (int, error) {
	if x.began {
		return x.ResponseWriter.Write(part)
	}
	return x.body.Write(part)
}

// refusal is the answer to a request whose operation did not begin.
type refusal struct {
	Errors []map[string]any `json:"errors"`
}

// finish sends the refusal of an operation that did not begin.
func (x *exchange) finish() {
	if x.began {
		return
	}
	var answer refusal
	if json.Unmarshal(x.body.Bytes(), &answer) != nil || len(answer.Errors) == 0 {
		x.ResponseWriter.WriteHeader(x.status)
		x.ResponseWriter.Write(x.body.Bytes())
		return
	}
	for _, problem := range answer.Errors {
		if problem["extensions"] == nil {
			problem["extensions"] = codeOf(model.BadInput)
		}
	}
	if wait := retryAfter(answer.Errors); wait != "" {
		x.Header().Set("Retry-After", wait)
		writeJSON(x.ResponseWriter, http.StatusTooManyRequests, answer)
		return
	}
	writeJSON(x.ResponseWriter, x.statusOfRefusal(), answer)
}

func (x *exchange) statusOfRefusal() int {
	readable := x.status == http.StatusOK || x.status == http.StatusUnprocessableEntity
	switch {
	case x.status == http.StatusNotAcceptable: // a mutation by GET
		x.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed
	case readable && x.Header().Get("Content-Type") == "application/json":
		return http.StatusOK
	case readable:
		return http.StatusBadRequest
	}
	return x.status
}

// codeOf returns the extensions of an error of the code.
func codeOf(code model.Code) map[string]any { return map[string]any{"code": string(code)} }

func writeProblem(w http.ResponseWriter, status int, problem string) {
	writeRefusal(w, status, model.BadInput, problem)
}

func writeRefusal(w http.ResponseWriter, status int, code model.Code, problem string) {
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, status, refusal{[]map[string]any{{"message": problem, "extensions": codeOf(code)}}})
}

// putOff answers a request for which there is no room at the moment.
func (h *Handler) putOff(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, http.StatusServiceUnavailable, map[string]any{"errors": h.graph.Present(r.Context(), err)})
}

// refuseBody answers a request whose body cannot be read.
func (h *Handler) refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	_, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case isTooLarge:
		writeRefusal(w, http.StatusRequestEntityTooLarge, model.ResourceExhausted, fmt.Sprintf("the request is larger than %d bytes", maxBody))
	case errors.Is(err, os.ErrDeadlineExceeded):
		writeProblem(w, http.StatusRequestTimeout, "the body did not arrive in time; send it again")
	case model.CodeOf(err) == model.ResourceExhausted:
		h.putOff(w, r, err)
	default:
		writeProblem(w, http.StatusBadRequest, "the request cannot be read: "+err.Error())
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.WriteHeader(status)
	// What fails here is the client's connection.
	_ = json.NewEncoder(w).Encode(value)
}
