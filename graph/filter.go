package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// specs returns the filters that a client gives for a definition, after their types have read them. The segments that
// they name are looked up where they are stored.
func (r *Resolver) specs(ctx context.Context, given []scalar.FilterInput, field string) ([]model.FilterSpec, error) {
	specs := make([]model.FilterSpec, len(given))
	for i := range given {
		var err error
		if specs[i], err = specOf(&given[i]); err != nil {
			return nil, model.Under(fmt.Sprintf("%s[%d]", field, i), err)
		}
	}
	if err := model.CheckFilters(field, specs); err != nil {
		return nil, err
	}
	if err := r.checkArguments(ctx, specs); err != nil {
		return nil, model.Under(field, err)
	}
	return specs, nil
}

// specOf returns a filter as the model has it.
func specOf(given *scalar.FilterInput) (spec model.FilterSpec, err error) {
	spec = model.FilterSpec{Type: given.Type, Args: given.Args}
	if spec.Type == model.InSegment {
		spec.SegmentID, err = decodeID(segmentNoun, given.Segment, model.InSegment)
	}
	for i := range given.Parts {
		part, err := specOf(&given.Parts[i])
		if err != nil {
			return spec, model.Under(spec.PartField(i), err)
		}
		spec.Parts = append(spec.Parts, part)
	}
	return spec, err
}

// checkArguments has the filter types read the arguments of filters, those in groups too, some at a time.
func (r *Resolver) checkArguments(ctx context.Context, specs []model.FilterSpec) error {
	var typed []model.FilterSpec
	_ = model.EachFilter(specs, func(f *model.FilterSpec) error {
		if model.IsFilterType(f.Type) {
			typed = append(typed, *f)
		}
		return nil
	})
	read := each(len(typed), func(i int) (host.Compiled, error) { return r.filters.Compile(ctx, typed[i]) })
	return model.EachFilter(specs, func(f *model.FilterSpec) (err error) {
		if model.IsFilterType(f.Type) {
			err, read = read[0].err, read[1:]
		}
		return err
	})
}

// filtersOf returns the filters that a client gives for a question about a site, with the segments that they name.
func (r *Resolver) filtersOf(ctx context.Context, site int64, given []scalar.FilterInput, field string) ([]model.FilterSpec, error) {
	specs, err := r.specs(ctx, given, field)
	if err != nil {
		return nil, err
	}
	return specs, model.Under(field, r.store.PutSegments(ctx, site, specs))
}

type filterResolver struct{ *Resolver }

func (r *filterResolver) Type(_ context.Context, spec *model.FilterSpec) (*host.Type, error) {
	if !model.IsFilterType(spec.Type) {
		return nil, nil
	}
	t, ok := r.filters.Type(spec.Type)
	if !ok {
		return nil, model.Errorf(model.Unavailable, "the filter type %s is not loaded; see plugins", spec.Type)
	}
	return t, nil
}

func (r *filterResolver) Args(_ context.Context, spec *model.FilterSpec) (json.RawMessage, error) {
	return json.Marshal(valueOf(spec))
}

func (r *filterResolver) Inputs(_ context.Context, spec *model.FilterSpec) (json.RawMessage, error) {
	return json.Marshal(inputOf(spec))
}

// inputOf returns a filter in the shape of its FilterInput, as JSON has it.
func inputOf(spec *model.FilterSpec) map[string]any { return map[string]any{spec.Type: valueOf(spec)} }

// valueOf returns the value of the one field that a filter's FilterInput sets.
func valueOf(spec *model.FilterSpec) any {
	switch {
	case spec.Type == model.InSegment:
		return encodeID(segmentNoun, spec.SegmentID)
	case model.IsFilterType(spec.Type):
		return spec.Args
	}
	parts := make([]map[string]any, len(spec.Parts))
	for i := range spec.Parts {
		parts[i] = inputOf(&spec.Parts[i])
	}
	if spec.Type == model.Not {
		return parts[0]
	}
	return parts
}

func (r *filterResolver) Label(ctx context.Context, spec *model.FilterSpec) (*string, error) {
	compiled, err := r.filters.Compile(ctx, *spec)
	return &compiled.Label, err
}

func (r *filterResolver) AnyOf(_ context.Context, spec *model.FilterSpec) ([]model.FilterSpec, error) {
	return partsOf(spec, model.AnyOf), nil
}

func (r *filterResolver) AllOf(_ context.Context, spec *model.FilterSpec) ([]model.FilterSpec, error) {
	return partsOf(spec, model.AllOf), nil
}

func (r *filterResolver) Not(_ context.Context, spec *model.FilterSpec) (*model.FilterSpec, error) {
	if parts := partsOf(spec, model.Not); len(parts) > 0 {
		return &parts[0], nil
	}
	return nil, nil
}

// partsOf returns the parts of a group of a kind; nil of all else.
func partsOf(spec *model.FilterSpec, kind string) []model.FilterSpec {
	if spec.Type != kind {
		return nil
	}
	return spec.Parts
}

func (r *filterResolver) ID(_ context.Context, spec *model.FilterSpec) (string, error) {
	written, err := json.Marshal(inputOf(spec))
	if err != nil {
		return "", err
	}
	// Objects of the same members are the same arguments, in whatever order they are written.
	var read any
	decoder := json.NewDecoder(bytes.NewReader(written))
	decoder.UseNumber()
	err = decoder.Decode(&read)
	return view.IDOf("Filter", read), err
}

type filterTypeResolver struct{ *Resolver }

func (r *filterTypeResolver) ID(_ context.Context, t *host.Type) (string, error) {
	return view.IDOf("FilterType", t.Name), nil
}

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

func (r *filterTypeResolver) Arguments(_ context.Context, t *host.Type) ([]view.FilterArgument, error) {
	arguments := make([]view.FilterArgument, len(t.Arguments))
	for i := range t.Arguments {
		of := &t.Arguments[i]
		arguments[i] = view.FilterArgument{Type: t.Name, Path: of.Path, ValuesKey: orNull(of.Key), ValuesKeyPath: orNull(of.KeyPath)}
		if of.Suggest != "" {
			arguments[i].Suggest = &of.Suggest
		}
	}
	return arguments, nil
}

type filterArgumentResolver struct{ *Resolver }

func (r *filterArgumentResolver) Dimension(_ context.Context, of *view.FilterArgument) (*generated.Dimension, error) {
	dimension, ok := keeping[argument{of.Type, of.Path}]
	if !ok {
		return nil, nil
	}
	return &dimension, nil
}

// orNull returns a text, and null for the empty one.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

type mergedFilterResolver struct{ *Resolver }

func (r *mergedFilterResolver) Rule(_ context.Context, merged *host.MergedFilter) (*generated.MergeRule, error) {
	if merged.Rule == "" {
		return nil, nil
	}
	rule := generated.MergeRule(merged.Rule)
	return &rule, nil
}

type pluginResolver struct{ *Resolver }

func (r *pluginResolver) ID(_ context.Context, plugin *host.Plugin) (string, error) {
	return view.IDOf("Plugin", plugin.Name), nil
}

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
