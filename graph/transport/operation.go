package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// run has an operation run whose answers d delivers, by the principal that the connection has now. What the operation does
// ends with ctx.
func (h *Handler) run(ctx context.Context, x graph.Executor, params *graphql.RawParams, d *delivery) {
	ctx = graphql.StartOperationTrace(model.WithActor(ctx, d.connection.Actor()))
	operation, problems := x.CreateOperationContext(ctx, params)
	if problems != nil {
		d.End(x.DispatchError(graphql.WithOperationContext(ctx, operation), problems).Errors)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	d.runOn(cancel)
	if source, ok := graph.SourceOf(operation); ok {
		h.running.Go(func() {
			defer cancel()
			leave, problems := h.subscriptions.Subscribe(ctx, source, d)
			if problems != nil {
				d.End(problems)
				return
			}
			d.runOn(leave)
		})
		return
	}
	h.running.Go(func() {
		defer cancel()
		answer, err := json.Marshal(h.dispatch(ctx, x, operation))
		if err != nil {
			d.End(h.graph.Present(ctx, err))
			return
		}
		d.Next(answer)
		d.finish()
	})
}

// dispatch carries out a query or a mutation.
func (h *Handler) dispatch(ctx context.Context, x graph.Executor, operation *graphql.OperationContext) (response *graphql.Response) {
	defer func() {
		if panicked := recover(); panicked != nil {
			response = &graphql.Response{Errors: h.graph.Present(ctx, h.graph.Recovered(ctx, panicked))}
		}
	}()
	responses, ctx := x.DispatchOperation(ctx, operation)
	if response := responses(ctx); response != nil {
		return response
	}
	return &graphql.Response{Errors: h.graph.Present(ctx, ctx.Err())}
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
		return nil, describe(err)
	}
	if given.Query == nil {
		return nil, errors.New("query is missing")
	}
	return &graphql.RawParams{Query: *given.Query, OperationName: given.OperationName, Variables: given.Variables, Extensions: given.Extensions}, nil
}

// describe says of JSON that has another shape what a client can make of it.
func describe(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	kind, _, _ := strings.Cut(wrong.Value, " ") // behind it may be the value
	if wrong.Field == "" {
		return fmt.Errorf("it must be an object, not a value of type %s", kind)
	}
	return fmt.Errorf("%s cannot be a value of type %s", wrong.Field, kind)
}
