package stats

import (
	"fmt"
	"math"
)

// PriorLift is what is known of a variant's lift with a prior on it.
type PriorLift struct {
	// Higher is the probability that the variant's rate is above the baseline's.
	Higher float64
	// MeanLog is the mean of log(p₁ / p₀).
	MeanLog float64
	// Uplift is relative. Its mean is exp(MeanLog) − 1.
	Uplift Estimate
}

// LiftWithPrior returns the posterior of a lift, of which log(p₁ / p₀) has a normal prior with mean 0 and standard deviation tau, above 0 and
// at most 10; p₀ has a uniform one, and p₁ is below 1. At 0.1, two of three ideas change a rate by less than 10 %. Where most ideas do
// little, the prior takes from a lucky week what it most probably was: luck. (Gronau, Raj and Wagenmakers 2021, Informed Bayesian
// inference for the A/B test, Journal of Statistical Software 100, have it on the log-odds; GrowthBook has it on the relative effect.)
//
// The posterior is the integral of both likelihoods over p₀, for each lift. Probabilities are off by less than 10⁻⁹. It fails on counts and
// deviations that cannot be.
func LiftWithPrior(variant, baseline Count, tau float64) (PriorLift, error) {
	if err := variant.check(); err != nil {
		return PriorLift{}, err
	}
	if err := baseline.check(); err != nil {
		return PriorLift{}, err
	}
	if !(tau > 0 && tau <= 10) {
		return PriorLift{}, fmt.Errorf("the standard deviation of the lift is %g; it must be above 0 and at most 10", tau)
	}
	d := newLift(variant, baseline, tau)
	g := newGrid([]posterior{d}, math.Inf(1), 0)
	lift := PriorLift{Higher: 1 - g.cdf(0, 0)}
	for n, x := range g.x {
		lift.MeanLog += g.weight[n] * g.density[0][n] * x
	}
	lift.Uplift = Estimate{math.Expm1(lift.MeanLog), math.Expm1(g.quantile(0, lowEnd)), math.Expm1(g.quantile(0, highEnd))}
	return lift, nil
}

// lift is the posterior of the logarithm of a ratio of rates under a normal prior.
type lift struct {
	variant, baseline binomial
	tau               float64
	peak, width       float64
	height            float64 // of the logarithm of the likelihood at the peak
}

func newLift(variant, baseline Count, tau float64) *lift {
	d := &lift{
		variant: binomial{float64(variant.Conversions), float64(variant.Visitors - variant.Conversions)},
		// The uniform prior of p₀ over its logarithm is p₀.
		baseline: binomial{float64(baseline.Conversions) + 1, float64(baseline.Visitors - baseline.Conversions)},
		tau:      tau,
	}
	if a, b := 0.0, math.Copysign(tau, d.slope(0)); d.slope(0) != 0 {
		for d.slope(b)*b > 0 {
			a, b = b, 2*b
		}
		d.peak = solve(d.slope, a, b, tau*1e-3)
	}
	// The prior alone bends the logarithm by 1/τ².
	step := tau / 64
	d.width = math.Sqrt(2 * step / max(d.slope(d.peak-step)-d.slope(d.peak+step), 2*step/tau/tau))
	d.height, _ = d.likelihood(d.peak)
	return d
}

func (d *lift) mode() float64  { return d.peak }
func (d *lift) scale() float64 { return d.width }
func (d *lift) end() float64   { return math.Inf(1) }

func (d *lift) log(x float64) float64 {
	log, _ := d.likelihood(x)
	return log - d.height - (x-d.peak)*(x+d.peak)/(2*d.tau*d.tau)
}

func (d *lift) slope(x float64) float64 {
	_, slope := d.likelihood(x)
	return slope - x/(d.tau*d.tau)
}

// likelihood returns the logarithm of the likelihood of a lift, but for a constant, and its derivative: the mean of that of one of the two. It is
// that which is not at its end where the range of rates ends, so that the range stays as it is.
func (d *lift) likelihood(x float64) (log, slope float64) {
	rate := newRateGiven(d.baseline, d.variant, x)
	cuts, r := panels(rate), legendre()
	total := 0.0
	for panel := range len(cuts) - 1 {
		half, middle := (cuts[panel+1]-cuts[panel])/2, (cuts[panel+1]+cuts[panel])/2
		for n := range nodes {
			y := middle + half*r.x[n]
			weight := half * r.weight[n] * math.Exp(rate.log(y))
			total += weight
			if x > 0 {
				slope -= weight * d.baseline.slope(y)
			} else {
				slope += weight * d.variant.slope(y+x)
			}
		}
	}
	return rate.height + math.Log(total), slope / total
}

// binomial is a likelihood over the logarithm of a rate: yes times that, and no times that of one less the rate.
type binomial struct{ yes, no float64 }

func (b binomial) slope(y float64) float64 {
	if b.no == 0 {
		return b.yes
	}
	return b.yes - b.no/math.Abs(math.Expm1(-y)) // −Inf at 0
}

// bend is the second derivative, with the sign changed.
func (b binomial) bend(y float64) float64 {
	if b.no == 0 {
		return 0
	}
	less := -math.Expm1(y)
	return b.no / less * (math.Exp(y) / less)
}

// best returns the most likely logarithm, which may be −Inf.
func (b binomial) best() float64 {
	switch {
	case b.no == 0:
		return 0
	case b.yes == 0:
		return math.Inf(-1)
	}
	return -math.Log1p(b.no / b.yes)
}

// log returns the logarithm at y less that at from. Neither is as large as the counts.
func (b binomial) log(y, from float64) float64 {
	if b.no == 0 {
		return b.yes * (y - from)
	}
	// (1 − e^y) / (1 − e^from) is 1 + gone.
	gone := math.Expm1(y-from) / math.Expm1(-from)
	if gone >= 1 {
		return math.Inf(-1)
	}
	return b.yes*(y-from) + b.no*math.Log1p(-gone)
}

// rateGiven is the posterior of the logarithm of the baseline's rate for a given lift.
type rateGiven struct {
	baseline, variant binomial
	shift             float64
	peak, last        float64
	width             float64
	height            float64 // of the logarithm of both likelihoods at the peak
}

func newRateGiven(baseline, variant binomial, shift float64) *rateGiven {
	d := &rateGiven{baseline: baseline, variant: variant, shift: shift, last: min(0, -shift)}
	// The peak lies between those of both likelihoods.
	one, other := baseline.best(), variant.best()-shift
	low, high := min(one, other, d.last), min(max(one, other), d.last)
	if math.IsInf(low, -1) { // the variant has no conversion
		low = high - 1
		for d.slope(low) < 0 {
			low -= 2 * (high - low)
		}
	}
	d.peak = high
	if low < high && !(d.slope(high) > 0) {
		d.peak = solve(d.slope, low, high, high-low)
	}
	d.width = 1 / max(math.Sqrt(baseline.bend(d.peak)+variant.bend(d.peak+shift)), math.Abs(d.slope(d.peak)))
	d.height = baseline.log(d.peak, one)
	if variant.yes > 0 {
		d.height += variant.log(d.peak+shift, variant.best())
	} else if variant.no > 0 {
		d.height += variant.no * math.Log(-math.Expm1(d.peak+shift))
	}
	return d
}

func (d *rateGiven) mode() float64  { return d.peak }
func (d *rateGiven) scale() float64 { return d.width }
func (d *rateGiven) end() float64   { return d.last }
func (d *rateGiven) log(y float64) float64 {
	return d.baseline.log(y, d.peak) + d.variant.log(y+d.shift, d.peak+d.shift)
}
func (d *rateGiven) slope(y float64) float64 {
	return d.baseline.slope(y) + d.variant.slope(y+d.shift)
}
