package stats

import (
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
)

// nodes is how many nodes the rule has on a panel.
const nodes = 16

// rule is the Gauss-Legendre rule on [−1, 1], and what integrates up to its nodes the polynomial that has given values at them.
type rule struct {
	x, weight [nodes]float64
	// below[n][j] is the integral from −1 to x[n] of the polynomial that is 1 at x[j] and 0 at all other nodes.
	below [nodes][nodes]float64
}

// legendre makes the rule. The polynomial of node j is w_j Σ_l (2l+1)/2 P_l(x_j) P_l(x), by the discrete orthogonality of the Legendre
// polynomials P_l, and the integral of (2l+1) P_l from −1 to x is P_{l+1}(x) − P_{l−1}(x) (Abramowitz and Stegun 1964, eq. 22.7.10
// and 8.5.5).
var legendre = sync.OnceValue(func() *rule {
	r := new(rule)
	quad.Legendre{}.FixedLocations(r.x[:], r.weight[:], -1, 1)
	var p [nodes][nodes + 1]float64 // p[n][l] is P_l at x[n]
	for n, x := range r.x {
		p[n][0], p[n][1] = 1, x
		for l := 1; l < nodes; l++ {
			p[n][l+1] = (float64(2*l+1)*x*p[n][l] - float64(l)*p[n][l-1]) / float64(l+1)
		}
	}
	for n, x := range r.x {
		for j, weight := range r.weight {
			sum := x + 1
			for l := 1; l < nodes; l++ {
				sum += p[j][l] * (p[n][l+1] - p[n][l-1])
			}
			r.below[n][j] = weight / 2 * sum
		}
	}
	return r
})

// grid holds posteriors' densities and distribution functions at common nodes.
type grid struct {
	posteriors []posterior
	cuts       []float64   // the ends of the panels, ascending
	x, weight  []float64   // of each node; a panel's nodes are neighbours
	density    [][]float64 // of each posterior at each node
	below      [][]float64 // each posterior's distribution function at each node
	total      []float64   // the integral of what each posterior gives as its density
}

// newGrid lays out a grid on which the posteriors can be integrated together. Panels are no longer than widest, and end at the points at.
func newGrid(posteriors []posterior, widest float64, at ...float64) *grid {
	rulers := make([][]float64, len(posteriors), len(posteriors)+len(at))
	for i, d := range posteriors {
		rulers[i] = panels(d)
	}
	all := rulers
	for _, x := range at {
		all = append(all, []float64{x})
	}
	g := &grid{posteriors: posteriors, cuts: merge(all, widest)}
	size := (len(g.cuts) - 1) * nodes
	g.x, g.weight = make([]float64, size), make([]float64, size)
	r := legendre()
	for panel := range len(g.cuts) - 1 {
		low, half := g.cuts[panel], (g.cuts[panel+1]-g.cuts[panel])/2
		for n := range nodes {
			g.x[panel*nodes+n] = low + half*(1+r.x[n])
			g.weight[panel*nodes+n] = half * r.weight[n]
		}
	}
	for i, d := range posteriors {
		density, below, total := g.evaluate(d, rulers[i][0], rulers[i][len(rulers[i])-1])
		g.density, g.below, g.total = append(g.density, density), append(g.below, below), append(g.total, total)
	}
	return g
}

// evaluate returns the density and the distribution function of a posterior at each node, and the integral by which both are divided.
// Outside from low to high it is negligible.
func (g *grid) evaluate(d posterior, low, high float64) (density, below []float64, total float64) {
	density, below = make([]float64, len(g.x)), make([]float64, len(g.x))
	r := legendre()
	for panel := range len(g.cuts) - 1 {
		at := panel * nodes
		f, sum := (*[nodes]float64)(density[at:]), (*[nodes]float64)(below[at:])
		if g.cuts[panel+1] <= low || g.cuts[panel] >= high {
			for n := range sum {
				sum[n] = total
			}
			continue
		}
		half, all := (g.cuts[panel+1]-g.cuts[panel])/2, 0.0
		for n := range f {
			f[n] = math.Exp(d.log(g.x[at+n]))
			all += r.weight[n] * f[n]
		}
		all *= half
		for n := range sum {
			part := 0.0
			for j, by := range r.below[n] {
				part += by * f[j]
			}
			// The polynomial may leave its bounds by the little that it is off.
			sum[n] = total + min(max(half*part, 0), all)
		}
		total += all
	}
	for n := range density {
		density[n] /= total
		below[n] /= total
	}
	return density, below, total
}

// merge returns the ends of panels that are as short, everywhere, as those of each ruler are there. It measures by their number: no panel
// spans more than one of a ruler's panels, counting parts of them.
func merge(rulers [][]float64, widest float64) []float64 {
	first, last := math.Inf(1), math.Inf(-1)
	for _, ruler := range rulers {
		first, last = min(first, ruler[0]), max(last, ruler[len(ruler)-1])
	}
	cuts := []float64{first}
	at := make([]int, len(rulers)) // of each ruler, the first end behind x
	for x := first; x < last; {
		next := min(last, x+widest)
		for i, ruler := range rulers {
			for at[i] < len(ruler) && ruler[at[i]] <= x {
				at[i]++
			}
			switch n := at[i]; n {
			case len(ruler):
			case 0, len(ruler) - 1:
				next = min(next, ruler[n])
			default:
				part := (x - ruler[n-1]) / (ruler[n] - ruler[n-1])
				next = min(next, ruler[n]+part*(ruler[n+1]-ruler[n]))
			}
		}
		x = max(next, math.Nextafter(x, last))
		cuts = append(cuts, x)
	}
	return cuts
}

// better returns the grid, on which lower is better is turned round: there a distribution function is the probability to be above a node.
func (g *grid) better(direction Direction) *grid {
	if direction != LowerIsBetter {
		return g
	}
	turned := *g
	turned.below = make([][]float64, len(g.below))
	for i, below := range g.below {
		turned.below[i] = make([]float64, len(below))
		for n, p := range below {
			turned.below[i][n] = max(0, 1-p)
		}
	}
	return &turned
}

// best returns for each posterior i the probability that it is above all others and above floor, where a panel must end or none be: the
// integral of f_i Π_{j≠i} F_j from there on.
func (g *grid) best(floor float64) []float64 {
	best := make([]float64, len(g.posteriors))
	g.others(func(n, i int, others float64) {
		if g.x[n] > floor {
			best[i] += g.weight[n] * g.density[i][n] * others
		}
	})
	for i := range best {
		best[i] = min(best[i], 1) // but for rounding
	}
	return best
}

// above returns the probability that posterior i is above posterior j: ∫ f_i F_j.
func (g *grid) above(i, j int) float64 {
	sum := 0.0
	for n, weight := range g.weight {
		sum += weight * g.density[i][n] * g.below[j][n]
	}
	return min(sum, 1)
}

// excess returns by how much the highest of the posteriors is above a floor on average, where a panel must end: ∫ (1 − Π F_j) from there on.
func (g *grid) excess(floor float64) float64 {
	sum := 0.0
	for n, x := range g.x {
		if x > floor {
			all := 1.0
			for i := range g.posteriors {
				all *= g.below[i][n]
			}
			sum += g.weight[n] * (1 - all)
		}
	}
	return sum
}

// others calls f for each node and each posterior with the probability that all other posteriors are below the node.
func (g *grid) others(f func(n, i int, others float64)) {
	k := len(g.posteriors)
	after := make([]float64, k+1) // after[i] is the product of the distribution functions from i on
	for n := range g.x {
		after[k] = 1
		for i := k - 1; i > 0; i-- {
			after[i] = after[i+1] * g.below[i][n]
		}
		before := 1.0
		for i := range k {
			f(n, i, before*after[i+1])
			before *= g.below[i][n]
		}
	}
}

// cdf returns the probability that posterior i is below x, which may be any number.
func (g *grid) cdf(i int, x float64) float64 {
	cut, _ := slices.BinarySearch(g.cuts, x)
	switch cut {
	case 0:
		return 0
	case len(g.cuts):
		return 1
	}
	panel := cut - 1
	sum := 0.0
	for n := range panel * nodes {
		sum += g.weight[n] * g.density[i][n]
	}
	r, low := legendre(), g.cuts[panel]
	half := (x - low) / 2
	for n := range nodes {
		sum += half * r.weight[n] * math.Exp(g.posteriors[i].log(low+half*(1+r.x[n]))) / g.total[i]
	}
	return min(sum, 1)
}

// quantile returns below what posterior i is with probability p, which is not negligible, nor is 1 − p.
func (g *grid) quantile(i int, p float64) float64 {
	n, _ := slices.BinarySearch(g.below[i], p)
	low, high := g.cuts[0], g.cuts[len(g.cuts)-1]
	if n > 0 {
		low = g.x[n-1]
	}
	if n < len(g.x) {
		high = g.x[n]
	}
	return solve(func(x float64) float64 { return g.cdf(i, x) - p }, low, high, g.posteriors[i].scale())
}
