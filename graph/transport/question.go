package transport

import (
	"context"
	"net/http"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph"
)

// Question is a query or a mutation that another protocol asks for its client.
type Question struct {
	Document string
	// Operation is the name of the document's operation.
	Operation string
	Variables map[string]any
	// Length is how many bytes the client sent for it, for which long requests are charged.
	Length int
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
	leave, err := h.admission.read(ctx, q.Length)
	if err != nil {
		return &graphql.Response{Errors: h.graph.Present(ctx, err)}
	}
	leave = sync.OnceFunc(leave)
	defer leave()
	x := graph.Executor{Graph: h.graph}
	operation, problems := x.CreateOperationContext(ctx, &graphql.RawParams{Query: q.Document, OperationName: q.Operation, Variables: q.Variables})
	leave()
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
