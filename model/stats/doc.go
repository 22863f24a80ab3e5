// Package stats says what an experiment's counts mean: how certain the variants' rates
// and values per visitor are, which variant is probably best, what a wrong choice may
// cost, whether the split of visitors fits the weights, and what to do. It is pure and
// does no sampling: the same counts and sums always give the same digits.
//
// Rates follow a Beta distribution, values per visitor a Student t distribution.
// Questions about several variants are integrals over products of their densities and
// distribution functions. No closed form holds from no visitor to billions, so the
// package integrates numerically, on one grid for all variants of a question:
//
//   - Rates are integrated over their logarithm. This resolves rates of 10⁻⁹ and of
//     1 − 10⁻⁹ alike, and makes a ratio of two rates a shift. Values are integrated
//     directly.
//   - Each posterior lays out panels on its own scale, from its mode outwards until
//     about 10⁻¹⁵ of it is left. On each panel its density is close to a polynomial.
//     The grid's panels are everywhere as short as those of the posteriors there, so
//     it misses neither narrow ones beside wide ones nor distant ones.
//   - Each panel carries the nodes of a 16-point Gauss-Legendre rule. Only densities
//     are evaluated. Distribution functions are the integrals of the polynomials
//     through them, and a density is normalised by its own integral. So no special
//     function loses digits, as gonum's Beta distribution does at 10⁹ visitors, or
//     takes longer the more visitors there are.
//
// Error bounds, from 0 to 10⁹ visitors: probabilities and expected losses are off by
// less than 10⁻¹⁰; ends of intervals by less than 10⁻⁹ of themselves or of 1,
// whichever is more. A probability below 10⁻¹⁵ may be shown as 0. Tests hold these
// bounds against published cases, closed forms and a reference of thirty digits.
//
// Beside posteriors, which say what is known, the package has tests that say when to
// stop: at any time (anytime.go for rates, sequence.go for values, sampleratio.go for the
// split), or at a time that was planned (planner.go). Figures take either, together with
// the expected loss, and Rules decide by them (decision.go). Holm and Benjamini and
// Hochberg adjust for many of them (comparisons.go), Mantel and Haenszel for weights that
// changed (phases.go), CUPED and caps for values that vary by more than an experiment can
// see (cuped.go, winsorize.go). Which promise holds how far, simulate plays.
//
// Gonum provides the rest: the nodes of the rule, the chi-squared and the binomial
// distribution.
package stats

// Estimate is a posterior mean and its central 95 % credible interval: the quantity lies below Low with probability 0.025, and above High
// with probability 0.025.
type Estimate struct{ Mean, Low, High float64 }

// The probabilities at which intervals end.
const (
	lowEnd  = 0.025
	highEnd = 0.975
)
