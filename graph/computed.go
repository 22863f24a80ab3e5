package graph

import (
	"context"
	"encoding/json"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
)

func (r *siteResolver) ComputedFilters(ctx context.Context, site *model.Site) ([]view.ComputedFilter, error) {
	computations, err := r.store.Computations(ctx, site.ID)
	if err != nil {
		return nil, err
	}
	progress, err := r.store.ComputedProgress(ctx, site.ID)
	if err != nil {
		return nil, err
	}
	filters := make([]view.ComputedFilter, len(computations))
	for i, computation := range computations {
		computed := r.host.Computation(computation.Key)
		filters[i] = view.ComputedFilter{
			FilterType: computed.Type, Args: json.RawMessage(computed.Args), Plugin: computed.Plugin, CreatedAt: computation.CreatedAt.Time(),
			Sessions: progress.Sessions, ComputedSessions: progress.Done[computation.ID], Complete: progress.Done[computation.ID] == progress.Sessions,
		}
	}
	return filters, nil
}
