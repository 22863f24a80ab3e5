package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// load reads a file of reference values.
func load(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// near fails where got is off by more than within, relative to want where this is above 1.
func near(t testing.TB, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within*max(1, math.Abs(want))) {
		t.Errorf("%s: got %.17g, want %.17g, off by %.2g", what, got, want, got-want)
	}
}

// TestRatesReference compares with the published tests and edge cases of stats_reference.json: posterior quantities by quadrature, which
// were checked against four million draws.
func TestRatesReference(t *testing.T) {
	t.Parallel()
	var reference struct {
		Cases []struct {
			ID       string
			Variants []struct {
				Name         string
				Successes    int64
				Trials       int64
				Mean         float64    `json:"posterior_mean"`
				Rate         [2]float64 `json:"rate_ci95"`
				Best         float64    `json:"p_best"`
				Loss         float64    `json:"expected_loss"`
				Beat         *float64   `json:"p_beat_control"`
				Uplift       [2]float64 `json:"rel_uplift_ci95"`
				UpliftMean   *float64   `json:"rel_uplift_mean"`
				UpliftMedian float64    `json:"rel_uplift_median"`
			}
		}
	}
	load(t, "stats_reference.json", &reference)
	if len(reference.Cases) < 13 {
		t.Fatalf("only %d cases", len(reference.Cases))
	}
	for _, c := range reference.Cases {
		t.Run(c.ID, func(t *testing.T) {
			var counts []Count
			for _, v := range c.Variants {
				counts = append(counts, Count{v.Trials, v.Successes})
			}
			rates := mustRates(t, counts, 0)
			for i, v := range c.Variants {
				near(t, v.Name+" mean", rates[i].ConversionRate.Mean, v.Mean, 1e-12)
				near(t, v.Name+" low", rates[i].ConversionRate.Low, v.Rate[0], 1e-12)
				near(t, v.Name+" high", rates[i].ConversionRate.High, v.Rate[1], 1e-12)
				near(t, v.Name+" best", rates[i].ProbabilityToBeBest, v.Best, 1e-12)
				near(t, v.Name+" loss", rates[i].ExpectedLoss, v.Loss, 1e-12)
				if v.Beat == nil {
					continue
				}
				near(t, v.Name+" beats baseline", *rates[i].ProbabilityToBeatBaseline, *v.Beat, 1e-12)
				near(t, v.Name+" uplift low", rates[i].Uplift.Low, v.Uplift[0], 1e-11)
				near(t, v.Name+" uplift high", rates[i].Uplift.High, v.Uplift[1], 1e-11)
				if v.UpliftMean != nil {
					near(t, v.Name+" uplift", rates[i].Uplift.Mean, *v.UpliftMean, 1e-12)
				} else {
					near(t, v.Name+" uplift's median", rates[i].Uplift.Mean, v.UpliftMedian, 1e-9)
				}
			}
		})
	}
}

// TestRatesPrecise compares with what precise.py computes in another coordinate to thirty digits, where doubles are short.
func TestRatesPrecise(t *testing.T) {
	t.Parallel()
	var precise struct {
		Cases []struct {
			Variants                []Count
			Best, Beat, Loss, Bayes []float64
			Rate                    [][2]float64
		}
	}
	load(t, "precise.json", &precise)
	if len(precise.Cases) < 11 {
		t.Fatalf("only %d cases", len(precise.Cases))
	}
	for _, c := range precise.Cases {
		rates := mustRates(t, c.Variants, 0)
		for i := range c.Variants {
			what := fmt.Sprintf("%v[%d]", c.Variants, i)
			near(t, what+" best", rates[i].ProbabilityToBeBest, c.Best[i], 1e-10)
			near(t, what+" low", rates[i].ConversionRate.Low/c.Rate[i][0], 1, 1e-12)
			near(t, what+" high", rates[i].ConversionRate.High/c.Rate[i][1], 1, 1e-12)
			// A rate's 1 − p and a loss may be as small as 10⁻⁹, and are to have digits all the same.
			near(t, what+" loss", rates[i].ExpectedLoss/c.Loss[i], 1, 1e-6)
			if i > 0 {
				near(t, what+" beats baseline", *rates[i].ProbabilityToBeatBaseline, c.Beat[i], 1e-10)
				near(t, what+" Bayes factor", *rates[i].BayesFactor/c.Bayes[i], 1, 1e-10)
			}
		}
	}
}

// TestUdacity is the landing page test of Udacity's course on A/B testing.
func TestUdacity(t *testing.T) {
	t.Parallel()
	rates := mustRates(t, []Count{{145_274, 17_489}, {145_310, 17_264}}, 0)
	near(t, "beats baseline", *rates[1].ProbabilityToBeatBaseline, 0.094944, 5e-7)
}

// TestBestClosedForm compares with the sum for whole counts, which takes no integral (Miller 2015, Formulas for Bayesian A/B testing, eq. 6).
func TestBestClosedForm(t *testing.T) {
	t.Parallel()
	beta := func(a, b float64) float64 {
		x, _ := math.Lgamma(a)
		y, _ := math.Lgamma(b)
		z, _ := math.Lgamma(a + b)
		return x + y - z
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		counts := []Count{randomCount(random, 200), randomCount(random, 200)}
		aA, bA := 1+float64(counts[0].Conversions), 1+float64(counts[0].Visitors-counts[0].Conversions)
		aB, bB := 1+float64(counts[1].Conversions), 1+float64(counts[1].Visitors-counts[1].Conversions)
		sum := 0.0
		for i := 0.0; i < aB; i++ {
			sum += math.Exp(beta(aA+i, bA+bB) - math.Log(bB+i) - beta(1+i, bB) - beta(aA, bA))
		}
		near(t, fmt.Sprint(counts), mustRates(t, counts, 0)[1].ProbabilityToBeBest, sum, 1e-11)
	}
}

// TestIntervalsAreQuantiles puts the ends of intervals into gonum's distribution function, as far as that has digits.
func TestIntervalsAreQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(13, 14))
	for range 200 {
		count := randomCount(random, 1+int64(math.Exp(random.Float64()*13)))
		rate := mustRates(t, []Count{count}, 0)[0].ConversionRate
		a, b := 1+float64(count.Conversions), 1+float64(count.Visitors-count.Conversions)
		near(t, fmt.Sprint(count, " low"), mathext.RegIncBeta(a, b, rate.Low), 0.025, 1e-9)
		near(t, fmt.Sprint(count, " high"), mathext.RegIncBeta(a, b, rate.High), 0.975, 1e-9)
	}
}

// TestUpliftIsAQuantile puts the ends of an uplift's interval into the integral that defines them, on a fine grid of rates.
func TestUpliftIsAQuantile(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		counts := []Count{randomCount(random, 60), randomCount(random, 60)}
		uplift := mustRates(t, counts, 0)[1].Uplift
		for want, u := range map[float64]float64{0.025: uplift.Low, 0.975: uplift.High} {
			below := slowBelow(counts[1], counts[0], 1+u)
			near(t, fmt.Sprintf("%v below %g", counts, u), below, want, 1e-5)
		}
	}
}

// slowBelow is the probability that x's rate is below r times y's, by midpoints of rates.
func slowBelow(x, y Count, r float64) float64 {
	const steps = 50_000
	density := func(c Count, p float64) float64 {
		return math.Exp(float64(c.Conversions)*math.Log(p) + float64(c.Visitors-c.Conversions)*math.Log1p(-p))
	}
	below := make([]float64, steps+1)
	for i := range steps {
		below[i+1] = below[i] + density(x, (float64(i)+0.5)/steps)
	}
	sum, all := 0.0, 0.0
	for i := range steps {
		p := (float64(i) + 0.5) / steps
		weight := density(y, p)
		at := min(r*p, 1) * steps
		whole := int(at)
		part := below[whole]
		if whole < steps {
			part += (at - float64(whole)) * (below[whole+1] - below[whole])
		}
		sum += weight * part
		all += weight
	}
	return sum / all / below[steps]
}

// TestRatesProperties asks of any counts what must hold of all: everything is finite and in its range, probabilities add up to 1, neither
// order nor names of variants matter, and one more conversion makes none worse.
func TestRatesProperties(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 27 {
		k := 2 + round%9
		if round == 26 {
			k = 40
		}
		counts := make([]Count, k)
		for i := range counts {
			counts[i] = extremeCount(random)
		}
		if round%3 == 0 { // rates so close that they overlap
			base := extremeCount(random)
			for i := range counts {
				counts[i] = base
				counts[i].Conversions = min(base.Visitors, base.Conversions+random.Int64N(1+int64(math.Sqrt(float64(base.Conversions)))))
			}
		}
		baseline := random.IntN(k)
		rates := mustRates(t, counts, baseline)
		sum := 0.0
		for i, rate := range rates {
			what := fmt.Sprintf("%v[%d]", counts, i)
			sum += rate.ProbabilityToBeBest
			share(t, what+" best", rate.ProbabilityToBeBest)
			interval(t, what+" rate", rate.ConversionRate)
			share(t, what+" low", rate.ConversionRate.Low)
			share(t, what+" high", rate.ConversionRate.High)
			share(t, what+" loss", rate.ExpectedLoss)
			if i == baseline {
				if rate.Uplift != nil || rate.ProbabilityToBeatBaseline != nil || rate.BayesFactor != nil {
					t.Errorf("%s: the baseline is compared with itself", what)
				}
				continue
			}
			share(t, what+" beats baseline", *rate.ProbabilityToBeatBaseline)
			interval(t, what+" uplift", *rate.Uplift)
			if rate.Uplift.Low < -1 {
				t.Errorf("%s: uplift from %g", what, rate.Uplift.Low)
			}
			if factor := *rate.BayesFactor; !(factor > 0 && factor <= maxBayesFactor) {
				t.Errorf("%s: Bayes factor %g", what, factor)
			}
			if k == 2 {
				near(t, what+" beats and best", *rate.ProbabilityToBeatBaseline, rate.ProbabilityToBeBest, 1e-12)
			}
		}
		near(t, fmt.Sprint(counts, " sum"), sum, 1, 1e-11)

		order := random.Perm(k)
		renamed := make([]Count, k)
		newBaseline := 0
		for i, old := range order {
			renamed[i] = counts[old]
			if old == baseline {
				newBaseline = i
			}
		}
		for i, rate := range mustRates(t, renamed, newBaseline) {
			old := rates[order[i]]
			near(t, fmt.Sprint(counts, " renamed: best"), rate.ProbabilityToBeBest, old.ProbabilityToBeBest, 1e-13)
			near(t, fmt.Sprint(counts, " renamed: loss"), rate.ExpectedLoss, old.ExpectedLoss, 1e-13)
			if rate.Uplift != nil {
				near(t, fmt.Sprint(counts, " renamed: beats"), *rate.ProbabilityToBeatBaseline, *old.ProbabilityToBeatBaseline, 1e-13)
				near(t, fmt.Sprint(counts, " renamed: uplift"), rate.Uplift.High, old.Uplift.High, 1e-11)
			}
		}

		one := random.IntN(k)
		if counts[one].Conversions == counts[one].Visitors {
			continue
		}
		counts[one].Conversions++
		const rounding = 1e-10
		for i, rate := range mustRates(t, counts, baseline) {
			better := i == one
			for _, pair := range [][2]float64{
				{rate.ProbabilityToBeBest, rates[i].ProbabilityToBeBest},
				{rates[i].ExpectedLoss, rate.ExpectedLoss},
				{rate.ConversionRate.Low, rates[i].ConversionRate.Low},
			} {
				if up := pair[0] - pair[1]; better && up < -rounding || !better && up > rounding {
					t.Errorf("%v[%d], one more conversion of %d: from %g to %g", counts, i, one, pair[1], pair[0])
				}
			}
		}
	}
}

// TestRatesFarApart asks for what is too improbable to be more than 0.
func TestRatesFarApart(t *testing.T) {
	t.Parallel()
	const n = 1_000_000_000
	for _, counts := range [][]Count{
		{{n, 0}, {n, n}},
		{{n, n / 10}, {n, n / 5}, {n, n / 2}},
		{{0, 0}, {n, n}, {n, 0}, {1, 1}},
		{{math.MaxInt64, 1}, {math.MaxInt64, math.MaxInt64 - 1_000_000}, {math.MaxInt64, math.MaxInt64 / 2}},
	} {
		sum := 0.0
		for i, rate := range mustRates(t, counts, 0) {
			sum += rate.ProbabilityToBeBest
			share(t, fmt.Sprint(counts, i, " best"), rate.ProbabilityToBeBest)
			share(t, fmt.Sprint(counts, i, " loss"), rate.ExpectedLoss)
			interval(t, fmt.Sprint(counts, i, " rate"), rate.ConversionRate)
		}
		near(t, fmt.Sprint(counts), sum, 1, 1e-11)
	}
	near(t, "loss", mustRates(t, []Count{{n, n / 10}, {n, n / 5}}, 0)[0].ExpectedLoss, 0.1, 1e-9)
}

func TestBestRatesIsRates(t *testing.T) {
	t.Parallel()
	counts := []Count{{1000, 100}, {900, 110}, {1100, 95}}
	best, err := BestRates(counts, HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	for i, rate := range mustRates(t, counts, 1) {
		if best[i] != rate.ProbabilityToBeBest {
			t.Errorf("%d: %g and %g", i, best[i], rate.ProbabilityToBeBest)
		}
	}
}

func TestRatesRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		counts   []Count
		baseline int
	}{
		{nil, 0},
		{[]Count{{1, 2}}, 0},
		{[]Count{{1, 0}, {1, -1}}, 0},
		{[]Count{{-1, -1}}, 0},
		{[]Count{{1, 0}}, 1},
		{[]Count{{1, 0}}, -1},
	} {
		if rates, err := Rates(test.counts, test.baseline, HigherIsBetter); err == nil {
			t.Errorf("%v: %v", test, rates)
		}
	}
}

func mustRates(t testing.TB, counts []Count, baseline int) []Rate {
	t.Helper()
	rates, err := Rates(counts, baseline, HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	return rates
}

func share(t testing.TB, what string, p float64) {
	t.Helper()
	if !(p >= 0 && p <= 1) {
		t.Errorf("%s is %g", what, p)
	}
}

// interval fails where an estimate is not finite, or its ends are not in order. (A mean may lie above its interval: that of a ratio
// can be as large as it likes.)
func interval(t testing.TB, what string, e Estimate) {
	t.Helper()
	if !(e.Low <= e.High) || math.IsInf(e.Low, 0) || math.IsInf(e.High, 0) || math.IsNaN(e.Mean-e.Mean) || e.Mean < e.Low {
		t.Errorf("%s is %v", what, e)
	}
}

func randomCount(random *rand.Rand, visitors int64) Count {
	n := random.Int64N(visitors)
	return Count{Visitors: n, Conversions: random.Int64N(n + 1)}
}

// extremeCount returns a count of up to 10⁹ visitors, often with none, one, all but one or all of them converting.
func extremeCount(random *rand.Rand) Count {
	n := []int64{0, 1, 2, 100, 10_000, 1_000_000, 1_000_000_000}[random.IntN(7)]
	c := []int64{0, 1, n / 1000, n / 20, n / 2, n - 1, n}[random.IntN(7)]
	return Count{Visitors: n, Conversions: min(max(c, 0), n)}
}

func BenchmarkRates(b *testing.B) {
	for _, k := range []int{2, 10} {
		counts := make([]Count, k)
		for i := range counts {
			counts[i] = Count{1_000_000, 100_000 + 100*int64(i)}
		}
		b.Run(fmt.Sprintf("all/k=%d", k), func(b *testing.B) {
			for b.Loop() {
				mustRates(b, counts, 0)
			}
		})
		b.Run(fmt.Sprintf("best/k=%d", k), func(b *testing.B) {
			for b.Loop() {
				if _, err := BestRates(counts, HigherIsBetter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
