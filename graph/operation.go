package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/model"
)

// running is an operation that runs over a WebSocket or as an event stream, and what it
// has to send: the newest answer, and then perhaps its end.
type running struct {
	id      string // "" of an event stream
	metrics *liveMetrics
	// notify is called when there is something to take, once until it is taken.
	notify func(*running)

	mu       sync.Mutex
	notified bool
	answer   []byte        // not taken yet
	problems gqlerror.List // that end it
	ended    bool
	// abandoned tells that the client wants no more of it, and leave lets go of what it
	// runs on.
	abandoned bool
	leave     func()
}

// What an operation has to send.
const (
	sendNext     = "next"
	sendError    = "error"
	sendComplete = "complete"
)

func (o *running) next(answer []byte) {
	o.put(func() {
		if o.answer != nil {
			o.metrics.dropped.Inc()
		}
		o.answer = answer
	})
}

func (o *running) end(problems gqlerror.List) {
	o.put(func() { o.ended, o.problems = true, problems })
}

// finish says that no more answers come, as it should be.
func (o *running) finish() { o.put(func() { o.ended = true }) }

func (o *running) put(what func()) {
	o.mu.Lock()
	what()
	notify := !o.notified
	o.notified = true
	o.mu.Unlock()
	if notify {
		o.notify(o)
	}
}

// take returns what is to be sent next, "" where there is nothing. It is taken from until
// there is nothing.
func (o *running) take() (kind string, payload []byte, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.abandoned:
		return "", nil, nil
	case o.problems != nil:
		o.abandoned = true
		payload, err = json.Marshal(o.problems)
		return sendError, payload, err
	case o.answer != nil:
		payload, o.answer = o.answer, nil
		return sendNext, payload, nil
	case o.ended:
		o.abandoned = true
		return sendComplete, nil, nil
	}
	o.notified = false
	return "", nil, nil
}

// runsOn says how to let go of what it runs on, which is done at once where it was
// abandoned meanwhile.
func (o *running) runsOn(leave func()) {
	o.mu.Lock()
	o.leave = leave
	abandoned := o.abandoned
	o.mu.Unlock()
	if abandoned {
		leave()
	}
}

func (o *running) abandon() {
	o.mu.Lock()
	o.abandoned, o.answer = true, nil
	leave := o.leave
	o.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// run has an operation run whose answers o takes. What the operation does ends with ctx.
func (g *Graph) run(ctx context.Context, executor operations, params *graphql.RawParams, o *running) {
	ctx = graphql.StartOperationTrace(ctx)
	operation, problems := executor.CreateOperationContext(ctx, params)
	if problems != nil {
		o.end(executor.DispatchError(graphql.WithOperationContext(ctx, operation), problems).Errors)
		return
	}
	if isSubscription(operation) {
		b, _ := begunOf(operation)
		leave, err := g.subscriptions.subscribe(b, operation, o)
		if err != nil {
			o.end(g.present(ctx, err))
			return
		}
		o.runsOn(leave)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, g.options.Timeout)
	o.runsOn(cancel)
	g.subscriptions.running.Go(func() {
		defer cancel()
		answer, err := json.Marshal(g.dispatch(ctx, executor, operation))
		if err != nil {
			o.end(g.present(ctx, err))
			return
		}
		o.next(answer)
		o.finish()
	})
}

// dispatch carries out a query or a mutation.
func (g *Graph) dispatch(ctx context.Context, executor operations, operation *graphql.OperationContext) (response *graphql.Response) {
	defer func() {
		if panicked := recover(); panicked != nil {
			response = &graphql.Response{Errors: g.present(ctx, recovered(g.options.Log)(ctx, panicked))}
		}
	}()
	responses, ctx := executor.DispatchOperation(ctx, operation)
	if response := responses(ctx); response != nil {
		return response
	}
	return &graphql.Response{Errors: g.present(ctx, ctx.Err())}
}

// present returns an error as clients see it.
func (g *Graph) present(ctx context.Context, err error) gqlerror.List {
	return g.outside.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(err)}).Errors
}

// readParams reads what a client asks.
func readParams(text []byte) (*graphql.RawParams, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var given struct {
		Query         *string        `json:"query"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
		Extensions    map[string]any `json:"extensions"`
	}
	if err := decoder.Decode(&given); err != nil {
		return nil, whatIsWrong(err)
	}
	if given.Query == nil {
		return nil, errors.New("query is missing")
	}
	return &graphql.RawParams{Query: *given.Query, OperationName: given.OperationName, Variables: given.Variables, Extensions: given.Extensions}, nil
}

// whatIsWrong says of JSON that has another shape what a client can make of it.
func whatIsWrong(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	kind, _, _ := strings.Cut(wrong.Value, " ") // behind it may be the value
	if wrong.Field == "" {
		return fmt.Errorf("it is to be an object, not a value of type %s", kind)
	}
	return fmt.Errorf("%s cannot be a value of type %s", wrong.Field, kind)
}

const tooManyConnections = "this server has as many connections as it takes, or is stopping; try again later"

func tooManyOperations(most int) error {
	return model.Errorf(model.ResourceExhausted, "this connection runs %d operations, the most that one may; end some first, or open another connection", most)
}
