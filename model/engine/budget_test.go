package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// A predicate that takes long is stopped when its budget is spent, and says so.
func TestBudgetOfACount(t *testing.T) {
	t.Parallel()
	w := newDays(t, storetest.SQLite(t), 5, 500)
	e, err := engine.New(w.store, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	var pairs filter.Or
	for i := range 5000 {
		pairs = append(pairs, filter.And{
			filter.Glob{Field: filter.Field{Name: "pages"}, Pattern: fmt.Sprintf("*%d*a*b*", i)}, filter.Glob{Field: filter.Field{Name: "pages"}, Pattern: fmt.Sprintf("*x*%d*", i)},
		})
	}
	question := count.Question{Site: w.site, In: model.Range{From: 0, To: model.Open}, Where: filter.Simplify(pairs)}
	begin := time.Now()
	_, err = e.Count(partition.WithEvaluation(t.Context(), time.Millisecond), []count.Question{question})
	if model.CodeOf(err) != model.ResourceExhausted {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	_, err = e.Sessions(partition.WithEvaluation(t.Context(), time.Millisecond), count.SessionQuery{Site: w.site, In: question.In, Where: question.Where, Limit: 10})
	if model.CodeOf(err) != model.ResourceExhausted {
		t.Errorf("sessions: %v", err)
	}
	// Which visitors have a key is evaluated before their sessions are.
	_, err = e.Matcher().Resolve(partition.WithEvaluation(t.Context(), 0), w.site, filter.Glob{Field: filter.Visitor, Pattern: "visitor*"})
	if !partition.IsOverBudget(err) {
		t.Errorf("visitors: %v", err)
	}
	_, err = e.Values(partition.WithEvaluation(t.Context(), 0), count.ValueQuery{Site: w.site, In: question.In, Where: filter.Bool(true), Field: filter.Visitor, Limit: 10})
	if !partition.IsOverBudget(err) {
		t.Errorf("values: %v", err)
	}
	question.Where = filter.Glob{Field: filter.Field{Name: "pages"}, Pattern: "/p*"}
	answers, err := e.Count(partition.WithEvaluation(t.Context(), time.Minute), []count.Question{question})
	if err != nil || answers[0].Sessions == 0 {
		t.Errorf("%+v, %v", answers, err)
	}
}
