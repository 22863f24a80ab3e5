package stats

import (
	"cmp"
	"slices"
)

// Holm returns p-values that are adjusted for their number: the probability that any of those that are true at a level is false is that level at
// most, however they depend on each other (Holm 1979, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
// Statistics 6). They are in the order given, and never below the raw ones. The raw ones lie in [0, 1].
func Holm(p []float64) []float64 {
	adjusted, highest := make([]float64, len(p)), 0.0
	for rank, i := range ascending(p) {
		highest = max(highest, min(1, float64(len(p)-rank)*p[i]))
		adjusted[i] = highest
	}
	return adjusted
}

// BenjaminiHochberg returns p-values that are adjusted for their number: of those that are true at a level, the share of false ones is that level
// at most on average, if they are independent or depend on each other positively (Benjamini and Hochberg 1995, Controlling the false discovery
// rate, JRSS B 57). They are in the order given, and never below the raw ones. The raw ones lie in [0, 1].
func BenjaminiHochberg(p []float64) []float64 {
	adjusted, lowest := make([]float64, len(p)), 1.0
	order := ascending(p)
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		lowest = min(lowest, float64(len(p))/float64(rank+1)*p[i])
		adjusted[i] = lowest
	}
	return adjusted
}

// ascending returns the places of values, the least value first.
func ascending(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	return order
}
