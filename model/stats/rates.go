package stats

import (
	"errors"
	"fmt"
	"math"
)

// Count holds the number of visitors assigned to a variant, and the number of them that
// converted.
type Count struct{ Visitors, Conversions int64 }

// check returns an error for a count that cannot be.
func (c Count) check() error {
	if c.Conversions < 0 || c.Conversions > c.Visitors {
		return fmt.Errorf("%d of %d visitors cannot have converted", c.Conversions, c.Visitors)
	}
	return nil
}

// Rate is the estimate of a variant's conversion rate.
type Rate struct {
	Count
	// ConversionRate lies in [0, 1]. Its mean is (1 + conversions) / (2 + visitors).
	ConversionRate Estimate
	// Uplift is the rate relative to the baseline's, minus 1: 0.1 is 10 % higher. It is
	// nil for the baseline. If the baseline has no conversions the mean of the ratio is
	// infinite, and Mean holds the median.
	Uplift *Estimate
	// ProbabilityToBeBest is the probability of a rate better than those of all other
	// variants.
	ProbabilityToBeBest float64
	// ProbabilityToBeatBaseline is the probability of a rate better than the baseline's; nil
	// for the baseline.
	ProbabilityToBeatBaseline *float64
	// ExpectedLoss is what choosing this variant costs on average, in conversions per
	// visitor, compared with the best variant; 0 when this is the best one.
	ExpectedLoss float64
	// BayesFactor is the evidence for a rate unequal to the baseline's, see the
	// function BayesFactor; nil for the baseline.
	BayesFactor *float64
	// adjusted is the posterior over phases, nil where there are none.
	adjusted *logNormal
}

// widestInLogs keeps the expected loss exact between posteriors that lie far apart: e^y is integrated over this to the last digit.
const widestInLogs = 8

// Rates returns what is known of the conversion rate of each variant, in their order, where baseline is the index of the one that the others
// are compared with, and better says which of two rates is. Rates are independent, with uniform priors, so that a variant's posterior is Beta(1 + c, 1 + n − c)
// for c conversions of n visitors (Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., section 2.4). Nobody need have been
// assigned yet. It fails on counts that cannot be, or without a baseline.
func Rates(counts []Count, baseline int, better Direction) ([]Rate, error) {
	posteriors, err := logRates(counts)
	if err != nil {
		return nil, err
	}
	if err := checkBaseline(baseline, len(counts)); err != nil {
		return nil, err
	}
	g := newGrid(posteriors, widestInLogs).better(better)
	best, losses := g.best(math.Inf(-1)), losses(g)
	rates := make([]Rate, len(counts))
	for i, count := range counts {
		rates[i] = Rate{
			Count:               count,
			ConversionRate:      rateOf(posteriors[i].(logBeta)),
			ProbabilityToBeBest: best[i],
			ExpectedLoss:        losses[i],
		}
		if i != baseline {
			uplift := rateUplift(posteriors[i].(logBeta), posteriors[baseline].(logBeta))
			above, factor := g.above(i, baseline), BayesFactor(count, counts[baseline])
			rates[i].Uplift, rates[i].ProbabilityToBeatBaseline, rates[i].BayesFactor = &uplift, &above, &factor
		}
	}
	return rates, nil
}

func checkBaseline(baseline, variants int) error {
	if baseline < 0 || baseline >= variants {
		return fmt.Errorf("there is no variant %d to be the baseline of %d", baseline, variants)
	}
	return nil
}

// BestRates returns only each variant's probability to be best, as in Rates, in a tenth
// of the time or less. Series use it.
func BestRates(counts []Count, better Direction) ([]float64, error) {
	posteriors, err := logRates(counts)
	if err != nil {
		return nil, err
	}
	return newGrid(posteriors, widestInLogs).better(better).best(math.Inf(-1)), nil
}

// logRates returns the posteriors of the logarithms of rates.
func logRates(counts []Count) ([]posterior, error) {
	if len(counts) == 0 {
		return nil, errors.New("there are no variants")
	}
	posteriors := make([]posterior, len(counts))
	for i, count := range counts {
		if err := count.check(); err != nil {
			return nil, fmt.Errorf("variant %d: %w", i, err)
		}
		posteriors[i] = newLogBeta(1+float64(count.Conversions), 1+float64(count.Visitors-count.Conversions))
	}
	return posteriors, nil
}

// rateOf returns the mean a / (a + b) of Beta(a, b), and its interval.
func rateOf(d logBeta) Estimate {
	g := newGrid([]posterior{d}, widestInLogs)
	return Estimate{
		Mean: d.a / (d.a + d.b),
		Low:  math.Exp(g.quantile(0, lowEnd)),
		High: min(math.Exp(g.quantile(0, highEnd)), 1),
	}
}

// rateUplift returns the uplift of a rate. Its mean is E[p] E[1/p₀] − 1, where 1/p₀ has the mean (a₀ + b₀ − 1) / (a₀ − 1) for a₀ > 1
// (Johnson, Kotz and Balakrishnan 1995, Continuous Univariate Distributions 2, chapter 25). Its quantiles are
// those u at which P(p ≤ (1 + u) p₀) is their probability.
func rateUplift(d, base logBeta) Estimate {
	g := func(shift float64) float64 {
		return newGrid([]posterior{base.times(shift), d}, widestInLogs).above(0, 1)
	}
	scale := math.Hypot(d.scale(), base.scale())
	quantileOf := func(p float64) float64 {
		guess := d.mode() - base.mode() + scale*probit(p)
		// It is reached, for a ratio of rates may be any number above 0.
		shift, _ := quantile(g, p, guess, scale)
		return math.Expm1(shift)
	}
	uplift := Estimate{Low: quantileOf(lowEnd), High: quantileOf(highEnd)}
	if base.a > 1 {
		uplift.Mean = d.a/(d.a+d.b)*(base.a+base.b-1)/(base.a-1) - 1
	} else {
		uplift.Mean = quantileOf(0.5)
	}
	return uplift
}

// losses returns each variant's expected loss E[max_j p_j − p_i] = ∫ P(p_i ≤ p < max_{j≠i} p_j) dp; where lower is better, E[p_i − min_j p_j],
// the same of the opposite probabilities. The integrand is no difference of numbers that are nearly equal, and never below 0.
func losses(g *grid) []float64 {
	losses := make([]float64, len(g.posteriors))
	rates := make([]float64, len(g.x))
	for n, x := range g.x {
		rates[n] = g.weight[n] * math.Exp(x)
	}
	g.others(func(n, i int, others float64) {
		losses[i] += rates[n] * g.below[i][n] * (1 - others)
	})
	return losses
}
