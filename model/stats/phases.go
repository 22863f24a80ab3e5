package stats

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Stratified is what phases come to together, each compared within itself. Pooled counts mix what changes from phase to phase with the shares of
// traffic, and may show a lift where no phase has one (Simpson 1951; Crook et al. 2009, Seven pitfalls to avoid when running controlled
// experiments on the web, KDD).
type Stratified struct {
	// Uplift is relative, with an interval of 95 %. It is nil where no phase allows for a comparison.
	Uplift *Estimate
	// Higher is the probability that the variant is higher than the baseline, by the normal distribution; 0.5 where nothing is known.
	Higher float64
}

// StratifiedRates returns the ratio of rates over phases by Mantel and Haenszel: Σ c₁n₀/N / Σ c₀n₁/N (Mantel and Haenszel 1959, Statistical
// aspects of the analysis of data from retrospective studies of disease, JNCI 22), with the variance of its logarithm by Greenland and Robins
// (1985, Estimation of a common effect parameter from sparse follow-up data, Biometrics 41). It needs conversions of both
// variants. It fails on counts and weights that cannot be.
func StratifiedRates(phases ...Phase) (Stratified, error) {
	above, below, spread := 0.0, 0.0, 0.0
	for i, phase := range phases {
		if err := phase.check(); err != nil {
			return Stratified{}, fmt.Errorf("phase %d: %w", i, err)
		}
		n0, n1 := float64(phase.Baseline.Visitors), float64(phase.Variant.Visitors)
		c0, c1 := float64(phase.Baseline.Conversions), float64(phase.Variant.Conversions)
		n := n0 + n1
		if n0 == 0 || n1 == 0 {
			continue // nobody to compare with
		}
		above, below = above+c1*(n0/n), below+c0*(n1/n)
		// (n₁n₀(c₀ + c₁) − c₀c₁N) / N², without a difference that loses digits
		spread += c1*(n1/n)*((n0-c0)/n) + c0*(n0/n)*((n1-c1)/n)
	}
	if above == 0 || below == 0 {
		return Stratified{Higher: 0.5}, nil
	}
	return stratified(math.Log(above/below), math.Sqrt(max(0, spread)/above/below)), nil
}

// stratified makes an answer of the logarithm of a ratio and its standard error.
func stratified(log, deviation float64) Stratified {
	reach := -probit(lowEnd) * deviation
	s := Stratified{Uplift: &Estimate{math.Expm1(log), math.Expm1(log - reach), math.Expm1(log + reach)}, Higher: 0.5}
	switch {
	case deviation > 0:
		s.Higher = normal(log / deviation)
	case log != 0:
		s.Higher = math.Max(0, math.Copysign(1, log))
	}
	return s
}

// ValuePhase is Phase for values.
type ValuePhase struct{ Baseline, Variant Amount }

// StratifiedValues returns the ratio of mean values per visitor over phases, by the mean of its logarithms, each weighted by the inverse of its
// variance, which is s²/(n mean²) of either variant by the delta method (Cochran 1954, The combination of estimates from different
// experiments, Biometrics 10). Phases in which a mean is not above 0, or with fewer than MinValues values of a variant, are passed over. It
// fails on amounts that cannot be.
func StratifiedValues(phases ...ValuePhase) (Stratified, error) {
	sum, weights := 0.0, 0.0
	for i, phase := range phases {
		if err := errors.Join(phase.Baseline.check(), phase.Variant.check()); err != nil {
			return Stratified{}, fmt.Errorf("phase %d: %w", i, err)
		}
		if phase.Baseline.isUnknown() || phase.Variant.isUnknown() {
			continue
		}
		base, x := phase.Baseline.sample(), phase.Variant.sample()
		variance := base.variance/base.n/base.mean/base.mean + x.variance/x.n/x.mean/x.mean
		if !(base.mean > 0) || !(x.mean > 0) || !(variance > 0) {
			continue
		}
		sum, weights = sum+math.Log(x.mean/base.mean)/variance, weights+1/variance
	}
	if weights == 0 {
		return Stratified{Higher: 0.5}, nil
	}
	return stratified(sum/weights, 1/math.Sqrt(weights)), nil
}

// Split is how many visitors each variant got while the weights were the same.
type Split struct {
	Visitors []int64
	Weights  []float64
}

// CheckSampleRatios is CheckSampleRatio over phases: the sum of their χ² has as many degrees of freedom as theirs together, and their evidence is
// multiplied. It fails where a phase's check does.
func CheckSampleRatios(phases ...Split) (SampleRatio, error) {
	chi2, freedom, log := 0.0, 0.0, 0.0
	for i, phase := range phases {
		c, f, e, err := splitFigures(phase.Visitors, phase.Weights)
		if err != nil {
			if len(phases) > 1 {
				err = fmt.Errorf("phase %d: %w", i, err)
			}
			return SampleRatio{}, err
		}
		chi2, freedom, log = chi2+c, freedom+f, log+e
	}
	ratio := SampleRatio{PValue: 1, AnytimePValue: pValue(log)}
	if freedom > 0 {
		ratio.PValue = distuv.ChiSquared{K: freedom}.Survival(chi2)
	}
	ratio.Mismatch = ratio.AnytimePValue < mismatchBelow
	return ratio, nil
}
