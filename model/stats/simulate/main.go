// Command simulate plays experiments whose truth is known, decides them as Goalgraph does, and prints as Markdown how often that was right:
//
//	go run ./model/stats/simulate -tests 2000
//
// Each row is played by random numbers of its own, so the same seed prints the same tables.
package main

import (
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/goalgraph/goalgraph/model/stats"
)

// What is played: looks once a day from the first day on which the rules allow a decision.
const (
	days     = 30
	firstDay = 7
	// metrics is the number of secondary ones.
	metrics = 10
	// planned is the lift that is found in 80 of 100 tests on the last day.
	planned = 0.05
)

var rules = stats.Rules{MinVisitors: stats.DefaultMinVisitors, MinDuration: stats.DefaultMinDuration}

// A table has a row for each job, which plays it.
type table struct {
	title, head string
	jobs        []func(*rand.Rand) string
}

func main() {
	tests := flag.Int("tests", 2000, "simulated tests of each row")
	seed := flag.Uint64("seed", 1, "of the random numbers")
	flag.Parse()
	log.SetFlags(log.Ltime)
	if flag.NArg() > 0 || *tests < 1 {
		fmt.Fprintln(os.Stderr, "usage: simulate [-tests 2000] [-seed 1]; -tests is at least 1")
		os.Exit(2)
	}
	tables := []table{falseWinners(*tests), falseMetrics(*tests), power(*tests), coverage(*tests)}
	for i, rows := range play(tables, *seed) {
		fmt.Printf("%s\n\n%s\n%s\n%s\n\n", tables[i].title, tables[i].head, rule(tables[i].head), strings.Join(rows, "\n"))
	}
}

// rule is the line below a table's head.
func rule(head string) string {
	return strings.Repeat("| --- ", strings.Count(head, "|")-1) + "|"
}

// play returns the rows of tables. It plays as many at once as there are processors.
func play(tables []table, seed uint64) [][]string {
	rows := make([][]string, len(tables))
	var group sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, t := range tables {
		rows[i] = make([]string, len(t.jobs))
		for j, job := range t.jobs {
			free <- struct{}{}
			group.Go(func() {
				begin := time.Now()
				rows[i][j] = job(rand.New(rand.NewPCG(seed, uint64(1000*i+j))))
				log.Printf("table %d of %d, row %d of %d, %s: %s", i+1, len(tables), j+1, len(t.jobs), time.Since(begin).Round(time.Second), rows[i][j])
				<-free
			})
		}
	}
	group.Wait()
	return rows
}

// percent writes a part of all.
func percent(part, all int) string { return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(all)) }

// perDay is how many visitors a variant gets a day, so that the planned lift has its power on the last day.
func perDay(rate float64) int64 {
	visitors, err := stats.DefaultPlan.VisitorsForRate(rate, planned)
	must(err)
	return int64(math.Ceil(visitors / days))
}

// must ends the program on an error, which simulated counts cannot cause.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// experiment is one that is being played: what the variants have come to, of which the first is the baseline.
type experiment struct {
	rates  []float64
	counts []stats.Count
	random *rand.Rand
}

func newExperiment(random *rand.Rand, rates ...float64) *experiment {
	return &experiment{rates, make([]stats.Count, len(rates)), random}
}

// pass lets a day pass.
func (e *experiment) pass(visitors int64) {
	for i, rate := range e.rates {
		e.counts[i].Visitors += visitors
		e.counts[i].Conversions += int64(distuv.Binomial{N: float64(visitors), P: rate, Src: e.random}.Rand())
	}
}

// z returns by how many standard errors the best variant is above the baseline. It saves the quadrature where nothing can be decided: at no
// look does a decision need less than 1.6, and at any time less than 2.4.
func (e *experiment) z() float64 {
	highest, base := math.Inf(-1), e.counts[0]
	for _, count := range e.counts[1:] {
		pooled := float64(base.Conversions+count.Conversions) / float64(base.Visitors+count.Visitors)
		spread := math.Sqrt(pooled * (1 - pooled) * (1/float64(base.Visitors) + 1/float64(count.Visitors)))
		highest = max(highest, (share(count)-share(base))/spread)
	}
	return highest
}

func share(c stats.Count) float64 { return float64(c.Conversions) / float64(c.Visitors) }

// figures are those for one look.
func (e *experiment) figures() []stats.Figure {
	rates, err := stats.Rates(e.counts, 0, stats.HigherIsBetter)
	must(err)
	return stats.RateFigures(rates)
}

// anytime are the comparisons with the baseline that are valid at any time.
func (e *experiment) anytime() []stats.Anytime {
	anytime := make([]stats.Anytime, len(e.counts))
	for i, count := range e.counts[1:] {
		var err error
		anytime[i+1], err = stats.AnytimeRates(stats.Phase{Baseline: e.counts[0], Variant: count, BaselineWeight: 1, VariantWeight: 1})
		must(err)
	}
	return anytime
}

// wins decides by figures.
func wins(figures []stats.Figure, day int) bool {
	decision, _ := rules.Decide(figures, 0, stats.HigherIsBetter, stats.SampleRatio{}, time.Duration(day)*24*time.Hour)
	return decision == stats.Winner
}

// winsOnce decides as if this were the only look, without a thought of how many variants there are.
func (e *experiment) winsOnce(day int) bool { return e.z() > 1.6 && wins(e.figures(), day) }

// winsAnytime decides as Goalgraph does by default.
func (e *experiment) winsAnytime(day int) bool {
	if e.z() < 2.4 {
		return false
	}
	anytime := e.anytime()
	if !slices.ContainsFunc(anytime[1:], func(a stats.Anytime) bool { return a.PValue <= 0.05 }) {
		return false
	}
	figures := e.figures()
	stats.Monitor(figures, 0, stats.HigherIsBetter, anytime)
	stats.AdjustVariants(figures, 0)
	return wins(figures, day)
}

// winsGrowthBook decides by GrowthBook's sequential test: that the interval of the lift lies above 0.
func (e *experiment) winsGrowthBook() bool {
	d, err := stats.AnytimeProportions(e.counts[1], e.counts[0])
	must(err)
	return d.Uplift != nil && d.Uplift.Low > 0
}

// winsAtEnd decides by the test with a fixed horizon, two-sided at 5 %.
func (e *experiment) winsAtEnd() bool { return e.z() > 1.959964 }

func falseWinners(tests int) table {
	t := table{
		title: "False WINNER in A/A tests, looked at daily from day 7 to 30",
		head:  "| base rate | variants | visitors a variant and day | rule for one look, looked at daily | rule for one look, looked at once | rule for any time, looked at daily |",
	}
	for _, rate := range []float64{0.02, 0.1, 0.5} {
		for _, variants := range []int{2, 3, 5} {
			t.jobs = append(t.jobs, func(random *rand.Rand) string {
				daily, end, anytime := 0, 0, 0
				for range tests {
					e := newExperiment(random, slices.Repeat([]float64{rate}, variants)...)
					once, always := false, false
					for day := 1; day <= days; day++ {
						e.pass(perDay(rate))
						if day >= firstDay {
							once, always = once || e.winsOnce(day), always || e.winsAnytime(day)
						}
					}
					if once {
						daily++
					}
					if always {
						anytime++
					}
					if e.z() > 1.6 {
						figures := e.figures()
						stats.AdjustVariants(figures, 0)
						if wins(figures, days) {
							end++
						}
					}
				}
				return fmt.Sprintf("| %g %% | %d | %d | %s | %s | %s |", 100*rate, variants, perDay(rate), percent(daily, tests), percent(end, tests), percent(anytime, tests))
			})
		}
	}
	return t
}

func falseMetrics(tests int) table {
	t := table{
		title: fmt.Sprintf("Some false WINNER among %d secondary metrics of an A/A test", metrics),
		head:  "| base rate | rule for one look, looked at once, not adjusted | rule for any time, looked at daily from day 7 to 30 |",
	}
	for _, rate := range []float64{0.02, 0.1, 0.5} {
		t.jobs = append(t.jobs, func(random *rand.Rand) string {
			end, anytime := 0, 0
			for range tests {
				var all [metrics]*experiment
				for m := range all {
					all[m] = newExperiment(random, rate, rate)
				}
				always := false
				for day := 1; day <= days; day++ {
					for _, e := range all {
						e.pass(perDay(rate))
					}
					always = always || day >= firstDay && someWinsAnytime(all[:], day)
				}
				if always {
					anytime++
				}
				if slices.ContainsFunc(all[:], func(e *experiment) bool { return e.winsOnce(days) }) {
					end++
				}
			}
			return fmt.Sprintf("| %g %% | %s | %s |", 100*rate, percent(end, tests), percent(anytime, tests))
		})
	}
	return t
}

// someWinsAnytime decides on secondary metrics as Goalgraph does by default.
func someWinsAnytime(all []*experiment, day int) bool {
	if !slices.ContainsFunc(all, func(e *experiment) bool { return e.z() > 2.4 }) {
		return false
	}
	figures := make([][]stats.Figure, len(all))
	for m, e := range all {
		figures[m] = make([]stats.Figure, 2)
		stats.Monitor(figures[m], 0, stats.HigherIsBetter, e.anytime())
	}
	stats.AdjustMetrics(figures, 0)
	for m, e := range all {
		if f := figures[m][1]; f.Better && f.AdjustedPValue <= 0.05 {
			full := e.figures()
			full[1].Better, full[1].PValue, full[1].AdjustedPValue = true, f.PValue, f.AdjustedPValue
			if wins(full, day) {
				return true
			}
		}
	}
	return false
}

func power(tests int) table {
	t := table{
		title: fmt.Sprintf("WINNER found by day %d, and the median day on which it was, where the fixed test is planned for +%g %%", days, 100*planned),
		head:  "| base rate | lift | visitors a variant and day | fixed test on day 30 | rule for any time | day | GrowthBook's sequential test | day |",
	}
	for _, rate := range []float64{0.02, 0.1, 0.5} {
		for _, lift := range []float64{0.01, 0.05, 0.1} {
			t.jobs = append(t.jobs, func(random *rand.Rand) string {
				end := 0
				var anytime, growthBook []int
				for range tests {
					e := newExperiment(random, rate, rate*(1+lift))
					always, other := 0, 0
					for day := 1; day <= days; day++ {
						e.pass(perDay(rate))
						if day >= firstDay && always == 0 && e.winsAnytime(day) {
							always = day
						}
						if day >= firstDay && other == 0 && e.winsGrowthBook() {
							other = day
						}
					}
					if always > 0 {
						anytime = append(anytime, always)
					}
					if other > 0 {
						growthBook = append(growthBook, other)
					}
					if e.winsAtEnd() {
						end++
					}
				}
				return fmt.Sprintf("| %g %% | +%g %% | %d | %s | %s | %s | %s | %s |", 100*rate, 100*lift, perDay(rate), percent(end, tests),
					percent(len(anytime), tests), median(anytime), percent(len(growthBook), tests), median(growthBook))
			})
		}
	}
	return t
}

// median writes the day by which the half of those that are decided are.
func median(days []int) string {
	if len(days) == 0 {
		return "–"
	}
	slices.Sort(days)
	return fmt.Sprint(days[(len(days)-1)/2])
}

func coverage(tests int) table {
	t := table{
		title: "Coverage of intervals of 95 % for lognormal values: of the mean, and of the difference of two equal variants",
		head:  "| σ | values a variant | mean, raw | mean, winsorised | difference, raw | difference, winsorised | difference, CUPED | variance that CUPED removes |",
	}
	for _, sigma := range []float64{0.5, 1, 1.5, 2} {
		for _, n := range []int64{1000, 10_000, 100_000} {
			t.jobs = append(t.jobs, func(random *rand.Rand) string { return cover(random, tests, sigma, n) })
		}
	}
	return t
}

// cover plays pairs of variants of lognormal values, of which the logarithms have a correlation of 0.7 with those of the visitor's values before.
func cover(random *rand.Rand, tests int, sigma float64, n int64) string {
	const correlation = 0.7
	mean := math.Exp(sigma * sigma / 2)
	capped := distuv.UnitNormal.Quantile(stats.DefaultWinsorQuantile) // by the whole distribution
	winsorMean := mean*distuv.UnitNormal.CDF(capped-sigma) + math.Exp(sigma*capped)*(1-stats.DefaultWinsorQuantile)
	var inMean, inWinsorMean, inRaw, inWinsor, inCUPED int
	reduction := 0.0
	values, scratch := make([]float64, 2*n), make([]float64, 2*n)
	for range tests {
		raw, winsorised, pairs := make([]stats.Amount, 2), make([]stats.Amount, 2), make([]stats.JointMoments, 2)
		for v := range pairs {
			for i := range n {
				z := random.NormFloat64()
				before := math.Exp(sigma * (correlation*z + math.Sqrt(1-correlation*correlation)*random.NormFloat64()))
				value := math.Exp(sigma * z)
				values[int64(v)*n+i] = value
				pairs[v].Add(before, value)
			}
			raw[v] = stats.AmountOf(n, n, n, pairs[v].Y.Mean*float64(n), pairs[v].Y)
		}
		copy(scratch, values)
		winsor, err := stats.WinsorOf(scratch, stats.DefaultWinsorQuantile)
		must(err)
		for v := range winsorised {
			var moments stats.Moments
			for _, value := range values[int64(v)*n : int64(v+1)*n] {
				moments.Add(winsor.Of(value))
			}
			winsorised[v] = stats.AmountOf(n, n, n, moments.Mean*float64(n), moments)
		}
		cuped, adjusted, err := stats.Adjust(raw, pairs)
		must(err)
		reduction += cuped.VarianceReduction / float64(tests)
		count(&inMean, covers(raw[0], mean))
		count(&inWinsorMean, covers(winsorised[0], winsorMean))
		count(&inRaw, agree(raw))
		count(&inWinsor, agree(winsorised))
		count(&inCUPED, agree(adjusted))
	}
	return fmt.Sprintf("| %g | %d | %s | %s | %s | %s | %s | %.0f %% |", sigma, n, percent(inMean, tests), percent(inWinsorMean, tests),
		percent(inRaw, tests), percent(inWinsor, tests), percent(inCUPED, tests), 100*reduction)
}

func count(hits *int, hit bool) {
	if hit {
		*hits++
	}
}

// covers tells whether the interval of a mean holds the truth.
func covers(amount stats.Amount, truth float64) bool {
	values, err := stats.Values([]stats.Amount{amount}, 0, stats.HigherIsBetter)
	must(err)
	interval := values[0].PerVisitor
	return interval.Low <= truth && truth <= interval.High
}

// agree tells whether the interval of the difference holds 0: whether the probability to be higher is not beyond its ends.
func agree(amounts []stats.Amount) bool {
	higher, err := stats.ValueGuardrail(amounts[1], amounts[0], 0, stats.HigherIsBetter)
	must(err)
	return 0.025 <= higher && higher <= 0.975
}
