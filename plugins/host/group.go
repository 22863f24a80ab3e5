package host

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// compileGroup compiles a group of filters, or a segment, as Compile does. No plugin knows of groups: the parts are
// compiled by themselves, and no merge rule applies among them. A segment means what its filters are merged to.
func (s *Set) compileGroup(ctx context.Context, spec *model.FilterSpec) (Compiled, error) {
	if spec.Type == model.InSegment {
		return s.compileSegment(ctx, spec.Segment)
	}
	parts, err := s.compileParts(ctx, spec)
	if err != nil {
		return Compiled{}, err
	}
	predicates, labels := make([]filter.Expr, len(parts)), make([]string, len(parts))
	for i, part := range parts {
		predicates[i], labels[i] = part.Predicate, part.Label
	}
	var warnings []plugins.Warning
	for i, part := range parts {
		warnings = append(warnings, Under(spec.PartField(i), part.Warnings)...)
	}
	var predicate filter.Expr
	var label string
	switch spec.Type {
	case model.AnyOf:
		predicate, label = filter.Or(predicates), "Any of"
	case model.AllOf:
		predicate, label = filter.And(predicates), "All of"
	default:
		predicate, label = filter.Not{Expr: filter.And(predicates)}, "Not"
	}
	label += " (" + strings.Join(labels, "; ") + ")"
	return Compiled{Predicate: filter.Simplify(predicate), Label: clean(label, maxLabel), Warnings: warnings}, nil
}

// compileParts compiles the parts of a group at the same time: a plugin is asked about each. The error is that of the
// first one that is refused.
func (s *Set) compileParts(ctx context.Context, spec *model.FilterSpec) ([]Compiled, error) {
	parts, errs := make([]Compiled, len(spec.Parts)), make([]error, len(spec.Parts))
	var compiling sync.WaitGroup
	for i, part := range spec.Parts {
		compiling.Go(func() { parts[i], errs[i] = s.Compile(ctx, part) })
	}
	compiling.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, model.Under(spec.PartField(i), err)
		}
	}
	return parts, nil
}

func (s *Set) compileSegment(ctx context.Context, segment *model.Segment) (Compiled, error) {
	if segment == nil {
		return Compiled{}, &model.Error{Code: model.Unavailable, Field: model.InSegment, Message: "the segment cannot be read; ask again, or replace the filter if it is gone"}
	}
	merged, err := s.Merge(ctx, segment.Filters, nil)
	if e, ok := errors.AsType[*model.Error](err); ok { // whose field is a place in the segment's own filters
		of := *e
		of.Field = model.InSegment
		return Compiled{}, &of
	}
	if err != nil {
		return Compiled{}, err
	}
	return Compiled{Predicate: merged.Predicate, Label: clean("Segment is "+segment.Name, maxLabel)}, nil
}
