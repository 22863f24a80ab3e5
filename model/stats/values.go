package stats

import (
	"errors"
	"fmt"
	"math"
)

// Amount holds a metric's values over all visitors assigned to a variant. Visitors
// without a value count as 0.
type Amount struct {
	// Conversions is the number of visitors that converted.
	Visitors, Conversions int64
	// Sum and SumSquares sum each visitor's total value, and the square of that total,
	// over all visitors.
	Sum, SumSquares float64
}

// Value is the estimate of a variant's mean value per visitor.
type Value struct {
	Amount
	// PerVisitor has an interval of all numbers with fewer than two visitors, because
	// the spread is unknown. If all visitors have the same value, it is exactly that
	// value.
	PerVisitor Estimate
	// PerConverter is the sum divided by the number of converted visitors; nil if there
	// are none.
	PerConverter *float64
	// Uplift is the mean value relative to the baseline's, less 1. Its Mean is the ratio of the two means, less 1, which is the median; a
	// ratio with a t distribution below has no mean. It is nil on the baseline, under two visitors, and where the baseline's PerVisitor
	// is not wholly above 0: a share of what may be nothing says nothing.
	Uplift *Estimate
	// ProbabilityToBeBest is that of a mean above those of all other variants. One of under two visitors is as probably above as below
	// any other; equal ones without variation share theirs.
	ProbabilityToBeBest float64
	// ProbabilityToBeatBaseline is the probability of a mean above the baseline's; nil
	// for the baseline.
	ProbabilityToBeatBaseline *float64
}

// Values returns what is known of the mean value per visitor of each variant, in their order, where baseline is the index of the one that
// the others are compared with. Means are independent. Under the Jeffreys prior p(μ, σ²) ∝ 1/σ² a mean's posterior is Student's t with n − 1
// degrees of freedom, the observed mean as location and s/√n as scale (Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., section 3.2).
// It takes values as normal, which their mean is about from some hundred visitors on. It fails on amounts that cannot be, or without a
// baseline.
func Values(amounts []Amount, baseline int) ([]Value, error) {
	if err := checkBaseline(baseline, len(amounts)); err != nil {
		return nil, err
	}
	means := make([]mean, len(amounts))
	for i, amount := range amounts {
		var err error
		if means[i], err = meanOf(amount); err != nil {
			return nil, fmt.Errorf("variant %d: %w", i, err)
		}
	}
	best := bestMeans(means)
	values := make([]Value, len(amounts))
	for i, amount := range amounts {
		values[i] = Value{Amount: amount, PerVisitor: means[i].estimate(), ProbabilityToBeBest: best[i]}
		if amount.Conversions > 0 {
			per := amount.Sum / float64(amount.Conversions)
			values[i].PerConverter = &per
		}
	}
	for i := range values {
		if i != baseline {
			above := means[baseline].below(means[i])
			values[i].ProbabilityToBeatBaseline = &above
			if values[baseline].PerVisitor.Low > 0 {
				values[i].Uplift = means[i].uplift(means[baseline])
			}
		}
	}
	return values, nil
}

// mean is the posterior of a mean value. Without freedom nothing but its location is known, and where its width is 0 it is its location for certain.
type mean struct{ student }

func (m mean) unknown() bool { return m.freedom == 0 }
func (m mean) certain() bool { return m.freedom > 0 && m.width == 0 }

// constant is the share of the mean square below which a variance is taken as 0: that of equal values is by rounding of their sums.
const constant = 1e-12

func meanOf(a Amount) (mean, error) {
	n := float64(a.Visitors)
	switch {
	case a.Conversions < 0 || a.Conversions > a.Visitors:
		return mean{}, fmt.Errorf("%d of %d visitors cannot have converted", a.Conversions, a.Visitors)
	case math.IsNaN(a.Sum-a.Sum) || math.IsNaN(a.SumSquares-a.SumSquares):
		return mean{}, errors.New("the values are too large to add up")
	case a.Visitors == 0 && (a.Sum != 0 || a.SumSquares != 0):
		return mean{}, errors.New("there are values without visitors")
	case a.Visitors < 2:
		return mean{student{location: a.Sum}}, nil
	}
	m := mean{student{location: a.Sum / n, freedom: n - 1}}
	squares := a.SumSquares - m.location*a.Sum // Σ (x − mean)²
	if squares < -1e-9*math.Abs(m.location*a.Sum) {
		return mean{}, fmt.Errorf("no values of %d visitors add up to %g and their squares to %g", a.Visitors, a.Sum, a.SumSquares)
	}
	if squares > constant*a.SumSquares {
		m.width = math.Sqrt(squares / m.freedom / n)
	}
	return m, nil
}

// estimate returns the mean and its interval.
func (m mean) estimate() Estimate {
	switch {
	case m.unknown():
		return Estimate{Mean: m.location, Low: -math.MaxFloat64, High: math.MaxFloat64}
	case m.certain():
		return Estimate{Mean: m.location, Low: m.location, High: m.location}
	}
	standard := newGrid([]posterior{student{width: 1, freedom: m.freedom}}, math.Inf(1))
	reach := m.width * standard.quantile(0, highEnd)
	return Estimate{Mean: m.location, Low: m.location - reach, High: m.location + reach}
}

// below returns the probability that m is below other, with half of that that they are equal.
func (m mean) below(other mean) float64 {
	switch {
	case m.unknown() || other.unknown():
		return 0.5
	case m.certain() && other.certain():
		switch {
		case m.location < other.location:
			return 1
		case m.location > other.location:
			return 0
		}
		return 0.5
	case other.certain():
		return newGrid([]posterior{m.student}, math.Inf(1)).cdf(0, other.location)
	case m.certain():
		return 1 - other.below(m)
	}
	return newGrid([]posterior{m.student, other.student}, math.Inf(1)).above(1, 0)
}

// times returns the posterior of r times the mean.
func (m mean) times(r float64) mean {
	return mean{student{location: r * m.location, width: math.Abs(r) * m.width, freedom: m.freedom}}
}

// uplift returns the uplift over a base whose interval lies above 0, or nil where m is unknown. An end of its interval is the u at which m is
// below 1 + u times the base with the end's probability: so it leaves out 0 exactly when the base is beaten, or beats, with a probability
// above 0.975. Where the base is surely above 0, these are the quantiles of the ratio. They are finite because the base's own interval leaves
// out 0 (Fieller 1954, Some problems in interval estimation).
func (m mean) uplift(base mean) *Estimate {
	middle := m.location / base.location
	scale := math.Hypot(m.width, middle*base.width) / base.location
	switch {
	case m.unknown():
		return nil
	case scale == 0 || m.certain() && m.location == 0:
		return &Estimate{Mean: middle - 1, Low: middle - 1, High: middle - 1}
	}
	cdf := func(r float64) float64 { return m.below(base.times(r)) }
	low, okLow := quantile(cdf, lowEnd, middle+scale*probit(lowEnd), scale)
	high, okHigh := quantile(cdf, highEnd, middle+scale*probit(highEnd), scale)
	if !okLow || !okHigh {
		return nil // the base's interval ends so close to 0 that no number is high enough
	}
	return &Estimate{Mean: middle - 1, Low: low - 1, High: high - 1}
}

// bestMeans returns for each mean the probability that it is the highest.
func bestMeans(means []mean) []float64 {
	// The unknown ones are the limit of ever wider posteriors: each lies above all that is known or below it, with equal probability.
	unknown := 0
	var known []posterior
	floor, atFloor := math.Inf(-1), 0.0 // the highest of the certain ones, and how many there are
	for _, m := range means {
		switch {
		case m.unknown():
			unknown++
		case !m.certain():
			known = append(known, m.student)
		case m.location > floor:
			floor, atFloor = m.location, 1
		case m.location == floor:
			atFloor++
		}
	}
	left := math.Pow(0.5, float64(unknown)) // that none of the unknown is above the known
	if unknown == len(means) {
		left = 0
	}
	var best []float64
	certain := 1.0
	if len(known) > 0 {
		var ends []float64
		if atFloor > 0 {
			ends = append(ends, floor)
		}
		g := newGrid(known, math.Inf(1), ends...)
		best = g.best(floor)
		for i := range known {
			certain *= g.cdf(i, floor)
		}
	}
	shares := make([]float64, len(means))
	for i, m := range means {
		switch {
		case m.unknown():
			shares[i] = (1 - left) / float64(unknown)
		case !m.certain():
			shares[i], best = left*best[0], best[1:]
		case m.location == floor:
			shares[i] = left * certain / atFloor
		}
	}
	return shares
}
