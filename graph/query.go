package graph

import (
	"context"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/host"
)

type queryResolver struct{ *Resolver }

func (r *queryResolver) Node(ctx context.Context, id string) (scalar.Node, error) {
	kind, rest, ok := splitID(id)
	if !ok {
		return nil, nil
	}
	if kind == sessionNoun {
		return r.sessionNode(ctx, id, rest)
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return nil, nil
	}
	switch kind {
	case siteNoun:
		return node(r.store.Site(ctx, n))
	case segmentNoun:
		return node(r.store.Segment(ctx, n))
	case goalNoun:
		return node(r.store.Goal(ctx, n))
	case experimentNoun:
		return node(r.store.Experiment(ctx, n))
	}
	return nil, nil
}

func (r *queryResolver) sessionNode(ctx context.Context, id, rest string) (scalar.Node, error) {
	sessionID, ok := decodeSessionID(rest)
	if !ok {
		return nil, nil
	}
	session, err := orNil(r.store.Session(ctx, sessionID))
	if err != nil || session == nil {
		return nil, err
	}
	return view.SessionOf(id, session), nil
}

// node makes null of what is not found: an interface that holds a nil pointer is
// not null.
func node[T any](element *T, err error) (scalar.Node, error) {
	if element, err = orNil(element, err); err != nil || element == nil {
		return nil, err
	}
	return element, nil
}

// maxNodes is how many objects are asked for at once at most.
const maxNodes = 100

func (r *queryResolver) Nodes(ctx context.Context, ids []string) ([]scalar.Node, error) {
	if len(ids) > maxNodes {
		return nil, model.Invalid("ids", "%d ids are given; the limit is %d", len(ids), maxNodes)
	}
	nodes := make([]scalar.Node, len(ids))
	for i, id := range ids {
		var err error
		if nodes[i], err = r.Node(ctx, id); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

func (r *queryResolver) Sites(ctx context.Context) ([]model.Site, error) { return r.store.Sites(ctx) }

func (r *queryResolver) Site(ctx context.Context, id, domain *string) (*model.Site, error) {
	switch {
	case (id == nil) == (domain == nil):
		return nil, model.Invalid("", "give either the site's id or one of its domains")
	case domain != nil:
		return orNil(r.store.SiteByDomain(ctx, strings.ToLower(strings.TrimSpace(*domain))))
	}
	n, err := decodeID(siteNoun, *id, "id")
	if err != nil {
		return nil, nil
	}
	return orNil(r.store.Site(ctx, n))
}

func (r *queryResolver) FilterTypes(context.Context) ([]host.Type, error) {
	return valuesOf(r.filters.Types()), nil
}

func (r *queryResolver) Plugins(ctx context.Context) ([]host.Plugin, error) {
	// How the plugins are is to be seen when the database is not.
	missing, err := r.missingTypes(ctx)
	if err != nil {
		r.log.WarnContext(ctx, "the filter types in use could not be read", "request", requestID(ctx), "error", err)
	}
	return append(r.host.Plugins(), missing...), nil
}

func valuesOf[T any](pointers []*T) []T {
	values := make([]T, len(pointers))
	for i, pointer := range pointers {
		values[i] = *pointer
	}
	return values
}
