package transport

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// Question is a query or a mutation that another protocol asks for its client.
type Question struct {
	Document string
	// Operation is the name of the document's operation.
	Operation string
	Variables map[string]any
}

// ReadBody reads the body of a request of another protocol, within the memory that all requests take together, until done is
// called. The status is that of the error.
func (h *Handler) ReadBody(w http.ResponseWriter, r *http.Request) (body []byte, done func(), status int, err error) {
	body, taken, status, err := h.take(w, r)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryLater)
	}
	return body, taken.release, status, err
}

// Charge takes the points that it costs to read a body, and waits for the caller's turn to have it read, which lasts until
// leave is called. An error says when to send the request again, in the header and in words, with the status.
func (h *Handler) Charge(w http.ResponseWriter, r *http.Request, body []byte) (leave func(), status int, err error) {
	leave, err = h.admission.read(r.Context(), len(body))
	switch {
	case model.CodeOf(err) == model.ResourceExhausted:
		w.Header().Set("Retry-After", retryAfter(h.graph.Present(r.Context(), err)))
		return nil, http.StatusTooManyRequests, err
	case err != nil:
		w.Header().Set("Retry-After", retryLater)
		return nil, http.StatusServiceUnavailable, model.Errorf(model.ResourceExhausted, "too many long requests arrive at once: send this one again")
	}
	return leave, http.StatusOK, nil
}

// Ask carries out a question for the context's actor, as if it had come by POST to GraphQL: at the same cost, in the same
// turns, and within the same time.
func (h *Handler) Ask(ctx context.Context, q Question) (response *graphql.Response) {
	ctx, cancel := context.WithTimeout(graphql.StartOperationTrace(ctx), h.timeout)
	defer cancel()
	defer func() {
		if panicked := recover(); panicked != nil {
			response = &graphql.Response{Errors: h.graph.Present(ctx, h.graph.Recovered(ctx, panicked))}
		}
	}()
	x := graph.Executor{Graph: h.graph}
	operation, problems := x.CreateOperationContext(ctx, &graphql.RawParams{Query: q.Document, OperationName: q.Operation, Variables: q.Variables})
	if problems == nil {
		end, err := h.admission.begin(ctx, operation)
		if err == nil {
			defer end()
			return h.dispatch(ctx, x, operation)
		}
		problems = gqlerror.List{gqlerror.Wrap(err)}
	}
	return x.DispatchError(graphql.WithOperationContext(ctx, operation), problems)
}
