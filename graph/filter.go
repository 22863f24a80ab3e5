package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/host"
)

type filterResolver struct{ *Resolver }

func (r *filterResolver) Type(_ context.Context, spec *model.FilterSpec) (*host.Type, error) {
	t, ok := r.filters.Type(spec.Type)
	if !ok {
		return nil, model.Errorf(model.Unavailable, "the filter type %s is not loaded; see plugins", spec.Type)
	}
	return t, nil
}

func (r *filterResolver) Label(ctx context.Context, spec *model.FilterSpec) (*string, error) {
	compiled, err := r.filters.Compile(ctx, *spec)
	return &compiled.Label, err
}

type filterTypeResolver struct{ *Resolver }

func (r *filterTypeResolver) MergeRule(_ context.Context, t *host.Type) (generated.MergeRule, error) {
	return generated.MergeRule(t.Rule), nil
}

func (r *filterTypeResolver) InputType(_ context.Context, t *host.Type) (string, error) {
	return t.Input, nil
}

func (r *filterTypeResolver) Plugin(_ context.Context, t *host.Type) (*host.Plugin, error) {
	for _, plugin := range r.host.Plugins() {
		if plugin.Name == t.Plugin {
			return &plugin, nil
		}
	}
	return nil, model.Errorf(model.Unavailable, "the plugin %s is not loaded; see plugins", t.Plugin)
}

type mergedFilterResolver struct{ *Resolver }

func (r *mergedFilterResolver) Rule(_ context.Context, merged *host.MergedFilter) (generated.MergeRule, error) {
	return generated.MergeRule(merged.Rule), nil
}

type pluginResolver struct{ *Resolver }

func (r *pluginResolver) Reason(_ context.Context, plugin *host.Plugin) (*string, error) {
	if plugin.Reason == "" {
		return nil, nil
	}
	return &plugin.Reason, nil
}

func (r *pluginResolver) FilterTypes(_ context.Context, plugin *host.Plugin) ([]host.Type, error) {
	types := valuesOf(plugin.Types)
	slices.SortFunc(types, func(a, b host.Type) int { return strings.Compare(a.Name, b.Name) })
	return types, nil
}

// missingTypes returns what stands for the plugins of filter types that saved segments,
// goals and experiments use and no plugin offers, by the types' names.
func (r *Resolver) missingTypes(ctx context.Context) (missing []host.Plugin, err error) {
	uses, err := r.store.TypesInUse(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		if _, ok := r.filters.Type(name); ok {
			continue
		}
		use := uses[name]
		missing = append(missing, host.Plugin{Name: name, Status: host.Failed, Reason: fmt.Sprintf(
			"no plugin offers the filter type %s, which %d segments, %d goals and %d experiments use (%q, for example): they are unavailable until a plugin does",
			name, use.Segments, use.Goals, use.Experiments, use.Name)})
	}
	return missing, nil
}

// logMissing logs what is missing.
func (r *Resolver) logMissing(ctx context.Context) {
	// Where the database does not answer, others say so.
	missing, _ := r.missingTypes(model.WithActor(ctx, model.Actor{Principal: model.Everyone()}))
	for _, plugin := range missing {
		r.log.WarnContext(ctx, "a filter type in use is missing", "type", plugin.Name, "reason", plugin.Reason)
	}
}
