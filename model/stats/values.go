package stats

import (
	"errors"
	"fmt"
	"math"
)

// Amount holds a metric's values over all visitors assigned to a variant. Visitors
// without a value count as 0.
type Amount struct {
	// Conversions is the number of visitors that converted, and Values that of those whose value is not 0.
	Visitors, Conversions, Values int64
	// Sum adds up each visitor's total value, over all visitors.
	Sum float64
	// Squares adds up the squares of the distances of each visitor's total value from the mean of all of them.
	Squares float64
}

// MinValues is the number of values below which the spread of a variant's values is unknown: that of the few which came by says nothing of
// the large ones which did not.
const MinValues = 10

// AmountOf returns the amount of values, of which one may be 0. All other visitors have none. Total is their sum, which the caller may know
// more exactly than by their mean.
func AmountOf(visitors, conversions, nonzero int64, total float64, values Moments) Amount {
	values.Merge(Moments{N: visitors - values.N})
	return Amount{Visitors: visitors, Conversions: conversions, Values: nonzero, Sum: total, Squares: values.Squares}
}

// check returns an error for an amount that cannot be.
func (a Amount) check() error {
	switch {
	case a.Conversions < 0 || a.Conversions > a.Visitors:
		return fmt.Errorf("%d of %d visitors cannot have converted", a.Conversions, a.Visitors)
	case a.Values < 0 || a.Values > a.Visitors:
		return fmt.Errorf("%d of %d visitors cannot have values", a.Values, a.Visitors)
	case math.IsNaN(a.Sum-a.Sum) || math.IsNaN(a.Squares-a.Squares):
		return errors.New("the values are too large to add up")
	case a.Squares < 0:
		return fmt.Errorf("the squares of distances cannot add up to %g", a.Squares)
	case a.Visitors == 0 && (a.Sum != 0 || a.Squares != 0):
		return errors.New("there are values without visitors")
	}
	return nil
}

// merged returns the amount of both's visitors together.
func (a Amount) merged(other Amount) Amount {
	m := Moments{N: a.Visitors, Mean: a.Mean(), Squares: a.Squares}
	m.Merge(Moments{N: other.Visitors, Mean: other.Mean(), Squares: other.Squares})
	return Amount{a.Visitors + other.Visitors, a.Conversions + other.Conversions, a.Values + other.Values, a.Sum + other.Sum, m.Squares}
}

// isUnknown tells that there are too few values to tell their spread.
func (a Amount) isUnknown() bool { return a.Visitors < 2 || a.Values < MinValues }

// Mean returns the mean value per visitor, 0 without any.
func (a Amount) Mean() float64 {
	if a.Visitors == 0 {
		return 0
	}
	return a.Sum / float64(a.Visitors)
}

// Deviation returns the standard deviation of the value per visitor.
func (a Amount) Deviation() float64 { return math.Sqrt(a.sample().variance) }

func (a Amount) sample() sample {
	return sample{a.Mean(), Moments{N: a.Visitors, Squares: a.Squares}.Variance(), float64(a.Visitors)}
}

// Value is the estimate of a variant's mean value per visitor.
type Value struct {
	Amount
	// PerVisitor has an interval of all numbers with fewer than ten values, because the spread is unknown. If all visitors have the same
	// value, it is exactly that value.
	PerVisitor Estimate
	// PerConverter is the sum divided by the number of converted visitors; nil if there
	// are none.
	PerConverter *float64
	// Uplift is the mean value relative to the baseline's, less 1. Its Mean is the ratio of the two means, less 1, which is the median; a
	// ratio with a t distribution below has no mean. It is nil on the baseline, where one of both has fewer than ten values, and where the
	// baseline's PerVisitor is not wholly above 0: a share of what may be nothing says nothing.
	Uplift *Estimate
	// ProbabilityToBeBest is that of a mean better than those of all other variants. One of under two visitors is as probably above as below
	// any other; equal ones without variation share theirs.
	ProbabilityToBeBest float64
	// ProbabilityToBeatBaseline is the probability of a mean better than the baseline's; nil
	// for the baseline.
	ProbabilityToBeatBaseline *float64
	// ExpectedLoss is what choosing this variant costs on average, in value per visitor, compared with the best variant; 0 when this is the
	// best one. It is nil where a variant has fewer than ten values, which may be worth anything.
	ExpectedLoss *float64
}

// Values returns what is known of the mean value per visitor of each variant, in their order, where baseline is the index of the one that
// the others are compared with, and better says which of two means is. Means are independent. Under the Jeffreys prior p(μ, σ²) ∝ 1/σ² a
// mean's posterior is Student's t with n − 1 degrees of freedom, the observed mean as location and s/√n as scale (Gelman et al. 2013, Bayesian
// Data Analysis, 3rd ed., section 3.2). It takes values as normal, which their mean is about from some hundred visitors on, later if some
// values are far larger than the others. With fewer than ten values no interval is told; a probability is, for what it is worth. It fails
// on amounts that cannot be, or without a baseline.
func Values(amounts []Amount, baseline int, better Direction) ([]Value, error) {
	means, err := meansOf(amounts)
	if err != nil {
		return nil, err
	}
	return valuesOf(amounts, means, baseline, better)
}

func meansOf(amounts []Amount) ([]mean, error) {
	means := make([]mean, len(amounts))
	for i, amount := range amounts {
		var err error
		if means[i], err = meanOf(amount); err != nil {
			return nil, fmt.Errorf("variant %d: %w", i, err)
		}
	}
	return means, nil
}

// valuesOf returns what the posteriors of means say.
func valuesOf(amounts []Amount, means []mean, baseline int, better Direction) ([]Value, error) {
	if err := checkBaseline(baseline, len(amounts)); err != nil {
		return nil, err
	}
	turned, isUnknown := make([]mean, len(means)), false
	for i, m := range means {
		turned[i] = m.times(better.sign())
		isUnknown = isUnknown || m.unknown() || amounts[i].isUnknown()
	}
	best, losses := contest(turned)
	values := make([]Value, len(amounts))
	for i, amount := range amounts {
		values[i] = Value{Amount: amount, ProbabilityToBeBest: best[i]}
		switch {
		case amount.isUnknown():
			values[i].PerVisitor = means[i].anything()
		default:
			values[i].PerVisitor = means[i].estimate()
		}
		if !isUnknown {
			values[i].ExpectedLoss = &losses[i]
		}
		if amount.Conversions > 0 {
			per := amount.Sum / float64(amount.Conversions)
			values[i].PerConverter = &per
		}
	}
	for i := range values {
		if i != baseline {
			above := turned[baseline].below(turned[i])
			values[i].ProbabilityToBeatBaseline = &above
			if !amounts[i].isUnknown() && !amounts[baseline].isUnknown() && values[baseline].PerVisitor.Low > 0 {
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

func meanOf(a Amount) (mean, error) {
	if err := a.check(); err != nil {
		return mean{}, err
	}
	if a.Visitors < 2 {
		return mean{student{location: a.Sum}}, nil
	}
	x := a.sample()
	return mean{student{location: x.mean, width: math.Sqrt(x.variance / x.n), freedom: x.n - 1}}, nil
}

// anything is the estimate of a mean that may be anything.
func (m mean) anything() Estimate {
	return Estimate{Mean: m.location, Low: -math.MaxFloat64, High: math.MaxFloat64}
}

// estimate returns the mean and its interval.
func (m mean) estimate() Estimate {
	switch {
	case m.unknown():
		return m.anything()
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

// contest returns for each mean the probability that it is the highest, and what choosing it costs: E[max_j μ_j − μ_i] = ∫ P(μ_i ≤ x < max_{j≠i}
// μ_j) dx. The losses mean nothing where a mean is unknown.
func contest(means []mean) (best, losses []float64) {
	// The unknown ones are the limit of ever wider posteriors: each lies above all that is known or below it, with equal probability.
	unknown := 0
	var known []posterior
	var places []int // of the known ones
	var ends []float64
	floor, atFloor := math.Inf(-1), 0.0 // the highest of the certain ones, and how many there are
	for i, m := range means {
		switch {
		case m.unknown():
			unknown++
		case !m.certain():
			known, places = append(known, m.student), append(places, i)
		case m.location > floor:
			floor, atFloor = m.location, 1
		case m.location == floor:
			atFloor++
		}
		if m.certain() {
			ends = append(ends, m.location)
		}
	}
	best, losses = make([]float64, len(means)), make([]float64, len(means))
	left := math.Pow(0.5, float64(unknown)) // that none of the unknown is above the known
	if unknown == len(means) {
		left = 0
	}
	certain := 1.0 // that all known ones are below the floor
	if len(known) > 0 {
		g := newGrid(known, math.Inf(1), ends...)
		for at, share := range g.best(floor) {
			best[places[at]] = left * share
			certain *= g.cdf(at, floor)
		}
		g.others(func(n, at int, others float64) {
			if g.x[n] < floor {
				others = 0 // the floor is above
			}
			losses[places[at]] += g.weight[n] * g.below[at][n] * (1 - others)
		})
		for i, m := range means {
			if m.certain() {
				losses[i] = floor - m.location + g.excess(floor)
			}
		}
	}
	for i, m := range means {
		switch {
		case m.unknown():
			best[i] = (1 - left) / float64(unknown)
		case m.certain() && m.location == floor:
			best[i] = left * certain / atFloor
		}
		if m.certain() && len(known) == 0 {
			losses[i] = floor - m.location
		}
	}
	return best, losses
}
