// Package stats says what an experiment's counts mean: how sure the rates and the values per visitor of its variants are, which variant
// is probably best and what it may cost to choose it, whether visitors were split as they should have been, and what to do. It is pure:
// counts and sums go in, and the same ones give the same digits every time, for nothing is sampled.
//
// Rates are Beta distributed, values per visitor Student-t distributed. What is asked about several variants at once are integrals over
// products of their densities and distribution functions, for which there is no closed form that holds from no visitor to billions. They
// are taken by quadrature, on one grid for all variants of a question:
//
//   - Rates are integrated over their logarithm. There a rate of 10⁻⁹ and one of 1 − 10⁻⁹ are resolved alike, and a ratio of two rates
//     is a shift. Values are integrated over themselves.
//   - Each posterior lays out panels on its own scale, from its mode outwards to where about 10⁻¹⁵ of it is left, so that on each its
//     density is close to a polynomial. The grid's panels are everywhere as short as those of each posterior that is there, so narrow ones
//     are not missed beside wide ones, nor ones that are far apart.
//   - On a panel stand the nodes of a Gauss-Legendre rule of 16. Only densities are evaluated. Distribution functions are the integrals of
//     the polynomials through them, and the constants of the densities are what their integral is, so there is no special function to
//     lose digits, as that of gonum for the Beta distribution does at 10⁹ visitors, nor one whose time grows with the visitors.
//
// The error bounds, to which the tests hold it by published cases, closed forms and a reference of thirty digits: from 0 to 10⁹ visitors,
// probabilities and expected losses are off by less than 10⁻¹⁰, ends of intervals by less than 10⁻⁹ of themselves or of 1, whichever is more.
// A probability below 10⁻¹⁵ may be shown as 0.
//
// Gonum has what is left: the nodes of the rule, and the chi-squared distribution.
package stats

// Estimate is a posterior mean and its central 95 % credible interval: the quantity lies below Low with probability 0.025, and above High
// with probability 0.025.
type Estimate struct{ Mean, Low, High float64 }

// The probabilities at which intervals end.
const (
	lowEnd  = 0.025
	highEnd = 0.975
)
