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
	// Log is the logarithm of the ratio to the baseline, and Deviation its standard error, of so many visitors.
	Log, Deviation float64
	Visitors       int64
}

// WithinMargin is Guardrail over phases: the probability that the variant is not worse by more than a margin; 0.5 where nothing is known.
func (s Stratified) WithinMargin(margin float64, better Direction) (float64, error) {
	if err := checkMargin(margin); err != nil {
		return 0, err
	}
	off := better.sign() * (s.Log - math.Log1p(-better.sign()*margin))
	switch {
	case s.Uplift == nil:
		return 0.5, nil
	case s.Deviation > 0:
		return normal(off / s.Deviation), nil
	case off == 0:
		return 0.5, nil
	}
	return max(0, math.Copysign(1, off)), nil
}

// StratifiedRates returns the ratio of rates over phases by Mantel and Haenszel: Σ c₁n₀/N / Σ c₀n₁/N (Mantel and Haenszel 1959, Statistical
// aspects of the analysis of data from retrospective studies of disease, JNCI 22), with the variance of its logarithm by Greenland and Robins
// (1985, Estimation of a common effect parameter from sparse follow-up data, Biometrics 41). It needs conversions of both
// variants. It fails on counts and weights that cannot be.
func StratifiedRates(phases ...Phase) (Stratified, error) {
	above, below, spread, visitors := 0.0, 0.0, 0.0, int64(0)
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
		visitors += phase.Baseline.Visitors + phase.Variant.Visitors
		above, below = above+c1*(n0/n), below+c0*(n1/n)
		// (n₁n₀(c₀ + c₁) − c₀c₁N) / N², without a difference that loses digits
		spread += c1*(n1/n)*((n0-c0)/n) + c0*(n0/n)*((n1-c1)/n)
	}
	if above == 0 || below == 0 {
		return Stratified{Higher: 0.5}, nil
	}
	return stratified(math.Log(above/below), math.Sqrt(max(0, spread)/above/below), visitors), nil
}

// stratified makes an answer of the logarithm of a ratio and its standard error.
func stratified(log, deviation float64, visitors int64) Stratified {
	reach := -probit(lowEnd) * deviation
	s := Stratified{
		Uplift: &Estimate{math.Expm1(log), math.Expm1(log - reach), math.Expm1(log + reach)}, Higher: 0.5,
		Log: log, Deviation: deviation, Visitors: visitors,
	}
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
// experiments, Biometrics 10). Phases in which a mean is not above 0, or a variant has fewer than MinValues values, are
// passed over. Where that follows from what the variant's visitors did, as so many like the other's would have had twice
// as many values, the ratio is unknown. It fails on amounts that cannot be.
func StratifiedValues(phases ...ValuePhase) (Stratified, error) {
	sum, weights, visitors := 0.0, 0.0, int64(0)
	for i, phase := range phases {
		if err := errors.Join(phase.Baseline.check(), phase.Variant.check()); err != nil {
			return Stratified{}, fmt.Errorf("phase %d: %w", i, err)
		}
		base, x := phase.Baseline.sample(), phase.Variant.sample()
		baseIsUsed := !phase.Baseline.isUnknown() && base.mean > 0
		isUsed := !phase.Variant.isUnknown() && x.mean > 0
		if baseIsUsed && !isUsed && phase.Variant.lacks(phase.Baseline) || isUsed && !baseIsUsed && phase.Baseline.lacks(phase.Variant) {
			return Stratified{Higher: 0.5}, nil // to pass the phase over would be to choose phases by what came of them
		}
		variance := base.variance/base.n/base.mean/base.mean + x.variance/x.n/x.mean/x.mean
		if !baseIsUsed || !isUsed || !(variance > 0) {
			continue
		}
		sum, weights = sum+math.Log(x.mean/base.mean)/variance, weights+1/variance
		visitors += phase.Baseline.Visitors + phase.Variant.Visitors
	}
	if weights == 0 {
		return Stratified{Higher: 0.5}, nil
	}
	return stratified(sum/weights, 1/math.Sqrt(weights), visitors), nil
}

// lacks tells whether an amount that is not used has fewer values than so many visitors would have had if they were like
// another amount's: chance leaves less than half of 2 MinValues once in 200 times.
func (a Amount) lacks(other Amount) bool {
	return float64(other.Values)*float64(a.Visitors) >= 2*MinValues*float64(other.Visitors)
}

// AnytimeValuesOverPhases is AnytimeValues over phases: the confidence sequence is that of the logarithm of the ratio of means, of
// StratifiedValues. It fails on amounts that cannot be.
func AnytimeValuesOverPhases(phases ...ValuePhase) (Anytime, error) {
	s, err := StratifiedValues(phases...)
	if err != nil || s.Uplift == nil {
		return Anytime{PValue: 1}, err
	}
	n, variance := float64(s.Visitors), s.Deviation*s.Deviation
	reach := sequenceReach(variance, n)
	uplift := Estimate{s.Uplift.Mean, math.Expm1(s.Log - reach), min(math.Expm1(s.Log+reach), math.MaxFloat64)}
	return Anytime{PValue: sequencePValue(s.Log, variance, n), Higher: s.Log > 0, Uplift: &uplift}, nil
}

// RatesOverPhases is Rates for the counts of several phases, by phase and variant. Variants are compared within phases alone: a variant's
// ConversionRate is the baseline's times their ratio over phases (StratifiedRates), which is the rate that it would have if its
// visitors had come when the baseline's did, and all that is said of several variants follows from these. The logarithm of a rate is
// normal, and Mean the median. A variant whose ratio is unknown is taken as if there were no phases, and has no uplift. Counts are those of all phases
// together; they allow for no Bayes factor. It fails on counts that cannot be, or without a baseline.
func RatesOverPhases(phases [][]Count, baseline int, better Direction) ([]Rate, error) {
	all, err := pooled(phases, func(sum *Count, c Count) {
		sum.Visitors, sum.Conversions = sum.Visitors+c.Visitors, sum.Conversions+c.Conversions
	})
	if err != nil {
		return nil, err
	}
	rates, err := Rates(all, baseline, better)
	if err != nil {
		return nil, err
	}
	compared, err := comparedOverPhases(phases, baseline, func(base, variant Count) Phase { return Phase{base, variant, 1, 1} }, StratifiedRates)
	if err != nil {
		return nil, err
	}
	posteriors, err := logRates(all)
	if err != nil {
		return nil, err
	}
	base := all[baseline]
	spread := 1/float64(base.Conversions) - 1/float64(base.Visitors)
	adjusted := adjustLogs(compared, baseline, math.Log(float64(base.Conversions)/float64(base.Visitors)), spread)
	for i, d := range adjusted {
		if d != nil {
			posteriors[i] = d
		}
	}
	g := newGrid(posteriors, widestInLogs).better(better)
	best, losses := g.best(math.Inf(-1)), losses(g)
	for i := range rates {
		r := &rates[i]
		r.ProbabilityToBeBest, r.ExpectedLoss = best[i], losses[i]
		if adjusted[i] != nil {
			if r.adjusted = adjusted[i]; i == baseline { // of its variance, a part may be the variants' where they are compared
				r.adjusted = &logNormal{adjusted[i].location, math.Sqrt(spread)}
			}
			r.ConversionRate = r.adjusted.estimate()
			r.ConversionRate.High = min(r.ConversionRate.High, 1)
		}
		if i != baseline {
			above := g.above(i, baseline)
			r.BayesFactor, r.Uplift, r.ProbabilityToBeatBaseline = nil, compared[i].Uplift, &above
		}
	}
	return rates, nil
}

// ValuesOverPhases is Values for the amounts of several phases, as RatesOverPhases is Rates. Where the ratio of any variant is
// unknown, it is Values of all phases together without uplifts and losses.
func ValuesOverPhases(phases [][]Amount, baseline int, better Direction) ([]Value, error) {
	all, err := pooled(phases, func(sum *Amount, a Amount) { *sum = sum.merged(a) })
	if err != nil {
		return nil, err
	}
	values, err := Values(all, baseline, better)
	if err != nil {
		return nil, err
	}
	compared, err := comparedOverPhases(phases, baseline, func(base, variant Amount) ValuePhase { return ValuePhase{base, variant} }, StratifiedValues)
	if err != nil {
		return nil, err
	}
	base := all[baseline].sample()
	adjusted := adjustLogs(compared, baseline, math.Log(base.mean), base.variance/base.n/base.mean/base.mean)
	posteriors := make([]posterior, len(values))
	for i, d := range adjusted {
		if d == nil { // some ratio is unknown
			for i := range values {
				values[i].Uplift, values[i].ExpectedLoss = nil, nil
			}
			return values, nil
		}
		posteriors[i] = d
	}
	g := newGrid(posteriors, widestInLogs).better(better)
	best, losses := g.best(math.Inf(-1)), losses(g)
	for i := range values {
		v := &values[i]
		v.ProbabilityToBeBest, v.ExpectedLoss = best[i], &losses[i]
		if i != baseline {
			above := g.above(i, baseline)
			v.Uplift, v.ProbabilityToBeatBaseline, v.PerVisitor = compared[i].Uplift, &above, adjusted[i].estimate()
		}
	}
	return values, nil
}

// pooled adds up phases for each variant.
func pooled[T any](phases [][]T, add func(sum *T, one T)) ([]T, error) {
	if len(phases) == 0 {
		return nil, errors.New("there is no phase to compare variants in")
	}
	all := make([]T, len(phases[0]))
	for n, phase := range phases {
		if len(phase) != len(all) {
			return nil, fmt.Errorf("phase %d has %d variants, and the first one %d", n, len(phase), len(all))
		}
		for i, one := range phase {
			add(&all[i], one)
		}
	}
	return all, nil
}

// comparedOverPhases compares each variant with the baseline, whose own comparison is empty.
func comparedOverPhases[T, P any](phases [][]T, baseline int, pair func(base, variant T) P, stratify func(...P) (Stratified, error)) ([]Stratified, error) {
	compared := make([]Stratified, len(phases[0]))
	for i := range compared {
		if i == baseline {
			continue
		}
		pairs := make([]P, len(phases))
		for n, phase := range phases {
			pairs[n] = pair(phase[baseline], phase[i])
		}
		var err error
		if compared[i], err = stratify(pairs...); err != nil {
			return nil, err
		}
	}
	return compared, nil
}

// adjustLogs returns the posteriors of the logarithms of figures whose ratios to the baseline's are known, nil for the others. The baseline's
// figure is at a logarithm with a variance. The variance of a ratio is that of both figures: what is not the baseline's is the variant's, so that
// two figures compare as their ratio says.
func adjustLogs(compared []Stratified, baseline int, log, variance float64) []*logNormal {
	adjusted, known := make([]*logNormal, len(compared)), false
	for i, s := range compared {
		if i != baseline && s.Uplift != nil && s.Deviation > 0 {
			variance, known = min(variance, s.Deviation*s.Deviation/2), true
		}
	}
	if !known || !(variance > 0) || math.IsInf(log, 0) || math.IsNaN(log) {
		return adjusted
	}
	for i, s := range compared {
		switch {
		case i == baseline:
			adjusted[i] = &logNormal{log, math.Sqrt(variance)}
		case s.Uplift != nil && s.Deviation > 0:
			adjusted[i] = &logNormal{log + s.Log, math.Sqrt(s.Deviation*s.Deviation - variance)}
		}
	}
	return adjusted
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
	ratio.Mismatch = ratio.AnytimePValue < MismatchBelow
	return ratio, nil
}
