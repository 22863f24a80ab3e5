package stats

import (
	"fmt"
	"math"
)

// Plan says how sure a test is to be: of two variants with equally many visitors, looked at once, at the end.
type Plan struct {
	// Alpha is the probability to find a difference where there is none, on either side; in (0, 1). With several variants divide it by the
	// number of comparisons with the baseline.
	Alpha float64
	// Power is the probability to find the effect where there is one; in (Alpha, 1).
	Power float64
}

// DefaultPlan is the usual one.
var DefaultPlan = Plan{Alpha: 0.05, Power: 0.8}

// VisitorsForRate returns how many visitors each variant needs to find an effect on a conversion rate, a number to be rounded up. The effect is
// relative: 0.1 for 10 % more, −0.1 for 10 % less. With p₂ = (1 + effect) p₁ it is
//
//	(z_{α/2} √(2 p̄ q̄) + z_β √(p₁q₁ + p₂q₂))² / (p₂ − p₁)²
//
// (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, 3rd ed., eq. 4.14, without correction for continuity). It fails
// on rates that do not lie between 0 and 1, and without an effect.
func (p Plan) VisitorsForRate(rate, effect float64) (float64, error) {
	if err := p.checkRate(rate, effect); err != nil {
		return 0, err
	}
	return p.visitorsForRate(rate, effect), nil
}

func (p Plan) visitorsForRate(rate, effect float64) float64 {
	null, other := rateSpreads(rate, effect)
	return square((p.alphaZ()*null + p.powerZ()*other) / (rate * effect))
}

// rateSpreads returns √(2 p̄ q̄) and √(p₁q₁ + p₂q₂).
func rateSpreads(rate, effect float64) (null, other float64) {
	changed := rate * (1 + effect)
	mean := (rate + changed) / 2
	return math.Sqrt(2 * mean * (1 - mean)), math.Sqrt(rate*(1-rate) + changed*(1-changed))
}

// PowerForRate returns the probability to find an effect on a rate with so many visitors in each variant.
func (p Plan) PowerForRate(rate, effect, visitors float64) (float64, error) {
	if err := p.checkRate(rate, effect); err != nil {
		return 0, err
	}
	null, other := rateSpreads(rate, effect)
	return normal((math.Sqrt(visitors)*rate*math.Abs(effect) - p.alphaZ()*null) / other), nil
}

// EffectForRate returns the smallest effect, above 0, that so many visitors in each variant find: where VisitorsForRate asks for them. It is
// false where not even a rate of 1 is found.
func (p Plan) EffectForRate(rate, visitors float64) (effect float64, ok bool, err error) {
	highest := 1/rate - 1
	if err := p.checkRate(rate, highest/2); err != nil {
		return 0, false, err
	}
	// By the logarithm, for effects may be as small as 10⁻⁶.
	over := func(log float64) float64 { return p.visitorsForRate(rate, math.Exp(log)) - visitors }
	if !(over(math.Log(highest)) < 0) {
		return 0, false, nil
	}
	return math.Exp(solve(over, math.Log(highest)-50, math.Log(highest), 1)), true, nil
}

// VisitorsForValue is VisitorsForRate for a mean value per visitor above 0 with its standard deviation, which is taken as that of both variants:
// 2 (z_{α/2} + z_β)² (deviation / (effect · mean))² (Cohen 1988, Statistical Power Analysis, 2nd ed., chapter 2).
func (p Plan) VisitorsForValue(mean, deviation, effect float64) (float64, error) {
	if err := p.checkValue(mean, deviation); err != nil {
		return 0, err
	}
	if effect == 0 || math.IsNaN(effect-effect) {
		return 0, fmt.Errorf("the effect is %g; it must be a number other than 0", effect)
	}
	return 2 * square((p.alphaZ()+p.powerZ())*deviation/(effect*mean)), nil
}

// EffectForValue returns the smallest effect on a mean value that so many visitors in each variant find.
func (p Plan) EffectForValue(mean, deviation, visitors float64) (float64, error) {
	if err := p.checkValue(mean, deviation); err != nil {
		return 0, err
	}
	return (p.alphaZ() + p.powerZ()) * deviation / mean * math.Sqrt(2/visitors), nil
}

// Days returns in how many whole days so many visitors in each of the variants come, at a number of visitors of the experiment a day. It is
// false where they never come.
func Days(perVariant float64, variants int, visitorsPerDay float64) (days float64, ok bool) {
	if !(visitorsPerDay > 0) {
		return 0, false
	}
	return math.Ceil(math.Ceil(perVariant) * float64(variants) / visitorsPerDay), true
}

func (p Plan) alphaZ() float64 { return -probit(p.Alpha / 2) }
func (p Plan) powerZ() float64 { return probit(p.Power) }

func (p Plan) check() error {
	if !(p.Alpha > 0 && p.Alpha < 1) {
		return fmt.Errorf("alpha is %g; it must lie between 0 and 1, and is 0.05 usually", p.Alpha)
	}
	if !(p.Power > p.Alpha && p.Power < 1) {
		return fmt.Errorf("the power is %g; it must lie between alpha (%g) and 1, and is 0.8 usually", p.Power, p.Alpha)
	}
	return nil
}

func (p Plan) checkRate(rate, effect float64) error {
	if err := p.check(); err != nil {
		return err
	}
	if !(rate > 0 && rate < 1) {
		return fmt.Errorf("the rate is %g; it must lie between 0 and 1", rate)
	}
	if !(effect > -1) || effect == 0 || !(rate*(1+effect) <= 1) {
		return fmt.Errorf("the effect is %g on a rate of %g; it must be a number above -1 other than 0, and not lead beyond a rate of 1", effect, rate)
	}
	return nil
}

func (p Plan) checkValue(mean, deviation float64) error {
	if err := p.check(); err != nil {
		return err
	}
	if !(mean > 0) || !(deviation > 0) || math.IsInf(mean, 1) || math.IsInf(deviation, 1) {
		return fmt.Errorf("the mean is %g and the standard deviation %g; both must be numbers above 0", mean, deviation)
	}
	return nil
}

func square(x float64) float64 { return x * x }

// normal is the standard normal distribution function.
func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
