package stats

import (
	"errors"
	"math"
)

// sequenceVisitors is the number of visitors of both variants together at which the asymptotic confidence sequence is the tightest. It is
// GrowthBook's default.
const sequenceVisitors = 5000

// AnytimeDifference is Anytime for means, with the absolute difference.
type AnytimeDifference struct {
	Anytime
	// Difference is the variant's mean less the baseline's, with its confidence sequence.
	Difference Estimate
}

// sample is a mean of n independent numbers with a variance.
type sample struct{ mean, variance, n float64 }

// AnytimeValues compares the mean value per visitor of a variant with the baseline's, by the asymptotic confidence sequence: after N visitors of
// both, with the variance σ²/N of the difference,
//
//	± σ/N √(2 (Nρ² + 1)/ρ² · log(√(Nρ² + 1)/α)),  ρ² = (−2 log α + log(−2 log α + 1)) / 5000
//
// (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2021, Time-uniform central limit theory and asymptotic confidence sequences, Annals
// of Statistics 52 (2024); the relative one by the delta method, as in GrowthBook). The p-value is the α at which the sequence of the
// difference, with the ρ of α = 0.05, would end at 0.
//
// It holds in the limit of many visitors. How many, the spread of values says: with few of them, or some that are far larger than the others,
// it covers less. It fails on amounts that cannot be. Of fewer than MinValues values in a variant it says that all is unknown.
func AnytimeValues(variant, baseline Amount) (AnytimeDifference, error) {
	for _, amount := range []Amount{variant, baseline} {
		if err := amount.check(); err != nil {
			return AnytimeDifference{}, err
		}
	}
	if variant.isUnknown() || baseline.isUnknown() {
		return unknownDifference(variant.Mean() - baseline.Mean()), nil
	}
	return sequence(variant.sample(), baseline.sample()), nil
}

// AnytimeProportions is AnytimeValues for rates, with the variance p (1 − p). AnytimeRates is exact and should decide; this one has the
// difference in percentage points, and is there to be compared with other tools. It fails on counts that cannot be, and without visitors says
// that all is unknown.
func AnytimeProportions(variant, baseline Count) (AnytimeDifference, error) {
	if err := errors.Join(variant.check(), baseline.check()); err != nil {
		return AnytimeDifference{}, err
	}
	if variant.Visitors == 0 || baseline.Visitors == 0 {
		return unknownDifference(0), nil
	}
	return sequence(variant.sample(), baseline.sample()), nil
}

func (c Count) sample() sample {
	n := float64(c.Visitors)
	p := float64(c.Conversions) / n
	return sample{p, p * (1 - p), n}
}

func unknownDifference(difference float64) AnytimeDifference {
	return AnytimeDifference{Anytime{PValue: 1, Higher: difference > 0}, Estimate{difference, -math.MaxFloat64, math.MaxFloat64}}
}

// sequence compares two means.
func sequence(x, base sample) AnytimeDifference {
	n := x.n + base.n
	difference, variance := x.mean-base.mean, x.variance/x.n+base.variance/base.n
	d := AnytimeDifference{Difference: around(difference, sequenceReach(variance, n))}
	d.PValue, d.Higher = sequencePValue(difference, variance, n), difference > 0
	if base.mean > 0 {
		ratio := x.mean / base.mean
		relative := around(ratio-1, sequenceReach((x.variance/x.n+ratio*ratio*base.variance/base.n)/base.mean/base.mean, n))
		d.Uplift = &relative
	}
	return d
}

// around returns an estimate with an interval of equal reach on both sides.
func around(mean, reach float64) Estimate {
	return Estimate{mean, max(mean-reach, -math.MaxFloat64), min(mean+reach, math.MaxFloat64)}
}

// sequenceRho is the ρ² that makes the sequence tightest at sequenceVisitors (Waudby-Smith et al. 2021).
func sequenceRho() float64 {
	l := -2 * math.Log(anytimeError)
	return (l + math.Log1p(l)) / sequenceVisitors
}

// sequenceReach is how far the sequence reaches from the mean of n observations, where variance is that of the mean.
func sequenceReach(variance, n float64) float64 {
	r := n * sequenceRho()
	return math.Sqrt(variance * 2 * (r + 1) / r * (math.Log1p(r)/2 - math.Log(anytimeError)))
}

func sequencePValue(difference, variance, n float64) float64 {
	r := n * sequenceRho()
	switch {
	case difference == 0:
		return 1
	case variance == 0:
		return 0
	}
	return pValue(difference/variance*difference/2*(r/(r+1)) - math.Log1p(r)/2)
}
