package graph

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// atOnce is how many merges or other calls of a field are under way at most.
const atOnce = 16

// outcome is what a function returned.
type outcome[T any] struct {
	value T
	err   error
}

// each calls do for 0 to n-1, some at a time, and returns what came of each.
func each[T any](n int, do func(int) (T, error)) []outcome[T] {
	outcomes := make([]outcome[T], n)
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
			outcomes[i].value, outcomes[i].err = count.Safely(func() (T, error) { return do(i) })
		}
	}
	var others sync.WaitGroup
	for range min(n, atOnce) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return outcomes
}

// both calls two functions at the same time. The error is the first one's where both fail.
func both[A, B any](first func() (A, error), second func() (B, error)) (A, B, error) {
	var b outcome[B]
	var other sync.WaitGroup
	other.Go(func() { b.value, b.err = count.Safely(second) })
	a, err := count.Safely(first)
	other.Wait()
	if err == nil {
		err = b.err
	}
	return a, b.value, err
}

// sides are the filters of a segment and those of goals that are merged with it.
type sides struct{ segment, goal []model.FilterSpec }

// merges merges filters at the same time, so that they do not wait for plugins one after another.
func (r *Resolver) merges(ctx context.Context, all []sides) []outcome[*host.Merged] {
	return each(len(all), func(i int) (*host.Merged, error) { return r.filters.Merge(ctx, all[i].segment, all[i].goal) })
}
