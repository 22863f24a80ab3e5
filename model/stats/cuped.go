package stats

import "fmt"

// CUPED says what the adjustment by what visitors did before came to.
type CUPED struct {
	// Theta is by how much the metric rises with the one before, on average.
	Theta float64
	// VarianceReduction is the share of the variance that is gone, in [0, 1]: at 0.4 an experiment needs 40 % fewer visitors.
	VarianceReduction float64
}

// Adjust takes out of each variant's values what was to be expected by what its visitors did before their assignment, which the assignment
// cannot have changed:
//
//	ȳ_v − θ (x̄_v − x̄),  θ = Σ_v S_xy / Σ_v S_xx, the variance that of y − θx
//
// (Deng, Xu, Kohavi and Walker 2013, Improving the sensitivity of online controlled experiments by utilizing pre-experiment data, WSDM; θ is
// pooled within the variants, so that a difference between them does not enter it). The pairs hold x before and y in the experiment of all
// visitors of each variant. It returns the amounts with their sums and squares adjusted, for Values and all that takes
// amounts. It fails where there are not as many pairs as visitors.
func Adjust(amounts []Amount, pairs []JointMoments) (CUPED, []Amount, error) {
	if len(pairs) != len(amounts) {
		return CUPED{}, nil, fmt.Errorf("there are pairs for %d of %d variants", len(pairs), len(amounts))
	}
	var all Moments
	before, during, both := 0.0, 0.0, 0.0
	for i, p := range pairs {
		if p.X.N != amounts[i].Visitors || p.Y.N != amounts[i].Visitors {
			return CUPED{}, nil, fmt.Errorf("variant %d: there are %d pairs of %d visitors", i, p.X.N, amounts[i].Visitors)
		}
		all.Merge(p.X)
		before, during, both = before+p.X.Squares, during+p.Y.Squares, both+p.Products
	}
	var c CUPED
	if before > 0 {
		c.Theta = both / before
	}
	adjusted, left := make([]Amount, len(amounts)), 0.0
	for i, p := range pairs {
		adjusted[i] = amounts[i]
		adjusted[i].Sum = float64(p.Y.N) * (p.Y.Mean - c.Theta*(p.X.Mean-all.Mean))
		adjusted[i].Squares = max(0, p.Y.Squares-c.Theta*(2*p.Products-c.Theta*p.X.Squares))
		left += adjusted[i].Squares
	}
	if during > 0 {
		c.VarianceReduction = min(max(1-left/during, 0), 1)
	}
	return c, adjusted, nil
}
