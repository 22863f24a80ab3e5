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

		// A metric that is changed once results can be seen.
		e := g.trialOf(shop, "headline", map[string]any{"primaryMetric": buy})
		g.must(`mutation($e: ID!, $g: ID!) { stopExperiment(id: $e) { experiment { id } } updateExperiment(input: {id: $e, primaryMetric: $g}) { experiment { id } } }`, vars{"e": e, "g": look})
		if got := g.verdicts(e)[0].String(); got != "COLLECTING -: OPEN METRIC_CHANGED" {
			t.Errorf("a changed metric: %s", got)
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
		const reweigh = `mutation($e: ID!, $at: Time, $w: Float!) { updateExperiment(input: {id: $e, phaseAt: $at, variants: [{key: "a", weight: $w}, {key: "b"}]}) { experiment { id } } }`
		g.refused(reweigh, vars{"e": e, "at": "2026-04-30T00:00:00Z", "w": 1}, model.BadInput, "input.phaseAt")
		g.refused(reweigh, vars{"e": e, "at": "2026-05-05T00:00:00Z", "w": 9}, model.BadInput, "input.phaseAt")
		g.must(reweigh, vars{"e": e, "at": "2026-05-05T00:00:00Z", "w": 1})
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
		g.refused(`query($e: ID!) { node(id: $e) { ... on Experiment { results(run: 3) { visitors } } } }`, vars{"e": e}, model.BadInput, "run")
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
