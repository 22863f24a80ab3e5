package stats

import (
	"fmt"
	"math"
)

// Point is one of a curve.
type Point struct{ X, Y float64 }

// tail is the probability left out on each side of a curve.
const tail = 0.0005

// RateDensity returns points of the density of a rate's posterior, Beta(1 + c, 1 + n − c), at equal distances over its middle 99.9 %. The density
// is (n + 1) times the binomial probability of the conversions, by its deviance (Loader 2000, Fast and accurate computation of binomial
// probabilities). It fails on counts that cannot be, and on fewer than two points.
func RateDensity(count Count, points int) ([]Point, error) {
	posteriors, err := logRates([]Count{count})
	if err != nil {
		return nil, err
	}
	g := newGrid(posteriors, widestInLogs)
	return curve(points, math.Exp(g.quantile(0, tail)), min(math.Exp(g.quantile(0, 1-tail)), 1), count.density)
}

// Curve is RateDensity of a rate that was made before, over phases too.
func (r Rate) Curve(points int) ([]Point, error) {
	if r.adjusted == nil {
		return RateDensity(r.Count, points)
	}
	reach := -probit(tail) * r.adjusted.width
	return curve(points, math.Exp(r.adjusted.location-reach), math.Exp(r.adjusted.location+reach), r.adjusted.density)
}

// density is that of the rate's posterior.
func (c Count) density(p float64) float64 {
	n, k := float64(c.Visitors), float64(c.Conversions)
	if p <= 0 || p >= 1 { // 0⁰ is 1
		if p == 0 && k == 0 || p == 1 && k == n {
			return n + 1
		}
		return 0
	}
	return (n + 1) * math.Exp(choose(n, k)-deviance(k, n*p)-deviance(n-k, n*(1-p)))
}

// ValueDensity is RateDensity for the posterior of a mean value per visitor. There is no curve of what is unknown, or certain.
func ValueDensity(amount Amount, points int) ([]Point, error) {
	m, err := meanOf(amount)
	if err != nil || m.unknown() || m.certain() || amount.isUnknown() {
		return nil, err
	}
	g := newGrid([]posterior{m.student}, math.Inf(1))
	return curve(points, g.quantile(0, tail), g.quantile(0, 1-tail), func(x float64) float64 {
		return math.Exp(m.log(x)) / g.total[0]
	})
}

// curve returns points of a function at equal distances.
func curve(points int, low, high float64, of func(x float64) float64) ([]Point, error) {
	if points < 2 {
		return nil, fmt.Errorf("a curve has 2 points at least; there cannot be %d", points)
	}
	drawn := make([]Point, points)
	for i := range drawn {
		part := float64(i) / float64(points-1)
		x := low + part*(high-low)
		drawn[i] = Point{x, of(x)}
	}
	return drawn, nil
}
