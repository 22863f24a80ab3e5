package scalar

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/model"
)

// FilterInput is a filter as a client gives it: the one field that is set names the type, its value the arguments, the
// filters of a group, or a segment.
type FilterInput struct {
	// Type is the name of the field.
	Type string
	// Args are the arguments of a filter type.
	Args json.RawMessage
	// Parts are the filters of a group.
	Parts []FilterInput
	// Segment is the id of a segment.
	Segment string
}

type schemaKey struct{}

// WithSchema returns a context in which inputs are read by the schema.
func WithSchema(ctx context.Context, schema *ast.Schema) context.Context {
	return context.WithValue(ctx, schemaKey{}, schema)
}

// UnmarshalGQLContext reads a literal or a variable by the schema of the context.
func (f *FilterInput) UnmarshalGQLContext(ctx context.Context, value any) error {
	schema, ok := ctx.Value(schemaKey{}).(*ast.Schema)
	if !ok {
		return fmt.Errorf("the context has no schema to read a FilterInput by")
	}
	coerced, problem := Coerce(schema, ast.NonNullNamedType("FilterInput", nil), value, nil)
	if problem != nil {
		return model.Invalid(PathText(problem.Path), "%s", problem.Message)
	}
	var err error
	*f, err = filterOf(coerced, 1)
	return err
}

// filterOf returns what a coerced FilterInput says, which stands at a level of groups.
func filterOf(coerced any, level int) (f FilterInput, err error) {
	for name, value := range coerced.(map[string]any) {
		f.Type = name
		switch name {
		case model.AnyOf, model.AllOf:
			f.Parts, err = filtersOf(value.([]any), level+1)
		case model.Not:
			f.Parts, err = filtersOf([]any{value}, level+1)
		case model.InSegment:
			f.Segment = value.(string)
		default:
			f.Args, err = json.Marshal(withoutNulls(value))
		}
	}
	return f, err
}

// filtersOf returns the parts of a group. Parts that stand too deep are left out, and refused with the group, which stands
// too deep as well.
func filtersOf(values []any, level int) (parts []FilterInput, err error) {
	if level > model.MaxLevels+1 {
		return nil, nil
	}
	parts = make([]FilterInput, len(values))
	for i, value := range values {
		if parts[i], err = filterOf(value, level); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// MarshalGQLContext is never called: FilterInput is an input only.
func (f FilterInput) MarshalGQLContext(context.Context, io.Writer) error {
	return fmt.Errorf("a FilterInput is an input only")
}

// withoutNulls leaves out the members that are null: to a filter they say the
// same as missing ones, and filters that say the same are to look the same.
func withoutNulls(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := make(map[string]any, len(value))
		for name, member := range value {
			if member != nil {
				kept[name] = withoutNulls(member)
			}
		}
		return kept
	case []any:
		for i, element := range value {
			value[i] = withoutNulls(element)
		}
		return value
	default:
		return value
	}
}
