package stats

import "math"

// posterior is a continuous distribution with one mode. Its densities are relative to that at the mode: what they integrate to is the
// grid's to find out.
type posterior interface {
	// mode is where the density is highest.
	mode() float64
	// scale is about the standard deviation, or where there is none, the width of the peak.
	scale() float64
	// end is the highest possible value, or +Inf. Where the density is not 0 there, it jumps.
	end() float64
	// log is the logarithm of the density at x less that at the mode.
	log(x float64) float64
	// slope is the derivative of log.
	slope(x float64) float64
}

// logBeta is the posterior of log p + shift, where p has Beta(a, b), and a and b are 1 at least. Its density in y = log p is proportional
// to e^{ay} (1 − e^y)^{b−1}: the Beta density (Johnson, Kotz and Balakrishnan 1995, Continuous Univariate Distributions 2, eq. 25.1) times
// dp/dy = p.
type logBeta struct {
	a, b, shift float64
	peak        float64 // the mode of log p
}

func newLogBeta(a, b float64) logBeta { return logBeta{a: a, b: b, peak: -math.Log1p((b - 1) / a)} }

// times returns the posterior of the logarithm of e^shift p.
func (d logBeta) times(shift float64) logBeta {
	d.shift += shift
	return d
}

func (d logBeta) mode() float64 { return d.peak + d.shift }
func (d logBeta) end() float64  { return d.shift }

// scale is the root of ψ₁(a) − ψ₁(a+b), the variance of log p, to the first order.
func (d logBeta) scale() float64 { return math.Sqrt(d.b / (d.a * (d.a + d.b))) }

// log avoids the difference of terms as large as a: at 10⁹ visitors these have no more than seven digits behind the point.
func (d logBeta) log(x float64) float64 {
	from := x - d.shift - d.peak
	if d.b == 1 {
		return d.a * from
	}
	// (1 − e^y) / (1 − e^peak) is 1 + gone.
	gone := -d.a / (d.b - 1) * math.Expm1(from)
	if gone <= -1 {
		return math.Inf(-1)
	}
	return d.a*from + (d.b-1)*math.Log1p(gone)
}

func (d logBeta) slope(x float64) float64 { return d.a - (d.b-1)/math.Expm1(d.shift-x) }

// student is Student's t distribution with its location, its scale and its degrees of freedom, at least 1 (Johnson, Kotz and Balakrishnan
// 1995, eq. 28.2).
type student struct{ location, width, freedom float64 }

func (d student) mode() float64  { return d.location }
func (d student) end() float64   { return math.Inf(1) }
func (d student) scale() float64 { return d.width * math.Sqrt(d.freedom/(d.freedom+1)) }

func (d student) log(x float64) float64 {
	z := (x - d.location) / d.width
	return -(d.freedom + 1) / 2 * math.Log1p(z*z/d.freedom)
}

func (d student) slope(x float64) float64 {
	z := (x - d.location) / d.width
	return -(d.freedom + 1) * z / (d.freedom + z*z) / d.width
}

// logNormal is the normal distribution of the logarithm of a figure.
type logNormal struct{ location, width float64 }

func (d *logNormal) mode() float64  { return d.location }
func (d *logNormal) end() float64   { return math.Inf(1) }
func (d *logNormal) scale() float64 { return d.width }

func (d *logNormal) log(x float64) float64 {
	z := (x - d.location) / d.width
	return -z * z / 2
}

func (d *logNormal) slope(x float64) float64 { return -(x - d.location) / d.width / d.width }

// estimate returns the figure's median and its interval.
func (d *logNormal) estimate() Estimate {
	reach := -probit(lowEnd) * d.width
	return Estimate{math.Exp(d.location), math.Exp(d.location - reach), math.Exp(d.location + reach)}
}

// density is that of the figure at x.
func (d *logNormal) density(x float64) float64 {
	if x <= 0 {
		return 0
	}
	return math.Exp(d.log(math.Log(x))) / (x * d.width * math.Sqrt(2*math.Pi))
}

// How a posterior's panels are laid out. With 16 nodes a panel over which a density falls by e^bend adds an error of about (bend/4)¹⁶/16!
// of that density, 10⁻¹²; and one as long as its distance from the mode, where a density falls as a power, one of 5.8⁻¹⁶.
const (
	// A panel is no longer than this many scales, or than its distance from the mode,
	central = 1.0
	// nor than over what the density changes by about e^bend.
	bend = 5.0
	// What is left where panels end is less than about e^negligible.
	negligible = -36.0
)

// panels returns the ends of a posterior's panels, ascending. The first and the last one are where it is negligible, or its end.
func panels(d posterior) []float64 {
	cuts := append(walk(d, -1), d.mode())
	for i, j := 0, len(cuts)-2; i < j; i, j = i+1, j-1 {
		cuts[i], cuts[j] = cuts[j], cuts[i]
	}
	return append(cuts, walk(d, 1)...)
}

// walk returns the ends of the panels on one side of the mode, from there outwards.
func walk(d posterior, side float64) (cuts []float64) {
	mode, scale, end := d.mode(), d.scale(), d.end()
	for x := mode; side < 0 || x < end; {
		step := max(central*scale, math.Abs(x-mode))
		if slope := math.Abs(d.slope(x)); step*slope > bend {
			step = bend / slope
		}
		next := x + side*step
		if next == x {
			break // no number lies between
		}
		if side > 0 && next >= end {
			return append(cuts, end)
		}
		x = next
		cuts = append(cuts, x)
		// The tail of a density that falls as a power holds about density times distance.
		if d.log(x)+math.Log(math.Abs(x-mode)/scale) < negligible {
			break
		}
	}
	return cuts
}
