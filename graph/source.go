package graph

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
)

// Source is a subscription's operation. Its answer can be computed again and again, in the generation in which the
// operation began, until the Source is released.
type Source struct {
	begun
	operation *graphql.OperationContext
	// scope is the least that who follows it must have on its site.
	scope model.Scope
}

// SourceOf returns the Source of an operation that an Executor has created; ok is false where it is no subscription. The
// operation is no longer the caller's then.
func SourceOf(operation *graphql.OperationContext) (s *Source, ok bool) {
	b, _ := begunOf(operation)
	return &Source{b, operation, scopeOf(operation.Operation.SelectionSet)}, isSubscription(operation)
}

// Cost returns what an answer of the Source costs, in points: as it was worked out, and what the newest one has made.
func (s *Source) Cost() (requested, actual int) { return Cost(s.operation) }

// IsHeavy tells whether an answer of the Source takes a processor for long.
func (s *Source) IsHeavy() bool { return IsHeavy(s.operation) }

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

// Seek finds the site that the answer follows from, and says it in the computation. The problems are those of the context's
// actor, who perhaps may not read the site.
func (s *Source) Seek(ctx context.Context, c *Computation) gqlerror.List {
	c.sought = true
	response := s.Compute(ctx, c)
	c.sought = false
	if c.Site == 0 {
		return response.Errors
	}
	return nil
}

// Check returns nil if a principal may follow the Source, whose answer follows from a site. Otherwise the error is
// Unauthenticated, Forbidden or NotFound.
func (s *Source) Check(p *model.Principal, site int64, now time.Time) error {
	if err := checkScope(p, model.ReadScope, model.MillisOf(now)); err != nil {
		return err
	}
	switch {
	case p.May(s.scope, site), site == schemaSite: // which is everyone's who reads
		return nil
	case p.May(model.ReadScope, site):
		return forbidden(p, s.scope, site)
	}
	return missing("site")
}

// Principal returns who may do what it takes to compute the answer, which follows from a site, and nothing else: the
// answer is that of all who may follow the Source.
func (s *Source) Principal(site int64) *model.Principal {
	return &model.Principal{Kind: model.AnonymousPrincipal, Name: "subscribers", Grants: []model.Grant{{Site: site, Scope: s.scope}}}
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
