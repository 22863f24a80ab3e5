package main

import (
	"strings"
	"testing"
)

// generated is code as gqlgen writes it: of a list of points, whose fields are there, and one of cards, whose field below has
// a resolver.
const generated = `package generated

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

func (ec *executionContext) marshalNPoint2(ctx context.Context, v []Point) graphql.Marshaler {
	return graphql.MarshalSliceConcurrently(ctx, len(v), 256, false, func(ctx context.Context, i int) graphql.Marshaler { return ec._Point(ctx, v[i]) })
}

func (ec *executionContext) _Point(ctx context.Context, v Point) graphql.Marshaler {
	return ec._Point_at(ctx)
}

func (ec *executionContext) marshalNCard2(ctx context.Context, v []Card) graphql.Marshaler {
	return graphql.MarshalSliceConcurrently(ctx, len(v), 256, false, func(ctx context.Context, i int) graphql.Marshaler { return ec._Card(ctx, v[i]) })
}

func (ec *executionContext) _Card(ctx context.Context, v Card) graphql.Marshaler {
	return ec._Goal(ctx, v.Goal)
}

func (ec *executionContext) _Goal(ctx context.Context, v Goal) graphql.Marshaler {
	out.Concurrently(0, resolve)
	return out
}
`

func TestRewrite(t *testing.T) {
	got, err := rewrite([]byte(generated))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(generated, "graphql.MarshalSliceConcurrently(ctx, len(v), 256, false, func(ctx context.Context, i int) graphql.Marshaler { return ec._Point",
		"list.Marshal(ctx, len(v), func(ctx context.Context, i int) graphql.Marshaler { return ec._Point", 1)
	want = strings.Replace(want, "graphql\"\n", "graphql\"\n\t\"github.com/goalgraph/goalgraph/graph/list\"\n", 1)
	if string(got) != want {
		t.Errorf("%s", got)
	}
	// Code that is written otherwise is refused, and so is code that is rewritten already.
	for _, text := range []string{"package generated {", strings.ReplaceAll(generated, ", 256, false", ""), string(got)} {
		if _, err := rewrite([]byte(text)); err == nil {
			t.Errorf("no error for\n%s", text)
		}
	}
}
