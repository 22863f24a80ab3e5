package graph

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// Engine answers what the graph asks about sessions and about experiments. It is an interface because there are two: the
// engine that a server holds, and the naive one that reads every session.
type Engine interface {
	count.Engine
	experiment.Engine
}

// Resolver is the root of the resolvers, and what they share.
type Resolver struct {
	store  guard
	engine guardedEngine
	host   *host.Host
	// filters are the types of the generation.
	filters *host.Set
	// rules say when an experiment may be decided.
	rules stats.Rules
	now   func() time.Time
	log   *slog.Logger
	// newLink is Options.NewLink.
	newLink func(ctx context.Context, user int64) (string, error)
	// matrices are what all generations keep.
	matrices *matrices
}

var _ generated.ResolverRoot = (*Resolver)(nil)

func (r *Resolver) Query() generated.QueryResolver                 { return &queryResolver{r} }
func (r *Resolver) Mutation() generated.MutationResolver           { return &mutationResolver{r} }
func (r *Resolver) Subscription() generated.SubscriptionResolver   { return &subscriptionResolver{r} }
func (r *Resolver) Site() generated.SiteResolver                   { return &siteResolver{r} }
func (r *Resolver) Segment() generated.SegmentResolver             { return &segmentResolver{r} }
func (r *Resolver) Goal() generated.GoalResolver                   { return &goalResolver{r} }
func (r *Resolver) Experiment() generated.ExperimentResolver       { return &experimentResolver{r} }
func (r *Resolver) SegmentResult() generated.SegmentResultResolver { return &segmentResultResolver{r} }
func (r *Resolver) MetricResult() generated.MetricResultResolver   { return &metricResultResolver{r} }
func (r *Resolver) VariantResult() generated.VariantResultResolver { return &variantResultResolver{r} }
func (r *Resolver) GoalCell() generated.GoalCellResolver           { return &goalCellResolver{r} }
func (r *Resolver) FunnelStep() generated.FunnelStepResolver       { return &funnelStepResolver{r} }
func (r *Resolver) Totals() generated.TotalsResolver               { return &totalsResolver{r} }
func (r *Resolver) Filter() generated.FilterResolver               { return &filterResolver{r} }
func (r *Resolver) FilterType() generated.FilterTypeResolver       { return &filterTypeResolver{r} }
func (r *Resolver) MergedFilter() generated.MergedFilterResolver   { return &mergedFilterResolver{r} }
func (r *Resolver) Plugin() generated.PluginResolver               { return &pluginResolver{r} }
func (r *Resolver) Grant() generated.GrantResolver                 { return &grantResolver{r} }
func (r *Resolver) SiteRole() generated.SiteRoleResolver           { return &siteRoleResolver{r} }
func (r *Resolver) ApiKey() generated.ApiKeyResolver               { return &keyResolver{r} }
func (r *Resolver) AuditEntry() generated.AuditEntryResolver       { return &auditEntryResolver{r} }

// rangeOf returns the range that a client gives.
func rangeOf(given generated.TimeRange) (model.Range, error) {
	in := model.Range{From: model.MillisOf(given.From), To: model.Open}
	if to, ok := given.To.ValueOK(); ok && to != nil {
		in.To = model.MillisOf(*to)
	}
	if in.From > in.To {
		return in, model.Invalid("range", "from (%s) is later than to (%s)", in.From.Time().Format(time.RFC3339), in.To.Time().Format(time.RFC3339))
	}
	return in, nil
}

// specs returns the filters that a client gives, after their types have read them.
func (r *Resolver) specs(ctx context.Context, given []scalar.FilterInput, field string) ([]model.FilterSpec, error) {
	if len(given) > model.MaxFilters {
		return nil, model.Invalid(field, "has %d filters; the limit is %d", len(given), model.MaxFilters)
	}
	specs := make([]model.FilterSpec, len(given))
	compiled := each(len(given), func(i int) (host.Compiled, error) { return r.filters.Compile(ctx, given[i].FilterSpec) })
	for i, filter := range given {
		if err := compiled[i].err; err != nil {
			return nil, model.Under(fmt.Sprintf("%s[%d]", field, i), err)
		}
		specs[i] = filter.FilterSpec
	}
	return specs, nil
}

// inOrder puts what was found into the order of the ids. An id without an element
// is a NotFound.
func inOrder[T any](ids []int64, found []T, id func(*T) int64) ([]T, error) {
	byID := make(map[int64]*T, len(found))
	for i := range found {
		byID[id(&found[i])] = &found[i]
	}
	ordered := make([]T, len(ids))
	for i, id := range ids {
		element := byID[id]
		if element == nil {
			e := model.Errorf(model.NotFound, "does not exist, or was deleted")
			e.Field = fmt.Sprintf("[%d]", i)
			return nil, e
		}
		ordered[i] = *element
	}
	return ordered, nil
}

// orNil makes null of what is not found.
func orNil[T any](element *T, err error) (*T, error) {
	if model.CodeOf(err) == model.NotFound {
		return nil, nil
	}
	return element, err
}
