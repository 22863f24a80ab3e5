package stats

import "time"

// Decision is what to do with an experiment, judged by one metric.
type Decision string

const (
	// Collecting means too early, or undecided: let it run.
	Collecting Decision = "COLLECTING"
	// NoDifference means that every choice is safe, the baseline included: it costs at
	// most about 1 % of the baseline's conversions. Choose the simplest.
	NoDifference Decision = "NO_DIFFERENCE"
	// Winner means that a variant beats the baseline with a probability of at least 95
	// % and is a safe choice.
	Winner Decision = "WINNER"
	// BaselineWins means that the baseline beats every other variant with a probability
	// of at least 95 % and is a safe choice.
	BaselineWins Decision = "BASELINE_WINS"
	// Invalid means that the split of visitors does not fit the weights. Something is
	// broken, so no figure can be trusted until it is fixed.
	Invalid Decision = "INVALID"
)

// What a decision requires: a probability to be better, and an expected loss below a
// share of the baseline's rate.
const (
	sure      = 0.95
	tolerable = 0.01
)

// Defaults of Rules.
const (
	DefaultMinVisitors = 100
	DefaultMinDuration = 7 * 24 * time.Hour
)

// Rules say how long to collect before a decision: until every variant has MinVisitors
// and MinDuration has passed, because visitors differ between weekdays.
type Rules struct {
	MinVisitors int64
	MinDuration time.Duration
}

// Decide returns the decision on a metric and the index of its leader, or −1 where none leads. The rates are those that Rates returned for
// the same baseline, the check is that of all visitors assigned, and ran is how long the experiment has been running, or ran. The first
// that holds is the decision:
//
//  1. Invalid, on a mismatch. It does not wait for the rules: what is broken at the start only costs visitors, and the check waits by itself until
//     it can tell.
//  2. Collecting, until the rules are satisfied.
//  3. Winner, if some variant beats the baseline with a probability of at least 0.95 and has an expected loss below 1 % of the baseline's rate. The
//     loss is one against all variants: where another is clearly better, beating the baseline is not enough. Of several such variants the
//     one with the least expected loss wins.
//  4. BaselineWins, if the baseline beats each other variant with a probability of at least 0.95, and its expected loss is below 1 % of its rate.
//  5. NoDifference, if the expected loss of every variant, the baseline's too, is below 1 % of the baseline's rate.
//  6. Collecting.
//
// So a difference that is certain is named even where it is small. The probabilities hold for one look: who stops at the first one over 0.95 of
// many is wrong more often than 1 in 20, for which there is the Bayes factor.
//
// The leader is who won. Where nobody has, it is the variant with the least expected loss among those with visitors, the best choice if one
// had to be made now; none where two share that place, or where no figure can be trusted.
func (r Rules) Decide(rates []Rate, baseline int, check SampleRatio, ran time.Duration) (decision Decision, leader int) {
	tolerated := tolerable * rates[baseline].ConversionRate.Mean
	collected := ran >= r.MinDuration
	winner, baselineWins, noDifference := -1, rates[baseline].ExpectedLoss < tolerated, true
	for i, rate := range rates {
		collected = collected && rate.Visitors >= r.MinVisitors
		noDifference = noDifference && rate.ExpectedLoss < tolerated
		if i == baseline {
			continue
		}
		baselineWins = baselineWins && *rate.ProbabilityToBeatBaseline <= 1-sure
		if *rate.ProbabilityToBeatBaseline >= sure && rate.ExpectedLoss < tolerated &&
			(winner < 0 || rate.ExpectedLoss < rates[winner].ExpectedLoss) {
			winner = i
		}
	}
	switch {
	case check.Mismatch:
		return Invalid, -1
	case !collected:
		return Collecting, leading(rates)
	case winner >= 0:
		return Winner, winner
	case baselineWins && len(rates) > 1:
		return BaselineWins, baseline
	case noDifference && len(rates) > 1:
		return NoDifference, leading(rates)
	}
	return Collecting, leading(rates)
}

// leading returns the variant with the lowest expected loss among those with visitors,
// or −1. It compares means, which order variants like expected losses, but exactly.
func leading(rates []Rate) int {
	leader, shared := -1, false
	for i, rate := range rates {
		if rate.Visitors == 0 {
			continue
		}
		switch {
		case leader < 0 || rate.ConversionRate.Mean > rates[leader].ConversionRate.Mean:
			leader, shared = i, false
		case rate.ConversionRate.Mean == rates[leader].ConversionRate.Mean:
			shared = true
		}
	}
	if shared {
		return -1
	}
	return leader
}
