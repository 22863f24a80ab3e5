package stats

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// Quantile is a quantile of values, such as the median time to a conversion.
type Quantile struct {
	// Value is of type 7 of Hyndman and Fan (1996).
	Value float64
	// Low and High are values that were seen. Where there are too few values for an end, it is ∓math.MaxFloat64.
	Low, High float64
	// Coverage is the probability that Low and High have the quantile between them, 0.95 at least.
	Coverage float64
}

// QuantileOf returns a quantile, q in (0, 1), of independent values, with the interval between two of them whose ranks leave out at most 0.025 of
// the binomial distribution on each side (Conover 1999, Practical Nonparametric Statistics, 3rd ed., section 3.2). It asks nothing of the
// distribution of values. It takes time in proportion to their number, and changes their order. It fails without values.
func QuantileOf(values []float64, q float64) (Quantile, error) {
	if !(q > 0 && q < 1) {
		return Quantile{}, fmt.Errorf("the quantile is %g; it must lie between 0 and 1", q)
	}
	if len(values) == 0 {
		return Quantile{}, fmt.Errorf("there is no quantile of no values")
	}
	low, high, coverage := quantileRanks(len(values), q)
	quantile := Quantile{Value: quantileOf(values, q), Low: -math.MaxFloat64, High: math.MaxFloat64, Coverage: coverage}
	if low > 0 {
		quantile.Low = selected(values, low-1)
	}
	if high <= len(values) {
		quantile.High = selected(values, high-1)
	}
	return quantile, nil
}

// quantileRanks returns the ranks, from 1 on, of the values between which a quantile lies: the highest r with P(B < r) ≤ 0.025 and the lowest s
// with P(B < s) ≥ 0.975, where B is how many values are below it. They are 0 and n + 1 where there are none.
func quantileRanks(n int, q float64) (low, high int, coverage float64) {
	b := distuv.Binomial{N: float64(n), P: q}
	below := func(rank int) float64 { // P(B < rank)
		switch {
		case rank <= 0:
			return 0
		case rank > n:
			return 1
		}
		return b.CDF(float64(rank - 1))
	}
	low = sort.Search(n+1, func(rank int) bool { return below(rank) > lowEnd }) - 1
	high = sort.Search(n+1, func(rank int) bool { return below(rank) >= highEnd })
	return low, high, below(high) - below(low)
}
