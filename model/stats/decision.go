package stats

import (
	"math"
	"time"
)

// Decision is what to do with an experiment, judged by one metric.
type Decision string

const (
	// Collecting means too early, or undecided: let it run.
	Collecting Decision = "COLLECTING"
	// NoDifference means that every choice is safe, the baseline included: it costs at
	// most about 1 % of the baseline's conversions. Choose the simplest.
	NoDifference Decision = "NO_DIFFERENCE"
	// Winner means that a variant is better than the baseline, to an error of at most 5
	// %, and is a safe choice.
	Winner Decision = "WINNER"
	// BaselineWins means that the baseline is better than every other variant, to an
	// error of at most 5 %, and is a safe choice.
	BaselineWins Decision = "BASELINE_WINS"
	// Invalid means that the split of visitors does not fit the weights. Something is
	// broken, so no figure can be trusted until it is fixed.
	Invalid Decision = "INVALID"
)

// What a decision requires: an error of at most this, and an expected loss below a share of the baseline's figure.
const (
	tolerableError = 0.05
	tolerableLoss  = 0.01
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

// Figure is what a decision takes of a variant, whether by rates or by values.
type Figure struct {
	Visitors int64
	// Mean is the rate or the value per visitor. The variants' order by it is the order by expected loss.
	Mean float64
	// ExpectedLoss is in the unit of Mean; +Inf where it is unknown.
	ExpectedLoss float64
	// Better tells whether the variant looks better than the baseline, and PValue how probable a difference as large as this is by
	// chance. AdjustedPValue is that among all comparisons that are looked at; PValue itself until it is adjusted. The baseline's are 1.
	Better                 bool
	PValue, AdjustedPValue float64
	// Together tells that several metrics or segments are adjusted together, so that AdjustedPValue counts for the baseline too.
	Together bool
}

// RateFigures returns figures for one look at a time that was set beforehand: a p-value is the posterior probability that the variant is
// not on the side of the baseline on which it looks, which is half of that of a test on both sides.
func RateFigures(rates []Rate) []Figure {
	figures := make([]Figure, len(rates))
	for i, rate := range rates {
		figures[i] = figureOf(rate.Visitors, rate.ConversionRate.Mean, &rate.ExpectedLoss, rate.ProbabilityToBeatBaseline)
	}
	return figures
}

// ValueFigures is RateFigures for values per visitor.
func ValueFigures(values []Value) []Figure {
	figures := make([]Figure, len(values))
	for i, value := range values {
		figures[i] = figureOf(value.Visitors, value.PerVisitor.Mean, value.ExpectedLoss, value.ProbabilityToBeatBaseline)
	}
	return figures
}

func figureOf(visitors int64, mean float64, loss, beat *float64) Figure {
	f := Figure{Visitors: visitors, Mean: mean, ExpectedLoss: math.Inf(1), PValue: 1, AdjustedPValue: 1}
	if loss != nil {
		f.ExpectedLoss = *loss
	}
	if beat != nil && loss != nil { // without a loss there are too few values to compare
		f.Better, f.PValue = *beat > 0.5, min(*beat, 1-*beat)
		f.AdjustedPValue = f.PValue
	}
	return f
}

// Monitor makes figures valid whenever one looks, by the variants' comparisons with the baseline at any time. The baseline's own is not read.
//
// That of rates compares numbers of conversions: a variant that gets a few more of the visitors than its weight says has more of them at the
// same rate. So it is only believed as far as the figures themselves say the same, which can only make false winners fewer.
func Monitor(figures []Figure, baseline int, better Direction, anytime []Anytime) {
	for i := range figures {
		if i == baseline {
			continue
		}
		f := &figures[i]
		if isBetter := anytime[i].Higher == (better != LowerIsBetter); isBetter == f.Better {
			f.PValue = max(f.PValue, anytime[i].PValue)
		} else {
			f.Better, f.PValue = isBetter, 1
		}
		f.AdjustedPValue = f.PValue
	}
}

// AdjustVariants adjusts the p-values of a metric that decides by itself for the number of its variants, by Holm: with several variants none
// of which differs from the baseline, the probability that any of them is taken for the winner is still at most 5 %.
func AdjustVariants(figures []Figure, baseline int) { adjust([][]Figure{figures}, baseline, Holm) }

// AdjustMetrics adjusts the p-values of secondary metrics, or of one metric's results by segment, for the number of all their variants together,
// by Benjamini and Hochberg: of the winners that are told, 5 % are false at most on average, and if nothing differs anywhere, the
// probability that there is one is at most 5 %.
func AdjustMetrics(metrics [][]Figure, baseline int) {
	adjust(metrics, baseline, BenjaminiHochberg)
	for _, figures := range metrics {
		for i := range figures {
			figures[i].Together = len(metrics) > 1
		}
	}
}

// adjust adjusts those that look better than the baseline and those that look worse each by themselves, as if the others showed nothing:
// what certainly loses must not make it easier to win.
func adjust(metrics [][]Figure, baseline int, by func([]float64) []float64) {
	for _, better := range []bool{true, false} {
		var p []float64
		for _, figures := range metrics {
			for i, f := range figures {
				switch {
				case i == baseline:
				case f.Better == better:
					p = append(p, f.PValue)
				default:
					p = append(p, 1)
				}
			}
		}
		p = by(p)
		for _, figures := range metrics {
			for i := range figures {
				if i == baseline {
					continue
				}
				if figures[i].Better == better {
					figures[i].AdjustedPValue = p[0]
				}
				p = p[1:]
			}
		}
	}
}

// Decide returns the decision on a metric and the index of its leader, or −1 where none leads. The check is that of all visitors assigned, and
// ran is how long the experiment has been running, or ran. The first that holds is the decision:
//
//  1. Invalid, on a mismatch. It does not wait for the rules: what is broken at the start only costs visitors, and the check waits by itself until
//     it can tell.
//  2. Collecting, until the rules are satisfied.
//  3. Winner, if some variant is better with an adjusted p-value of at most 0.05 and has an expected loss below 1 % of the baseline's figure. The
//     loss is one against all variants: where another is clearly better, beating the baseline is not enough. Of several such variants the
//     one with the least expected loss wins.
//  4. BaselineWins, if every other variant is worse with a p-value of at most 0.05, and the baseline's expected loss is below 1 % of its figure.
//     As all of them have to be, their p-values need no adjustment for each other; they have one for other metrics or segments.
//  5. NoDifference, if the expected loss of every variant, the baseline's too, is below 1 % of the baseline's figure.
//  6. Collecting.
//
// So a difference that is certain is named even where it is small. Whether the errors hold for one look or for any number of them is the
// figures' affair: see RateFigures and Monitor.
//
// The leader is who won. Where nobody has, it is the variant with the least expected loss among those with visitors, the best choice if one
// had to be made now; none where two share that place, or where no figure can be trusted.
func (r Rules) Decide(figures []Figure, baseline int, better Direction, check SampleRatio, ran time.Duration) (decision Decision, leader int) {
	tolerated := tolerableLoss * math.Abs(figures[baseline].Mean)
	collected := ran >= r.MinDuration
	winner, baselineWins, noDifference := -1, figures[baseline].ExpectedLoss < tolerated, true
	for i, f := range figures {
		collected = collected && f.Visitors >= r.MinVisitors
		noDifference = noDifference && f.ExpectedLoss < tolerated
		if i == baseline {
			continue
		}
		worse := f.PValue
		if f.Together {
			worse = f.AdjustedPValue
		}
		baselineWins = baselineWins && !f.Better && worse <= tolerableError
		if f.Better && f.AdjustedPValue <= tolerableError && f.ExpectedLoss < tolerated &&
			(winner < 0 || f.ExpectedLoss < figures[winner].ExpectedLoss) {
			winner = i
		}
	}
	switch {
	case check.Mismatch:
		return Invalid, -1
	case !collected:
		return Collecting, leading(figures, better)
	case winner >= 0:
		return Winner, winner
	case baselineWins && len(figures) > 1:
		return BaselineWins, baseline
	case noDifference && len(figures) > 1:
		return NoDifference, leading(figures, better)
	}
	return Collecting, leading(figures, better)
}

// leading returns the variant with the lowest expected loss among those with visitors,
// or −1. It compares means, which order variants like expected losses, but exactly.
func leading(figures []Figure, better Direction) int {
	leader, shared := -1, false
	for i, f := range figures {
		if f.Visitors == 0 {
			continue
		}
		ahead := 1.0
		if leader >= 0 {
			ahead = better.sign() * (f.Mean - figures[leader].Mean)
		}
		switch {
		case ahead > 0:
			leader, shared = i, false
		case ahead == 0:
			shared = true
		}
	}
	if shared {
		return -1
	}
	return leader
}
