package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// generation is all that follows from one set of filter types: the schema, the
// documents that were checked against it, and the resolvers.
type generation struct {
	set      *host.Set
	schema   *ast.Schema
	executor *executor.Executor
}

func newGeneration(o Options, matrices *matrices, set *host.Set) (*generation, error) {
	schema, err := buildSchema(set.Types())
	if err != nil {
		return nil, err
	}
	resolver := &Resolver{store: o.Store, engine: o.Engine, host: o.Host, filters: set, rules: o.Rules, now: o.Now, log: o.Log, matrices: matrices}
	x := executor.New(generated.NewExecutableSchema(generated.Config{Schema: schema, Resolvers: resolver, Complexity: complexity()}))
	x.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	x.SetParserTokenLimit(maxTokens)
	variables := strictVariables{schema}
	x.SetErrorPresenter(presentError(o.Log, variables))
	x.SetRecoverFunc(recovered(o.Log))
	x.Use(extension.Introspection{})
	x.Use(variables)
	x.Use(extension.FixedComplexityLimit(maxComplexity))
	x.AroundOperations(markBegun)
	x.AroundOperations(withCollection(resolver))
	go resolver.logMissing(context.Background())
	return &generation{set, schema, x}, nil
}

// acquire returns the generation of the host's set of the moment, which is the
// caller's to release.
func (g *Graph) acquire() (*generation, error) {
	set := g.options.Host.Acquire()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current != nil && g.current.set == set {
		return g.current, nil
	}
	made, err := newGeneration(g.options, g.matrices, set)
	if err != nil {
		set.Release()
		return nil, err
	}
	// An operation that was overtaken by a change of the plugins keeps what it made
	// to itself.
	if g.current == nil || g.current.set.Number < set.Number {
		g.current = made
	}
	return made, nil
}

// operations carries out operations, each in the generation of the moment when it
// begins. That generation's plugins run until the operation's context ends, or until
// nobody follows a subscription any longer.
type operations struct {
	graph *Graph
	// streams tells that more than one answer can be sent.
	streams bool
	// safe tells that nothing may change, for a page of another site may have asked.
	safe bool
}

var _ graphql.GraphExecutor = operations{}

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
func (o operations) CreateOperationContext(ctx context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	generation, err := o.graph.acquire()
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
	operation, problems := generation.executor.CreateOperationContext(scalar.WithSchema(ctx, generation.schema), params)
	operation.Stats.SetExtension(begunKey, b)
	if problems == nil && isSubscription(operation) {
		problems = o.checkSubscription(operation)
	}
	if problems == nil && o.safe && operation.Operation.Operation == ast.Mutation {
		problems = gqlerror.List{gqlerror.Wrap(model.Errorf(model.BadInput, "a mutation is sent by POST"))}
	}
	checked = problems == nil
	return operation, problems
}

// checkSubscription returns what is wrong with a subscription that the schema allows. Of
// one name the library's own check allows several fields, and one that is skipped.
func (o operations) checkSubscription(operation *graphql.OperationContext) gqlerror.List {
	var problem error
	if !o.streams {
		problem = model.Errorf(model.BadInput, "a subscription has many answers: open a WebSocket (%s), or accept text/event-stream", subprotocol)
	} else if n := len(graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Subscription"})); n != 1 {
		problem = model.Errorf(model.BadInput, "a subscription asks for one field, and this one for %d; send one for each", n)
	}
	if problem == nil {
		return nil
	}
	return gqlerror.List{gqlerror.Wrap(problem)}
}

// DispatchOperation carries out an operation.
func (o operations) DispatchOperation(ctx context.Context, operation *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	b, _ := begunOf(operation)
	context.AfterFunc(ctx, b.release)
	return b.executor.DispatchOperation(scalar.WithSchema(ctx, b.schema), operation)
}

// DispatchError answers with errors alone: of a request, or of an operation that
// is not carried out.
func (o operations) DispatchError(ctx context.Context, problems gqlerror.List) *graphql.Response {
	if graphql.HasOperationContext(ctx) {
		if b, ok := begunOf(graphql.GetOperationContext(ctx)); ok {
			b.release()
			return b.executor.DispatchError(ctx, problems)
		}
	}
	return o.graph.outside.DispatchError(ctx, problems)
}
