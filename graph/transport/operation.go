package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// run has an operation run whose answers d delivers, by the principal that the connection has now, and in one of the turns
// if it is no subscription. What the operation does ends with ctx.
func (h *Handler) run(ctx context.Context, x graph.Executor, params *graphql.RawParams, d *delivery, turns chan struct{}) {
	ctx = graphql.StartOperationTrace(model.WithActor(ctx, d.connection.Actor()))
	operation, problems := h.create(ctx, x, params)
	if problems != nil {
		d.End(x.DispatchError(graphql.WithOperationContext(ctx, operation), problems).Errors)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	d.runOn(cancel)
	if source, ok := graph.SourceOf(operation); ok {
		requested, _ := source.Cost()
		if err := h.admission.charge(ctx, requested); err != nil {
			cancel()
			source.Release()
			d.End(h.graph.Present(ctx, err))
			return
		}
		h.running.Go(func() {
			defer cancel()
			leave, problems := h.subscriptions.Subscribe(ctx, source, d)
			if problems != nil {
				d.End(problems)
				return
			}
			// What is followed is bounded by its points.
			d.taken.release()
			d.runOn(leave)
		})
		return
	}
	h.running.Go(func() {
		defer cancel()
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-ctx.Done(): // which begin tells
		}
		end, err := h.admission.begin(ctx, operation)
		if err != nil {
			d.End(x.DispatchError(graphql.WithOperationContext(ctx, operation), gqlerror.List{gqlerror.Wrap(err)}).Errors)
			return
		}
		defer end()
		answer, err := json.Marshal(h.dispatch(ctx, x, operation))
		if err != nil {
			d.End(h.graph.Present(ctx, err))
			return
		}
		d.Next(answer)
		d.finish()
	})
}

// create reads an operation, in the time that an operation has.
func (h *Handler) create(ctx context.Context, x graph.Executor, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return x.CreateOperationContext(ctx, params)
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
		DocumentID    string         `json:"documentId"`
	}
	if err := decoder.Decode(&given); err != nil {
		return nil, describe(err)
	}
	params := &graphql.RawParams{OperationName: given.OperationName, Variables: given.Variables, Extensions: given.Extensions}
	switch {
	case given.Query != nil:
		params.Query = *given.Query
	case given.DocumentID == "" && given.Extensions["persistedQuery"] == nil:
		return nil, errors.New("query is missing")
	}
	withDocumentID(params, given.DocumentID)
	return params, nil
}

// withDocumentID puts the id of a document into the extensions of a request, where it has one.
func withDocumentID(params *graphql.RawParams, id string) {
	if id == "" {
		return
	}
	if params.Extensions == nil {
		params.Extensions = map[string]any{}
	}
	params.Extensions[graph.DocumentID] = id
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
