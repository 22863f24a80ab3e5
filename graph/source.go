package graph

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/scalar"
)

// Source is a subscription's operation. Its answer can be computed again and again, in the generation in which the
// operation began, until the Source is released.
type Source struct {
	begun
	operation *graphql.OperationContext
}

// SourceOf returns the Source of an operation that an Executor has created; ok is false where it is no subscription. The
// operation is no longer the caller's then.
func SourceOf(operation *graphql.OperationContext) (s *Source, ok bool) {
	b, _ := begunOf(operation)
	return &Source{b, operation}, isSubscription(operation)
}

// Cost returns what an answer of the Source costs, in points: as it was worked out, and what the newest one has made.
func (s *Source) Cost() (requested, actual int) { return Cost(s.operation) }

// Release lets the operation's plugins go.
func (s *Source) Release() { s.release() }

// SourceKey is equal for Sources that have equal answers: the same operation, however it is written, with the same
// variables in the same generation.
type SourceKey struct {
	generation *generation
	operation  [sha256.Size]byte
}

// Key returns the Source's key.
func (s *Source) Key() (SourceKey, error) {
	hash := sha256.New()
	formatter.NewFormatter(hash, formatter.WithIndent("")).FormatQueryDocument(s.operation.Doc)
	fmt.Fprintf(hash, "\x00%s\x00", s.operation.OperationName)
	err := json.NewEncoder(hash).Encode(s.operation.Variables)
	return SourceKey{s.generation, [sha256.Size]byte(hash.Sum(nil))}, err
}

// Compute computes the answer. The response has no data where nothing was resolved, and null where the operation's one
// field, which never is null, has no answer.
func (s *Source) Compute(ctx context.Context, c *Computation) (response *graphql.Response) {
	ctx = scalar.WithSchema(shareCollection(context.WithValue(ctx, computationKey{}, c), c.collection), s.schema)
	defer func() {
		if panicked := recover(); panicked != nil {
			problem := s.executor.PresentRecoveredError(graphql.WithOperationContext(ctx, s.operation), panicked)
			response = &graphql.Response{Errors: gqlerror.List{gqlerror.Wrap(problem)}}
		}
	}()
	responses, ctx := s.executor.DispatchOperation(ctx, s.operation)
	response = responses(ctx)
	if response == nil { // the context is done
		response = s.executor.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(ctx.Err())})
	}
	if len(response.Errors) > 0 && isNull(response.Data) {
		response.Data = json.RawMessage("null")
	}
	return response
}

// isNull tells whether data's one field is null, which never is where it has an answer.
func isNull(data json.RawMessage) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return false
	}
	for _, field := range fields {
		if string(field) != "null" {
			return false
		}
	}
	return true
}
