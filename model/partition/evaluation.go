package partition

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// evaluation is how long predicates may be evaluated in one context, by all processors together.
type evaluation struct {
	most  time.Duration
	spent atomic.Int64 // nanoseconds
}

type evaluationKey struct{}

// WithEvaluation returns a context in which predicates are evaluated for so long at most: its budget. What takes longer
// ends with ResourceExhausted, and IsOverBudget tells it from other errors of that code.
func WithEvaluation(ctx context.Context, most time.Duration) context.Context {
	return context.WithValue(ctx, evaluationKey{}, &evaluation{most: most})
}

// Evaluated returns for how long predicates were evaluated in a context with a budget, by all processors together.
func Evaluated(ctx context.Context) time.Duration {
	budget, _ := ctx.Value(evaluationKey{}).(*evaluation)
	if budget == nil {
		return 0
	}
	return time.Duration(budget.spent.Load())
}

// errOverBudget is the cause of the error of a context whose predicates took longer than its budget.
var errOverBudget = errors.New("the budget of evaluation is spent")

// IsOverBudget tells whether an error is that of a context whose predicates took longer than its budget. Others that
// wait for the same work may have a budget that is not spent.
func IsOverBudget(err error) bool { return errors.Is(err, errOverBudget) }

// Stopwatch takes the time in which predicates are evaluated from the budget of a context. It is not safe for concurrent
// use.
type Stopwatch struct {
	ctx    context.Context
	budget *evaluation // nil without one
	since  time.Time
}

// NewStopwatch returns a running stopwatch.
func NewStopwatch(ctx context.Context) *Stopwatch {
	budget, _ := ctx.Value(evaluationKey{}).(*evaluation)
	return &Stopwatch{ctx: ctx, budget: budget, since: time.Now()}
}

// Restart has the time up to now be no part of what is taken: others worked meanwhile.
func (s *Stopwatch) Restart() { s.since = time.Now() }

// Err takes the time since it was called last, and returns why nothing more is to be evaluated: the context is done, or
// its budget is spent.
func (s *Stopwatch) Err() error {
	if err := s.ctx.Err(); err != nil || s.budget == nil {
		return err
	}
	now := time.Now()
	spent := s.budget.spent.Add(int64(now.Sub(s.since)))
	s.since = now
	if spent > int64(s.budget.most) {
		refusal := model.Errorf(model.ResourceExhausted, "the filters take more than %v to evaluate: use fewer, or fewer patterns in them, or a shorter range", s.budget.most)
		refusal.Cause = errOverBudget
		return refusal
	}
	return nil
}
