package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
)

type requestIDKey struct{}

// WithRequestID returns a context whose internal errors are shown as the id, by
// which the log has them.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// presentError is where all errors meet the client: those that a person can do
// something about as they are, all others as INTERNAL and the id of the request.
func presentError(log *slog.Logger, variables strictVariables) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		shown := graphql.DefaultErrorPresenter(ctx, err)
		if len(shown.Locations) == 0 {
			shown.Locations = locate(ctx, shown.Path)
		}
		if e, ok := errors.AsType[*model.Error](err); ok {
			if argument := cutArgument(ctx, shown); argument != "" {
				e, _ = errors.AsType[*model.Error](model.Under(argument, e))
			}
			shown.Message = e.Error()
			shown.Extensions = extensions(e.Code, e.Field)
			if e.Progress != nil {
				shown.Extensions["progress"] = *e.Progress
			}
			if e.RetryAfter > 0 {
				shown.Extensions["retryAfter"] = int(math.Ceil(e.RetryAfter.Seconds()))
			}
			if e.Code == model.Unavailable || e.Code == model.Internal {
				log.WarnContext(ctx, "a request failed", "request", requestID(ctx), "path", shown.Path.String(), "error", err, "cause", e.Cause)
			}
			return shown
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			shown.Message = "the request took too long and was stopped: ask for less, or for a shorter range"
			shown.Extensions = extensions(model.ResourceExhausted, "")
		case errors.Is(err, context.Canceled):
			shown.Message = "the request was cancelled"
			shown.Extensions = extensions(model.Unavailable, "")
		case isRequestError(err):
			explain(ctx, shown, variables)
		default:
			log.ErrorContext(ctx, "a request failed", "request", requestID(ctx), "path", shown.Path.String(), "error", err)
			shown.Message = fmt.Sprintf("internal error: see request id %s in the server's log", requestID(ctx))
			shown.Extensions = extensions(model.Internal, "")
		}
		return shown
	}
}

// explain says what is wrong with a request: what the library says of the document
// or the variables, in which it has codes and, for variables, words of its own.
func explain(ctx context.Context, shown *gqlerror.Error, variables strictVariables) {
	switch {
	case shown.Extensions["code"] == "PERSISTED_QUERY_NOT_FOUND":
	case isOfVariable(shown.Path):
		if problem := variables.problem(ctx); problem != nil {
			shown.Message, shown.Path = problem.Message, problem.Path
		} else if variables.mayIntrospect != nil && variables.mayIntrospect(ctx) != nil {
			shown.Path = shown.Path[:2]
			shown.Message = "$" + scalar.PathText(shown.Path[1:]) + " " + reservedProblem
		}
		shown.Extensions = extensions(model.BadInput, scalar.PathText(shown.Path[1:]))
	default:
		// The library repeats the body if it is not JSON.
		shown.Message, _, _ = strings.Cut(shown.Message, " body:")
		shown.Extensions = extensions(model.BadInput, "")
	}
}

// isOfVariable tells whether an error's path is that of a variable, as the library
// writes it.
func isOfVariable(path ast.Path) bool {
	return len(path) >= 2 && path[0] == ast.PathName("variable")
}

// cutArgument cuts an error's path at the field, which is as far as the answer
// goes, and returns the rest: the place in the field's arguments.
func cutArgument(ctx context.Context, shown *gqlerror.Error) string {
	field := graphql.GetFieldContext(ctx)
	if field == nil {
		return ""
	}
	at := len(field.Path())
	if len(shown.Path) <= at {
		return ""
	}
	argument := scalar.PathText(shown.Path[at:])
	shown.Path = shown.Path[:at]
	return argument
}

func extensions(code model.Code, field string) map[string]any {
	extensions := map[string]any{"code": string(code)}
	if field != "" {
		extensions["field"] = field
	}
	return extensions
}

// isRequestError tells whether the error is about the request itself: the library
// makes such errors without a cause, and wraps those that resolvers return.
func isRequestError(err error) bool {
	e, ok := errors.AsType[*gqlerror.Error](err)
	return ok && e.Err == nil
}

// locate finds where in the document an error comes from that does not say.
func locate(ctx context.Context, path ast.Path) []gqlerror.Location {
	var at *ast.Position
	if field := graphql.GetFieldContext(ctx); field != nil && field.Field.Field != nil {
		at = field.Field.Position
	} else if isOfVariable(path) && graphql.HasOperationContext(ctx) {
		name, _ := path[1].(ast.PathName)
		if operation := graphql.GetOperationContext(ctx).Operation; operation != nil {
			if variable := operation.VariableDefinitions.ForName(string(name)); variable != nil {
				at = variable.Position
			}
		}
	}
	if at == nil {
		return nil
	}
	return []gqlerror.Location{{Line: at.Line, Column: at.Column}}
}

// recovered turns a panic into an internal error.
func recovered(log *slog.Logger) graphql.RecoverFunc {
	return func(ctx context.Context, panicked any) error {
		log.ErrorContext(ctx, "a resolver panicked", "request", requestID(ctx), "panic", panicked, "stack", string(debug.Stack()))
		return fmt.Errorf("panic: %v", panicked)
	}
}
