//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// landingPage is what came of a test of two landing pages, published by Udacity:
// visitors, and those that converted.
var landingPage = []stats.Count{{Visitors: 145_274, Conversions: 17_489}, {Visitors: 145_310, Conversions: 17_264}}

var landingVariants = []string{"control", "treatment"}

const (
	// landingVariable says that TestLandingPage has all visitors. Their import takes half
	// a minute, so it has every twentieth otherwise.
	landingVariable = "GOALGRAPH_LANDING_PAGE"
	landingShare    = 20
	landingDays     = 22
)

// writeLandingPage writes the test's messages to a file: who is assigned on each of its
// days, and buys a minute later.
func writeLandingPage(t *testing.T, counts []stats.Count) (file string, messages int) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "messages.jsonl")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	first := time.Date(2017, 1, 2, 0, 0, 0, 0, time.UTC)
	for n, count := range counts {
		for i := range int(count.Visitors) {
			at := first.AddDate(0, 0, i%landingDays).Add(time.Duration(i/landingDays) * 10 * time.Second)
			fmt.Fprintf(w, `{"type":"track","messageId":"%[1]s-%[2]d","anonymousId":"%[1]s-%[2]d","event":"Experiment Viewed","timestamp":%[3]q,"properties":{"experiment_id":"landing-page","variation_id":%[1]q}}`+"\n",
				landingVariants[n], i, at.Format(time.RFC3339))
			messages++
			if i < int(count.Conversions) {
				fmt.Fprintf(w, `{"type":"track","messageId":"%[1]s-%[2]d-buys","anonymousId":"%[1]s-%[2]d","event":"enrolled","timestamp":%[3]q}`+"\n",
					landingVariants[n], i, at.Add(time.Minute).Format(time.RFC3339))
				messages++
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file, messages
}

// The landing pages' test, tracked and imported, has the results that were calculated
// for it to thirty digits.
func TestLandingPage(t *testing.T) {
	t.Parallel()
	counts, all := slices.Clone(landingPage), os.Getenv(landingVariable) == "all"
	for i := range counts {
		if !all {
			counts[i] = stats.Count{Visitors: counts[i].Visitors / landingShare, Conversions: counts[i].Conversions / landingShare}
		}
	}
	rates, err := stats.Rates(counts, 0, stats.HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	check, err := stats.CheckSampleRatio([]int64{counts[0].Visitors, counts[1].Visitors}, []float64{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	visitors := int(counts[0].Visitors + counts[1].Visitors)
	file, messages := writeLandingPage(t, counts)
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		if got := mustImport(t, database, "--site", "school.example", "--format", "messages", file); got.Messages != messages || got.Visitors != visitors {
			t.Fatalf("imported %+v, not %d messages of %d visitors", got, messages, visitors)
		}
		s := program(t, "serve", "--auth", "none", "--listen", "127.0.0.1:0", "--database", database).mustServe(t)
		var made struct {
			CreateGoal struct{ Goal struct{ ID string } }
			Sites      []struct{ ID string }
		}
		mustAskInto(t, s, &made, `{ sites { id } }`, nil)
		site := made.Sites[0].ID
		mustAskInto(t, s, &made, `mutation($s: ID!) { createGoal(input: {siteId: $s, key: "enrolled", name: "Enrolled"}) { goal { id } } }`, map[string]any{"s": site})
		var experiment struct {
			CreateExperiment struct{ Experiment struct{ ID string } }
		}
		mustAskInto(t, s, &experiment, `mutation($s: ID!, $g: ID!) { createExperiment(input: {siteId: $s, key: "landing-page", name: "Landing page",
			variants: [{key: "control"}, {key: "treatment"}], primaryMetric: $g}) { experiment { id } } }`, map[string]any{"s": site, "g": made.CreateGoal.Goal.ID})
		mustAskInto(t, s, &struct{}{}, `mutation($e: ID!) { startExperiment(id: $e, at: "2017-01-02T00:00:00Z") { experiment { id } } stopExperiment(id: $e, at: "2017-01-24T00:00:00Z") { experiment { id } } }`,
			map[string]any{"e": experiment.CreateExperiment.Experiment.ID})
		var data struct {
			Site struct {
				Experiment struct {
					Results struct {
						Visitors, Contaminated, UnknownVariants int
						SampleRatio                             struct {
							PValue   float64
							Mismatch bool
						}
						Metrics []struct {
							Decision string
							Leader   struct{ Key string }
							Variants []struct {
								Visitors, Conversions             int
								ConversionRate                    struct{ Mean, Low, High float64 }
								Uplift                            *struct{ Mean, Low, High float64 }
								ProbabilityToBeBest, ExpectedLoss float64
								ProbabilityToBeatBaseline         *float64
								Series                            []struct{ Visitors int }
							}
						}
					}
				}
			}
		}
		mustAskInto(t, s, &data, `{ site(domain: "school.example") { experiment(key: "landing-page") { results { visitors contaminated unknownVariants sampleRatio { pValue mismatch }
			metrics { decision leader { key } variants { visitors conversions conversionRate { mean low high } uplift { mean low high } probabilityToBeBest probabilityToBeatBaseline expectedLoss series { visitors } } } } } } }`, nil)
		r := data.Site.Experiment.Results
		near := func(what string, got, want, tolerance float64) {
			t.Helper()
			if !(math.Abs(got-want) <= tolerance) {
				t.Errorf("%s is %.9f, want %.9f", what, got, want)
			}
		}
		if r.Visitors != visitors || r.Contaminated != 0 || r.UnknownVariants != 0 || r.SampleRatio.Mismatch {
			t.Errorf("%+v", r)
		}
		near("the p-value", r.SampleRatio.PValue, check.PValue, 0)
		m := r.Metrics[0]
		if m.Decision != "COLLECTING" || m.Leader.Key != "control" {
			t.Errorf("%s, led by %s", m.Decision, m.Leader.Key)
		}
		for i, want := range rates {
			v := m.Variants[i]
			if v.Visitors != int(want.Visitors) || v.Conversions != int(want.Conversions) || len(v.Series) != landingDays || v.Series[landingDays-1].Visitors != v.Visitors {
				t.Errorf("%s: %+v", landingVariants[i], v)
			}
			near("the probability to be best", v.ProbabilityToBeBest, want.ProbabilityToBeBest, 0)
			near("the loss", v.ExpectedLoss, want.ExpectedLoss, 0)
		}
		if v := m.Variants[0]; v.ProbabilityToBeatBaseline != nil || v.Uplift != nil {
			t.Errorf("the baseline is compared with itself: %+v", v)
		}
		v := m.Variants[1]
		near("the probability to beat the baseline", *v.ProbabilityToBeatBaseline, *rates[1].ProbabilityToBeatBaseline, 0)
		if !all {
			return
		}
		near("the p-value", r.SampleRatio.PValue, 0.9467543682, 1e-6)
		near("the probability to beat the baseline", *v.ProbabilityToBeatBaseline, 0.0949441785, 1e-6)
		near("the baseline's loss", m.Variants[0].ExpectedLoss, 0.0000535532, 1e-6)
		near("the loss", v.ExpectedLoss, 0.0016317717, 1e-6)
		near("the rate's low end", v.ConversionRate.Low, 0.1171546377, 1e-5)
		near("the rate's high end", v.ConversionRate.High, 0.1204819248, 1e-5)
		near("the uplift's mean", v.Uplift.Mean, -0.0130594141, 1e-5)
		near("the uplift's low end", v.Uplift.Low, -0.0323903410, 1e-5)
		near("the uplift's high end", v.Uplift.High, 0.0065548957, 1e-5)
	})
}

// mustAskInto asks what must be answered, and reads the data into a value.
func mustAskInto(t *testing.T, s *server, data any, query string, variables map[string]any) {
	t.Helper()
	if err := s.ask(query, variables, data); err != nil {
		t.Fatal(err)
	}
}

// What an experiment's visitors see is counted under the name that it has, and other
// names are made known.
func TestUnknownVariantsHaveAMetric(t *testing.T) {
	t.Parallel()
	s := mustServe(t, "--min-visitors", "1", "--min-days", "0")
	var site struct {
		CreateSite struct{ Site struct{ ID string } }
	}
	mustAskInto(t, s, &site, `mutation { createSite(input: {name: "Shop", domains: ["shop.example"]}) { site { id } } }`, nil)
	var goal struct {
		CreateGoal struct{ Goal struct{ ID string } }
	}
	mustAskInto(t, s, &goal, `mutation($s: ID!) { createGoal(input: {siteId: $s, key: "buy", name: "Buy"}) { goal { id } } }`, map[string]any{"s": site.CreateSite.Site.ID})
	var experiment struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	mustAskInto(t, s, &experiment, `mutation($s: ID!, $g: ID!) { createExperiment(input: {siteId: $s, key: "headline", name: "Headline", variants: [{key: "a"}, {key: "b"}], primaryMetric: $g}) { experiment { id } } }`,
		map[string]any{"s": site.CreateSite.Site.ID, "g": goal.CreateGoal.Goal.ID})
	mustAskInto(t, s, &struct{}{}, `mutation($e: ID!) { startExperiment(id: $e, at: "2026-01-01T00:00:00Z") { experiment { id } } }`, map[string]any{"e": experiment.CreateExperiment.Experiment.ID})
	sent := 0
	send := func(experiment, variant string) {
		t.Helper()
		sent++
		body := fmt.Sprintf(`{"anonymousId": "visitor %d", "event": "Experiment Viewed", "timestamp": "2026-05-01T10:00:00Z", "properties": {"experiment_id": %q, "variation_id": %q}}`, sent, experiment, variant)
		if a := s.mustTrack(t, "shop.example", "/v1/track", []byte(body)); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	const metric = `goalgraph_experiment_unknown_variants_total{experiment="headline",site="1"} `
	await(t, "unknown variants are counted", func() bool { // when the server has looked what runs
		send("headline", "B")
		return strings.Contains(s.get(t, "/metrics").body, "\n"+metric)
	})
	unknown := func() (n int) {
		_, behind, _ := strings.Cut(s.get(t, "/metrics").body, "\n"+metric)
		if _, err := fmt.Sscan(behind, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := unknown()
	send("headline", "a")
	send("other", "a")
	send("headline", "old")
	if after := unknown(); after != before+1 {
		t.Errorf("%d, and %d after one more", before, after)
	}
	var data struct {
		Node struct {
			Results struct {
				Visitors, UnknownVariants int
				Metrics                   []struct{ Decision string }
			}
		}
	}
	mustAskInto(t, s, &data, `query($e: ID!) { node(id: $e) { ... on Experiment { results { visitors unknownVariants metrics { decision } } } } }`, map[string]any{"e": experiment.CreateExperiment.Experiment.ID})
	if r := data.Node.Results; r.Visitors != 1 || r.UnknownVariants != sent-2 {
		t.Errorf("%d sent, %+v", sent, r)
	}
}
