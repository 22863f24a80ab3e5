package graph_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
)

// verdict is what is said of a metric.
type verdict struct {
	Goal    struct{ Key string }
	Role    string
	Leader  *struct{ Key string }
	Reasons []struct{ Code, Message string }
	// Decision is empty where it could not be told.
	Decision string
	Variants []struct{ AdjustedPValue *float64 }
}

// String is the decision, the leader and the codes of the reasons.
func (v verdict) String() string {
	leader, codes := "-", make([]string, len(v.Reasons))
	if v.Leader != nil {
		leader = v.Leader.Key
	}
	for i, reason := range v.Reasons {
		codes[i] = reason.Code
	}
	return fmt.Sprintf("%s %s: %s", v.Decision, leader, strings.Join(codes, " "))
}

const verdictFields = `metrics { goal { key } role decision leader { key } reasons { code message } variants { adjustedPValue } }`

// verdicts returns those of an experiment, in the order of its metrics.
func (g *testGraph) verdicts(experiment string, filters ...any) []verdict {
	g.Helper()
	var data struct {
		Node struct{ Results struct{ Metrics []verdict } }
	}
	g.into(&data, `query($e: ID!, $f: [FilterInput!]) { node(id: $e) { ... on Experiment { results(filters: $f) { `+verdictFields+` } } } }`, vars{"e": experiment, "f": append([]any{}, filters...)})
	return data.Node.Results.Metrics
}

// trialOf makes an experiment with more of its definition, and has it run from the first of May on.
func (g *testGraph) trialOf(site, key string, more map[string]any) string {
	g.Helper()
	input := map[string]any{"siteId": site, "key": key, "name": key, "variants": raw(`[{"key": "a"}, {"key": "b"}]`)}
	for field, value := range more {
		input[field] = value
	}
	var data struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	g.into(&data, `mutation($i: CreateExperimentInput!) { createExperiment(input: $i) { experiment { id } } }`, vars{"i": input})
	e := data.CreateExperiment.Experiment.ID
	g.start(e, "2026-05-01T00:00:00Z")
	return e
}

// reach returns messages of the first visitors of a variant, of crowd, that reach a goal. Their values add up to a total.
func reach(variant, goal string, visitors, total int, when string) (messages []model.Message) {
	for i := range visitors {
		messages = append(messages, event(fmt.Sprint(variant, " ", i), when, goal, float64(total*(i+1)/visitors-total*i/visitors), soon))
	}
	return messages
}

// Verdicts that ordinary shops would have wrong.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	now := at("2026-05-11T00:00:00Z").Time()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		const day, horizon = "2026-05-02T10:00:00Z", "2026-05-10T00:00:00Z"
		shop := g.site("shop.example", "UTC")
		buy, stop, win, look := g.tracked(shop, "buy"), g.tracked(shop, "unsubscribe"), g.tracked(shop, "win"), g.goal(shop, "look", raw(`{"events": {"all": "look"}}`))
		g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, direction: LOWER_IS_BETTER}) { goal { id } } }`, vars{"g": stop})
		messages := slices.Concat(crowd("a", "", 4000, 0, day), crowd("b", "", 4000, 0, day))
		for goal, of := range map[string][2][2]int{"buy": {{397, 8192}, {307, 19064}}, "unsubscribe": {{200, 0}, {360, 0}}, "win": {{400, 400}, {460, 460}}, "look": {{400, 0}, {400, 0}}} {
			messages = slices.Concat(messages, reach("a", goal, of[0][0], of[0][1], day), reach("b", goal, of[1][0], of[1][1], day))
		}
		for chunk := range slices.Chunk(messages, 2000) {
			g.write("shop.example", chunk...)
		}
		many := make([]string, 10)
		many[0] = win
		for i := range many[1:] {
			many[i+1] = g.goal(shop, fmt.Sprint("look ", i), raw(`{"events": {"all": "look"}}`))
		}
		fixed := func(more map[string]any) map[string]any {
			more["monitoring"], more["decideAt"] = "FIXED_HORIZON", horizon
			return more
		}
		for _, test := range []struct {
			name    string
			of      map[string]any
			filters []any
			place   int
			want    string
		}{
			{"a price by rate", map[string]any{"primaryMetric": buy}, nil, 0, "BASELINE_WINS a: CLEAR CONTRARY_VALUE"},
			{"a price by value", map[string]any{"primaryMetric": buy, "decidesBy": "VALUE"}, nil, 0, "WINNER b: CLEAR"},
			{"more who leave", map[string]any{"primaryMetric": stop}, nil, 0, "BASELINE_WINS a: CLEAR"},
			{"a lucky look", map[string]any{"primaryMetric": win}, nil, 0, "COLLECTING b: OPEN"},
			{"a lucky look that was planned", fixed(map[string]any{"primaryMetric": win}), nil, 0, "WINNER b: CLEAR"},
			{"too early a look", map[string]any{"primaryMetric": win, "monitoring": "FIXED_HORIZON", "decideAt": "2026-05-12T00:00:00Z"}, nil, 0, "COLLECTING b: BEFORE_HORIZON"},
			{"one of ten metrics", fixed(map[string]any{"primaryMetric": buy, "secondaryMetrics": many}), nil, 1, "COLLECTING b: OPEN MANY_COMPARISONS"},
			{"a guardrail that breaks", fixed(map[string]any{"primaryMetric": win, "guardrails": raw(`[{"goal": "` + stop + `", "margin": 0.05}]`)}), nil, 0, "COLLECTING b: GUARDRAIL"},
			{"a guardrail that holds", fixed(map[string]any{"primaryMetric": win, "guardrails": raw(`[{"goal": "` + look + `", "margin": 0.3}]`)}), nil, 0, "WINNER b: CLEAR"},
			{"filters by what follows", fixed(map[string]any{"primaryMetric": win}), []any{raw(`{"anyOf": [{"events": {"all": "win"}}, {"events": {"all": "look"}}]}`)}, 0, "COLLECTING b: FILTER_AFTER_ASSIGNMENT"},
			{"an audience by what follows", fixed(map[string]any{"primaryMetric": win, "audience": []any{raw(`{"anyOf": [{"events": {"all": "win"}}, {"events": {"all": "look"}}]}`)}}), nil, 0, "COLLECTING b: FILTER_AFTER_ASSIGNMENT"},
		} {
			e := g.trialOf(shop, "headline", test.of)
			if got := g.verdicts(e, test.filters...)[test.place]; got.String() != test.want {
				t.Errorf("%s: %s, want %s (%v)", test.name, got, test.want, got.Reasons)
			}
			g.must(`mutation($e: ID!) { stopExperiment(id: $e) { experiment { id } } deleteExperiment(id: $e) { deletedId } }`, vars{"e": e})
		}

		// A guardrail cannot be got round by naming the primary metric, nor the planned look by a range that ends before it.
		guarded := g.trialOf(shop, "headline", fixed(map[string]any{"primaryMetric": win, "guardrails": raw(`[{"goal": "` + stop + `", "margin": 0.05}]`)}))
		var alone struct {
			Node struct{ Named, Early struct{ Metrics []verdict } }
		}
		g.into(&alone, `query($e: ID!, $g: ID!) { node(id: $e) { ... on Experiment { named: results(goal: $g) { `+verdictFields+` } early: results(range: {from: "2026-05-01T00:00:00Z", to: "2026-05-09T12:00:00Z"}) { `+verdictFields+` } } } }`,
			vars{"e": guarded, "g": win})
		if named := alone.Node.Named.Metrics; len(named) != 2 || named[0].String() != "COLLECTING b: GUARDRAIL" || named[1].Role != "GUARDRAIL" {
			t.Errorf("a primary metric that is named: %v", named)
		}
		if early := alone.Node.Early.Metrics[0]; early.String() != "COLLECTING b: BEFORE_HORIZON" {
			t.Errorf("a range before the look: %v", early)
		}
		g.must(`mutation($e: ID!) { stopExperiment(id: $e) { experiment { id } } deleteExperiment(id: $e) { deletedId } }`, vars{"e": guarded})

		// A metric that is changed once results can be seen.
		e := g.trialOf(shop, "headline", map[string]any{"primaryMetric": buy})
		g.must(`mutation($e: ID!, $g: ID!) { stopExperiment(id: $e) { experiment { id } } updateExperiment(input: {id: $e, primaryMetric: $g}) { experiment { id } } }`, vars{"e": e, "g": look})
		if got := g.verdicts(e)[0].String(); got != "COLLECTING -: OPEN METRIC_CHANGED" {
			t.Errorf("a changed metric: %s", got)
		}

		g.must(`mutation($e: ID!) { deleteExperiment(id: $e) { deletedId } }`, vars{"e": e})
		// The experiment's own direction, and a goal that changes under it. What people learnt is found.
		e = g.trialOf(shop, "headline", map[string]any{"primaryMetric": buy, "directions": raw(`[{"goal": "` + buy + `", "direction": "LOWER_IS_BETTER"}]`), "notes": "Of the price team"})
		if got := g.verdicts(e)[0].String(); got != "WINNER b: CLEAR CONTRARY_VALUE" {
			t.Errorf("a direction of its own: %s", got)
		}
		g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, name: "Buys"}) { goal { id } } }`, vars{"g": buy})
		if got := g.verdicts(e)[0].String(); got != "WINNER b: CLEAR CONTRARY_VALUE" {
			t.Errorf("a new name: %s", got)
		}
		g.must(`mutation($g: ID!) { updateGoal(input: {id: $g, direction: LOWER_IS_BETTER}) { goal { id } } }`, vars{"g": buy})
		if got := g.verdicts(e)[0].String(); got != "WINNER b: CLEAR CONTRARY_VALUE METRIC_CHANGED" {
			t.Errorf("a goal that changes: %s", got)
		}
		g.refused(`mutation($e: ID!, $g: ID!) { updateExperiment(input: {id: $e, directions: [{goal: $g, direction: LOWER_IS_BETTER}]}) { experiment { id } } }`, vars{"e": e, "g": look}, model.BadInput, "input.directions[0].goal")
		g.must(`mutation($e: ID!) { stopExperiment(id: $e, winner: "b", conclusion: "Dearer is better") { experiment { id } } archiveExperiment(id: $e) { experiment { id } } }`, vars{"e": e})
		for search, want := range map[string]int{"dearer": 1, "price team": 1, "cheaper": 0} {
			var found struct {
				Site struct {
					Experiments struct {
						Nodes []struct {
							ID, Conclusion, Notes string
							Directions            []struct{ Direction string }
						}
					}
				}
			}
			g.into(&found, `query($s: ID!, $q: String) { site(id: $s) { experiments(search: $q, status: [ARCHIVED]) { nodes { id conclusion notes directions { direction } } } } }`, vars{"s": shop, "q": search})
			if nodes := found.Site.Experiments.Nodes; len(nodes) != want || want == 1 && (nodes[0].ID != e || nodes[0].Conclusion != "Dearer is better" || len(nodes[0].Directions) != 1) {
				t.Errorf("searched for %q: %+v", search, found)
			}
		}

		// Half of the visitors in both variants, and assignments to no variant.
		lab := g.site("lab.example", "UTC")
		both := slices.Concat(crowd("a", "buy", 200, 20, day), crowd("b", "buy", 200, 80, day))
		for i := range 100 {
			both = append(both, assignment(fmt.Sprint("a ", i), "2026-05-03T10:00:00Z", "headline", "b"), assignment(fmt.Sprint("b ", i), "2026-05-03T10:00:00Z", "headline", "a"),
				assignment(fmt.Sprint("c ", i), day, "headline", "c"))
		}
		g.write("lab.example", both...)
		mixed := g.trialOf(lab, "headline", map[string]any{"primaryMetric": g.tracked(lab, "buy")})
		if got := g.verdicts(mixed)[0].String(); got != "COLLECTING b: MULTIPLE_EXPOSURES UNKNOWN_VARIANTS" {
			t.Errorf("visitors in both variants: %s", got)
		}

		// Large values that hardly differ.
		bank := g.site("bank.example", "UTC")
		var deposits []model.Message
		for i := range 400 {
			variant, value := "a", 1e7
			if i%2 == 1 {
				variant, value = "b", 1e7+0.18153
			}
			visitor, spread := fmt.Sprint(variant, i), 2.21884
			if i%4 < 2 {
				spread = -spread
			}
			deposits = append(deposits, assignment(visitor, day, "headline", variant), event(visitor, day, "deposit", value+spread, soon))
		}
		g.write("bank.example", deposits...)
		e = g.trialOf(bank, "headline", map[string]any{"primaryMetric": g.tracked(bank, "deposit"), "decidesBy": "VALUE"})
		var data struct {
			Node struct {
				Results struct {
					Metrics []struct {
						Variants []struct {
							Value struct {
								ProbabilityToBeatBaseline float64
								PerVisitor                struct{ Low, High float64 }
							}
						}
					}
				}
			}
		}
		g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { results { metrics { variants { value { probabilityToBeatBaseline perVisitor { low high } } } } } } } }`, vars{"e": e})
		got := data.Node.Results.Metrics[0].Variants[1].Value
		if width := got.PerVisitor.High - got.PerVisitor.Low; math.Abs(got.ProbabilityToBeatBaseline-0.792) > 0.001 || width < 0.5 || width > 1 {
			t.Errorf("large values that hardly differ: %+v", got)
		}
	}, func(o *testOptions) {
		o.Now = func() time.Time { return now }
		o.Rules = stats.Rules{MinVisitors: 100, MinDuration: 7 * 24 * time.Hour}
	})
}

// Weights that change in a run are no effect: variants are compared within phases. A second run has its own results.
func TestPhases(t *testing.T) {
	t.Parallel()
	now := at("2026-05-11T00:00:00Z").Time()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		const early, late = "2026-05-02T10:00:00Z", "2026-05-06T10:00:00Z"
		site := g.site("a.example", "UTC")
		var messages []model.Message
		for _, of := range []struct {
			variant, when                         string
			first, visitors, converted, valueEach int
		}{{"a", early, 0, 900, 45, 30}, {"b", early, 0, 100, 5, 30}, {"a", late, 900, 200, 24, 60}, {"b", late, 100, 200, 25, 60}} {
			for i := of.first; i < of.first+of.visitors; i++ {
				visitor := fmt.Sprint(of.variant, " ", i)
				messages = append(messages, assignment(visitor, of.when, "headline", of.variant))
				if i < of.first+of.converted {
					messages = append(messages, event(visitor, of.when, "buy", float64(of.valueEach+i%7), soon))
				}
			}
		}
		g.write("a.example", messages...)
		e := g.trialOf(site, "headline", map[string]any{"primaryMetric": g.tracked(site, "buy"), "variants": raw(`[{"key": "a", "weight": 9}, {"key": "b"}]`)})
		type result struct {
			Visitors    int
			SampleRatio struct{ Mismatch bool }
			Phases      []struct {
				Phase       struct{ From string }
				Visitors    []int
				SampleRatio struct{ PValue float64 }
			}
			Metrics []struct {
				Decision string
				Variants []struct {
					Uplift                    *struct{ Mean, Low, High float64 }
					ConversionRate            struct{ Mean float64 }
					ProbabilityToBeatBaseline *float64
					Density                   []struct{ X float64 }
					Anytime                   *struct{ Uplift struct{ Mean float64 } }
					Value                     struct {
						Total, ExpectedLoss       float64
						Uplift                    *struct{ Mean float64 }
						ProbabilityToBeatBaseline *float64
						Winsorized                struct{ Uplift *struct{ Mean float64 } }
						Anytime                   *struct{ PValue float64 }
					}
				}
			}
		}
		const fields = `{ visitors sampleRatio { mismatch } phases { phase { from } visitors sampleRatio { pValue } } metrics { decision variants { uplift { mean low high } conversionRate { mean }
			probabilityToBeatBaseline density(points: 5) { x } anytime { uplift { mean } } value { total expectedLoss uplift { mean } probabilityToBeatBaseline winsorized { uplift { mean } } anytime { pValue } } } } }`
		var data struct {
			Node struct {
				Results, First result
				Phases         []struct{ Weights []float64 }
				Runs           []struct {
					Number    int
					StoppedAt *string
					Winner    *struct{ Key string }
					Phases    []struct{ Weights []float64 }
				}
			}
		}
		read := func() result {
			data.Node.Results = result{}
			g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { results `+fields+` } } }`, vars{"e": e})
			return data.Node.Results
		}
		if got := read(); !got.SampleRatio.Mismatch || got.Metrics[0].Decision != "INVALID" {
			t.Errorf("before the weights are told: %+v", got)
		}
		var days struct {
			Node struct {
				Results struct {
					SampleRatioSeries []struct {
						At          string
						Visitors    []int
						SampleRatio struct{ Mismatch bool }
					}
				}
			}
		}
		ratios := func(mismatch bool) {
			t.Helper()
			g.into(&days, `query($e: ID!) { node(id: $e) { ... on Experiment { results { sampleRatioSeries { at visitors sampleRatio { mismatch } } } } } }`, vars{"e": e})
			points := days.Node.Results.SampleRatioSeries
			if len(points) < 10 || !slices.Equal(points[1].Visitors, []int{900, 100}) || !slices.Equal(points[5].Visitors, []int{200, 200}) || !slices.Equal(points[4].Visitors, []int{0, 0}) ||
				points[1].SampleRatio.Mismatch || points[5].SampleRatio.Mismatch != mismatch || points[5].At != "2026-05-06T00:00:00Z" {
				t.Errorf("the days: %+v", points)
			}
		}
		ratios(true)
		const reweigh = `mutation($e: ID!, $at: Time, $w: Float!) { updateExperiment(input: {id: $e, phaseAt: $at, variants: [{key: "a", weight: $w}, {key: "b"}]}) { experiment { id } } }`
		g.refused(reweigh, vars{"e": e, "at": "2026-04-30T00:00:00Z", "w": 1}, model.BadInput, "input.phaseAt")
		g.refused(reweigh, vars{"e": e, "at": "2026-05-05T00:00:00Z", "w": 9}, model.BadInput, "input.phaseAt")
		g.must(reweigh, vars{"e": e, "at": "2026-05-05T00:00:00Z", "w": 1})
		ratios(false)
		got := read()
		if got.SampleRatio.Mismatch || len(got.Phases) != 2 || !slices.Equal(got.Phases[0].Visitors, []int{900, 100}) || !slices.Equal(got.Phases[1].Visitors, []int{200, 200}) ||
			got.Phases[1].SampleRatio.PValue != 1 || got.Phases[1].Phase.From != "2026-05-05T00:00:00Z" {
			t.Errorf("the phases: %+v", got)
		}
		b := got.Metrics[0].Variants[1]
		if up := b.Uplift; up.Mean < 0 || up.Mean > 0.06 || up.Low > -0.2 || up.High < 0.2 || *b.ProbabilityToBeatBaseline > 0.65 || b.Anytime.Uplift.Mean > 0.06 {
			t.Errorf("a lift: %+v", b)
		}
		if rate, base := b.ConversionRate.Mean, 69.0/1100; math.Abs(rate/base-1-b.Uplift.Mean) > 1e-9 || len(b.Density) != 5 || b.Density[2].X < 0.03 || b.Density[2].X > 0.12 {
			t.Errorf("a rate: %+v", b)
		}
		if v := b.Value; v.Total != 5*30+0+1+2+3+4+25*60+sevens(100, 125) || math.Abs(v.Uplift.Mean) > 0.1 || *v.ProbabilityToBeatBaseline > 0.7 || math.Abs(v.Winsorized.Uplift.Mean) > 0.1 || v.Anytime.PValue < 0.5 {
			t.Errorf("values: %+v", v)
		}
		if got := g.verdicts(e)[0].String(); got != "COLLECTING b: OPEN" {
			t.Errorf("a ramp: %s", got)
		}
		var series struct {
			Node struct {
				Results struct {
					Metrics []struct {
						Variants []struct {
							Uplift, Last *struct{ Low float64 }
							Series       []struct {
								Visitors                                       int
								Estimate                                       struct{ Mean float64 }
								Uplift                                         *struct{ Mean, Low float64 }
								ProbabilityToBeBest, ProbabilityToBeatBaseline *float64
								Anytime                                        *struct{ PValue float64 }
							}
						}
					}
				}
			}
		}
		g.into(&series, `query($e: ID!) { node(id: $e) { ... on Experiment { results { metrics { variants { uplift { low } series {
			visitors estimate { mean } uplift { mean low } probabilityToBeBest probabilityToBeatBaseline anytime { pValue } } } } } } } }`, vars{"e": e})
		for i, v := range series.Node.Results.Metrics[0].Variants {
			first, last := v.Series[1], v.Series[len(v.Series)-1]
			switch {
			case i == 0 && (last.Uplift != nil || last.Anytime != nil || last.ProbabilityToBeatBaseline != nil || first.Visitors != 900):
				t.Errorf("the baseline's series: %+v", v.Series)
			case i == 1 && (last.Uplift.Low != v.Uplift.Low || math.Abs(*last.ProbabilityToBeBest-*last.ProbabilityToBeatBaseline) > 1e-9 || last.Anytime.PValue != 1 || first.Visitors != 100 || first.Estimate.Mean != 6.0/102):
				t.Errorf("the series: %+v", v.Series)
			}
		}

		g.must(`mutation($e: ID!) {
			stopExperiment(id: $e, winner: "b", at: "2026-05-08T00:00:00Z") { experiment { id } }
			startExperiment(id: $e, at: "2026-05-09T00:00:00Z") { experiment { id } } }`, vars{"e": e})
		g.write("a.example", assignment("new", "2026-05-09T10:00:00Z", "headline", "b"), assignment("a 1", "2026-05-09T10:00:00Z", "headline", "b"))
		g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { phases { weights } runs { number stoppedAt winner { key } phases { weights } } results { visitors } first: results(run: 1) `+fields+` } } }`, vars{"e": e})
		if of := data.Node; of.Results.Visitors != 2 || of.First.Visitors != 1400 || len(of.First.Phases) != 2 || len(of.Phases) != 1 || len(of.Runs) != 2 {
			t.Errorf("two runs: %+v", of)
		}
		if runs := data.Node.Runs; *runs[0].StoppedAt != "2026-05-08T00:00:00Z" || runs[0].Winner.Key != "b" || !slices.Equal(runs[0].Phases[0].Weights, []float64{9, 1}) || runs[1].StoppedAt != nil || runs[1].Winner != nil {
			t.Errorf("two runs: %+v", runs)
		}
		// Whichever run is asked for, the experiment is that of today: caches know it by its id.
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment {
			first: results(run: 1) { experiment { status stoppedAt phases { weights } } run { number stoppedAt winner { key } phases { weights } } }
			last: results { experiment { status } run { number stoppedAt } }
			breakdown(run: 1, adHocSegments: [{name: "all", filters: []}]) { result { experiment { status } run { number } } } } } }`, vars{"e": e},
			`{"node": {"first": {"experiment": {"status": "RUNNING", "stoppedAt": null, "phases": [{"weights": [1, 1]}]},
				"run": {"number": 1, "stoppedAt": "2026-05-08T00:00:00Z", "winner": {"key": "b"}, "phases": [{"weights": [9, 1]}, {"weights": [1, 1]}]}},
			"last": {"experiment": {"status": "RUNNING"}, "run": {"number": 2, "stoppedAt": null}},
			"breakdown": [{"result": {"experiment": {"status": "RUNNING"}, "run": {"number": 1}}}]}}`)
		g.refused(`query($e: ID!) { node(id: $e) { ... on Experiment { results(run: 3) { visitors } } } }`, vars{"e": e}, model.BadInput, "run")
	}, func(o *testOptions) { o.Now = func() time.Time { return now } })
}

// Where a split does not fit, and variants do not stick, is told by browser and by day; and users count once, on all devices.
func TestWhoIsSplit(t *testing.T) {
	t.Parallel()
	now := at("2026-05-21T00:00:00Z").Time()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "UTC")
		buy := g.tracked(site, "buy")
		with := func(browser string) func(*model.Hit) { return func(hit *model.Hit) { hit.Origin.Browser = browser } }
		var messages []model.Message
		for n := range 600 {
			variant := []string{"a", "b"}[n%2]
			messages = append(messages, assignment(fmt.Sprint("f ", n), "2026-05-03T10:00:00Z", "headline", variant, with("Firefox")))
			if n < 400 && (variant == "a" || n < 150) { // redirects that fail
				messages = append(messages, assignment(fmt.Sprint("s ", n), "2026-05-04T10:00:00Z", "headline", variant, with("Safari")))
			}
		}
		// Six of them come with another device, and two of these see another variant there.
		for n := range 6 {
			user := fmt.Sprint("user ", n)
			other := assignment(fmt.Sprint("other ", n), "2026-05-06T10:00:00Z", "headline", []string{"a", "b"}[(n+n/4)%2], with("Firefox"))
			bought := event(fmt.Sprint("other ", n), "2026-05-06T10:05:00Z", "buy", 7)
			login := message(fmt.Sprint("f ", n), model.Hit{At: at("2026-05-09T10:00:00Z"), Kind: model.Traits})
			other.UserID, login.UserID = user, user
			messages = append(messages, other, bought, login)
		}
		g.write("a.example", messages...)
		type split struct {
			Value        string
			Visitors     []int
			Contaminated int
			Mismatch     bool
		}
		var data struct {
			Node struct {
				Unit    string
				Results struct {
					Visitors, Contaminated int
					Browsers, Devices      []split
					SampleRatioSeries      []struct {
						Contaminated int
						SampleRatio  struct{ Mismatch bool }
					}
					Metrics []struct{ Variants []struct{ Conversions int } }
				}
			}
		}
		const ask = `query($e: ID!) { node(id: $e) { ... on Experiment { unit results { visitors contaminated metrics { variants { conversions } }
			browsers: splits(by: BROWSER) { value visitors contaminated mismatch } devices: splits(by: DEVICE, first: 1) { value visitors contaminated mismatch }
			sampleRatioSeries { contaminated sampleRatio { mismatch } } } } } }`
		for unit, want := range map[string]struct {
			visitors, contaminated int
			browsers               []split
			conversions            []int
		}{
			"VISITOR": {881, 0, []split{{"Firefox", []int{303, 303}, 0, false}, {"Safari", []int{200, 75}, 0, true}}, []int{3, 3}},
			"USER":    {875, 2, []split{{"Firefox", []int{300, 300}, 2, false}, {"Safari", []int{200, 75}, 0, true}}, []int{3, 3}},
		} {
			e := g.trialOf(site, "headline", map[string]any{"primaryMetric": buy, "unit": unit})
			data.Node.Results.SampleRatioSeries = nil
			g.into(&data, ask, vars{"e": e})
			got := data.Node.Results
			var conversions []int
			for _, v := range got.Metrics[0].Variants {
				conversions = append(conversions, v.Conversions)
			}
			if data.Node.Unit != unit || got.Visitors != want.visitors || got.Contaminated != want.contaminated || !slices.Equal(conversions, want.conversions) {
				t.Errorf("by %s: %+v", unit, data.Node)
			}
			if fmt.Sprint(got.Browsers) != fmt.Sprint(want.browsers) || len(got.Devices) != 1 || got.Devices[0].Contaminated != want.contaminated || got.Devices[0].Mismatch { // of all together it does not show yet
				t.Errorf("by %s: browsers %+v, devices %+v", unit, got.Browsers, got.Devices)
			}
			for i, day := range got.SampleRatioSeries {
				if contaminated := map[int]int{5: want.contaminated}[i]; day.Contaminated != contaminated || day.SampleRatio.Mismatch != (i == 3) {
					t.Errorf("by %s, day %d: %+v", unit, i, day)
				}
			}
			g.refused(`mutation($e: ID!) { updateExperiment(input: {id: $e, unit: `+map[string]string{"VISITOR": "USER", "USER": "VISITOR"}[unit]+`}) { experiment { id } } }`, vars{"e": e}, model.FailedPrecondition, "input.unit")
			g.refused(`query($e: ID!) { node(id: $e) { ... on Experiment { results { splits(by: COUNTRY, first: 101) { value } } } } }`, vars{"e": e}, model.BadInput, "first")
			g.must(`mutation($e: ID!) { stopExperiment(id: $e) { experiment { id } } deleteExperiment(id: $e) { deletedId } }`, vars{"e": e})
		}
	}, func(o *testOptions) { o.Now = func() time.Time { return now } })
}

// What counts of a visitor: for how long, of whom, and beside what was there before.
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	now := at("2026-05-21T00:00:00Z").Time()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "UTC")
		buy := g.tracked(site, "buy")
		const day = "2026-05-10T10:00:00Z"
		var messages []model.Message
		pairs := make([]stats.JointMoments, 2)
		amounts := make([]stats.Amount, 2)
		for i, variant := range []string{"a", "b"} {
			for n := range 30 {
				visitor, before := fmt.Sprint(variant, " ", n), float64(10+n)
				during := 2*before + float64(n%3) + float64(i)
				messages = append(messages, event(visitor, "2026-05-01T10:00:00Z", "buy", before), event(visitor, "2026-04-11T10:00:00Z", "buy", 1000),
					assignment(visitor, day, "headline", variant), event(visitor, "2026-05-12T10:00:00Z", "buy", during))
				pairs[i].Add(before, during)
			}
			amounts[i] = stats.AmountOf(30, 30, 30, pairs[i].Y.Mean*30, pairs[i].Y)
		}
		messages = append(messages, assignment("a 0", "2026-05-11T10:00:00Z", "headline", "b"))
		g.write("a.example", messages...)
		type results struct {
			Visitors, Contaminated int
			Metrics                []struct {
				Variants []struct {
					Visitors, Conversions int
					WithPrior             *struct {
						ProbabilityToBeatBaseline float64
						Uplift                    struct{ Low, High float64 }
					}
					Uplift *struct{ Low, High float64 }
					Value  struct {
						Cuped struct {
							Theta, VarianceReduction float64
							PerVisitor               struct{ Mean, Low, High float64 }
							Uplift                   *struct{ Mean, Low, High float64 }
						}
					}
				}
			}
		}
		var data struct {
			Node struct {
				Window            *string
				MultipleExposures string
				PriorLift         *float64
				Results           results
			}
		}
		ask := func(of map[string]any, more string) results {
			t.Helper()
			of["primaryMetric"] = buy
			e := g.trialOf(site, "headline", of)
			data.Node.Results = results{}
			g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { window multipleExposures priorLift results { visitors contaminated metrics { variants { visitors conversions `+more+` } } } } } }`, vars{"e": e})
			g.must(`mutation($e: ID!) { stopExperiment(id: $e) { experiment { id } } deleteExperiment(id: $e) { deletedId } }`, vars{"e": e})
			return data.Node.Results
		}
		for _, test := range []struct {
			of                             map[string]any
			visitors, contaminated, buyers int
		}{
			{map[string]any{}, 60, 1, 60},
			{map[string]any{"attribution": "SESSION"}, 60, 1, 0},
			{map[string]any{"window": "P1D"}, 60, 1, 0},
			{map[string]any{"window": "PT48H1S", "multipleExposures": "EXCLUDE"}, 59, 1, 59},
		} {
			got := ask(test.of, "")
			of := got.Metrics[0].Variants
			if got.Visitors != test.visitors || got.Contaminated != test.contaminated || of[0].Conversions+of[1].Conversions != test.buyers {
				t.Errorf("%v: %+v", test.of, got)
			}
		}
		if *data.Node.Window != "P2DT1S" || data.Node.MultipleExposures != "EXCLUDE" || data.Node.PriorLift != nil {
			t.Errorf("%+v", data.Node)
		}
		g.refused(`mutation($s: ID!) { createExperiment(input: {siteId: $s, key: "k", name: "n", window: "PT0S"}) { experiment { id } } }`, vars{"s": site}, model.BadInput, "input.window")

		want, adjusted, err := stats.Adjust(amounts, pairs)
		if err != nil {
			t.Fatal(err)
		}
		values, err := stats.Values(adjusted, 0, stats.HigherIsBetter)
		if err != nil {
			t.Fatal(err)
		}
		got := ask(map[string]any{}, `value { cuped { theta varianceReduction perVisitor { mean low high } uplift { mean low high } } }`).Metrics[0].Variants
		cuped := got[1].Value.Cuped
		near := func(what string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		near("theta", cuped.Theta, want.Theta)
		near("the reduction", cuped.VarianceReduction, want.VarianceReduction)
		near("the mean", cuped.PerVisitor.Mean, values[1].PerVisitor.Mean)
		near("the lift", cuped.Uplift.Low, values[1].Uplift.Low)
		if cuped.VarianceReduction < 0.95 || cuped.Uplift.Low <= 0 || got[0].Value.Cuped.Uplift != nil {
			t.Errorf("without what was before: %+v", got)
		}
		// A prior draws a lift to 0.
		prior := ask(map[string]any{"window": "P1D", "priorLift": 0.1}, `uplift { low high } withPrior { probabilityToBeatBaseline uplift { low high } }`).Metrics[0].Variants
		if p := prior[1].WithPrior; prior[0].WithPrior != nil || p.Uplift.High >= prior[1].Uplift.High || p.Uplift.High > 0.25 || math.Abs(p.ProbabilityToBeatBaseline-0.5) > 0.05 || *data.Node.PriorLift != 0.1 {
			t.Errorf("with a prior: %+v, without %+v", *prior[1].WithPrior, *prior[1].Uplift)
		}
	}, func(o *testOptions) { o.Now = func() time.Time { return now } })
}

// Two experiments that ran at the same time, one of which turns the other's effect round.
func TestInteractions(t *testing.T) {
	t.Parallel()
	now := at("2026-05-11T00:00:00Z").Time()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		const day = "2026-05-02T10:00:00Z"
		site := g.site("a.example", "UTC")
		buy := g.tracked(site, "buy")
		cells := map[string]stats.Count{"aa": {Visitors: 200, Conversions: 20}, "ba": {Visitors: 200, Conversions: 40}, "ab": {Visitors: 200, Conversions: 40}, "bb": {Visitors: 200, Conversions: 15}}
		var messages []model.Message
		for cell, of := range cells {
			for i := range int(of.Visitors) {
				visitor := fmt.Sprint(cell, i)
				messages = append(messages, assignment(visitor, "2026-05-02T09:59:00Z", "color", cell[1:]), assignment(visitor, day, "headline", cell[:1]))
				if i < int(of.Conversions) {
					messages = append(messages, event(visitor, day, "buy", 0, soon))
				}
			}
		}
		g.write("a.example", messages...)
		e := g.trialOf(site, "headline", map[string]any{"primaryMetric": buy})
		g.trialOf(site, "color", map[string]any{"primaryMetric": buy})
		g.trialOf(site, "unseen", map[string]any{"primaryMetric": buy})
		before := g.trialOf(site, "before", map[string]any{"primaryMetric": buy})
		g.must(`mutation($e: ID!) { stopExperiment(id: $e, at: "2026-05-01T00:00:00Z") { experiment { id } } }`, vars{"e": before})
		var data struct {
			Node struct {
				Interactions []struct {
					Experiment                      struct{ Key string }
					Variant, OtherVariant           struct{ Key string }
					Visitors                        int
					LogOdds, PValue, AdjustedPValue float64
					Warning                         *string
				}
			}
		}
		g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { interactions { experiment { key } variant { key } otherVariant { key } visitors logOdds pValue adjustedPValue warning } } } }`, vars{"e": e})
		want, err := stats.Interact(cells["aa"], cells["ba"], cells["ab"], cells["bb"])
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for i, got := range data.Node.Interactions {
			seen[got.Experiment.Key] = i + 1
		}
		if len(seen) != 2 || seen["color"] == 0 || seen["unseen"] == 0 {
			t.Fatalf("%+v", data)
		}
		got, none := data.Node.Interactions[seen["color"]-1], data.Node.Interactions[seen["unseen"]-1]
		if got.Variant.Key != "b" || got.OtherVariant.Key != "b" || got.Visitors != 800 || math.Abs(got.LogOdds-want.LogOdds) > 1e-12 || math.Abs(got.AdjustedPValue-2*want.PValue) > 1e-12 || got.Warning == nil {
			t.Errorf("%+v, want %+v", got, want)
		}
		if none.Visitors != 0 || none.LogOdds != 0 || none.AdjustedPValue != 1 || none.Warning != nil {
			t.Errorf("of nobody: %+v", none)
		}
	}, func(o *testOptions) { o.Now = func() time.Time { return now } })
}

// sevens adds up what numbers leave when they are divided by seven.
func sevens(from, to int) (sum float64) {
	for i := from; i < to; i++ {
		sum += float64(i % 7)
	}
	return sum
}

// Among many segments, one that is lucky does not win.
func TestVerdictsOfSegments(t *testing.T) {
	t.Parallel()
	now := at("2026-05-11T00:00:00Z").Time()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "UTC")
		var messages []model.Message
		for i, code := range []string{"DE", "ES", "FR", "IT", "RO", "US"} {
			g.segment(site, code, raw(fmt.Sprintf(`{"country": {"is": %q}}`, code)))
			for variant, converted := range map[string]int{"a": 10, "b": 10} {
				if i == 0 && variant == "b" {
					converted = 22
				}
				for n := range 100 {
					visitor := fmt.Sprint(code, variant, n)
					messages = append(messages, assignment(visitor, "2026-05-02T10:00:00Z", "headline", variant, country(code)))
					if n < converted {
						messages = append(messages, event(visitor, "2026-05-02T10:00:00Z", "buy", 0, soon))
					}
				}
			}
		}
		g.write("a.example", messages...)
		e := g.trialOf(site, "headline", map[string]any{"primaryMetric": g.tracked(site, "buy"), "monitoring": "FIXED_HORIZON", "decideAt": "2026-05-10T00:00:00Z"})
		if got := g.verdicts(e, raw(`{"country": {"is": "DE"}}`))[0].String(); got != "WINNER b: CLEAR" {
			t.Errorf("by itself: %s", got)
		}
		var data struct {
			Node struct {
				Breakdown []struct {
					Segment struct{ Name string }
					Result  struct{ Metrics []verdict }
				}
			}
		}
		g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { breakdown { segment { name } result { `+verdictFields+` } } } } }`, vars{"e": e})
		for _, b := range data.Node.Breakdown {
			got := b.Result.Metrics[0]
			if !slices.ContainsFunc(got.Reasons, func(r struct{ Code, Message string }) bool { return r.Code == "MANY_COMPARISONS" }) || got.Decision == "WINNER" {
				t.Errorf("%s: %s", b.Segment.Name, got)
			}
		}
	}, func(o *testOptions) { o.Now = func() time.Time { return now } })
}
