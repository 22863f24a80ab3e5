package stats

import "math"

// RateDifference is how much higher one rate is than another, with its interval of 95 %.
type RateDifference struct {
	// Difference is between −1 and 1: 0.02 is two percentage points higher.
	Difference float64
	// Low and High are the ends of the interval.
	Low, High float64
}

// Significant tells whether the difference is more than chance makes of equal rates in 95 of 100 cases: whether the
// interval is without 0.
func (d RateDifference) Significant() bool { return d.Low > 0 || d.High < 0 }

// CompareRates returns how much higher the rate of a is than that of b; ok is false where one of them has no rate: without
// visitors, or with more conversions than visitors. What is counted is independent of each other.
//
// The interval is Newcombe's hybrid score interval, of the Wilson intervals of both rates (Newcombe 1998, Interval estimation
// for the difference between independent proportions, Statistics in Medicine 17, 873–890, method 10). It covers small
// counts and rates of 0 and 1.
func CompareRates(a, b Count) (d RateDifference, ok bool) {
	for _, c := range []Count{a, b} {
		if c.Visitors == 0 || c.check() != nil {
			return d, false
		}
	}
	p, pLow, pHigh := wilson(a)
	q, qLow, qHigh := wilson(b)
	d.Difference = p - q
	d.Low = d.Difference - math.Hypot(p-pLow, qHigh-q)
	d.High = d.Difference + math.Hypot(pHigh-p, q-qLow)
	return d, true
}

// wilson returns a rate with its score interval of 95 % (Wilson 1927, Probable inference, the law of succession, and
// statistical inference, Journal of the American Statistical Association 22, 209–212).
func wilson(c Count) (rate, low, high float64) {
	n, x, z := float64(c.Visitors), float64(c.Conversions), -probit(lowEnd)
	middle, half := 2*x+z*z, z*math.Sqrt(z*z+4*x*(1-x/n))
	return x / n, max(0, (middle-half)/(2*(n+z*z))), min(1, (middle+half)/(2*(n+z*z)))
}
