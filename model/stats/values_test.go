package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// TestValuesReference compares with the published tests of stats_reference.json.
func TestValuesReference(t *testing.T) {
	t.Parallel()
	var reference struct {
		Cases []struct {
			ID       string
			Variants []struct {
				Name       string
				N          int64
				Sum        float64
				SumSquares float64 `json:"sum_squares"`
				Mean       float64
				Interval   [2]float64 `json:"mean_ci95"`
				Best       float64    `json:"p_best"`
				Beat       *float64   `json:"p_beat_control"`
			}
		} `json:"revenue_cases"`
	}
	load(t, "stats_reference.json", &reference)
	if len(reference.Cases) < 2 {
		t.Fatalf("only %d cases", len(reference.Cases))
	}
	for _, c := range reference.Cases {
		var amounts []Amount
		for _, v := range c.Variants {
			amounts = append(amounts, squared(v.N, v.Sum, v.SumSquares))
		}
		values := mustValues(t, amounts, 0)
		for i, v := range c.Variants {
			near(t, v.Name+" mean", values[i].PerVisitor.Mean, v.Mean, 1e-12)
			near(t, v.Name+" low", values[i].PerVisitor.Low, v.Interval[0], 1e-10)
			near(t, v.Name+" high", values[i].PerVisitor.High, v.Interval[1], 1e-10)
			near(t, v.Name+" best", values[i].ProbabilityToBeBest, v.Best, 1e-10)
			if v.Beat != nil {
				near(t, v.Name+" beats baseline", *values[i].ProbabilityToBeatBaseline, *v.Beat, 1e-10)
			}
		}
	}
}

// amountOf returns the amount with a mean and its posterior's scale, of which every visitor has a value.
func amountOf(n int64, mean, scale float64) Amount {
	visitors := float64(n)
	return Amount{Visitors: n, Values: n, Sum: visitors * mean, Squares: scale * scale * visitors * (visitors - 1)}
}

// squared returns the amount with the sum of the squares of all values.
func squared(n int64, sum, squares float64) Amount {
	return Amount{Visitors: n, Values: n, Sum: sum, Squares: squares - sum/float64(n)*sum}
}

// TestValuesClosedForm has one degree of freedom, where the difference of two posteriors is a Cauchy variable again; and so many that they
// are normal, where the interval of a ratio is Fieller's.
func TestValuesClosedForm(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		m, s := [2]float64{random.NormFloat64(), random.NormFloat64()}, [2]float64{math.Exp(3 * random.NormFloat64()), math.Exp(3 * random.NormFloat64())}
		values := mustValues(t, []Amount{amountOf(2, m[0], s[0]), amountOf(2, m[1], s[1])}, 0)
		near(t, fmt.Sprint(m, s), *values[1].ProbabilityToBeatBaseline, 0.5+math.Atan((m[1]-m[0])/(s[0]+s[1]))/math.Pi, 1e-11)
	}
	const n = 1_000_000_000_000
	x, y := [2]float64{3, 0.5}, [2]float64{2, 0.3}
	value := mustValues(t, []Amount{amountOf(n, y[0], y[1]), amountOf(n, x[0], x[1])}, 0)[1]
	near(t, "normal", *value.ProbabilityToBeatBaseline, distuv.UnitNormal.CDF(1/math.Hypot(x[1], y[1])), 1e-11)
	// (x − r y)² = z² (s_x² + r² s_y²)
	z := distuv.UnitNormal.Quantile(0.975)
	a, b, c := y[0]*y[0]-z*z*y[1]*y[1], -2*x[0]*y[0], x[0]*x[0]-z*z*x[1]*x[1]
	root := math.Sqrt(b*b - 4*a*c)
	near(t, "Fieller low", value.Uplift.Low, (-b-root)/2/a-1, 1e-9)
	near(t, "Fieller high", value.Uplift.High, (-b+root)/2/a-1, 1e-9)
	near(t, "uplift", value.Uplift.Mean, 0.5, 1e-12)
}

// TestValuesSlowly compares with integrals over the quantiles of gonum's t distribution, by midpoints.
func TestValuesSlowly(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	const steps = 2000
	for range 3 {
		amounts, slow := make([]Amount, 3), make([]distuv.StudentsT, 3)
		var quantiles [3][steps]float64
		for i := range amounts {
			n, mean, scale := 10+random.Int64N(30), 20+random.NormFloat64(), 0.2+random.Float64()
			amounts[i], slow[i] = amountOf(n, mean, scale), distuv.StudentsT{Mu: mean, Sigma: scale, Nu: float64(n - 1)}
			for j := range steps {
				quantiles[i][j] = slow[i].Quantile((float64(j) + 0.5) / steps)
			}
		}
		values := mustValues(t, amounts, 0)
		average := func(over int, f func(x float64) float64) float64 {
			sum := 0.0
			for _, x := range quantiles[over] {
				sum += f(x)
			}
			return sum / steps
		}
		for i, value := range values {
			best := average(i, func(x float64) float64 { return slow[(i+1)%3].CDF(x) * slow[(i+2)%3].CDF(x) })
			near(t, fmt.Sprint(amounts, i, " best"), value.ProbabilityToBeBest, best, 3e-5)
			near(t, fmt.Sprint(amounts, i, " low"), value.PerVisitor.Low, slow[i].Quantile(0.025), 1e-8)
			if i == 0 {
				continue
			}
			for want, u := range map[float64]float64{0.025: value.Uplift.Low, 0.975: value.Uplift.High} {
				below := average(0, func(y float64) float64 { return slow[i].CDF((1 + u) * y) })
				near(t, fmt.Sprint(amounts, i, " below ", u), below, want, 3e-5)
			}
		}
	}
}

// TestValuesUnknownAndCertain has variants of which nothing is known, and ones whose visitors all have the same value.
func TestValuesUnknownAndCertain(t *testing.T) {
	t.Parallel()
	none, one := Amount{}, Amount{Visitors: 1, Conversions: 1, Values: 1, Sum: 5}
	zero, five := Amount{Visitors: 500}, Amount{Visitors: 500, Conversions: 500, Values: 500, Sum: 2500}
	nine := Amount{Visitors: 500, Conversions: 9, Values: 9, Sum: 45, Squares: 220}
	var values Moments
	for range 100_000 {
		values.Add(0.1)
	}
	tenth := AmountOf(values.N, values.N, values.N, 0.1*100_000, values)
	usual := amountOf(100, 4, 0.5)
	for _, test := range []struct {
		name    string
		amounts []Amount
		best    []float64
		beat    []float64
	}{
		{"nobody", []Amount{none, none, none}, []float64{1. / 3, 1. / 3, 1. / 3}, []float64{0, 0.5, 0.5}},
		{"one unknown", []Amount{usual, usual, one}, []float64{0.25, 0.25, 0.5}, []float64{0, 0.5, 0.5}},
		{"two unknown", []Amount{none, usual, one}, []float64{0.375, 0.25, 0.375}, []float64{0, 0.5, 0.5}},
		{"no values at all", []Amount{zero, zero}, []float64{0.5, 0.5}, []float64{0, 0.5}},
		{"none and some", []Amount{zero, five, zero}, []float64{0, 1, 0}, []float64{0, 1, 0.5}},
		{"constant", []Amount{zero, tenth}, []float64{0, 1}, []float64{0, 1}},
		{"known and certain", []Amount{amountOf(100, 5, 0.5), five, zero}, []float64{0.5, 0.5, 0}, []float64{0, 0.5, 0}},
		{"known and unknown and certain", []Amount{amountOf(100, 5, 0.5), five, none}, []float64{0.25, 0.25, 0.5}, []float64{0, 0.5, 0.5}},
		{"two known, one certain", []Amount{amountOf(100, 5, 0.5), amountOf(100, 5, 0.5), five}, []float64{0.375, 0.375, 0.25}, []float64{0, 0.5, 0.5}},
		{"alone", []Amount{usual}, []float64{1}, []float64{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i, value := range mustValues(t, test.amounts, 0) {
				near(t, "best", value.ProbabilityToBeBest, test.best[i], 1e-11)
				if i > 0 {
					near(t, "beats baseline", *value.ProbabilityToBeatBaseline, test.beat[i], 1e-11)
				} else if value.ProbabilityToBeatBaseline != nil || value.Uplift != nil {
					t.Error("the baseline is compared with itself")
				}
				amount, all := test.amounts[i], Estimate{Low: -math.MaxFloat64, High: math.MaxFloat64}
				if all.Mean = amount.Mean(); amount.Values < 10 && value.PerVisitor != all {
					t.Errorf("%v per visitor", value.PerVisitor)
				}
				if slices.ContainsFunc(test.amounts, Amount.isUnknown) != (value.ExpectedLoss == nil) {
					t.Errorf("the expected loss is %v", value.ExpectedLoss)
				}
				if (value.PerConverter != nil) != (test.amounts[i].Conversions > 0) {
					t.Errorf("%v per converter", value.PerConverter)
				}
			}
		})
	}
	for _, test := range []struct {
		name    string
		amounts []Amount
		want    *Estimate
	}{
		{"of what may be nothing", []Amount{amountOf(100, 1, 0.6), usual}, nil},
		{"of nothing", []Amount{zero, usual}, nil},
		{"of a loss", []Amount{amountOf(100, -4, 0.5), usual}, nil},
		{"of the unknown", []Amount{one, usual}, nil},
		{"of an unknown variant", []Amount{usual, one}, nil},
		{"to nothing", []Amount{usual, zero}, nil},
		{"to nine values", []Amount{usual, nine}, nil},
		{"of nine values", []Amount{nine, usual}, nil},
		{"certain", []Amount{five, five}, &Estimate{0, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustValues(t, test.amounts, 0)[1].Uplift; (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	uplift := mustValues(t, []Amount{five, usual}, 0)[1].Uplift
	near(t, "of a certain base", uplift.Low, mustValues(t, []Amount{usual}, 0)[0].PerVisitor.Low/5-1, 1e-12)
}

// TestValuesProperties asks of any amounts what must hold of all, of which another currency is the one that rates do not have.
func TestValuesProperties(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	for round := range 27 {
		amounts := make([]Amount, 2+round%9)
		for i := range amounts {
			n := []int64{0, 1, 2, 3, 10, 1000, 1_000_000, 1_000_000_000}[random.IntN(8)]
			if n < 2 {
				amounts[i] = Amount{Visitors: n}
				continue
			}
			mean := []float64{-3, 0, 1, 1.001, 50, 1e9}[random.IntN(6)]
			amounts[i] = amountOf(n, mean, []float64{0, 1e-3, 0.1, 1, 1e3}[random.IntN(5)])
		}
		values := mustValues(t, amounts, 0)
		euros := make([]Amount, len(amounts))
		for i, a := range amounts {
			euros[len(euros)-1-i] = Amount{Visitors: a.Visitors, Values: a.Values, Sum: a.Sum / 8, Squares: a.Squares / 64}
		}
		converted := mustValues(t, euros, len(euros)-1)
		sum := 0.0
		for i, value := range values {
			what, other := fmt.Sprintf("%v[%d]", amounts, i), converted[len(euros)-1-i]
			sum += value.ProbabilityToBeBest
			share(t, what+" best", value.ProbabilityToBeBest)
			near(t, what+" best in euros", other.ProbabilityToBeBest, value.ProbabilityToBeBest, 1e-12)
			interval(t, what+" per visitor", value.PerVisitor)
			if !amounts[i].isUnknown() {
				near(t, what+" in euros", other.PerVisitor.Low*8, value.PerVisitor.Low, 1e-12)
			}
			if i == 0 {
				continue
			}
			share(t, what+" beats baseline", *value.ProbabilityToBeatBaseline)
			if value.Uplift != nil {
				interval(t, what+" uplift", *value.Uplift)
				near(t, what+" uplift in euros", other.Uplift.High, value.Uplift.High, 1e-9)
				beats := *value.ProbabilityToBeatBaseline
				if math.Abs(beats-highEnd) > 1e-9 && (value.Uplift.Low > 0) != (beats > highEnd) {
					t.Errorf("%s: uplift %v, but beats the baseline with %g", what, *value.Uplift, beats)
				}
			}
		}
		near(t, fmt.Sprint(amounts, " sum"), sum, 1, 1e-10)
	}
}

// TestValuesOfAnySize has values as large and as small as sums of squares can hold, side by side.
func TestValuesOfAnySize(t *testing.T) {
	t.Parallel()
	amounts := []Amount{amountOf(10, 1e150, 1e148), amountOf(2, 1e150, 1e140), amountOf(1000, 1e-150, 1e-152), amountOf(3, 1, 0.01)}
	for baseline := range amounts {
		sum := 0.0
		for i, value := range mustValues(t, amounts, baseline) {
			what := fmt.Sprintf("%v[%d]", amounts, i)
			sum += value.ProbabilityToBeBest
			interval(t, what+" per visitor", value.PerVisitor)
			if i != baseline {
				share(t, what+" beats baseline", *value.ProbabilityToBeatBaseline)
				if value.Uplift != nil {
					interval(t, what+" uplift", *value.Uplift)
				}
			}
		}
		near(t, "sum", sum, 1, 1e-10)
	}
}

func TestValuesRefuse(t *testing.T) {
	t.Parallel()
	for _, amount := range []Amount{
		{Visitors: -1},
		{Visitors: 1, Conversions: 2},
		{Visitors: 2, Conversions: -1},
		{Sum: 1, Squares: 1},
		{Visitors: 2, Sum: math.NaN()},
		{Visitors: 2, Squares: math.Inf(1)},
		{Visitors: 2, Squares: -1},
		{Visitors: 2, Values: 3},
	} {
		if values, err := Values([]Amount{amount}, 0, HigherIsBetter); err == nil {
			t.Errorf("%v: %v", amount, values)
		}
	}
	if _, err := Values(nil, 0, HigherIsBetter); err == nil {
		t.Error("no variants")
	}
}

func mustValues(t testing.TB, amounts []Amount, baseline int) []Value {
	t.Helper()
	values, err := Values(amounts, baseline, HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func BenchmarkValues(b *testing.B) {
	for _, k := range []int{2, 10} {
		amounts := make([]Amount, k)
		for i := range amounts {
			amounts[i] = amountOf(1_000_000, 1+0.001*float64(i), 0.005)
		}
		b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
			for b.Loop() {
				mustValues(b, amounts, 0)
			}
		})
	}
}
