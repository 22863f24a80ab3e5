package graph

import (
	"context"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/scalar"
)

// strictVariables reads variables by the letter of the specification, which the
// library does not; see package scalar.
type strictVariables struct{ schema *ast.Schema }

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = strictVariables{}

// ExtensionName names the extension.
func (strictVariables) ExtensionName() string { return "StrictVariables" }

// Validate accepts every schema.
func (strictVariables) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext replaces the variables by what they are as their types.
func (v strictVariables) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	for _, definition := range operation.Operation.VariableDefinitions {
		value, isGiven := operation.Variables[definition.Variable]
		if !isGiven {
			continue
		}
		path := ast.Path{ast.PathName("variable"), ast.PathName(definition.Variable)}
		coerced, err := scalar.Coerce(v.schema, definition.Type, value, path)
		if err != nil {
			err.Message = "$" + scalar.PathText(err.Path[1:]) + " " + err.Message
			return err
		}
		operation.Variables[definition.Variable] = coerced
	}
	return nil
}
