package scalar

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/model"
)

// FilterInput is a filter as a client gives it: the one field that is set names
// the type, its value the arguments.
type FilterInput struct{ model.FilterSpec }

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
	for name, args := range coerced.(map[string]any) {
		text, err := json.Marshal(withoutNulls(args))
		if err != nil {
			return err
		}
		f.FilterSpec = model.FilterSpec{Type: name, Args: text}
	}
	return nil
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
