package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
)

// Executor carries out operations, each in the generation of the moment when it
// begins. That generation's plugins run until the operation's context ends, or until
// the Source of a subscription is released.
type Executor struct {
	Graph *Graph
	// Streams tells that more than one answer can be sent.
	Streams bool
	// Safe tells that nothing may change, for a page of another site may have asked.
	Safe bool
}

var _ graphql.GraphExecutor = Executor{}

// begun is an operation's generation, and how its plugins are let go.
type begun struct {
	*generation
	release func()
}

// begunKey is where an operation keeps what it began with.
const begunKey = "Begun"

func begunOf(operation *graphql.OperationContext) (begun, bool) {
	b, ok := operation.Stats.GetExtension(begunKey).(begun)
	return b, ok
}

// CreateOperationContext reads and checks an operation. DispatchOperation or
// DispatchError follows.
func (x Executor) CreateOperationContext(ctx context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	generation, err := x.Graph.acquire()
	if err != nil {
		return new(graphql.OperationContext), gqlerror.List{gqlerror.Wrap(err)}
	}
	b := begun{generation, sync.OnceFunc(generation.set.Release)}
	checked := false
	defer func() {
		if !checked {
			b.release()
		}
	}()
	operation, problems := x.Graph.read(ctx, generation, params)
	operation.Stats.SetExtension(begunKey, b)
	if problems == nil && isSubscription(operation) {
		problems = x.checkSubscription(operation)
	}
	if problems == nil && x.Safe && operation.Operation.Operation == ast.Mutation {
		problems = gqlerror.List{gqlerror.Wrap(model.Errorf(model.BadInput, "send mutations by POST"))}
	}
	checked = problems == nil
	return operation, problems
}

// read reads an operation: its document, its variables and its cost.
func (g *Graph) read(ctx context.Context, generation *generation, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	trusted, registers, problem := g.documentOf(ctx, params)
	if problem != nil {
		return new(graphql.OperationContext), gqlerror.List{problem}
	}
	mayNot := g.options.mayIntrospect(ctx)
	doc, problems := generation.documents.Read(ctx, params.Query, document.Options{Trusted: trusted, Reserved: mayNot != nil})
	if problems != nil {
		return new(graphql.OperationContext), problems
	}
	if registers {
		g.registry.Add(params.Query)
	}
	operation, problems := generation.executor.CreateOperationContext(scalar.WithSchema(withDocument(ctx, doc), generation.schema), params)
	if problems != nil {
		return operation, problems
	}
	cost, met, err := costOf(ctx, generation.schema, operation.Operation, operation.Variables, g.options.Now())
	switch {
	case err != nil:
	case met.introspects && mayNot != nil:
		err = mayNot
	case cost > MaxCost:
		err = model.Errorf(model.ResourceExhausted,
			"the operation costs %d points, one for each field that its answer may have, and the limit is %d: ask for fewer, for a shorter range, or for longer intervals", cost, MaxCost)
	}
	if err != nil {
		return operation, gqlerror.List{gqlerror.Wrap(err)}
	}
	operation.DisableIntrospection = false
	withBudget(operation, cost, met.breaksDown)
	return operation, nil
}

// documentKey is where a context has the document of an operation that is created in it.
type documentKey struct{}

func withDocument(ctx context.Context, doc *ast.QueryDocument) context.Context {
	return context.WithValue(ctx, documentKey{}, doc)
}

// documentOfContext gives the library's executor documents that were read before, where it looks for those that it has
// read itself.
type documentOfContext struct{}

var _ graphql.Cache[*ast.QueryDocument] = documentOfContext{}

// Get returns the context's document.
func (documentOfContext) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	doc, ok := ctx.Value(documentKey{}).(*ast.QueryDocument)
	return doc, ok
}

// Add keeps nothing.
func (documentOfContext) Add(context.Context, string, *ast.QueryDocument) {}

// checkSubscription returns what is wrong with a subscription that the schema allows. Of
// one name the library's own check allows several fields, and one that is skipped.
func (x Executor) checkSubscription(operation *graphql.OperationContext) gqlerror.List {
	var problem error
	if !x.Streams {
		problem = model.Errorf(model.BadInput, "a subscription has many answers: open a WebSocket (graphql-transport-ws), or accept text/event-stream")
	} else if n := len(graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Subscription"})); n != 1 {
		problem = model.Errorf(model.BadInput, "a subscription selects one field, and this one selects %d; send one subscription for each", n)
	}
	if problem == nil {
		return nil
	}
	return gqlerror.List{gqlerror.Wrap(problem)}
}

// DispatchOperation carries out an operation.
func (x Executor) DispatchOperation(ctx context.Context, operation *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	b, _ := begunOf(operation)
	context.AfterFunc(ctx, b.release)
	return b.executor.DispatchOperation(scalar.WithSchema(ctx, b.schema), operation)
}

// DispatchError answers with errors alone: of a request, or of an operation that
// is not carried out.
func (x Executor) DispatchError(ctx context.Context, problems gqlerror.List) *graphql.Response {
	if graphql.HasOperationContext(ctx) {
		if b, ok := begunOf(graphql.GetOperationContext(ctx)); ok {
			b.release()
			return b.executor.DispatchError(ctx, problems)
		}
	}
	return x.Graph.outside.DispatchError(ctx, problems)
}

// isSubscription tells whether an operation is one.
func isSubscription(operation *graphql.OperationContext) bool {
	return operation.Operation.Operation == ast.Subscription
}
