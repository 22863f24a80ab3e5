/** The logarithm of the gamma function of a positive number (Lanczos's approximation with g = 7 and n = 9; Press et al. 2007, 6.1). */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ]
  const t = x + 6.5
  const sum = coefficients.reduce((total, c, i) => (i === 0 ? c : total + c / (x + i - 1)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

/**
 * The density at a rate of what is known of a conversion rate once so many of so many visitors have converted: that of
 * Beta(1 + conversions, 1 + visitors − conversions).
 */
export function density(rate: number, conversions: number, visitors: number): number {
  const a = 1 + conversions
  const b = 1 + visitors - conversions
  if (rate < 0 || rate > 1 || (rate === 0 && a > 1) || (rate === 1 && b > 1)) return 0
  const power = (base: number, exponent: number) => (exponent === 0 ? 0 : exponent * Math.log(base))
  return Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + power(rate, a - 1) + power(1 - rate, b - 1))
}
