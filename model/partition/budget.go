package partition

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// budget is how long predicates may be evaluated on columns in one context, by all processors together.
type budget struct {
	most  time.Duration
	spent atomic.Int64 // nanoseconds
}

type budgetKey struct{}

// WithBudget returns a context in which predicates are evaluated for so long at most. What takes longer ends with
// ResourceExhausted.
func WithBudget(ctx context.Context, most time.Duration) context.Context {
	return context.WithValue(ctx, budgetKey{}, &budget{most: most})
}

// Err returns why the sets that are not known yet are not to be made: the context is done, or its budget is spent.
func (k *known) Err() error {
	if err := k.view.ctx.Err(); err != nil || k.budget == nil {
		return err
	}
	now := time.Now()
	spent := k.budget.spent.Add(int64(now.Sub(k.since)))
	k.since = now
	if spent > int64(k.budget.most) {
		return model.Errorf(model.ResourceExhausted, "the filters take more than %v to evaluate: use fewer, or fewer patterns in them, or a shorter range", k.budget.most)
	}
	return nil
}
