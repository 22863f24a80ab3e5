package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// extremes are counts as no experiment has them: of nobody, one or 10⁹ visitors, of whom none, one or all convert.
var extremes = []Count{{0, 0}, {1, 0}, {1, 1}, {1000, 0}, {1000, 1}, {1000, 999}, {1e9, 0}, {1e9, 1}, {1e9, 1e8}, {1e9, 1e9}}

// TestEvidenceIsAMartingale holds it to what makes it valid however often one looks: while the weights are true, the next visitor or conversion
// changes it by nothing on average.
func TestEvidenceIsAMartingale(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(21, 22))
	for round := range 200 {
		k := 2 + round%9
		counts, shares, sum := make([]float64, k), make([]float64, k), 0.0
		for i := range counts {
			counts[i], shares[i] = float64(random.Int64N([]int64{1, 2, 50, 10_000}[random.IntN(4)])), 0.1+random.Float64()
			sum += shares[i]
		}
		for i := range shares {
			shares[i] /= sum
		}
		now, next := evidence(counts, shares, shares, 400), 0.0
		for i, share := range shares {
			counts[i]++
			next += share * math.Exp(evidence(counts, shares, shares, 400)-now)
			counts[i]--
		}
		near(t, fmt.Sprint(counts, shares), next, 1, 1e-11)
	}
}

// TestAnytimeProperties asks of any counts what must hold of all.
func TestAnytimeProperties(t *testing.T) {
	t.Parallel()
	for _, base := range extremes {
		for _, variant := range extremes {
			phase := Phase{base, variant, 1, 3}
			what := fmt.Sprint(phase)
			got := must[Anytime](t)(AnytimeRates(phase))
			share(t, what+": p", got.PValue)
			turned := must[Anytime](t)(AnytimeRates(Phase{variant, base, 3, 1}))
			near(t, what+": p, turned round", math.Log(max(turned.PValue, 1e-300)), math.Log(max(got.PValue, 1e-300)), 1e-9)
			empty := Phase{Count{base.Visitors, 0}, Count{variant.Visitors, 0}, 1, 1}
			if two := must[Anytime](t)(AnytimeRates(phase, empty)); math.Abs(two.PValue-got.PValue) > 1e-9 {
				t.Errorf("%s: p %g with a phase without conversions, %g without", what, two.PValue, got.PValue)
			}
			if (got.Uplift == nil) != (base.Conversions == 0) {
				t.Fatalf("%s: uplift %v", what, got.Uplift)
			}
			if got.Uplift == nil {
				continue
			}
			interval(t, what+": uplift", *got.Uplift)
			if out := got.Uplift.Low > 0 || got.Uplift.High < 0; out != (got.PValue < anytimeError) {
				t.Errorf("%s: p %g, uplift %v", what, got.PValue, *got.Uplift)
			}
			if turned.Uplift != nil && got.Uplift.Low > -1 {
				near(t, what+": uplift, turned round", math.Log1p(turned.Uplift.High), -math.Log1p(got.Uplift.Low), 1e-9)
			}
			if variant.Conversions < variant.Visitors {
				phase.Variant.Conversions++
				if more := must[Anytime](t)(AnytimeRates(phase)).Uplift; more.Mean < got.Uplift.Mean || more.Low < got.Uplift.Low-1e-9 || more.High < got.Uplift.High-1e-9*(1+math.Abs(got.Uplift.High)) {
					t.Errorf("%s: one more conversion: from %v to %v", what, *got.Uplift, *more)
				}
			}
		}
	}
	contrary := must[Anytime](t)(AnytimeRates(Phase{Count{1e6, 1e5}, Count{1e6, 2e5}, 1, 1}, Phase{Count{1e6, 2e5}, Count{1e6, 1e5}, 1, 1}))
	if u := contrary.Uplift; u.Low != u.High || math.Abs(u.Mean) > 1e-9 {
		t.Errorf("two phases that contradict each other: %v", *u)
	}
	for _, phases := range [][]Phase{nil, {{Count{1, 2}, Count{}, 1, 1}}, {{Count{}, Count{1, -1}, 1, 1}}, {{Count{}, Count{}, 0, 1}}, {{Count{}, Count{}, 1, math.Inf(1)}}, {{Count{}, Count{}, math.NaN(), 1}}} {
		if got, err := AnytimeRates(phases...); err == nil {
			t.Errorf("%v: %v", phases, got)
		}
	}
}

func TestSequenceProperties(t *testing.T) {
	t.Parallel()
	for _, base := range extremes {
		for _, variant := range extremes {
			what := fmt.Sprint(base, variant)
			got := must[AnytimeDifference](t)(AnytimeProportions(variant, base))
			turned := must[AnytimeDifference](t)(AnytimeProportions(base, variant))
			share(t, what+": p", got.PValue)
			interval(t, what+": difference", got.Difference)
			near(t, what+": p, turned round", turned.PValue, got.PValue, 1e-12)
			near(t, what+": difference, turned round", -turned.Difference.High, got.Difference.Low, 1e-12)
			if got.Uplift != nil {
				interval(t, what+": uplift", *got.Uplift)
			}
			if out := got.Difference.Low > 0 || got.Difference.High < 0; out != (got.PValue < anytimeError) {
				t.Errorf("%s: p %g, difference %v", what, got.PValue, got.Difference)
			}
		}
	}
	few := Amount{Visitors: 100, Values: 9, Sum: 9, Squares: 9}
	got := must[AnytimeDifference](t)(AnytimeValues(few, amountOf(100, 1, 0.1)))
	if got.PValue != 1 || got.Uplift != nil || got.Difference.Low != -math.MaxFloat64 {
		t.Errorf("of nine values: %v", got)
	}
	// The same rates, with n − 1 in place of n.
	const n, c, d = 1e6, 1e5, 1.02e5
	values := must[AnytimeDifference](t)(AnytimeValues(Amount{n, d, d, d, d * (1 - d/n)}, Amount{n, c, c, c, c * (1 - c/n)}))
	rates := must[AnytimeDifference](t)(AnytimeProportions(Count{n, d}, Count{n, c}))
	near(t, "values of 1", values.PValue/rates.PValue, 1, 1e-4)
	near(t, "uplift", values.Uplift.Low, rates.Uplift.Low, 1e-6)
}

// TestSampleRatioProperties permutes variants, and moves a visitor from the most to the least favoured one.
func TestSampleRatioProperties(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(23, 24))
	for round := range 100 {
		k := 2 + round%9
		visitors, weights := make([]int64, k), make([]float64, k)
		for i := range visitors {
			visitors[i], weights[i] = []int64{0, 1, 1000, 1010, 1e9}[random.IntN(5)], float64(1+random.IntN(3))
		}
		got := must[SampleRatio](t)(CheckSampleRatio(visitors, weights))
		share(t, fmt.Sprint(visitors, weights, " p"), got.PValue)
		share(t, fmt.Sprint(visitors, weights, " anytime p"), got.AnytimePValue)
		slices.Reverse(visitors)
		slices.Reverse(weights)
		turned := must[SampleRatio](t)(CheckSampleRatio(visitors, weights))
		near(t, fmt.Sprint(visitors, weights), turned.AnytimePValue, got.AnytimePValue, 1e-6)
	}
	last := 1.0
	for off := int64(0); off <= 5000; off += 50 {
		p := must[SampleRatio](t)(CheckSampleRatio([]int64{5000 + off, 5000 - off}, []float64{1, 1})).AnytimePValue
		if p > last {
			t.Errorf("%d off: p grows from %g to %g", off, last, p)
		}
		last = p
	}
}

// TestDirections turns rates round: lower is better for those who convert as higher is for those who do not.
func TestDirections(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(25, 26))
	for round := range 9 {
		counts := make([]Count, 2+round%9)
		turned := make([]Count, len(counts))
		amounts, negative := make([]Amount, len(counts)), make([]Amount, len(counts))
		for i := range counts {
			counts[i] = extremes[random.IntN(len(extremes))]
			turned[i] = Count{counts[i].Visitors, counts[i].Visitors - counts[i].Conversions}
			amounts[i] = amountOf(20+random.Int64N(1000), random.NormFloat64(), 0.01+random.Float64())
			negative[i] = amounts[i]
			negative[i].Sum = -negative[i].Sum
		}
		lower, higher := must[[]Rate](t)(Rates(counts, 0, LowerIsBetter)), mustRates(t, turned, 0)
		low, high := must[[]Value](t)(Values(amounts, 0, LowerIsBetter)), mustValues(t, negative, 0)
		for i := range counts {
			what := fmt.Sprint(counts, i)
			near(t, what+" best", lower[i].ProbabilityToBeBest, higher[i].ProbabilityToBeBest, 1e-10)
			near(t, what+" loss", lower[i].ExpectedLoss, higher[i].ExpectedLoss, 1e-10)
			// What the best one is expected to be is the same, seen from each variant.
			near(t, what+" loss by mean", lower[i].ExpectedLoss-lower[0].ExpectedLoss, lower[i].ConversionRate.Mean-lower[0].ConversionRate.Mean, 1e-10)
			near(t, fmt.Sprint(amounts, i, " loss by mean"), *low[i].ExpectedLoss-*low[0].ExpectedLoss, low[i].PerVisitor.Mean-low[0].PerVisitor.Mean, 1e-9)
			near(t, fmt.Sprint(amounts, i, " best"), low[i].ProbabilityToBeBest, high[i].ProbabilityToBeBest, 1e-12)
			if i > 0 {
				near(t, what+" beats", *lower[i].ProbabilityToBeatBaseline, *higher[i].ProbabilityToBeatBaseline, 1e-10)
			}
		}
	}
	certain := must[[]Value](t)(Values([]Amount{{100, 100, 100, 500, 0}, {100, 100, 100, 700, 0}, amountOf(100, 6, 1e-3)}, 0, HigherIsBetter))
	for i, want := range []float64{2, 0, 1} {
		near(t, "loss beside certain ones", *certain[i].ExpectedLoss, want, 1e-9)
	}
}

// TestLargeValues has values near 10⁷ that differ by 5, and the same without the 10⁷.
func TestLargeValues(t *testing.T) {
	t.Parallel()
	of := func(from float64) (amounts []Amount) {
		for variant := range 2 {
			var values, rest Moments
			for i := range 200 {
				value := from + 5*float64(variant) + float64(i*i%97)
				if i%2 == 0 {
					values.Add(value)
				} else {
					rest.Add(value)
				}
			}
			values.Merge(rest)
			amounts = append(amounts, AmountOf(200, 200, 200, 200*values.Mean, values))
		}
		return amounts
	}
	large, small := mustValues(t, of(1e7), 0), mustValues(t, of(1000), 0)
	near(t, "beats", *large[1].ProbabilityToBeatBaseline, *small[1].ProbabilityToBeatBaseline, 1e-9)
	near(t, "low", large[1].PerVisitor.Low-1e7, small[1].PerVisitor.Low-1000, 1e-8)
	if p := *large[1].ProbabilityToBeatBaseline; p < 0.9 || p > 0.99 {
		t.Errorf("beats with %g", p)
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(27, 28))
	var all JointMoments
	var parts [3]JointMoments
	for i := range 300 {
		x, y := random.NormFloat64(), random.ExpFloat64()
		all.Add(x, y)
		parts[i%2].Add(x, y)
	}
	for range 50 {
		all.Add(0, 0)
	}
	parts[0].AddZeros(50)
	parts[0].Merge(parts[1])
	parts[0].Merge(parts[2])
	for _, pair := range [][2]float64{{parts[0].X.Mean, all.X.Mean}, {parts[0].Y.Squares, all.Y.Squares}, {parts[0].Products, all.Products}} {
		near(t, "merged", pair[0], pair[1], 1e-12)
	}
}

func TestComparisonsProperties(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(29, 30))
	for n := range 30 {
		p := make([]float64, n)
		for i := range p {
			p[i] = []float64{0, 1, random.Float64(), random.Float64() / 1000}[random.IntN(4)]
		}
		holm, bh := Holm(p), BenjaminiHochberg(p)
		for i := range p {
			if !(p[i] <= bh[i] && bh[i] <= holm[i] && holm[i] <= 1) {
				t.Errorf("p %g, by Benjamini and Hochberg %g, by Holm %g", p[i], bh[i], holm[i])
			}
			for j := range p {
				if p[i] < p[j] && (holm[i] > holm[j] || bh[i] > bh[j]) {
					t.Errorf("the order of %g and %g changes", p[i], p[j])
				}
			}
		}
	}
}

// TestPriorSlowly compares with sums over small cells of both rates.
func TestPriorSlowly(t *testing.T) {
	t.Parallel()
	for _, counts := range [][2]Count{{{12, 5}, {10, 3}}, {{5, 0}, {7, 2}}, {{4, 4}, {6, 6}}, {{0, 0}, {3, 1}}, {{9, 2}, {0, 0}}} {
		const steps, tau = 500, 0.3
		all, higher, log := 0.0, 0.0, 0.0
		for i := range steps {
			p := (float64(i) + 0.5) / steps
			base := math.Pow(p, float64(counts[1].Conversions)) * math.Pow(1-p, float64(counts[1].Visitors-counts[1].Conversions))
			for j := range steps {
				shift := (float64(j)+0.5)/steps*12*tau - 6*tau
				if q := p * math.Exp(shift); q < 1 {
					weight := base * math.Exp(-shift*shift/tau/tau/2) * math.Pow(q, float64(counts[0].Conversions)) * math.Pow(1-q, float64(counts[0].Visitors-counts[0].Conversions))
					all, log = all+weight, log+weight*shift
					if shift > 0 {
						higher += weight
					}
				}
			}
		}
		got := must[PriorLift](t)(LiftWithPrior(counts[0], counts[1], tau))
		near(t, fmt.Sprint(counts, " higher"), got.Higher, higher/all, 4e-3)
		near(t, fmt.Sprint(counts, " log"), got.MeanLog, log/all, 4e-3)
		interval(t, fmt.Sprint(counts), got.Uplift)
	}
}

func TestPriorProperties(t *testing.T) {
	t.Parallel()
	some := []Count{{0, 0}, {1000, 0}, {1e9, 1e8}, {1e9, 1e9}}
	for _, base := range some {
		for _, variant := range some {
			what := fmt.Sprint(base, variant)
			got := must[PriorLift](t)(LiftWithPrior(variant, base, 0.1))
			share(t, what, got.Higher)
			interval(t, what, got.Uplift)
			if variant.Conversions < variant.Visitors {
				variant.Conversions++
				if more := must[PriorLift](t)(LiftWithPrior(variant, base, 0.1)); more.Higher < got.Higher-1e-9 || more.MeanLog < got.MeanLog-1e-9 {
					t.Errorf("%s, one more conversion: from %v to %v", what, got, more)
				}
			}
		}
	}
	// A prior of any lift says nothing, one of none says all.
	base, variant := Count{1e6, 1e5}, Count{1e6, 100_500}
	near(t, "any", must[PriorLift](t)(LiftWithPrior(variant, base, 10)).Higher, *mustRates(t, []Count{base, variant}, 0)[1].ProbabilityToBeatBaseline, 1e-3)
	near(t, "none", must[PriorLift](t)(LiftWithPrior(variant, base, 1e-9)).Higher, 0.5, 1e-6)
	for _, tau := range []float64{0, -1, 11, math.NaN()} {
		if got, err := LiftWithPrior(variant, base, tau); err == nil {
			t.Errorf("%g: %v", tau, got)
		}
	}
}

func TestPhasesProperties(t *testing.T) {
	t.Parallel()
	for _, base := range extremes {
		for _, variant := range extremes {
			what := fmt.Sprint(base, variant)
			got := must[Stratified](t)(StratifiedRates(Phase{base, variant, 1, 1}))
			share(t, what, got.Higher)
			if (got.Uplift != nil) != (base.Conversions > 0 && variant.Conversions > 0) {
				t.Errorf("%s: %v", what, got.Uplift)
			}
			if got.Uplift != nil {
				interval(t, what, *got.Uplift)
				near(t, what, math.Log1p(got.Uplift.Mean), math.Log(float64(variant.Conversions)/float64(variant.Visitors)/(float64(base.Conversions)/float64(base.Visitors))), 1e-7)
			}
		}
	}
	// Ten phases of a tenth are one.
	whole := ValuePhase{amountOf(10_000, 20, 0.1), amountOf(10_000, 20.4, 0.1)}
	part := ValuePhase{amountOf(1000, 20, 0.1*math.Sqrt(10)), amountOf(1000, 20.4, 0.1*math.Sqrt(10))}
	one, ten := must[Stratified](t)(StratifiedValues(whole)), must[Stratified](t)(StratifiedValues(slices.Repeat([]ValuePhase{part}, 10)...))
	near(t, "lift", one.Uplift.Mean, 0.02, 1e-12)
	near(t, "lift", ten.Uplift.Low, one.Uplift.Low, 1e-9)
	near(t, "higher", ten.Higher, one.Higher, 1e-9)
	if none := must[Stratified](t)(StratifiedValues()); none.Uplift != nil || none.Higher != 0.5 {
		t.Errorf("without a phase: %v", none)
	}
	if anytime := must[Anytime](t)(AnytimeValuesOverPhases(slices.Repeat([]ValuePhase{part}, 10)...)); math.Abs(anytime.Uplift.Mean-0.02) > 1e-12 ||
		anytime.Uplift.Low >= ten.Uplift.Low || anytime.Uplift.High <= ten.Uplift.High || anytime.PValue <= 1-ten.Higher {
		t.Errorf("at any time %v is narrower than at one: %v", anytime, ten)
	}
}

// What is said over phases agrees with what is said of a comparison, sums to 1, and does not see what is between phases alone.
func TestOverPhases(t *testing.T) {
	t.Parallel()
	for name, phases := range map[string][][]Count{
		"a ramp":         {{{9000, 540}, {1000, 60}, {1000, 60}}, {{1000, 100}, {3000, 300}, {3000, 315}}},
		"none in one":    {{{0, 0}, {1000, 60}, {0, 0}}, {{1000, 100}, {3000, 300}, {3000, 330}}},
		"one without":    {{{900, 50}, {100, 0}, {100, 5}}, {{100, 10}, {100, 0}, {100, 9}}},
		"nobody at all":  {{{0, 0}, {0, 0}, {0, 0}}, {{0, 0}, {0, 0}, {0, 0}}},
		"everybody does": {{{10, 10}, {20, 20}, {10, 10}}, {{10, 10}, {10, 10}, {10, 10}}},
	} {
		for _, better := range []Direction{HigherIsBetter, LowerIsBetter} {
			rates := must[[]Rate](t)(RatesOverPhases(phases, 0, better))
			sum := 0.0
			for i, rate := range rates {
				share(t, name, rate.ProbabilityToBeBest)
				sum += rate.ProbabilityToBeBest
				if !(rate.ExpectedLoss >= 0) || !(rate.ConversionRate.Low <= rate.ConversionRate.Mean && rate.ConversionRate.Mean <= rate.ConversionRate.High) {
					t.Errorf("%s: %+v", name, rate)
				}
				if i == 0 {
					continue
				}
				var pairs []Phase
				for _, phase := range phases {
					pairs = append(pairs, Phase{phase[0], phase[i], 1, 1})
				}
				s := must[Stratified](t)(StratifiedRates(pairs...))
				higher := *rate.ProbabilityToBeatBaseline
				if better == LowerIsBetter {
					higher = 1 - higher
				}
				if s.Uplift != nil && s.Deviation > 0 {
					near(t, name+": higher", higher, s.Higher, 1e-9)
					points := must[[]Point](t)(rate.Curve(2001))
					area := 0.0
					for n := range points[1:] {
						area += (points[n].Y + points[n+1].Y) / 2 * (points[n+1].X - points[n].X)
					}
					near(t, name+": area", area, 0.999, 1e-4)
				}
				within := must[float64](t)(s.WithinMargin(0, better))
				if better == HigherIsBetter {
					near(t, name+": within", within, s.Higher, 1e-12)
				} else {
					near(t, name+": within", within, 1-s.Higher, 1e-12)
				}
			}
			near(t, name+": sum", sum, 1, 1e-9)
		}
	}
	// The baseline's interval is that of all its visitors, however closely variants compare with it.
	for _, phases := range [][][]Count{
		{{{9000, 540}, {1000, 60}}, {{1000, 100}, {3000, 300}}},
		{{{100, 5}, {100_000, 5000}}, {{100, 95}, {100_000, 95_000}}},
		{{{100, 1}, {10_000, 100}, {100, 1}}, {{1000, 990}, {1000, 990}, {1000, 990}}},
	} {
		rates := must[[]Rate](t)(RatesOverPhases(phases, 0, HigherIsBetter))
		n, c := float64(phases[0][0].Visitors+phases[1][0].Visitors), float64(phases[0][0].Conversions+phases[1][0].Conversions)
		reach := -probit(lowEnd) * math.Sqrt(1/c-1/n)
		near(t, "baseline", rates[0].ConversionRate.Mean, c/n, 1e-12)
		near(t, "baseline, low", rates[0].ConversionRate.Low, c/n*math.Exp(-reach), 1e-12)
		near(t, "baseline, high", rates[0].ConversionRate.High, min(1, c/n*math.Exp(reach)), 1e-12)
		points := must[[]Point](t)(rates[0].Curve(3))
		if width := points[2].X / points[0].X; width < math.Exp(2*reach) {
			t.Errorf("%v: the curve is %v wide, and its interval %v", phases, width, math.Exp(2*reach))
		}
	}
	early, late := []Amount{amountOf(9000, 10, 0.3), amountOf(1000, 10, 0.9)}, []Amount{amountOf(1000, 20, 0.9), amountOf(3000, 20, 0.5)}
	values := must[[]Value](t)(ValuesOverPhases([][]Amount{early, late}, 0, HigherIsBetter))
	near(t, "value", values[1].Uplift.Mean, 0, 1e-12)
	near(t, "value", *values[1].ProbabilityToBeatBaseline, 0.5, 1e-9)
	near(t, "value", values[0].ProbabilityToBeBest+values[1].ProbabilityToBeBest, 1, 1e-9)
	near(t, "value", values[1].PerVisitor.Mean, values[0].PerVisitor.Mean, 1e-9)
	few := must[[]Value](t)(ValuesOverPhases([][]Amount{early, {late[0], {Visitors: 5}}, early[:2]}, 0, HigherIsBetter))
	if few[1].ExpectedLoss == nil {
		t.Errorf("a phase of few: %+v", few[1])
	}
	unknown := must[[]Value](t)(ValuesOverPhases([][]Amount{{early[0], {Visitors: 5}}, {late[0], {Visitors: 5}}}, 0, HigherIsBetter))
	if unknown[1].Uplift != nil || unknown[0].ExpectedLoss != nil {
		t.Errorf("phases of few: %+v", unknown)
	}
	// A phase in which the variant has few values is passed over where it has few visitors, and not where they bought nothing.
	full := ValuePhase{amountOf(1000, 10, 0.3), amountOf(1000, 10, 0.3)}
	for name, test := range map[string]struct {
		phase ValuePhase
		known bool
	}{
		"as few as chance may leave":     {ValuePhase{amountOf(1000, 10, 0.3), Amount{Visitors: 19}}, true},
		"fewer than chance leaves":       {ValuePhase{amountOf(1000, 10, 0.3), Amount{Visitors: 20}}, false},
		"a baseline that bought nothing": {ValuePhase{Amount{Visitors: 20}, amountOf(1000, 10, 0.3)}, false},
		"a baseline of few":              {ValuePhase{Amount{Visitors: 19}, amountOf(1000, 10, 0.3)}, true},
		"nothing bought by anybody":      {ValuePhase{Amount{Visitors: 1000}, Amount{Visitors: 1000}}, true},
		"nobody in one":                  {ValuePhase{amountOf(1000, 10, 0.3), Amount{}}, true},
	} {
		if s := must[Stratified](t)(StratifiedValues(full, test.phase)); (s.Uplift != nil) != test.known {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, bad := range [][][]Count{nil, {{{1, 0}, {1, 0}}, {{1, 0}}}, {{{1, 2}, {1, 0}}}} {
		if _, err := RatesOverPhases(bad, 0, HigherIsBetter); err == nil {
			t.Errorf("no error for %v", bad)
		}
	}
}

func TestPlannerProperties(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{1e-9, 0.02, 0.5, 0.999} {
		for _, effect := range []float64{1e-6, 0.0009, 0.01, -0.5} {
			if rate*(1+effect) > 1 {
				continue
			}
			n := must[float64](t)(DefaultPlan.VisitorsForRate(rate, effect))
			if !(n > 0) || math.IsInf(n, 1) {
				t.Errorf("%g, %g: %g visitors", rate, effect, n)
			}
			if effect > 0 && rate*(1+effect) < 1 {
				back, ok, err := DefaultPlan.EffectForRate(rate, n)
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				near(t, "effect", back/effect, 1, 1e-9)
			}
		}
	}
	if effect, ok, err := DefaultPlan.EffectForRate(0.5, 2); ok || err != nil {
		t.Errorf("two visitors find %g, %v", effect, err)
	}
	if days, ok := Days(100, 2, 0); ok {
		t.Errorf("%g days without visitors", days)
	}
	for _, plan := range []Plan{{}, {0.05, 0.05}, {1, 1}, {0.05, math.NaN()}} {
		if n, err := plan.VisitorsForRate(0.1, 0.1); err == nil {
			t.Errorf("%v: %g", plan, n)
		}
	}
	for _, pair := range [][2]float64{{0, 0.1}, {1, 0.1}, {0.5, 0}, {0.5, 1.1}, {0.5, -1}, {0.5, math.NaN()}, {math.NaN(), 0.1}} {
		if n, err := DefaultPlan.VisitorsForRate(pair[0], pair[1]); err == nil {
			t.Errorf("%v: %g", pair, n)
		}
	}
	for _, triple := range [][3]float64{{0, 1, 0.1}, {1, 0, 0.1}, {1, 1, 0}, {1, math.Inf(1), 0.1}} {
		if n, err := DefaultPlan.VisitorsForValue(triple[0], triple[1], triple[2]); err == nil {
			t.Errorf("%v: %g", triple, n)
		}
	}
}

func TestQuantilesProperties(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(31, 32))
	for n := 1; n < 200; n += 7 {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(random.IntN(n)) - 3
		}
		sorted := slices.Sorted(slices.Values(values))
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99} {
			got := must[Quantile](t)(QuantileOf(slices.Clone(values), q))
			place := float64(n-1) * q
			low := int(place)
			want := sorted[low]
			if low+1 < n {
				want += (place - float64(low)) * (sorted[low+1] - want)
			}
			near(t, fmt.Sprint(n, q), got.Value, want, 1e-12)
			if got.Coverage < 0.95 || got.Coverage > 1 || got.Low > got.High {
				t.Errorf("%d, %g: %v", n, q, got)
			}
			winsor := must[Winsor](t)(WinsorOf(slices.Clone(values), q))
			capped := 0
			for _, value := range values {
				if value > winsor.Cap {
					capped++
				}
			}
			if capped != winsor.Capped || float64(capped) > (1-q)*float64(n)+1 {
				t.Errorf("%d, %g: %v, but %d are above", n, q, winsor, capped)
			}
		}
	}
	if w := must[Winsor](t)(WinsorOf([]float64{0, -1}, 0.9)); w.Capped != 0 || w.Of(5) != 5 || w.Of(-1) != -1 {
		t.Errorf("without a value above 0: %v", w)
	}
	for _, q := range []float64{0, 1, math.NaN()} {
		if w, err := WinsorOf(nil, q); err == nil {
			t.Errorf("%g: %v", q, w)
		}
		if got, err := QuantileOf([]float64{1}, q); err == nil {
			t.Errorf("%g: %v", q, got)
		}
	}
	if got, err := QuantileOf(nil, 0.5); err == nil {
		t.Errorf("of nothing: %v", got)
	}
}

// TestDensities integrates curves by trapezoids.
func TestDensities(t *testing.T) {
	t.Parallel()
	area := func(points []Point) (sum float64) {
		for i := 1; i < len(points); i++ {
			sum += (points[i].X - points[i-1].X) * (points[i].Y + points[i-1].Y) / 2
		}
		return sum
	}
	for _, count := range extremes {
		near(t, fmt.Sprint(count), area(must[[]Point](t)(RateDensity(count, 2001))), 1-2*tail, 1e-3)
	}
	near(t, "values", area(must[[]Point](t)(ValueDensity(amountOf(1000, 1e7, 3), 401))), 1-2*tail, 1e-4)
	for _, amount := range []Amount{{}, {Visitors: 100}, {100, 100, 100, 500, 0}} {
		if points, err := ValueDensity(amount, 10); points != nil || err != nil {
			t.Errorf("%v: %v, %v", amount, points, err)
		}
	}
	if points, err := RateDensity(Count{10, 1}, 1); err == nil {
		t.Errorf("one point: %v", points)
	}
}

func TestGuardrails(t *testing.T) {
	t.Parallel()
	base, variant := Count{1000, 100}, Count{1000, 110}
	beat := *mustRates(t, []Count{base, variant}, 0)[1].ProbabilityToBeatBaseline
	near(t, "without a margin", must[float64](t)(Guardrail(variant, base, 0, HigherIsBetter)), beat, 1e-12)
	near(t, "without a margin, lower", must[float64](t)(Guardrail(variant, base, 0, LowerIsBetter)), 1-beat, 1e-12)
	x, y := amountOf(100, 10, 0.3), amountOf(100, 10.2, 0.4)
	last := 0.0
	for _, margin := range []float64{0, 0.01, 0.1, 0.9} {
		ok := must[float64](t)(ValueGuardrail(y, x, margin, LowerIsBetter))
		if ok <= last {
			t.Errorf("margin %g: %g", margin, ok)
		}
		last = ok
	}
	near(t, "values", must[float64](t)(ValueGuardrail(y, x, 0.02, LowerIsBetter)), 0.5, 1e-12)
	near(t, "values, higher", must[float64](t)(ValueGuardrail(x, y, 0.2/10.2, HigherIsBetter)), 0.5, 1e-12)
	for _, margin := range []float64{-0.1, 1, math.NaN()} {
		if p, err := Guardrail(variant, base, margin, HigherIsBetter); err == nil {
			t.Errorf("margin %g: %g", margin, p)
		}
	}
}

func TestInteractions(t *testing.T) {
	t.Parallel()
	for _, a := range extremes {
		for _, b := range extremes {
			got := must[Interaction](t)(Interact(a, a, b, b))
			share(t, fmt.Sprint(a, b), got.PValue)
			near(t, fmt.Sprint(a, b), got.LogOdds, 0, 1e-9)
			one, other := must[Interaction](t)(Interact(a, b, a, a)), must[Interaction](t)(Interact(a, a, a, b))
			near(t, fmt.Sprint(a, b), one.Z, -other.Z, 1e-9)
		}
	}
}

// TestRatios has orders of visitors, of which each may have several: the ratio of constant ones is certain, and one order each makes it a value.
func TestRatios(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(33, 34))
	var same, single, none JointMoments
	var values Moments
	for range 100 {
		orders, value := float64(1+random.IntN(3)), random.ExpFloat64()
		same.Add(orders, 7*orders)
		single.Add(1, value)
		none.Add(0, 0)
		values.Add(value)
	}
	amount := AmountOf(100, 100, 100, 100*values.Mean, values)
	got := must[[]Value](t)(Ratios([]Amount{amount, amount, amount}, []JointMoments{single, same, none}, 0, HigherIsBetter))
	near(t, "of one order each", got[0].PerVisitor.Low, mustValues(t, []Amount{amount}, 0)[0].PerVisitor.Low, 1e-12)
	near(t, "of equal orders", got[1].PerVisitor.High-got[1].PerVisitor.Low, 0, 1e-6)
	near(t, "uplift", got[1].Uplift.Mean, 7/values.Mean-1, 1e-12)
	if got[2].Uplift != nil || got[2].PerVisitor.High != math.MaxFloat64 {
		t.Errorf("without orders: %v", got[2])
	}
	if _, err := Ratios([]Amount{amount}, nil, 0, HigherIsBetter); err == nil {
		t.Error("ratios of no pairs")
	}
	if _, _, err := Adjust([]Amount{amount}, nil); err == nil {
		t.Error("an adjustment by no pairs")
	}
	if _, _, err := Adjust([]Amount{amount}, []JointMoments{{}}); err == nil {
		t.Error("an adjustment by pairs of others")
	}
}

// A variant that got a few more of the visitors than its weight says, which is no mismatch yet, has more conversions at the same or a
// lower rate, and does not win by that.
func TestSplitThatIsOff(t *testing.T) {
	t.Parallel()
	rules := Rules{MinVisitors: DefaultMinVisitors, MinDuration: DefaultMinDuration}
	for _, counts := range [][]Count{
		{{1500, 1425}, {1715, 1614}}, {{1500, 1425}, {1715, 1619}}, {{1520, 1444}, {1710, 1624}}, {{9000, 6300}, {9560, 6692}},
	} {
		check, err := CheckSampleRatios(Split{Visitors: []int64{counts[0].Visitors, counts[1].Visitors}, Weights: []float64{1, 1}})
		if err != nil || check.Mismatch {
			t.Fatalf("%v: %+v, %v", counts, check, err)
		}
		anytime := must[Anytime](t)(AnytimeRates(Phase{counts[0], counts[1], 1, 1}))
		if anytime.PValue > tolerableError {
			t.Fatalf("%v: p = %v says nothing", counts, anytime.PValue)
		}
		figures := RateFigures(mustRates(t, counts, 0))
		Monitor(figures, 0, HigherIsBetter, []Anytime{{}, anytime})
		if got, _ := rules.Decide(figures, 0, HigherIsBetter, check, 8*24*time.Hour); got == Winner {
			t.Errorf("%v: %s", counts, got)
		}
	}
}

// TestDecideByDirectionAndValue has the tests that a decision by the rate alone, or by higher alone, gets wrong.
func TestDecideByDirectionAndValue(t *testing.T) {
	t.Parallel()
	v := mustVectors(t)
	rules := Rules{MinVisitors: DefaultMinVisitors, MinDuration: DefaultMinDuration}
	both := func(what string, figures []Figure, better Direction, anytime []Anytime, want Decision) {
		t.Helper()
		if got, _ := rules.Decide(figures, 0, better, SampleRatio{}, 8*24*time.Hour); got != want {
			t.Errorf("%s, at the end: %s, want %s", what, got, want)
		}
		Monitor(figures, 0, better, anytime)
		AdjustVariants(figures, 0)
		if got, _ := rules.Decide(figures, 0, better, SampleRatio{}, 8*24*time.Hour); got != want {
			t.Errorf("%s, at any time: %s, want %s", what, got, want)
		}
	}
	unsubscribed := countsOf(v.LowerIsBetter.Decision.Counts)
	anytime := must[Anytime](t)(AnytimeRates(Phase{unsubscribed[0], unsubscribed[1], 1, 1}))
	both("unsubscribe", RateFigures(must[[]Rate](t)(Rates(unsubscribed, 0, LowerIsBetter))), LowerIsBetter, []Anytime{{}, anytime}, v.LowerIsBetter.Decision.Decision)
	both("unsubscribe, the wrong way round", RateFigures(mustRates(t, unsubscribed, 0)), HigherIsBetter, []Anytime{{}, anytime}, Winner)

	price := v.ValueLoss.Decision
	var counts []Count
	var amounts []Amount
	for i, a := range price.Amounts {
		counts = append(counts, Count{int64(a[0]), price.Conversions[i]})
		amounts = append(amounts, squared(int64(a[0]), a[1], a[2]))
	}
	anytime = must[Anytime](t)(AnytimeRates(Phase{counts[0], counts[1], 1, 1}))
	both("a price, by rate", RateFigures(mustRates(t, counts, 0)), HigherIsBetter, []Anytime{{}, anytime}, price.ByConversions)
	value := must[AnytimeDifference](t)(AnytimeValues(amounts[1], amounts[0]))
	both("a price, by value", ValueFigures(mustValues(t, amounts, 0)), HigherIsBetter, []Anytime{{}, value.Anytime}, price.ByValue)

	// Over phases the ramp from 10 % to 50 % shows no lift, and ten metrics of which one is at 0.04 no winner.
	strata := make([][]Count, 2)
	for i, stratum := range v.Phases.Strata {
		strata[i] = []Count{countOf(stratum[0]), countOf(stratum[1])}
	}
	ramp := RateFigures(must[[]Rate](t)(RatesOverPhases(strata, 0, HigherIsBetter)))
	if got, _ := rules.Decide(ramp, 0, HigherIsBetter, SampleRatio{}, 8*24*time.Hour); got != Collecting {
		t.Errorf("a ramp: %s", got)
	}
	metrics := make([][]Figure, 10)
	for i := range metrics {
		metrics[i] = []Figure{{Visitors: 1000, Mean: 0.1, ExpectedLoss: 0.01, PValue: 1, AdjustedPValue: 1}, {Visitors: 1000, Mean: 0.12, Better: true, PValue: 0.3}}
	}
	metrics[3][1].PValue = 0.04
	AdjustMetrics(metrics, 0)
	if got, _ := rules.Decide(metrics[3], 0, HigherIsBetter, SampleRatio{}, 8*24*time.Hour); got != Collecting || metrics[3][1].AdjustedPValue != 0.3 {
		t.Errorf("one of ten metrics: %s, adjusted %g", got, metrics[3][1].AdjustedPValue)
	}
}

// Of many results, those that look better and those that look worse are adjusted each by themselves.
func TestAdjustMetricsBySides(t *testing.T) {
	t.Parallel()
	metrics := make([][]Figure, 10)
	for i := range metrics {
		metrics[i] = []Figure{{PValue: 1, AdjustedPValue: 1}, {PValue: 1e-9}}
	}
	metrics[4][1] = Figure{Better: true, PValue: 0.04}
	AdjustMetrics(metrics, 0)
	if got := metrics[4][1].AdjustedPValue; got != 0.4 {
		t.Errorf("one of ten is better, nine surely worse: %g, want 0.4", got)
	}
	near(t, "a worse one", metrics[0][1].AdjustedPValue, 1e-9*10/9, 1e-18)
}

func BenchmarkLiftWithPrior(b *testing.B) {
	for b.Loop() {
		must[PriorLift](b)(LiftWithPrior(Count{1e6, 1.01e5}, Count{1e6, 1e5}, 0.1))
	}
}
