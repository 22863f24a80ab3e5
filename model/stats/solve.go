package stats

import "math"

// solve returns where f is 0 between a and b, at which its signs should differ, to 10⁻¹² of the scale or to the last digit. It is
// Chandrupatla's method: inverse quadratic interpolation where this is safe, else bisection (Chandrupatla 1997, A new hybrid
// quadratic/bisection algorithm for finding the zero of a nonlinear function without using derivatives).
func solve(f func(float64) float64, a, b, scale float64) float64 {
	fa, fb := f(a), f(b)
	if (fa > 0) == (fb > 0) {
		// A root at an end, but for rounding.
		if math.Abs(fa) < math.Abs(fb) {
			return a
		}
		return b
	}
	// Of these two and x, a becomes the newest, b that on the other side of the root, c the third.
	for t := fa / (fa - fb); ; {
		tolerance := 1e-12*scale + 2e-16*math.Abs(a)
		if share := tolerance / math.Abs(b-a); share < 0.5 {
			t = min(max(t, share), 1-share)
		} else {
			t = 0.5
		}
		x := a + t*(b-a)
		fx := f(x)
		c, fc := b, fb
		if (fx > 0) == (fa > 0) {
			c, fc = a, fa
		} else {
			b, fb = a, fa
		}
		a, fa = x, fx
		best, least := a, math.Abs(fa)
		if math.Abs(fb) < least {
			best, least = b, math.Abs(fb)
		}
		if least == 0 || math.Abs(b-a) <= 2*tolerance {
			return best
		}
		t = 0.5
		xi, phi := (a-b)/(c-b), (fa-fb)/(fc-fb)
		if 1-math.Sqrt(1-xi) < phi && phi < math.Sqrt(xi) {
			t = fa/(fb-fa)*fc/(fb-fc) + (c-a)/(b-a)*fa/(fc-fa)*fb/(fc-fb)
		}
	}
}

// quantile returns where a distribution function reaches p. It begins at guess, with a step of about scale, and doubles its steps until it is
// past p. It is false where the function does not reach p.
func quantile(cdf func(float64) float64, p, guess, scale float64) (float64, bool) {
	// On the scale of normal quantiles, distribution functions are nearly straight lines.
	f := func(x float64) float64 { return probit(cdf(x)) - probit(p) }
	a := guess
	fa := f(a)
	if fa == 0 {
		return a, true
	}
	step := -1.1*fa*scale - math.Copysign(1e-3*scale, fa)
	for range 60 {
		b := a + step
		fb := f(b)
		if (fa > 0) != (fb > 0) {
			return solve(f, a, b, scale), true
		}
		a, fa = b, fb
		step *= 2
	}
	return 0, false
}

// probit is the normal quantile of p, as far as ±8.
func probit(p float64) float64 {
	return -math.Sqrt2 * math.Erfcinv(2*min(max(p, 1e-15), 1-1e-15))
}
