package stats

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	rules := Rules{MinVisitors: DefaultMinVisitors, MinDuration: DefaultMinDuration}
	for _, test := range []struct {
		name     string
		counts   []Count // the baseline is the first
		mismatch bool
		ran      time.Duration
		decision Decision
		leader   int
	}{
		{"a clear winner", []Count{{10_000, 1000}, {10_000, 1200}}, false, week, Winner, 1},
		{"too early", []Count{{10_000, 1000}, {10_000, 1200}}, false, week - 1, Collecting, 1},
		{"too few visitors in one variant", []Count{{10_000, 1000}, {99, 60}}, false, week, Collecting, 1},
		{"just enough visitors", []Count{{10_000, 1000}, {100, 60}}, false, week, Winner, 1},
		{"a mismatch", []Count{{10_000, 1000}, {10_000, 1200}}, true, week, Invalid, -1},
		{"a mismatch is told early", []Count{{10_000, 1000}, {50, 5}}, true, time.Hour, Invalid, -1},
		{"the baseline wins", []Count{{10_000, 1200}, {10_000, 1000}}, false, week, BaselineWins, 0},
		{"open", []Count{{1000, 100}, {1000, 110}}, false, week, Collecting, 1},
		{"no difference", []Count{{10_000_000, 1_000_000}, {10_000_000, 1_000_100}}, false, week, NoDifference, 1},
		{"no difference, of equals", []Count{{10_000_000, 1_000_000}, {10_000_000, 1_000_000}}, false, week, NoDifference, -1},
		{"a certain difference, however small", []Count{{100_000_000, 10_000_000}, {100_000_000, 10_020_000}}, false, week, Winner, 1},
		{"the better one of two that beat the baseline", []Count{{10_000, 1000}, {10_000, 1200}, {10_000, 1400}}, false, week, Winner, 2},
		{"both beat the baseline, which is better is open", []Count{{10_000, 1000}, {10_000, 1300}, {10_000, 1310}}, false, week, Collecting, 2},
		{"the baseline beats one, another is open", []Count{{10_000, 1200}, {10_000, 1000}, {10_000, 1195}}, false, week, Collecting, 0},
		{"the baseline beats all", []Count{{100_000, 12_000}, {100_000, 10_000}, {100_000, 11_000}}, false, week, BaselineWins, 0},
		{"nobody", []Count{{0, 0}, {0, 0}}, false, week, Collecting, -1},
		{"who has no visitors leads nobody", []Count{{300, 30}, {300, 45}, {0, 0}}, false, week, Collecting, 1},
		{"nobody converts", []Count{{10_000, 0}, {10_000, 0}}, false, week, Collecting, -1},
		{"alone", []Count{{10_000, 10}}, false, week, Collecting, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			decide := func(counts []Count, baseline int) (Decision, int) {
				figures := RateFigures(mustRates(t, counts, baseline))
				AdjustVariants(figures, baseline)
				return rules.Decide(figures, baseline, HigherIsBetter, SampleRatio{Mismatch: test.mismatch}, test.ran)
			}
			decision, leader := decide(test.counts, 0)
			if decision != test.decision || leader != test.leader {
				t.Errorf("got %s and %d, want %s and %d", decision, leader, test.decision, test.leader)
			}
			// The last variant is the baseline.
			last := len(test.counts) - 1
			turned := make([]Count, len(test.counts))
			for i, count := range test.counts {
				turned[last-i] = count
			}
			decision, leader = decide(turned, last)
			if leader >= 0 {
				leader = last - leader
			}
			if decision != test.decision || leader != test.leader {
				t.Errorf("turned round: got %s and %d, want %s and %d", decision, leader, test.decision, test.leader)
			}
		})
	}
}

func TestSampleRatio(t *testing.T) {
	t.Parallel()
	type check struct {
		name     string
		visitors []int64
		weights  []float64
		p        float64
		within   float64
		mismatch bool
	}
	tests := []check{
		{"as the weights say", []int64{7000, 3000}, []float64{70, 30}, 1, 1e-12, false},
		{"nobody", []int64{0, 0}, []float64{1, 1}, 1, 0, false},
		{"alone", []int64{500}, []float64{1}, 1, 0, false},
		{"99 on one side", []int64{99, 0}, []float64{1, 1}, 2.5e-23, 1e-20, true},
		{"100 on one side", []int64{100, 0}, []float64{1, 1}, 1.5e-23, 1e-20, true},
		{"too many for a small share", []int64{990 - 100, 100}, []float64{199, 1}, 0, 1e-20, true},
		{"everybody in one", []int64{1_000_000_000, 0}, []float64{1, 1}, 0, 0, true},
		{"weights of any size", []int64{5000, 5000}, []float64{1e300, 1e300}, 1, 1e-12, false},
		// With 2 degrees of freedom p is e^(−χ²/2).
		{"three", []int64{300, 300, 330}, []float64{1, 1, 1}, math.Exp(-0.5 * (10*10 + 10*10 + 20*20) / 310), 1e-12, false},
		// With 1 it is erfc(√(χ²/2)).
		{"two", []int64{10_000, 10_467}, []float64{1, 1}, math.Erfc(math.Sqrt(467 * 467 / 20_467. / 2)), 1e-12, false},
		{"two, below 0.001 if one looks once", []int64{10_000, 10_473}, []float64{1, 1}, math.Erfc(math.Sqrt(473 * 473 / 20_473. / 2)), 1e-12, false},
		{"two, further apart", []int64{10_000, 10_700}, []float64{1, 1}, math.Erfc(math.Sqrt(700 * 700 / 20_700. / 2)), 1e-12, true},
		{"six in all", []int64{6, 0}, []float64{1, 1}, math.Erfc(math.Sqrt(3)), 1e-12, false},
	}
	var reference struct {
		Cases []struct {
			ID       string
			Variants []struct{ Trials int64 }
			SRM      *struct {
				Weights []float64
				P       float64
			}
		}
		SampleRatio []struct {
			Observed []int64
			Weights  []float64
			P        float64
		} `json:"sample_ratio"`
	}
	load(t, "stats_reference.json", &reference)
	for _, c := range reference.Cases {
		if c.SRM == nil {
			continue
		}
		test := check{name: c.ID, weights: c.SRM.Weights, p: c.SRM.P, within: 1e-12}
		total := int64(0)
		for _, v := range c.Variants {
			test.visitors = append(test.visitors, v.Trials)
			total += v.Trials
		}
		test.mismatch = test.p < 0.001 && total >= 100
		tests = append(tests, test)
	}
	for _, c := range reference.SampleRatio {
		tests = append(tests, check{name: fmt.Sprint(c.Observed), visitors: c.Observed, weights: c.Weights, p: c.P, within: 1e-3})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := CheckSampleRatio(test.visitors, test.weights)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "p", got.PValue, test.p, test.within)
			if got.Mismatch != test.mismatch {
				t.Errorf("mismatch %t, p %g", got.Mismatch, got.PValue)
			}
		})
	}
	for _, test := range []check{
		{visitors: []int64{1, 2}, weights: []float64{1}},
		{visitors: []int64{1, 2}, weights: []float64{1, 0}},
		{visitors: []int64{1, 2}, weights: []float64{1, -1}},
		{visitors: []int64{1, 2}, weights: []float64{1, math.NaN()}},
		{visitors: []int64{1, 2}, weights: []float64{1, math.Inf(1)}},
		{visitors: []int64{1, -2}, weights: []float64{1, 1}},
	} {
		if got, err := CheckSampleRatio(test.visitors, test.weights); err == nil {
			t.Errorf("%v: %v", test, got)
		}
	}
}

func TestBayesFactor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		x, y Count
		want float64
	}{
		{Count{0, 0}, Count{0, 0}, 1},
		{Count{0, 0}, Count{100, 7}, 1},
		// Of one visitor each: (1/2 · 1/2) / (1/6), and by the same (1/2 · 1/2) / (1/3).
		{Count{1, 1}, Count{1, 0}, 1.5},
		{Count{1, 1}, Count{1, 1}, 0.75},
		{Count{1_000_000_000, 0}, Count{1_000_000_000, 1_000_000_000}, maxBayesFactor},
	} {
		near(t, fmt.Sprint(test.x, test.y), BayesFactor(test.x, test.y)/test.want, 1, 1e-13)
		near(t, fmt.Sprint(test.y, test.x), BayesFactor(test.y, test.x)/test.want, 1, 1e-13)
	}
}

// TestBayesFactorIsAMartingale holds it to what makes it valid however often one looks: were the rates equal, the next visitor would change it
// by nothing on average, where his probability to convert is what all counts tell of one common rate.
func TestBayesFactorIsAMartingale(t *testing.T) {
	t.Parallel()
	for n1 := range int64(8) {
		for n2 := range int64(8) {
			for c1 := range n1 + 1 {
				for c2 := range n2 + 1 {
					x, y := Count{n1, c1}, Count{n2, c2}
					p := float64(1+c1+c2) / float64(2+n1+n2)
					next := p*BayesFactor(Count{n1 + 1, c1 + 1}, y) + (1-p)*BayesFactor(Count{n1 + 1, c1}, y)
					near(t, fmt.Sprint(x, y), next/BayesFactor(x, y), 1, 1e-12)
				}
			}
		}
	}
}
