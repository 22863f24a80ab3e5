package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/graph/view"
)

// schemaSite stands for the site of answers that follow from the schema, and from no site.
const schemaSite int64 = -2

// schemaVersion returns the version of the schema of the moment.
func (g *Graph) schemaVersion() (string, error) {
	current, err := g.acquire()
	if err != nil {
		return "", err
	}
	defer current.set.Release()
	return current.version(), nil
}

// schemaState is the state that answers about the schema follow from: the number of the host's set of filter types.
func (g *Graph) schemaState() SiteState {
	set := g.options.Host.Acquire()
	defer set.Release()
	return SiteState{step: int64(set.Number) + 1} // no state is the zero one
}

// SchemaChanged tells of the schema of the moment, whatever the generation in which the subscription began.
func (r *subscriptionResolver) SchemaChanged(ctx context.Context) (<-chan *view.SchemaChange, error) {
	if c, _ := computationOf(ctx); c.sought {
		c.Site = schemaSite
		return nil, errSought
	}
	version, err := r.schemaVersion()
	return once(&view.SchemaChange{Version: version}, err)
}
