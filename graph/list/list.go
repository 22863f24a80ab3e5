// Package list marshals lists of an answer, element by element.
package list

import (
	"context"
	"runtime"

	"github.com/99designs/gqlgen/graphql"
)

// run is how many elements are marshalled before others have the processor. Go takes it away from a goroutine after 10 ms
// only, and a short answer passes from goroutine to goroutine several times.
const run = 16

// Marshal marshals a list of so many elements, one after another, whose fields wait for nothing. A goroutine for each, which
// gqlgen starts, would cost more than the element, and all of a long list would keep others waiting.
func Marshal(ctx context.Context, length int, element func(context.Context, int) graphql.Marshaler) (all graphql.Array) {
	defer func() {
		if panicked := recover(); panicked != nil {
			graphql.AddError(ctx, graphql.Recover(ctx, panicked))
			all = nil
		}
	}()
	all = make(graphql.Array, length)
	for i := range length {
		if i%run == run-1 {
			runtime.Gosched()
		}
		all[i] = element(graphql.WithFieldContext(ctx, &graphql.FieldContext{Index: &i}), i)
	}
	return all
}
