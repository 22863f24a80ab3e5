package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// generation is all that follows from one set of filter types: the schema, the
// documents that were checked against it, and the resolvers.
type generation struct {
	set       *host.Set
	schema    *ast.Schema
	sdl       func() string // of the schema
	version   func() string // tells the schema from others
	documents *document.Reader
	executor  *executor.Executor
}

func (g *Graph) newGeneration(set *host.Set) (*generation, error) {
	schema, err := buildSchema(set.Types())
	if err != nil {
		return nil, err
	}
	if err := checkRootFields(schema); err != nil {
		return nil, err
	}
	documents, err := document.NewReader(schema, document.Default, documentBytes)
	if err != nil {
		return nil, err
	}
	resolver := g.resolver(set)
	o := g.options
	x := executor.New(generated.NewExecutableSchema(generated.Config{
		Schema: schema, Resolvers: resolver, Directives: generated.DirectiveRoot{Access: resolver.access},
	}))
	x.SetQueryCache(documentOfContext{})
	variables := strictVariables{schema, o.MayIntrospect}
	x.SetErrorPresenter(presentError(o.Log, variables))
	x.SetRecoverFunc(recovered(o.Log))
	x.Use(variables)
	x.AroundOperations(withinBudget)
	x.AroundOperations(withStats)
	x.AroundOperations(withCollection(resolver))
	x.AroundRootFields(withOwnCollection(resolver))
	go resolver.logMissing(context.Background())
	sdl := sync.OnceValue(func() string { return sdlOf(schema) })
	version := sync.OnceValue(func() string {
		sum := sha256.Sum256([]byte(sdl()))
		return hex.EncodeToString(sum[:16])
	})
	return &generation{set, schema, sdl, version, documents, x}, nil
}

// resolver returns the resolvers for a set; nil for what all have in common.
func (g *Graph) resolver(set *host.Set) *Resolver {
	o := g.options
	r := &Resolver{
		store: guard{o.Store}, host: o.Host, filters: set, rules: o.Rules, now: o.Now, log: o.Log, newLink: o.NewLink, noLinks: o.NoLinks,
		matrices: g.matrices, schemaVersion: g.schemaVersion,
	}
	r.engine = guardedEngine{o.Engine, r.zoneOf}
	return r
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
	made, err := g.newGeneration(set)
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
