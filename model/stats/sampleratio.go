package stats

import (
	"fmt"
	"math"
)

// MismatchBelow is the p-value, for any number of looks, below which a split does not fit.
const MismatchBelow = 0.001

// SampleRatio says whether the split of visitors fits the variants' weights. If not,
// something is broken, for example by failing redirects, bots or lost messages, and the
// variants cannot be compared.
type SampleRatio struct {
	// PValue is the probability of a split at least this uneven if visitors are
	// assigned by the weights, and looked at once.
	PValue float64
	// AnytimePValue is valid however often one looks: if visitors are assigned by the
	// weights, it ever falls to p with a probability of p at most.
	AnytimePValue float64
	// Mismatch tells that AnytimePValue is below 0.001.
	Mismatch bool
}

// CheckSampleRatio compares visitors per variant with weights, of which only the ratios count. PValue is that of Pearson's chi-squared test: Σ
// (n_i − e_i)² / e_i has a chi-squared distribution with k − 1 degrees of freedom (Pearson 1900; for experiments: Fabijan et al. 2019,
// Diagnosing sample ratio mismatch in online controlled experiments). AnytimePValue is 1 / E at most 1, where E is how many times more
// probable the split is if its shares have a Dirichlet distribution of concentration 600 around the weights (Lindon and Malek 2022,
// Anytime-valid inference for multinomial count data, NeurIPS 35). It needs no number of visitors to be valid: what a few of them show it
// takes for chance. It fails on visitors below 0 and on weights that are not positive numbers, one for each variant.
func CheckSampleRatio(visitors []int64, weights []float64) (SampleRatio, error) {
	return CheckSampleRatios(Split{visitors, weights})
}

// splitFigures returns χ², its degrees of freedom and the logarithm of the evidence against the weights.
func splitFigures(visitors []int64, weights []float64) (chi2, freedom, log float64, err error) {
	if len(weights) != len(visitors) {
		return 0, 0, 0, fmt.Errorf("there are %d weights for %d variants", len(weights), len(visitors))
	}
	total, highest := 0.0, 0.0
	for i, weight := range weights {
		if !(weight > 0) || math.IsInf(weight, 1) {
			return 0, 0, 0, fmt.Errorf("variant %d: the weight is %g; it must be a positive number", i, weight)
		}
		if visitors[i] < 0 {
			return 0, 0, 0, fmt.Errorf("variant %d: there cannot be %d visitors", i, visitors[i])
		}
		total += float64(visitors[i])
		highest = max(highest, weight)
	}
	if len(visitors) < 2 || total == 0 {
		return 0, 0, 0, nil
	}
	weightSum := 0.0
	for _, weight := range weights {
		weightSum += weight / highest
	}
	counts, shares := make([]float64, len(visitors)), make([]float64, len(visitors))
	for i, weight := range weights {
		counts[i], shares[i] = float64(visitors[i]), weight/highest/weightSum
		expected := total * shares[i]
		if off := counts[i] - expected; off != 0 {
			chi2 += off / expected * off
		}
	}
	return chi2, float64(len(visitors) - 1), evidence(counts, shares, shares, visitorConcentration), nil
}
