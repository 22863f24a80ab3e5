package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// When the sample ratio check reports a mismatch.
const (
	mismatchBelow = 0.001
	// Below these counts the chi-squared distribution is a poor approximation, so the
	// check reports no mismatch (Cochran 1954, Some methods for strengthening the
	// common χ² tests).
	minVisitors = 100
	minExpected = 5
)

// SampleRatio says whether the split of visitors fits the variants' weights. If not,
// something is broken, for example by failing redirects, bots or lost messages, and the
// variants cannot be compared.
type SampleRatio struct {
	// PValue is the probability of a split at least this uneven if visitors are
	// assigned by the weights.
	PValue float64
	// Mismatch tells that PValue is below 0.001. It is false below 100 visitors in
	// total, or if a variant expects fewer than 5.
	Mismatch bool
}

// CheckSampleRatio compares visitors per variant with weights, of which only the ratios count, by Pearson's chi-squared test: Σ (n_i −
// e_i)² / e_i has a chi-squared distribution with k − 1 degrees of freedom (Pearson 1900; for experiments: Fabijan et al. 2019, Diagnosing
// sample ratio mismatch in online controlled experiments). It fails on visitors below 0 and on weights that are not positive numbers, one
// for each variant.
func CheckSampleRatio(visitors []int64, weights []float64) (SampleRatio, error) {
	if len(weights) != len(visitors) {
		return SampleRatio{}, fmt.Errorf("there are %d weights for %d variants", len(weights), len(visitors))
	}
	total, highest := 0.0, 0.0
	for i, weight := range weights {
		if !(weight > 0) || math.IsInf(weight, 1) {
			return SampleRatio{}, fmt.Errorf("variant %d: the weight is %g; it must be a positive number", i, weight)
		}
		if visitors[i] < 0 {
			return SampleRatio{}, fmt.Errorf("variant %d: there cannot be %d visitors", i, visitors[i])
		}
		total += float64(visitors[i])
		highest = max(highest, weight)
	}
	if len(visitors) < 2 || total == 0 {
		return SampleRatio{PValue: 1}, nil
	}
	weightSum := 0.0
	for _, weight := range weights {
		weightSum += weight / highest
	}
	chi2, least := 0.0, math.Inf(1)
	for i, weight := range weights {
		expected := total * (weight / highest / weightSum)
		least = min(least, expected)
		off := float64(visitors[i]) - expected
		if off != 0 {
			chi2 += off / expected * off
		}
	}
	p := distuv.ChiSquared{K: float64(len(visitors) - 1)}.Survival(chi2)
	return SampleRatio{PValue: p, Mismatch: p < mismatchBelow && total >= minVisitors && least >= minExpected}, nil
}
