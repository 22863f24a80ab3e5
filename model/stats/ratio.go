package stats

import (
	"fmt"
	"math"
)

// Ratio is a ratio of two sums over visitors, such as revenue per order or orders per session, of which a visitor may have several.
type Ratio struct {
	// Ratio is the sum of the numerators by that of the denominators.
	Ratio float64
	// Variance is that of the ratio as an estimate.
	Variance float64
}

// RatioOf returns the ratio of the sums of pairs of numerators y and denominators x, a pair a visitor, by the delta method:
//
//	(s_y² − 2R s_xy + R² s_x²) / (n x̄²)
//
// (Deng, Knoblich and Lu 2018, Applying the delta method in metric analytics, KDD). Visitors are independent, what they do need not be.
// It is false without two pairs, and unless the mean of the denominators is above 0.
func RatioOf(pairs JointMoments) (r Ratio, ok bool) {
	if pairs.X.N < 2 || !(pairs.X.Mean > 0) {
		return Ratio{}, false
	}
	r.Ratio = pairs.Y.Mean / pairs.X.Mean
	spread := pairs.Y.Variance() - r.Ratio*(2*pairs.covariance()-r.Ratio*pairs.X.Variance())
	r.Variance = max(0, spread) / float64(pairs.X.N) / pairs.X.Mean / pairs.X.Mean
	return r, true
}

// Ratios is Values for ratios of sums: PerVisitor is the ratio, its posterior Student's t with n − 1 degrees of freedom around it, and Uplift
// holds its relative difference, the interval by Fieller (1954). The amounts hold visitors, and how many of them have a numerator. Without a
// denominator above 0 a variant's ratio is unknown.
func Ratios(amounts []Amount, pairs []JointMoments, baseline int, better Direction) ([]Value, error) {
	if len(pairs) != len(amounts) {
		return nil, fmt.Errorf("there are pairs for %d of %d variants", len(pairs), len(amounts))
	}
	means := make([]mean, len(pairs))
	for i, p := range pairs {
		if !p.X.isFinite() || !p.Y.isFinite() {
			return nil, fmt.Errorf("variant %d: the values are too large to add up", i)
		}
		if r, ok := RatioOf(p); ok {
			means[i] = mean{student{location: r.Ratio, width: math.Sqrt(r.Variance), freedom: float64(p.X.N - 1)}}
		}
	}
	return valuesOf(amounts, means, baseline, better)
}
