package stats

import (
	"errors"
	"fmt"
	"math"
)

// Conversions and visitors are compared with weights by a mixture of all other splits, a Dirichlet distribution around the weights. Its
// concentration says which splits it is best at telling: the higher, the smaller the effects and the more conversions. 400 is best at
// lifts of about 15 %, 600 at shares that are off by about 8 %.
const (
	conversionConcentration = 400
	visitorConcentration    = 600
)

// anytimeError is how probable it is at most that a confidence sequence ever leaves out the truth.
const anytimeError = 0.05

// Anytime is what may be said of a variant beside the baseline whenever one likes to look, and by whatever rule one stops.
type Anytime struct {
	// PValue is that of no difference. Were there none, it would ever fall to p with a probability of p at most, over the whole life of the
	// experiment.
	PValue float64
	// Higher tells on which side of the baseline the variant looks to be.
	Higher bool
	// Uplift is the relative difference, 0.1 for 10 % more than the baseline, with its confidence sequence: the probability that the intervals of
	// all looks cover the truth is 0.95 at least. An end of ±math.MaxFloat64 is unknown. It is nil where the baseline has nothing to be
	// relative to.
	Uplift *Estimate
}

// Phase is what two variants came to while the weights of traffic were the same. An experiment whose weights never changed has one.
type Phase struct {
	Baseline, Variant             Count
	BaselineWeight, VariantWeight float64
}

// check returns an error for counts and weights that cannot be.
func (p Phase) check() error {
	for _, weight := range []float64{p.BaselineWeight, p.VariantWeight} {
		if !(weight > 0) || math.IsInf(weight, 1) {
			return fmt.Errorf("the weight is %g; it must be a positive number", weight)
		}
	}
	for _, count := range []Count{p.Baseline, p.Variant} {
		if err := count.check(); err != nil {
			return err
		}
	}
	return nil
}

// logOdds are those of a conversion to be the variant's, if rates are equal.
func (p Phase) logOdds() float64 { return math.Log(p.VariantWeight) - math.Log(p.BaselineWeight) }

// AnytimeRates compares the conversions of a variant with those of the baseline. If rates are equal, each next conversion is the variant's with a
// probability of w₁ / (w₀ + w₁), whoever visits when; rates may change from hour to hour. The evidence against that is
//
//	E = B(ρK + c₁, (1−ρ)K + c₀) / B(ρK, (1−ρ)K) / (ρ^c₁ (1−ρ)^c₀),  ρ = w₁ / (w₀ + w₁), K = 400
//
// and the p-value min(1, 1/E), of the counts as they are. The confidence sequence holds the lifts θ/(1−θ) · w₀/w₁ − 1 of those θ against
// which the evidence, with θ in the place of ρ in the last factor, is below 20 (Lindon and Malek 2022, Anytime-valid inference for
// multinomial count data, NeurIPS 35). The evidence of several phases is multiplied. It asks nothing of how large counts are.
//
// It looks at conversions alone, as if visitors were not counted. This loses little where few convert; where the half of all convert it
// needs twice the visitors. It fails on counts and weights that cannot be, and without a phase.
func AnytimeRates(phases ...Phase) (Anytime, error) {
	if len(phases) == 0 {
		return Anytime{}, errors.New("there is no phase to compare variants in")
	}
	baseline, variant := 0.0, 0.0
	for i, phase := range phases {
		if err := phase.check(); err != nil {
			return Anytime{}, fmt.Errorf("phase %d: %w", i, err)
		}
		baseline, variant = baseline+float64(phase.Baseline.Conversions), variant+float64(phase.Variant.Conversions)
	}
	// against returns the logarithm of the evidence against a lift, by the logarithm of 1 + lift.
	against := func(shift float64) float64 {
		sum := 0.0
		for _, phase := range phases {
			odds := phase.logOdds()
			sum += evidence(
				[]float64{float64(phase.Variant.Conversions), float64(phase.Baseline.Conversions)},
				[]float64{logistic(odds), logistic(-odds)}, []float64{logistic(odds + shift), logistic(-odds - shift)},
				conversionConcentration)
		}
		return sum
	}
	result := Anytime{PValue: pValue(against(0)), Higher: variant > 0}
	if baseline == 0 {
		return result, nil
	}
	uplift := Estimate{Mean: -1, Low: -1, High: math.MaxFloat64}
	// The evidence is convex in the logarithm, and least at the lift that fits best. Beyond this all counts speak against a lift.
	const far = 300
	least := -1.0 * far
	if variant > 0 {
		least = bestShift(phases)
		uplift.Mean = math.Expm1(least)
	}
	limit := -math.Log(anytimeError)
	beyond := func(shift float64) float64 { return against(shift) - limit }
	switch {
	case beyond(least) >= 0: // phases contradict each other
		uplift.Low, uplift.High = uplift.Mean, uplift.Mean
	default:
		if variant > 0 && beyond(-far) > 0 {
			uplift.Low = math.Expm1(solve(beyond, -far, least, 1e-2))
		}
		if beyond(far) > 0 {
			uplift.High = math.Expm1(solve(beyond, least, far, 1e-2))
		}
	}
	result.Higher, result.Uplift = uplift.Mean > 0, &uplift
	return result, nil
}

// bestShift returns the logarithm of the ratio of rates that fits best: at which as many conversions are the variant's as there are.
func bestShift(phases []Phase) float64 {
	over := func(shift float64) float64 {
		sum := 0.0
		for _, phase := range phases {
			// c₁ − cθ, of which neither loses digits.
			odds := phase.logOdds() + shift
			sum += float64(phase.Variant.Conversions)*logistic(-odds) - float64(phase.Baseline.Conversions)*logistic(odds)
		}
		return sum
	}
	if len(phases) == 1 {
		return math.Log(float64(phases[0].Variant.Conversions)) - math.Log(float64(phases[0].Baseline.Conversions)) - phases[0].logOdds()
	}
	return solve(over, -300, 300, 1e-2)
}

// logistic returns 1 / (1 + e^−x).
func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// evidence returns the logarithm of how many times more probable counts are if their shares have a Dirichlet distribution around some shares, of a
// concentration, than by the null's shares: B(A) / B(a) / Π θ_i^c_i with a_i = concentration · shares_i and A = a + c.
func evidence(counts, shares, null []float64, concentration float64) float64 {
	// Logarithms of Beta functions are as large as n log n. They are taken apart as in BayesFactor: Σ A_i log(A_i / Nθ_i) is a sum of deviances.
	n := concentration
	for _, count := range counts {
		n += count
	}
	// log Γ(x) is x log x − x + rest(x).
	rest := func(x float64) float64 { return stirling(x) - math.Log(x) }
	log := rest(concentration) - rest(n)
	for i, count := range counts {
		before := concentration * shares[i]
		after := before + count
		log += deviance(after, n*null[i]) - deviance(before, concentration*null[i]) + rest(after) - rest(before)
	}
	return log
}

// pValue is that of evidence, which is given as its logarithm.
func pValue(evidence float64) float64 { return min(1, math.Exp(-evidence)) }
