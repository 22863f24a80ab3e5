package list_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/list"
)

func TestMarshal(t *testing.T) {
	present := func(ctx context.Context, err error) *gqlerror.Error {
		return gqlerror.WrapPath(graphql.GetPath(ctx), err)
	}
	recovered := func(context.Context, any) error { return errors.New("it panicked") }
	for name, test := range map[string]struct {
		length, panics int
		want           string
	}{
		"empty":  {0, -1, "[]"},
		"one":    {1, -1, "[0]"},
		"all":    {40, -1, "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39]"},
		"panics": {40, 17, "null"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := graphql.WithResponseContext(t.Context(), present, recovered)
			all := list.Marshal(ctx, test.length, func(ctx context.Context, i int) graphql.Marshaler {
				if i == test.panics {
					panic(i)
				}
				return graphql.MarshalInt(*graphql.GetFieldContext(ctx).Index)
			})
			var text bytes.Buffer
			if all == nil {
				graphql.Null.MarshalGQL(&text)
			} else {
				all.MarshalGQL(&text)
			}
			if problems := graphql.GetErrors(ctx); text.String() != test.want || len(problems) != min(1, test.panics+1) {
				t.Errorf("%s, %v", &text, problems)
			}
		})
	}
}
