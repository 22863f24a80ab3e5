package stats

import (
	"fmt"
	"math"
)

// Guardrail returns the probability that a variant's rate is not worse than the baseline's by more than a margin, which is relative and in [0,
// 1): P(p₁ > (1 − margin) p₀) where higher is better, P(p₁ < (1 + margin) p₀) where lower is. It is the posterior's answer to a test of
// non-inferiority (Schuirmann 1987, A comparison of the two one-sided tests procedure, J. Pharmacokin. Biopharm. 15; for guardrails: Kohavi,
// Tang and Xu 2020, Trustworthy Online Controlled Experiments, chapters 2 and 7), with the posteriors of Rates. It fails on counts and
// margins that cannot be.
func Guardrail(variant, baseline Count, margin float64, better Direction) (float64, error) {
	if err := checkMargin(margin); err != nil {
		return 0, err
	}
	posteriors, err := logRates([]Count{variant, baseline})
	if err != nil {
		return 0, err
	}
	posteriors[1] = posteriors[1].(logBeta).times(math.Log1p(-better.sign() * margin))
	return newGrid(posteriors, widestInLogs).better(better).above(0, 1), nil
}

// ValueGuardrail is Guardrail for mean values per visitor, with the posteriors of Values. A margin is a share of the baseline's mean, which should
// be above 0. With fewer than MinValues values of either it is 0.5: nobody can tell.
func ValueGuardrail(variant, baseline Amount, margin float64, better Direction) (float64, error) {
	if err := checkMargin(margin); err != nil {
		return 0, err
	}
	means, err := meansOf([]Amount{variant, baseline})
	if err != nil {
		return 0, err
	}
	if variant.isUnknown() || baseline.isUnknown() {
		return 0.5, nil // too few values to tell
	}
	limit := means[1].times(1 - better.sign()*margin)
	if better == LowerIsBetter {
		return means[0].below(limit), nil
	}
	return limit.below(means[0]), nil
}

func checkMargin(margin float64) error {
	if !(margin >= 0 && margin < 1) {
		return fmt.Errorf("the margin of a guardrail is %g; it must be at least 0 and below 1", margin)
	}
	return nil
}
