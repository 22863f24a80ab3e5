package graph

import (
	"context"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/host"
)

type filterResolver struct{ *Resolver }

func (r *filterResolver) Type(_ context.Context, spec *model.FilterSpec) (*host.Type, error) {
	t, ok := r.host.Type(spec.Type)
	if !ok {
		return nil, model.Errorf(model.Unavailable, "the filter type %s is not loaded; see plugins", spec.Type)
	}
	return t, nil
}

func (r *filterResolver) Label(ctx context.Context, spec *model.FilterSpec) (string, error) {
	compiled, err := r.host.Compile(ctx, *spec)
	return compiled.Label, err
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
