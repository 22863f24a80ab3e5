package experiment

import (
	"errors"
	"math"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
)

// A site with 4,000 visitors a day, of whom 2 % buy.
func outlook(change ...func(*Outlook)) *Outlook {
	o := &Outlook{Plan: stats.DefaultPlan, Count: stats.Count{Visitors: 112_000, Conversions: 2240}, Weights: []float64{1, 1}, VisitorsPerDay: 4000}
	for _, do := range change {
		do(o)
	}
	return o
}

func TestOutlook(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		o       *Outlook
		effect  float64
		needed  int64
		days    int
		smaller float64 // the effect after so many days
	}{
		"10 % more":   {outlook(), 0.1, 80_682, 41, 0.09921},
		"5 % more":    {outlook(), 0.05, 315_206, 158, 0.04994},
		"10 % less":   {outlook(), -0.1, 73_147, 37, 0.1045},
		"by value":    {outlook(func(o *Outlook) { o.ByValue, o.Amount = true, amountOf(20, 55) }), 0.02, 296_786, 149, 0.01996},
		"under way":   {outlook(func(o *Outlook) { o.Visitors = []int64{80_000, 70_000} }), 0.1, 80_682, 6, 0.09912},
		"well enough": {outlook(func(o *Outlook) { o.Visitors = []int64{90_000, 90_000} }), 0.1, 80_682, 0, 0.09459},
		"a small one": {outlook(func(o *Outlook) { o.Weights = []float64{9, 1} }), 0.1, 80_682, 202, 0.09993},
	} {
		needed, err := test.o.VisitorsFor(test.effect)
		if err != nil || needed != test.needed {
			t.Errorf("%s: needs %d visitors, %v, want %d", name, needed, err, test.needed)
		}
		days, ok := test.o.DaysFor(needed)
		if !ok || days != test.days {
			t.Errorf("%s: takes %d days, %t, want %d", name, days, ok, test.days)
		}
		visitors, effect, ok, err := test.o.EffectAfter(days)
		if err != nil || !ok || visitors < needed || math.Abs(effect-test.smaller) > 2e-4 {
			t.Errorf("%s: %d visitors find %v, %t, %v; want %v", name, visitors, effect, ok, err, test.smaller)
		}
	}
	nobody := outlook(func(o *Outlook) { o.VisitorsPerDay = 0 })
	if days, ok := nobody.DaysFor(1); ok {
		t.Errorf("nobody comes: %d days", days)
	}
	if visitors, effect, ok, err := nobody.EffectAfter(10); visitors != 0 || ok || err != nil {
		t.Errorf("nobody comes: %d visitors find %v, %t, %v", visitors, effect, ok, err)
	}
}

func amountOf(mean, deviation float64) stats.Amount {
	const n = 112_000
	return stats.Amount{Visitors: n, Values: n, Conversions: n, Sum: mean * n, Squares: deviation * deviation * (n - 1)}
}

func TestOutlookRefusals(t *testing.T) {
	t.Parallel()
	for effect, o := range map[float64]*Outlook{0: outlook(), -1: outlook(), math.Inf(1): outlook(), math.NaN(): outlook(), 50: outlook(), 1e-4: outlook()} {
		mustRefuse(t, second(o.VisitorsFor(effect)), model.BadInput, "minimumEffect")
	}
	mustRefuse(t, second(PlanOf(1, 0.05, 0.8)), model.BadInput, "variants")
	mustRefuse(t, second(PlanOf(21, 0.05, 0.8)), model.BadInput, "variants")
	for _, alpha := range []float64{0, 1, math.NaN()} {
		mustRefuse(t, second(PlanOf(2, alpha, 0.8)), model.BadInput, "alpha")
	}
	for _, power := range []float64{0.05, 1, math.NaN()} {
		mustRefuse(t, second(PlanOf(2, 0.05, power)), model.BadInput, "power")
	}
	if plan, err := PlanOf(3, 0.05, 0.8); plan != (stats.Plan{Alpha: 0.025, Power: 0.8}) || err != nil {
		t.Errorf("three variants: %+v, %v", plan, err)
	}
	for _, change := range []func(*Outlook){
		func(o *Outlook) { o.Count.Conversions = 0 },
		func(o *Outlook) { o.Count = stats.Count{} },
		func(o *Outlook) { o.Count.Conversions = o.Count.Visitors },
		func(o *Outlook) { o.ByValue, o.Amount = true, amountOf(-1, 3) },
		func(o *Outlook) {
			o.ByValue, o.Amount = true, stats.Amount{Visitors: 100, Values: 9, Conversions: 9, Sum: 90, Squares: 50}
		},
	} {
		mustRefuse(t, outlook(change).Check(), model.FailedPrecondition, "")
	}
	if err := outlook().Check(); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

func mustRefuse(t *testing.T, err error, code model.Code, field string) {
	t.Helper()
	var refused *model.Error
	if !errors.As(err, &refused) || refused.Code != code || refused.Field != field {
		t.Errorf("the error is %v, want %s about %q", err, code, field)
	}
}
