package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/scalar"
)

// strictVariables reads variables by the letter of the specification, which the
// library does not; see package scalar. The library's own check comes first:
// where it refuses, problem says why in the same words as for all else.
type strictVariables struct {
	schema *ast.Schema
	// mayIntrospect returns why a caller may not be told of the schema; nil where everyone may.
	mayIntrospect func(context.Context) error
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
} = strictVariables{}

// ExtensionName names the extension.
func (strictVariables) ExtensionName() string { return "StrictVariables" }

// Validate accepts every schema.
func (strictVariables) Validate(graphql.ExecutableSchema) error { return nil }

// sentVariables is where an operation keeps its variables as they were sent.
const sentVariables = "SentVariables"

// MutateOperationParameters keeps the variables as they were sent, with integers
// that are written like 5.0 or 1e3 as integers, which the library knows no other way.
func (strictVariables) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	for name, value := range params.Variables {
		params.Variables[name] = scalar.PlainIntegers(value)
	}
	graphql.GetOperationContext(ctx).Stats.SetExtension(sentVariables, params.Variables)
	return nil
}

// MutateOperationContext replaces the variables by what they are as their types.
func (v strictVariables) MutateOperationContext(ctx context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	for _, definition := range operation.Operation.VariableDefinitions {
		value, isGiven := operation.Variables[definition.Variable]
		if !isGiven {
			continue
		}
		coerced, err := v.coerce(ctx, definition, value)
		if err != nil {
			return err
		}
		operation.Variables[definition.Variable] = coerced
	}
	return nil
}

// problem returns what is wrong with the variables as they were sent, nil where
// nothing is found.
func (v strictVariables) problem(ctx context.Context) *gqlerror.Error {
	operation := graphql.GetOperationContext(ctx)
	sent, _ := operation.Stats.GetExtension(sentVariables).(map[string]any)
	for _, definition := range operation.Operation.VariableDefinitions {
		value, isGiven := sent[definition.Variable]
		if !isGiven && (definition.DefaultValue != nil || !definition.Type.NonNull) {
			continue
		}
		if _, err := v.coerce(ctx, definition, value); err != nil {
			return err
		}
	}
	return nil
}

// reservedProblem is what those are told of a variable who may not know what its type is.
const reservedProblem = "is not what its type takes; who may read is told why"

func (v strictVariables) coerce(ctx context.Context, definition *ast.VariableDefinition, value any) (any, *gqlerror.Error) {
	path := ast.Path{ast.PathName("variable"), ast.PathName(definition.Variable)}
	coerced, err := scalar.Coerce(v.schema, definition.Type, value, path)
	if err != nil && v.mayIntrospect != nil && v.mayIntrospect(ctx) != nil {
		err.Message, err.Path = reservedProblem, path
	}
	if err != nil {
		err.Message = "$" + scalar.PathText(err.Path[1:]) + " " + err.Message
	}
	return coerced, err
}
