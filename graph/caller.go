package graph

import "context"

// Caller is who asks. Answers are shared between requests of one caller only. The zero Caller is anonymous.
type Caller struct {
	// Name is unique among callers.
	Name string
}

type callerKey struct{}

// WithCaller returns a context in which the caller asks.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerOf returns who asks in the context: the anonymous caller where it does not say.
func CallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}
