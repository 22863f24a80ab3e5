package stats

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// vectors are those of experiments.json, each of which a test below compares with.
type vectors struct {
	AnytimeConversions struct {
		Rows []struct {
			Weights       [2]float64
			Conversions   [2]int64
			K, LogE, E, P float64
			Lift          [3]float64
		}
	} `json:"anytime_conversions"`
	AnytimeSampleRatio struct {
		Rows []struct {
			Visitors   []int64
			Weights    []float64
			K, LogE, P float64
		}
	} `json:"anytime_srm"`
	Sequence struct {
		Rows []struct {
			Counts             [2][2]int64
			NStar              float64
			Absolute, Relative [3]float64
		}
	} `json:"asymptotic_confidence_sequence"`
	Planner struct {
		Rates []struct {
			Base, MDE, Alpha, Power, PerVariant, Exact, VisitorsPerDay, Days float64
		}
		MDE []struct {
			Base, PerVariant, Alpha, Power, MDE float64
		}
		Values []struct {
			Mean, SD, MDE, Alpha, Power, PerVariant float64
		}
	}
	CUPED struct {
		Before, During                           [][]float64
		Theta                                    float64
		Means, Variances, RawMeans, RawVariances []float64
	}
	Winsorization struct {
		Values        [][]float64
		Quantile, Cap float64
		Totals, Raw   []float64
		Capped        int
	}
	RatioMetric struct {
		Numerator, Denominator []float64
		Ratio, Variance        float64
	} `json:"ratio_metric"`
	Comparisons struct {
		P, BH, Holm []float64
	} `json:"multiple_comparisons"`
	LiftPrior struct {
		Rows []struct {
			Counts                 [2][2]int64
			Tau, Beat, MeanLogLift float64
		}
		Tolerance float64
	} `json:"lift_prior"`
	Guardrail struct {
		Rows []struct {
			Counts     [2][2]int64
			Margin, OK float64
			Direction  Direction
		}
	}
	LowerIsBetter struct {
		Counts     [][2]int64
		Best, Loss []float64
		Beat       []*float64
		Decision   struct {
			Counts   [][2]int64
			Decision Decision
			Beat     float64
		}
	} `json:"lower_is_better"`
	ValueLoss struct {
		Rows []struct {
			Amounts      [][3]float64
			ExpectedLoss []float64
		}
		Decision struct {
			Amounts                [][3]float64
			Conversions            []int64
			ByConversions, ByValue Decision
		}
	} `json:"value_expected_loss"`
	Phases struct {
		Strata                         [][2][2]int64
		MantelHaenszelLift, PooledLift float64
		PooledBeat                     float64
		SRMPerStratum                  []float64
		Weights                        [][]float64
	}
	Interaction struct {
		Cells                    map[string][2]int64
		LogOddsInteraction, Z, P float64
	}
	QuantileMetric struct {
		N                int
		Q                float64
		Values           []float64
		Median, Coverage float64
		Ranks            [2]int
		Interval         [2]float64
	} `json:"quantile_metric"`
	Density struct {
		Counts [2]int64
		Points [][3]float64
	}
	BayesFactor struct {
		Threshold20, Threshold3 map[string]map[string]float64
	} `json:"bayes_factor_is_not_a_bound"`
}

func mustVectors(t testing.TB) *vectors {
	t.Helper()
	v := new(vectors)
	load(t, "experiments.json", v)
	return v
}

func countOf(c [2]int64) Count { return Count{c[0], c[1]} }

func countsOf(pairs [][2]int64) []Count {
	var counts []Count
	for _, pair := range pairs {
		counts = append(counts, countOf(pair))
	}
	return counts
}

// exact is how far figures of vectors may be off.
const exact = 1e-9

func triple(t testing.TB, what string, got Estimate, want [3]float64) {
	t.Helper()
	near(t, what, got.Mean, want[0], exact)
	near(t, what+", low", got.Low, want[1], exact)
	near(t, what+", high", got.High, want[2], exact)
}

// must returns what a call returned without an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestAnytimeVectors(t *testing.T) {
	t.Parallel()
	v := mustVectors(t)
	for _, row := range v.AnytimeConversions.Rows {
		if row.K != conversionConcentration {
			t.Fatalf("the concentration is %g", row.K)
		}
		got := must[Anytime](t)(AnytimeRates(Phase{
			Baseline: Count{1e6, row.Conversions[0]}, Variant: Count{1e6, row.Conversions[1]}, BaselineWeight: row.Weights[0], VariantWeight: row.Weights[1],
		}))
		near(t, "evidence", 1/got.PValue, row.E, exact)
		near(t, "p", got.PValue, row.P, exact)
		triple(t, "lift", *got.Uplift, row.Lift)
	}
	for _, row := range v.AnytimeSampleRatio.Rows {
		if row.K != visitorConcentration {
			t.Fatalf("the concentration is %g", row.K)
		}
		got := must[SampleRatio](t)(CheckSampleRatio(row.Visitors, row.Weights))
		near(t, "p", got.AnytimePValue/row.P, 1, exact)
		if got.Mismatch != (row.P < 0.001) {
			t.Errorf("%v: mismatch %t", row, got.Mismatch)
		}
	}
	for _, row := range v.Sequence.Rows {
		if row.NStar != sequenceVisitors {
			t.Fatalf("the sequence is tightest at %g", row.NStar)
		}
		got := must[AnytimeDifference](t)(AnytimeProportions(countOf(row.Counts[1]), countOf(row.Counts[0])))
		triple(t, "difference", got.Difference, row.Absolute)
		triple(t, "lift", *got.Uplift, row.Relative)
	}
}

func TestPlannerVectors(t *testing.T) {
	t.Parallel()
	v := mustVectors(t)
	for _, row := range v.Planner.Rates {
		plan := Plan{row.Alpha, row.Power}
		got := must[float64](t)(plan.VisitorsForRate(row.Base, row.MDE))
		near(t, "visitors", got, row.Exact, exact)
		if math.Ceil(got) != row.PerVariant {
			t.Errorf("%g visitors, want %g", math.Ceil(got), row.PerVariant)
		}
		near(t, "power", must[float64](t)(plan.PowerForRate(row.Base, row.MDE, got)), row.Power, exact)
		if days, ok := Days(got, 2, row.VisitorsPerDay); !ok || days != row.Days {
			t.Errorf("%g days, want %g", days, row.Days)
		}
	}
	for _, row := range v.Planner.MDE {
		got, ok, err := Plan{row.Alpha, row.Power}.EffectForRate(row.Base, row.PerVariant)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		near(t, "effect", got, row.MDE, exact)
	}
	for _, row := range v.Planner.Values {
		plan := Plan{row.Alpha, row.Power}
		got := must[float64](t)(plan.VisitorsForValue(row.Mean, row.SD, row.MDE))
		if math.Ceil(got) != row.PerVariant {
			t.Errorf("%g visitors, want %g", math.Ceil(got), row.PerVariant)
		}
		near(t, "effect", must[float64](t)(plan.EffectForValue(row.Mean, row.SD, got)), row.MDE, exact)
	}
}

func TestValueVectors(t *testing.T) {
	t.Parallel()
	v := mustVectors(t)
	var pairs []JointMoments
	var amounts []Amount
	for i, before := range v.CUPED.Before {
		var joint JointMoments
		for n, x := range before {
			joint.Add(x, v.CUPED.During[i][n])
		}
		near(t, "raw mean", joint.Y.Mean, v.CUPED.RawMeans[i], exact)
		near(t, "raw variance", joint.Y.Variance(), v.CUPED.RawVariances[i], exact)
		n := int64(len(before))
		pairs, amounts = append(pairs, joint), append(amounts, AmountOf(n, n, n, joint.Y.Mean*float64(n), joint.Y))
	}
	cuped, adjusted, err := Adjust(amounts, pairs)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "theta", cuped.Theta, v.CUPED.Theta, exact)
	for i, amount := range adjusted {
		got := amount.sample()
		near(t, "adjusted mean", got.mean, v.CUPED.Means[i], exact)
		near(t, "adjusted variance", got.variance, v.CUPED.Variances[i], exact)
	}
	raw, left := 0.0, 0.0
	for i := range v.CUPED.Variances { // of equally many visitors
		raw, left = raw+v.CUPED.RawVariances[i], left+v.CUPED.Variances[i]
	}
	near(t, "variance reduction", cuped.VarianceReduction, 1-left/raw, exact)

	winsor := must[Winsor](t)(WinsorOf(slices.Concat(v.Winsorization.Values...), v.Winsorization.Quantile))
	near(t, "cap", winsor.Cap, v.Winsorization.Cap, exact)
	if winsor.Capped != v.Winsorization.Capped {
		t.Errorf("%d capped", winsor.Capped)
	}
	for i, values := range v.Winsorization.Values {
		total := 0.0
		for _, value := range values {
			total += winsor.Of(value)
		}
		near(t, "total", total, v.Winsorization.Totals[i], exact)
	}

	var joint JointMoments
	for i, x := range v.RatioMetric.Denominator {
		joint.Add(x, v.RatioMetric.Numerator[i])
	}
	ratio, ok := RatioOf(joint)
	if !ok {
		t.Fatal("no ratio")
	}
	near(t, "ratio", ratio.Ratio, v.RatioMetric.Ratio, exact)
	near(t, "its variance", ratio.Variance, v.RatioMetric.Variance, exact)

	for _, row := range v.ValueLoss.Rows {
		var amounts []Amount
		for _, a := range row.Amounts {
			amounts = append(amounts, squared(int64(a[0]), a[1], a[2]))
		}
		for i, value := range mustValues(t, amounts, 0) {
			near(t, "expected loss", *value.ExpectedLoss, row.ExpectedLoss[i], exact)
		}
	}

	q := must[Quantile](t)(QuantileOf(slices.Clone(v.QuantileMetric.Values), v.QuantileMetric.Q))
	near(t, "median", q.Value, v.QuantileMetric.Median, exact)
	near(t, "coverage", q.Coverage, v.QuantileMetric.Coverage, exact)
	if low, high, _ := quantileRanks(v.QuantileMetric.N, v.QuantileMetric.Q); [2]int{low, high} != v.QuantileMetric.Ranks {
		t.Errorf("ranks %d and %d", low, high)
	}
	if got := [2]float64{q.Low, q.High}; got != v.QuantileMetric.Interval {
		t.Errorf("interval %v", got)
	}
}

func TestRateVectors(t *testing.T) {
	t.Parallel()
	v := mustVectors(t)
	for i, p := range Holm(v.Comparisons.P) {
		near(t, "Holm", p, v.Comparisons.Holm[i], exact)
	}
	for i, p := range BenjaminiHochberg(v.Comparisons.P) {
		near(t, "Benjamini and Hochberg", p, v.Comparisons.BH[i], exact)
	}
	for _, row := range v.LiftPrior.Rows {
		got := must[PriorLift](t)(LiftWithPrior(countOf(row.Counts[1]), countOf(row.Counts[0]), row.Tau))
		near(t, "beats with a prior", got.Higher, row.Beat, v.LiftPrior.Tolerance)
		near(t, "lift with a prior", got.MeanLog, row.MeanLogLift, v.LiftPrior.Tolerance)
	}
	for _, row := range v.Guardrail.Rows {
		got := must[float64](t)(Guardrail(countOf(row.Counts[1]), countOf(row.Counts[0]), row.Margin, row.Direction))
		near(t, "guardrail", got, row.OK, exact)
	}
	for i, rate := range must[[]Rate](t)(Rates(countsOf(v.LowerIsBetter.Counts), 0, LowerIsBetter)) {
		near(t, "lowest", rate.ProbabilityToBeBest, v.LowerIsBetter.Best[i], exact)
		near(t, "loss", rate.ExpectedLoss, v.LowerIsBetter.Loss[i], exact)
		if want := v.LowerIsBetter.Beat[i]; want != nil {
			near(t, "lower", *rate.ProbabilityToBeatBaseline, *want, exact)
		}
	}
	lower := must[[]Rate](t)(Rates(countsOf(v.LowerIsBetter.Decision.Counts), 0, LowerIsBetter))
	near(t, "lower", *lower[1].ProbabilityToBeatBaseline, v.LowerIsBetter.Decision.Beat, exact)

	var phases []Phase
	var splits []Split
	var pooled [2]Count
	for i, stratum := range v.Phases.Strata {
		phases = append(phases, Phase{countOf(stratum[0]), countOf(stratum[1]), v.Phases.Weights[i][0], v.Phases.Weights[i][1]})
		splits = append(splits, Split{[]int64{stratum[0][0], stratum[1][0]}, v.Phases.Weights[i]})
		near(t, "sample ratio", must[SampleRatio](t)(CheckSampleRatios(splits[i])).PValue, v.Phases.SRMPerStratum[i], exact)
		for j, count := range stratum {
			pooled[j].Visitors, pooled[j].Conversions = pooled[j].Visitors+count[0], pooled[j].Conversions+count[1]
		}
	}
	stratified := must[Stratified](t)(StratifiedRates(phases...))
	near(t, "lift over phases", stratified.Uplift.Mean, v.Phases.MantelHaenszelLift, exact)
	near(t, "higher over phases", stratified.Higher, 0.5, exact)
	near(t, "lift of pooled counts", float64(pooled[1].Conversions*pooled[0].Visitors)/float64(pooled[1].Visitors*pooled[0].Conversions)-1, v.Phases.PooledLift, exact)
	near(t, "higher by pooled counts", *mustRates(t, pooled[:], 0)[1].ProbabilityToBeatBaseline, v.Phases.PooledBeat, exact)
	if anytime := must[Anytime](t)(AnytimeRates(phases...)); anytime.PValue != 1 || math.Abs(anytime.Uplift.Mean) > exact {
		t.Errorf("over phases, at any time: %v", anytime)
	}
	if ratio := must[SampleRatio](t)(CheckSampleRatios(splits...)); ratio.PValue != 1 || ratio.AnytimePValue != 1 {
		t.Errorf("the sample ratio over phases: %v", ratio)
	}

	cells := v.Interaction.Cells
	interaction := must[Interaction](t)(Interact(countOf(cells["aa"]), countOf(cells["ba"]), countOf(cells["ab"]), countOf(cells["bb"])))
	near(t, "interaction", interaction.LogOdds, v.Interaction.LogOddsInteraction, exact)
	near(t, "its z", interaction.Z, v.Interaction.Z, exact)
	near(t, "its p", interaction.PValue/v.Interaction.P, 1, exact)

	count := countOf(v.Density.Counts)
	posteriors, _ := logRates([]Count{count})
	g := newGrid(posteriors, widestInLogs)
	for _, point := range v.Density.Points {
		near(t, "density", count.density(point[0]), point[1], exact)
		near(t, "distribution", g.cdf(0, math.Log(point[0])), point[2], exact)
	}
}

// TestBayesFactorIsNoBound computes how probable it is that the factor of equal rates ever exceeds a number, with a look after each pair of
// visitors: a distribution over counts, of which those that exceeded it are taken out.
func TestBayesFactorIsNoBound(t *testing.T) {
	t.Parallel()
	v := mustVectors(t)
	exceeds := func(p, above float64, pairs int) float64 {
		exceeded, negligible := 0.0, 1e-13
		left := map[[2]int64]float64{{}: 1}
		for n := int64(1); n <= int64(pairs); n++ {
			next := map[[2]int64]float64{}
			for c, chance := range left {
				next[c] += chance * (1 - p) * (1 - p)
				next[[2]int64{c[0] + 1, c[1]}] += chance * p * (1 - p)
				next[[2]int64{c[0], c[1] + 1}] += chance * p * (1 - p)
				next[[2]int64{c[0] + 1, c[1] + 1}] += chance * p * p
			}
			for c, chance := range next {
				if chance < negligible {
					delete(next, c)
				} else if BayesFactor(Count{n, c[0]}, Count{n, c[1]}) > above {
					exceeded += chance
					delete(next, c)
				}
			}
			left = next
		}
		return exceeded
	}
	near(t, "at 50 %", exceeds(0.5, 20, 100), v.BayesFactor.Threshold20["p=.5"]["100"], exact)
	near(t, "at 50 %, 3", exceeds(0.5, 3, 100), v.BayesFactor.Threshold3["p=.5"]["100"], exact)
	if v.BayesFactor.Threshold20["p=.5"]["100"] < 0.04 || v.BayesFactor.Threshold20["p=.5"]["800"] < 1./20 {
		t.Error(fmt.Sprint("the factor is a bound after all: ", v.BayesFactor.Threshold20))
	}
}
