package graph

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Computation is one time that the answer of a Source is computed.
type Computation struct {
	// Site is what the answer follows from, and State the one that it had before. A resolver says them where they are
	// not given.
	Site  int64
	State SiteState

	// Lasts is how long the answer is right while the state stays; zero for as long as it does. A resolver says it.
	Lasts time.Duration

	// sought tells that only the site is: the answer is not computed.
	sought bool

	collection *collection
	at         time.Time
	// marks are where the answer's data has the time at, which is no part of what it says.
	marks *scalar.Marks
}

// Computations returns what makes Computations whose counts are made together.
func (g *Graph) Computations() func() *Computation {
	together := newCollection(g.resolver(nil))
	return func() *Computation {
		return &Computation{collection: together, at: g.options.Now(), marks: new(scalar.Marks)}
	}
}

// Digest returns the digest of a response of the computation, without when it was computed: it is equal for answers that
// say the same.
func (c *Computation) Digest(response *graphql.Response) (digest [sha256.Size]byte, err error) {
	hash := sha256.New()
	c.marks.WriteOthers(hash, response.Data)
	err = json.NewEncoder(hash).Encode(response.Errors)
	return [sha256.Size]byte(hash.Sum(nil)), err
}

// SiteState is equal while no answer about a site changes. No site has the zero SiteState.
type SiteState struct {
	state store.State
	// step is the quarter of an hour: with the next one a series may have one more step, and a time range may be another
	// period.
	step int64
}

// State returns the state of a site. It is NotFound where there is none, or none any longer.
func (g *Graph) State(ctx context.Context, site int64) (SiteState, error) {
	if site == schemaSite {
		return g.schemaState(), nil
	}
	state, err := g.options.Store.State(ctx, site)
	return stateAt(state, g.options.Now()), err
}

func stateAt(state store.State, now time.Time) SiteState {
	return SiteState{state, now.UnixNano() / int64(model.Pace)}
}

type computationKey struct{}

func computationOf(ctx context.Context) (*Computation, bool) {
	c, ok := ctx.Value(computationKey{}).(*Computation)
	return c, ok
}

// errSought ends the resolving of an operation whose site is all that is sought.
var errSought = model.Errorf(model.FailedPrecondition, "only the site was asked for")

// follow says that the answer follows from a site. It is NotFound where there is none that the actor reads.
func (r *Resolver) follow(ctx context.Context, site int64) error {
	c, _ := computationOf(ctx)
	if c.Site != site {
		state, err := r.store.State(ctx, site)
		if err != nil {
			return err
		}
		c.Site, c.State = site, stateAt(state, r.now())
	}
	if c.sought {
		return errSought
	}
	return nil
}

// computedAt returns the time for the answer's computedAt. The answers of a subscription differ by it and yet say the
// same, so it is noted where it is written.
func (r *Resolver) computedAt(ctx context.Context) scalar.Moment {
	if c, ok := computationOf(ctx); ok {
		return scalar.Moment{Time: c.at, Marks: c.marks}
	}
	return scalar.Moment{Time: r.now()}
}
