package graph

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/goalgraph/goalgraph/graph/generated"
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
	// noLinks is Options.NoLinks.
	noLinks error
	// matrices are what all generations keep.
	matrices *matrices
	// schemaVersion returns the version of the schema of the moment.
	schemaVersion func() (string, error)
}

var _ generated.ResolverRoot = (*Resolver)(nil)

func (r *Resolver) Query() generated.QueryResolver               { return &queryResolver{r} }
func (r *Resolver) Mutation() generated.MutationResolver         { return &mutationResolver{r} }
func (r *Resolver) Subscription() generated.SubscriptionResolver { return &subscriptionResolver{r} }
func (r *Resolver) Site() generated.SiteResolver                 { return &siteResolver{r} }
func (r *Resolver) Segment() generated.SegmentResolver           { return &segmentResolver{r} }
func (r *Resolver) Goal() generated.GoalResolver                 { return &goalResolver{r} }
func (r *Resolver) Experiment() generated.ExperimentResolver     { return &experimentResolver{r} }
func (r *Resolver) VariantPoint() generated.VariantPointResolver { return &variantPointResolver{r} }
func (r *Resolver) Guardrail() generated.GuardrailResolver       { return &guardrailResolver{r} }
func (r *Resolver) MetricDirection() generated.MetricDirectionResolver {
	return &metricDirectionResolver{r}
}
func (r *Resolver) SegmentResult() generated.SegmentResultResolver { return &segmentResultResolver{r} }
func (r *Resolver) Session() generated.SessionResolver             { return &sessionResolver{r} }
func (r *Resolver) ExperimentResult() generated.ExperimentResultResolver {
	return &experimentResultResolver{r}
}
func (r *Resolver) MetricResult() generated.MetricResultResolver   { return &metricResultResolver{r} }
func (r *Resolver) VariantResult() generated.VariantResultResolver { return &variantResultResolver{r} }
func (r *Resolver) ValueResult() generated.ValueResultResolver     { return &valueResultResolver{r} }
func (r *Resolver) ExperimentPlan() generated.ExperimentPlanResolver {
	return &experimentPlanResolver{r}
}
func (r *Resolver) GoalCell() generated.GoalCellResolver           { return &goalCellResolver{r} }
func (r *Resolver) FunnelStep() generated.FunnelStepResolver       { return &funnelStepResolver{r} }
func (r *Resolver) Totals() generated.TotalsResolver               { return &totalsResolver{r} }
func (r *Resolver) Filter() generated.FilterResolver               { return &filterResolver{r} }
func (r *Resolver) FilterType() generated.FilterTypeResolver       { return &filterTypeResolver{r} }
func (r *Resolver) MergedSegment() generated.MergedSegmentResolver { return &mergedSegmentResolver{r} }
func (r *Resolver) ActiveVisitors() generated.ActiveVisitorsResolver {
	return &activeVisitorsResolver{r}
}
func (r *Resolver) FilterArgument() generated.FilterArgumentResolver {
	return &filterArgumentResolver{r}
}
func (r *Resolver) MergedFilter() generated.MergedFilterResolver { return &mergedFilterResolver{r} }
func (r *Resolver) Plugin() generated.PluginResolver             { return &pluginResolver{r} }
func (r *Resolver) Grant() generated.GrantResolver               { return &grantResolver{r} }
func (r *Resolver) SiteRole() generated.SiteRoleResolver         { return &siteRoleResolver{r} }
func (r *Resolver) ApiKey() generated.ApiKeyResolver             { return &keyResolver{r} }
func (r *Resolver) AuditEntry() generated.AuditEntryResolver     { return &auditEntryResolver{r} }

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
