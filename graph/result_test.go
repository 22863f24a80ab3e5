package graph_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// columns has the graph count from columns, as the server does.
func (g *testGraph) columns() *testGraph {
	g.Helper()
	engine, err := engine.New(g.store, engine.Options{Computer: g.host, Definitions: graph.NewDefinitions(g.store, g.host)})
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(engine.Close)
	g.engine.Engine = engine
	return g
}

// tracked makes a goal of only a key, and returns its id.
func (g *testGraph) tracked(site, key string) string {
	g.Helper()
	var data struct {
		CreateGoal struct{ Goal struct{ ID string } }
	}
	g.into(&data, `mutation($s: ID!, $k: String!) { createGoal(input: {siteId: $s, key: $k, name: $k}) { goal { id } } }`, vars{"s": site, "k": key})
	return data.CreateGoal.Goal.ID
}

// assignment returns a message that assigns a visitor to a variant of an experiment.
func assignment(visitor, when, experiment, variant string, change ...func(*model.Hit)) model.Message {
	return message(visitor, model.Hit{At: at(when), Kind: model.Event, Name: "Experiment Viewed", Experiment: experiment, Variant: variant, Knows: model.KnowsAll &^ model.KnowsPage}, change...)
}

// A script is a case of testdata/experiments.txt: what visitors do, in the order in
// which it is loaded; what the experiment is, which has the variants a and b, the
// purchase as its metric, and runs from the first day on; and results with what is
// expected behind them.
type script struct {
	*testGraph
	site, domain, goal         string
	run, attribution, audience string
	otherDefined               bool
}

func TestAttributionScripts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/experiments.txt")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Databases(t, func(t *testing.T, url string) {
		g := newGraph(t, url)
		for name, counting := range map[string]func(*testGraph) *testGraph{"scan": func(g *testGraph) *testGraph { return g }, "columns": (*testGraph).columns} {
			counting(g)
			for n, text := range strings.Split(strings.TrimPrefix(string(text), "# "), "\n# ") {
				title, lines, _ := strings.Cut(text, "\n")
				t.Run(name+": "+title, func(t *testing.T) {
					domain := fmt.Sprintf("%s-%d.example", name, n)
					s := &script{testGraph: g.in(t), domain: domain, run: "1 00:00 to open", attribution: "SESSION"}
					s.site = s.testGraph.site(domain, "UTC")
					s.goal = s.tracked(s.site, "buy")
					s.follow(strings.Split(strings.TrimSpace(lines), "\n"))
				})
			}
		}
	})
}

func (s *script) follow(lines []string) {
	for i := 0; i < len(lines); i++ {
		word, rest, _ := strings.Cut(lines[i], " ")
		switch word {
		case "run":
			s.run = rest
		case "attribution":
			s.attribution = rest
		case "audience":
			s.audience = rest
		case "results":
			var want []string
			for ; i+1 < len(lines) && strings.HasPrefix(lines[i+1], "  "); i++ {
				want = append(want, strings.TrimSpace(lines[i+1]))
			}
			if got := s.results(rest); !slices.Equal(got, want) {
				s.Errorf("%s:\n%s\nwant\n%s", lines[i], strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		default:
			s.write(s.domain, s.message(lines[i]))
		}
	}
}

func (s *script) instant(text string) string {
	day, clock, _ := strings.Cut(text, " ")
	return fmt.Sprintf("2026-05-%02sT%s:00Z", day, clock)
}

func (s *script) message(line string) model.Message {
	words := strings.Fields(line)
	visitor, when := words[0], s.instant(words[1]+" "+words[2])
	var change []func(*model.Hit)
	experiment := "headline"
	for i := 5; i+1 < len(words); i += 2 {
		switch words[i] {
		case "from":
			change = append(change, country(words[i+1]))
		case "of":
			experiment = words[i+1]
		case "session":
			change = append(change, func(hit *model.Hit) { hit.SessionKey = words[i+1] })
		}
	}
	switch words[3] {
	case "sees":
		m := assignment(visitor, when, experiment, words[4], change...)
		m.Hit.ID = model.MessageIDOf(line)
		return m
	case "buys":
		value, err := strconv.ParseFloat(words[4], 64)
		if err != nil {
			s.Fatalf("%q: %v", line, err)
		}
		return event(visitor, when, "buy", value, change...)
	}
	s.Fatalf("%q is not understood", line)
	return model.Message{}
}

// results defines the experiment as the script says, and asks.
func (s *script) results(how string) (lines []string) {
	s.Helper()
	audience := []any{}
	if s.audience != "" {
		audience = append(audience, raw(s.audience))
	}
	if !s.otherDefined {
		s.otherDefined = true
		other := s.defined("other", []any{}, `[{"key": "x"}, {"key": "y"}]`)
		s.must(`mutation($e: ID!) { startExperiment(id: $e, at: "2026-05-01T00:00:00Z") { experiment { id } } }`, vars{"e": other})
	}
	// An experiment that has started keeps its audience and attribution.
	var old struct {
		Site struct{ Experiment *struct{ ID, Status string } }
	}
	s.into(&old, `query($s: ID!) { site(id: $s) { experiment(key: "headline") { id status } } }`, vars{"s": s.site})
	if e := old.Site.Experiment; e != nil {
		if e.Status == "RUNNING" {
			s.must(`mutation($e: ID!) { stopExperiment(id: $e) { experiment { id } } }`, vars{"e": e.ID})
		}
		s.must(`mutation($e: ID!) { deleteExperiment(id: $e) { deletedId } }`, vars{"e": e.ID})
	}
	e := s.defined("headline", audience, `[{"key": "a"}, {"key": "b"}]`)
	from, to, _ := strings.Cut(s.run, " to ")
	s.must(`mutation($e: ID!, $at: Time) { startExperiment(id: $e, at: $at) { experiment { id } } }`, vars{"e": e, "at": s.instant(from)})
	if to != "open" {
		s.must(`mutation($e: ID!, $at: Time) { stopExperiment(id: $e, at: $at) { experiment { id } } }`, vars{"e": e, "at": s.instant(to)})
	}
	v := vars{"e": e, "f": []any{}}
	if filter, ok := strings.CutPrefix(how, "where "); ok {
		v["f"] = []any{raw(filter)}
	} else if text, ok := strings.CutPrefix(how, "in "); ok {
		from, to, _ := strings.Cut(text, " to ")
		in := map[string]any{"from": s.instant(from)}
		if to != "open" {
			in["to"] = s.instant(to)
		}
		v["r"] = in
	}
	var data struct {
		Node struct {
			Results struct {
				Visitors, Contaminated, UnknownVariants int
				Metrics                                 []struct {
					Variants []struct {
						Variant               struct{ Key string }
						Visitors, Conversions int
						Value                 struct{ Total float64 }
					}
				}
			}
		}
	}
	s.into(&data, `query($e: ID!, $f: [FilterInput!], $r: TimeRange) { node(id: $e) { ... on Experiment { results(filters: $f, range: $r) {
		visitors contaminated unknownVariants metrics { variants { variant { key } visitors conversions value { total } } } } } } }`, v)
	results, visitors := data.Node.Results, 0
	for _, variant := range results.Metrics[0].Variants {
		visitors += variant.Visitors
		lines = append(lines, fmt.Sprintf("%s: %d visitors, %d converted, total %g", variant.Variant.Key, variant.Visitors, variant.Conversions, variant.Value.Total))
	}
	if visitors != results.Visitors {
		s.Errorf("%d visitors, and %d of all variants", results.Visitors, visitors)
	}
	if results.Contaminated > 0 {
		lines = append(lines, fmt.Sprintf("%d contaminated", results.Contaminated))
	}
	if results.UnknownVariants > 0 {
		lines = append(lines, fmt.Sprintf("%d unknown", results.UnknownVariants))
	}
	return lines
}

func (s *script) defined(key string, audience []any, variants string) string {
	s.Helper()
	var data struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	s.into(&data, `mutation($i: CreateExperimentInput!) { createExperiment(input: $i) { experiment { id } } }`, vars{"i": map[string]any{
		"siteId": s.site, "key": key, "name": key, "variants": raw(variants), "primaryMetric": s.goal, "audience": audience, "attribution": s.attribution,
	}})
	return data.CreateExperiment.Experiment.ID
}

// soon puts a hit a second later.
func soon(hit *model.Hit) { hit.At += 1000 }

// crowd returns messages of visitors that are assigned to a variant, some of which reach
// a goal.
func crowd(variant, goal string, visitors, converted int, when string) (messages []model.Message) {
	for i := range visitors {
		visitor := fmt.Sprint(variant, " ", i)
		messages = append(messages, assignment(visitor, when, "headline", variant))
		if i < converted {
			messages = append(messages, event(visitor, when, goal, 0, soon))
		}
	}
	return messages
}

func (g *testGraph) start(experiment, when string) {
	g.Helper()
	g.must(`mutation($e: ID!, $at: Time) { startExperiment(id: $e, at: $at) { experiment { id } } }`, vars{"e": experiment, "at": when})
}

const resultFields = `{ experiment { key } visitors contaminated unknownVariants sampleRatio { pValue anytimePValue mismatch }
	metrics { goal { key } primary role leader { key } decision variants { variant { key } visitors conversions conversionRate { mean low high } uplift { mean low high }
		probabilityToBeBest probabilityToBeatBaseline expectedLoss bayesFactor
		value { total perVisitor { mean low high } perConverter uplift { mean low high } probabilityToBeBest probabilityToBeatBaseline } } } }`

// What is derived from counts is what package stats says.
func TestExperimentResult(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "UTC")
		e := g.experiment(site, "headline", g.tracked(site, "buy"), g.goal(site, "look", raw(`{"events": {"all": "look"}}`)))
		g.write("a.example", crowd("a", "buy", 40, 10, "2026-05-01T10:00:00Z")...)
		g.write("a.example", crowd("b", "look", 60, 30, "2026-05-01T10:00:00Z")...)
		g.write("a.example", event("a 1", "2026-05-01T10:01:00Z", "buy", 30), event("a 2", "2026-05-01T10:02:00Z", "buy", 12.5), event("b 1", "2026-05-01T10:01:00Z", "buy", 3))
		g.start(e, "2026-05-01T00:00:00Z")

		counts := [][]stats.Count{{{Visitors: 40, Conversions: 10}, {Visitors: 60, Conversions: 1}}, {{Visitors: 40}, {Visitors: 60, Conversions: 30}}}
		amounts := []stats.Amount{
			{Visitors: 40, Conversions: 10, Values: 2, Sum: 42.5, Squares: 30*30 + 12.5*12.5 - 42.5*42.5/40}, {Visitors: 60, Conversions: 1, Values: 1, Sum: 3, Squares: 9 - 9./60},
		}
		check, err := stats.CheckSampleRatio([]int64{40, 60}, []float64{1, 1})
		if err != nil {
			t.Fatal(err)
		}
		metrics := make([]any, len(counts))
		for m, goal := range []string{"buy", "look"} {
			rates, err := stats.Rates(counts[m], 0, stats.HigherIsBetter)
			if err != nil {
				t.Fatal(err)
			}
			values, err := stats.Values(amounts, 0, stats.HigherIsBetter)
			if err != nil {
				t.Fatal(err)
			}
			variants := make([]any, len(rates))
			for i, rate := range rates {
				var value any
				if goal == "buy" {
					v := values[i]
					value = map[string]any{"total": v.Sum, "perVisitor": estimateOf(&v.PerVisitor), "perConverter": v.PerConverter, "uplift": estimateOf(v.Uplift),
						"probabilityToBeBest": v.ProbabilityToBeBest, "probabilityToBeatBaseline": v.ProbabilityToBeatBaseline}
				}
				variants[i] = map[string]any{"variant": map[string]any{"key": string(rune('a' + i))}, "visitors": rate.Visitors, "conversions": rate.Conversions,
					"conversionRate": estimateOf(&rate.ConversionRate), "uplift": estimateOf(rate.Uplift), "probabilityToBeBest": rate.ProbabilityToBeBest,
					"probabilityToBeatBaseline": rate.ProbabilityToBeatBaseline, "expectedLoss": rate.ExpectedLoss, "bayesFactor": rate.BayesFactor, "value": value}
			}
			metrics[m] = map[string]any{"goal": map[string]any{"key": goal}, "primary": m == 0, "role": []string{"PRIMARY", "SECONDARY"}[m], "decision": "COLLECTING",
				"leader": map[string]any{"key": []string{"a", "b"}[m]}, "variants": variants}
		}
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { results `+resultFields+` } } }`, vars{"e": e}, mustJSON(map[string]any{"node": map[string]any{"results": map[string]any{
			"experiment": map[string]any{"key": "headline"}, "visitors": 100, "contaminated": 0, "unknownVariants": 0,
			"sampleRatio": map[string]any{"pValue": check.PValue, "anytimePValue": check.AnytimePValue, "mismatch": false}, "metrics": metrics}}}))
	})
}

// Figures that hold at any time, that are adjusted and under a cap are what package stats says too.
func TestExperimentFigures(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t)).columns()
	site := g.site("a.example", "UTC")
	g.write("a.example", slices.Concat(crowd("a", "", 60, 0, "2026-05-01T10:00:00Z"), crowd("b", "", 60, 0, "2026-05-01T10:00:00Z"),
		reach("a", "buy", 20, 1000, "2026-05-01T10:00:00Z"), reach("b", "buy", 30, 900, "2026-05-01T10:00:00Z"),
		[]model.Message{event("b 29", "2026-05-01T10:00:05Z", "buy", 5000)})...)
	buy := g.tracked(site, "buy")
	e := g.trialOf(site, "headline", map[string]any{"primaryMetric": buy, "guardrails": []any{map[string]any{"goal": g.goal(site, "bought", raw(`{"events": {"all": "buy"}}`)), "margin": 0.1}}})

	counts := []stats.Count{{Visitors: 60, Conversions: 20}, {Visitors: 60, Conversions: 30}}
	anytime, err := stats.AnytimeRates(stats.Phase{Baseline: counts[0], Variant: counts[1], BaselineWeight: 1, VariantWeight: 1})
	if err != nil {
		t.Fatal(err)
	}
	within, err := stats.Guardrail(counts[1], counts[0], 0.1, stats.HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	density, err := stats.RateDensity(counts[1], 3)
	if err != nil {
		t.Fatal(err)
	}
	values := [][]float64{slices.Repeat([]float64{50}, 20), append(slices.Repeat([]float64{30}, 29), 5030)}
	winsor, err := stats.WinsorOf(slices.Concat(values...), 0.99)
	if err != nil {
		t.Fatal(err)
	}
	raws, capped := make([]stats.Amount, 2), make([]stats.Amount, 2)
	for i, list := range values {
		var raw, under stats.Moments
		total := 0.0
		for _, value := range list {
			raw.Add(value)
			under.Add(winsor.Of(value))
			total += value
		}
		n := int64(len(list))
		raws[i], capped[i] = stats.AmountOf(60, n, n, total, raw), stats.AmountOf(60, n, n, under.Mean*float64(n), under)
	}
	byValue, err := stats.Values(raws, 0, stats.HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	winsorized, err := stats.Values(capped, 0, stats.HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	anytimeValue, err := stats.AnytimeValues(raws[1], raws[0])
	if err != nil {
		t.Fatal(err)
	}
	var data struct {
		Node struct {
			Results struct {
				Metrics []struct{ Variants []json.RawMessage }
			}
		}
	}
	g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { results { metrics { variants { anytime { pValue uplift { mean low high } } adjustedPValue probabilityWithinMargin
		density(points: 3) { x y } value { expectedLoss anytime { pValue uplift { mean low high } } winsorized { cap capped total perVisitor { mean } uplift { mean } } } } } } } } }`, vars{"e": e})
	points := make([]any, len(density))
	for i, point := range density {
		points[i] = map[string]any{"x": point.X, "y": point.Y}
	}
	ofAnytime := func(a stats.Anytime) any { return map[string]any{"pValue": a.PValue, "uplift": estimateOf(a.Uplift)} }
	want := map[string]any{
		"anytime": ofAnytime(anytime), "adjustedPValue": anytime.PValue, "probabilityWithinMargin": nil, "density": points,
		"value": map[string]any{"expectedLoss": byValue[1].ExpectedLoss, "anytime": ofAnytime(anytimeValue.Anytime), "winsorized": map[string]any{
			"cap": winsor.Cap, "capped": 1, "total": winsorized[1].Sum, "perVisitor": map[string]any{"mean": winsorized[1].PerVisitor.Mean}, "uplift": map[string]any{"mean": winsorized[1].Uplift.Mean}}},
	}
	mustEqualJSON(t, data.Node.Results.Metrics[0].Variants[1], want)
	want["probabilityWithinMargin"], want["value"] = within, nil
	mustEqualJSON(t, data.Node.Results.Metrics[1].Variants[1], want)
	var baseline map[string]any
	if err := json.Unmarshal(data.Node.Results.Metrics[1].Variants[0], &baseline); err != nil {
		t.Fatal(err)
	}
	if baseline["anytime"] != nil || baseline["adjustedPValue"] != nil || baseline["probabilityWithinMargin"] != nil {
		t.Errorf("the baseline beside itself: %v", baseline)
	}
	for _, points := range []int{1, 1001} {
		g.refused(fmt.Sprintf(`query($e: ID!) { node(id: $e) { ... on Experiment { results { metrics { variants { density(points: %d) { x } } } } } } }`, points), vars{"e": e}, model.BadInput, "points")
	}
}

// mustEqualJSON checks an answer but for the order of its fields, and the last digits of its numbers.
func mustEqualJSON(t *testing.T, got json.RawMessage, want any) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(mustJSON(want)), &b); err != nil {
		t.Fatal(err)
	}
	if !isNearJSON(a, b) {
		t.Errorf("is   %s\nwant %s", got, mustJSON(want))
	}
}

func isNearJSON(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Abs(a-b) <= 1e-12*max(1, math.Abs(a), math.Abs(b))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, isNearJSON)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, isNearJSON)
	}
	return a == b
}

func estimateOf(e *stats.Estimate) any {
	if e == nil {
		return nil
	}
	return map[string]any{"mean": e.Mean, "low": e.Low, "high": e.High}
}

// A result is there from the first draft on, of nobody, and of few.
func TestExperimentResultOfFew(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t)).columns()
	site := g.site("a.example", "UTC")
	g.write("a.example", assignment("ann", "2026-05-01T10:00:00Z", "headline", "a"), event("ann", "2026-05-01T10:01:00Z", "buy", 5))
	e := g.experiment(site, "headline", g.tracked(site, "buy"))
	results := func(want string) {
		t.Helper()
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { results { visitors sampleRatio { pValue mismatch } metrics { decision leader { key } variants {
			visitors value { total perVisitor { mean low high } perConverter uplift { mean } probabilityToBeBest probabilityToBeatBaseline } series { visitors } } } } } } }`, vars{"e": e},
			`{"node": {"results": `+want+`}}`)
	}
	nothing := func(beat string) string {
		return `"value": {"total": 0, "perVisitor": {"mean": 0, "low": -1.7976931348623157e308, "high": 1.7976931348623157e308}, "perConverter": null, "uplift": null, "probabilityToBeBest": 0.5, "probabilityToBeatBaseline": ` + beat + `}`
	}
	results(`{"visitors": 0, "sampleRatio": {"pValue": 1, "mismatch": false}, "metrics": [{"decision": "COLLECTING", "leader": null, "variants": [
		{"visitors": 0, ` + nothing("null") + `, "series": []}, {"visitors": 0, ` + nothing("0.5") + `, "series": []}]}]}`)
	g.start(e, "2026-05-01T00:00:00Z")
	g.must(`mutation($e: ID!) { stopExperiment(id: $e, at: "2026-05-02T00:00:00Z") { experiment { id } } }`, vars{"e": e})
	results(`{"visitors": 1, "sampleRatio": {"pValue": 0.31731050786291115, "mismatch": false}, "metrics": [{"decision": "COLLECTING", "leader": {"key": "a"}, "variants": [
		{"visitors": 1, ` + strings.NewReplacer(`"total": 0`, `"total": 5`, `"mean": 0`, `"mean": 5`, `"perConverter": null`, `"perConverter": 5`).Replace(nothing("null")) + `, "series": [{"visitors": 1}]},
		{"visitors": 0, ` + nothing("0.5") + `, "series": [{"visitors": 0}]}]}]}`)

	for variants, want := range map[string]string{`[]`: `[]`, `[{"key": "a"}]`: `[{"visitors": 0, "uplift": null, "value": {"probabilityToBeBest": 1}}]`} {
		var data struct {
			CreateExperiment struct{ Experiment struct{ ID string } }
		}
		g.into(&data, `mutation($i: CreateExperimentInput!) { createExperiment(input: $i) { experiment { id } } }`, vars{"i": map[string]any{
			"siteId": site, "key": variants, "name": "x", "variants": raw(variants), "primaryMetric": g.tracked(site, "goal "+variants)}})
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { results { visitors sampleRatio { pValue mismatch } metrics { decision leader { key } variants {
			visitors uplift { mean } value { probabilityToBeBest } } } } } } }`, vars{"e": data.CreateExperiment.Experiment.ID},
			`{"node": {"results": {"visitors": 0, "sampleRatio": {"pValue": 1, "mismatch": false}, "metrics": [{"decision": "COLLECTING", "leader": null, "variants": `+want+`}]}}}`)
	}
	g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { results { visitors metrics { decision } } breakdown { segment { name } result { visitors } } } } }`, vars{"e": g.experiment(site, "no metric")},
		`{"node": {"results": {"visitors": 0, "metrics": []}, "breakdown": [{"segment": {"name": "All"}, "result": {"visitors": 0}}]}}`)
	if log := g.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

// Each point of a series is what a result was at the end of its day, in the site's zone.
func TestExperimentSeries(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "Europe/Bucharest") // three hours ahead in May
		e := g.experiment(site, "headline", g.tracked(site, "buy"))
		g.must(`mutation($e: ID!) { updateExperiment(input: {id: $e, attribution: EXPERIMENT}) { experiment { id } } }`, vars{"e": e})
		g.write("a.example",
			assignment("ann", "2026-05-01T20:59:00Z", "headline", "a"), event("ann", "2026-05-01T21:00:00Z", "buy", 5), // the session starts on the first day
			assignment("bob", "2026-05-01T21:00:00Z", "headline", "b"), event("bob", "2026-05-03T10:00:00Z", "buy", 5),
			assignment("cat", "2026-05-02T10:00:00Z", "headline", "b"), assignment("dan", "2026-05-03T20:00:00Z", "headline", "b"))
		g.start(e, "2026-05-01T09:00:00Z")
		var stopped struct {
			StopExperiment struct{ Experiment struct{ ID string } }
		}
		g.into(&stopped, `mutation($e: ID!) { stopExperiment(id: $e, at: "2026-05-03T21:00:00Z") { experiment { id } } }`, vars{"e": e})
		best := func(a, b stats.Count) (p []float64) {
			p, err := stats.BestRates([]stats.Count{a, b}, stats.HigherIsBetter)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		first, second, third := best(stats.Count{Visitors: 1, Conversions: 1}, stats.Count{}), best(stats.Count{Visitors: 1, Conversions: 1}, stats.Count{Visitors: 2}),
			best(stats.Count{Visitors: 1, Conversions: 1}, stats.Count{Visitors: 3, Conversions: 1})
		point := func(at string, visitors, conversions int, rate string, best float64) string {
			return fmt.Sprintf(`{"at": %q, "visitors": %d, "conversions": %d, "conversionRate": %s, "probabilityToBeBest": %v}`, at, visitors, conversions, rate, mustJSON(best))
		}
		ask := `query($e: ID!, $r: TimeRange) { node(id: $e) { ... on Experiment { results(range: $r) { metrics { variants { series { at visitors conversions conversionRate probabilityToBeBest } } } } } } }`
		wrap := func(a, b string) string {
			return `{"node": {"results": {"metrics": [{"variants": [{"series": [` + a + `]}, {"series": [` + b + `]}]}]}}}`
		}
		g.want(ask, vars{"e": e}, wrap(
			point("2026-04-30T21:00:00Z", 1, 1, "1", first[0])+","+point("2026-05-01T21:00:00Z", 1, 1, "1", second[0])+","+point("2026-05-02T21:00:00Z", 1, 1, "1", third[0]),
			point("2026-04-30T21:00:00Z", 0, 0, "null", first[1])+","+point("2026-05-01T21:00:00Z", 2, 0, "0", second[1])+","+point("2026-05-02T21:00:00Z", 3, 1, "0.3333333333333333", third[1])))
		// A range has its own first visitors.
		only := best(stats.Count{}, stats.Count{Visitors: 2})
		g.want(ask, vars{"e": e, "r": raw(`{"from": "2026-05-01T21:00:00Z", "to": "2026-05-02T21:00:00Z"}`)},
			wrap(point("2026-05-01T21:00:00Z", 0, 0, "null", only[0]), point("2026-05-01T21:00:00Z", 2, 0, "0", only[1])))
		// The last point is the result.
		var data struct {
			Node struct {
				Results struct {
					Metrics []struct {
						Variants []struct {
							ProbabilityToBeBest float64
							Anytime             *stats.Anytime
							Day                 []struct {
								ProbabilityToBeBest float64
								Anytime             *stats.Anytime
							}
							Week, Month []struct{ ProbabilityToBeBest float64 }
						}
					}
				}
			}
		}
		g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { results { metrics { variants { probabilityToBeBest anytime { pValue uplift { mean low high } }
			day: series { probabilityToBeBest anytime { pValue uplift { mean low high } } } week: series(interval: WEEK) { probabilityToBeBest } month: series(interval: MONTH) { probabilityToBeBest } } } } } } }`, vars{"e": e})
		for i, v := range data.Node.Results.Metrics[0].Variants {
			if len(v.Day) != 3 || len(v.Week) != 1 || len(v.Month) != 1 || v.Day[2].ProbabilityToBeBest != v.ProbabilityToBeBest || v.Week[0].ProbabilityToBeBest != v.Day[2].ProbabilityToBeBest || v.Month[0] != v.Week[0] {
				t.Errorf("variant %d: %+v", i, v)
			}
			if isBaseline := i == 0; isBaseline != (v.Anytime == nil) || mustJSON(v.Day[2].Anytime) != mustJSON(v.Anytime) || !isBaseline && mustJSON(v.Day[0].Anytime) == mustJSON(v.Anytime) {
				t.Errorf("variant %d: the bounds of the days are %s, and %s in the end", i, mustJSON(v.Day), mustJSON(v.Anytime))
			}
		}
		old := g.experiment(site, "old", g.tracked(site, "old"))
		g.start(old, "1990-01-01T00:00:00Z")
		g.refused(`query($e: ID!) { node(id: $e) { ... on Experiment { results { metrics { variants { series(interval: HOUR) { at } } } } } } }`, vars{"e": old}, model.BadInput, "interval")
	})
}

func TestExperimentDecisions(t *testing.T) {
	t.Parallel()
	now := at("2026-05-08T00:00:00Z").Time()
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		o.Now = func() time.Time { return now }
		o.Rules = stats.Rules{MinVisitors: 20, MinDuration: 3 * 24 * time.Hour}
	}).columns()
	for name, test := range map[string]struct {
		a, b [2]int // visitors and those that convert
		run  string
		look string // when the only one is planned
		want string
	}{
		"a winner":               {a: [2]int{100, 5}, b: [2]int{100, 90}, want: "WINNER b: CLEAR"},
		"the baseline":           {a: [2]int{100, 90}, b: [2]int{100, 5}, want: "BASELINE_WINS a: CLEAR"},
		"no difference":          {a: [2]int{300, 300}, b: [2]int{300, 300}, want: "NO_DIFFERENCE -: CLEAR"},
		"open":                   {a: [2]int{100, 10}, b: [2]int{100, 12}, want: "COLLECTING b: OPEN"},
		"too few visitors":       {a: [2]int{19, 0}, b: [2]int{20, 20}, look: "2026-05-08T00:00:00Z", want: "COLLECTING b: TOO_FEW_VISITORS"},
		"just enough visitors":   {a: [2]int{20, 0}, b: [2]int{20, 20}, look: "2026-05-08T00:00:00Z", want: "WINNER b: CLEAR"},
		"not enough at any time": {a: [2]int{20, 0}, b: [2]int{20, 20}, want: "COLLECTING b: OPEN"},
		"a look too early":       {a: [2]int{20, 0}, b: [2]int{20, 20}, look: "2026-05-08T00:00:00.001Z", want: "COLLECTING b: BEFORE_HORIZON"},
		"too few days":           {a: [2]int{100, 5}, b: [2]int{100, 90}, run: "2026-05-05T00:00:00.001Z", want: "COLLECTING b: TOO_FEW_DAYS"},
		"just enough days":       {a: [2]int{100, 5}, b: [2]int{100, 90}, run: "2026-05-05T00:00:00Z", want: "WINNER b: CLEAR"},
		"a mismatch":             {a: [2]int{300, 5}, b: [2]int{100, 90}, want: "INVALID -: SAMPLE_RATIO"},
		"a mismatch, on day one": {a: [2]int{300, 5}, b: [2]int{10, 9}, run: "2026-05-07T00:00:00Z", want: "INVALID -: SAMPLE_RATIO"},
	} {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			domain := strings.NewReplacer(" ", "-", ",", "").Replace(name) + ".example"
			site := g.site(domain, "UTC")
			g.write(domain, append(crowd("a", "buy", test.a[0], test.a[1], "2026-05-07T10:00:00Z"), crowd("b", "buy", test.b[0], test.b[1], "2026-05-07T11:00:00Z")...)...)
			e := g.experiment(site, "headline", g.tracked(site, "buy"))
			if test.look != "" {
				g.must(`mutation($e: ID!, $at: Time) { updateExperiment(input: {id: $e, monitoring: FIXED_HORIZON, decideAt: $at}) { experiment { id } } }`, vars{"e": e, "at": test.look})
			}
			g.start(e, cmp.Or(test.run, "2026-05-01T00:00:00Z"))
			var data struct {
				Node struct {
					Results struct {
						SampleRatio struct{ Mismatch bool }
						Metrics     []verdict
					}
				}
			}
			ask := `query($e: ID!, $r: TimeRange) { node(id: $e) { ... on Experiment { results(range: $r) { sampleRatio { mismatch } ` + verdictFields + ` } } } }`
			g.into(&data, ask, vars{"e": e})
			got := data.Node.Results.Metrics[0].String()
			if got != test.want || data.Node.Results.SampleRatio.Mismatch != strings.HasPrefix(test.want, "INVALID") {
				t.Errorf("%s, want %s", got, test.want)
			}
			// Within a range that is too short it is too early.
			g.into(&data, ask, vars{"e": e, "r": raw(`{"from": "2026-05-07T00:00:00Z"}`)})
			if got := data.Node.Results.Metrics[0].Decision; got != "COLLECTING" && !strings.HasPrefix(test.want, "INVALID") {
				t.Errorf("within a day: %s", got)
			}
		})
	}
}

// What takes too long is stopped amid the statistics too.
func TestExperimentResultsTakeTooLong(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	g := newGraph(t, url).columns()
	site := g.site("a.example", "UTC")
	var variants []string
	for n := range 20 {
		variants = append(variants, fmt.Sprintf(`{"key": "v%d"}`, n))
		g.write("a.example", crowd(fmt.Sprint("v", n), "buy", 20, n, "2026-05-01T10:00:00Z")...)
	}
	var metrics []string
	for n := range 50 {
		metrics = append(metrics, g.goal(site, fmt.Sprint("goal ", n), raw(`{"events": {"all": "buy"}}`)))
	}
	for n := range 4 {
		g.segment(site, fmt.Sprint("Segment ", n), raw(`{"events": {"all": "buy"}}`))
	}
	var data struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	g.into(&data, `mutation($i: CreateExperimentInput!) { createExperiment(input: $i) { experiment { id } } }`, vars{"i": map[string]any{
		"siteId": site, "key": "headline", "name": "x", "variants": raw("[" + strings.Join(variants, ",") + "]"), "primaryMetric": metrics[0], "secondaryMetrics": metrics[1:]}})
	e := data.CreateExperiment.Experiment.ID
	g.start(e, "2026-05-01T00:00:00Z")
	hasty := newGraph(t, url, func(o *testOptions) { o.transport.Timeout = 50 * time.Millisecond }).columns()
	for _, field := range []string{"decision", "leader { key }", "variants { visitors }"} {
		hasty.refused(`query($e: ID!) { node(id: $e) { ... on Experiment { breakdown { result { metrics { `+field+` } } } } } }`, vars{"e": e}, model.ResourceExhausted, "")
	}
}

// The results for all segments are counted together, and are those that filters give.
func TestExperimentBreakdown(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "UTC")
		other := g.segment(g.site("b.example", "UTC"), "Other")
		e := g.experiment(site, "headline", g.tracked(site, "buy"), g.tracked(site, "look"), g.tracked(site, "sign up"))
		countries := []string{"DE", "ES", "FR", "IT", "RO", "US"}
		for i, code := range countries {
			g.segment(site, code, raw(fmt.Sprintf(`{"country": {"is": %q}}`, code)))
			for n := range i + 2 {
				visitor := fmt.Sprint(i, n)
				g.write("a.example", assignment(visitor, "2026-05-01T10:00:00Z", "headline", []string{"a", "b"}[n%2], country(code)), event(visitor, "2026-05-01T10:00:00Z", []string{"buy", "look"}[n/2%2], 0, soon))
			}
		}
		g.start(e, "2026-05-01T00:00:00Z")
		const all = `query($e: ID!) { node(id: $e) { ... on Experiment { breakdown { segment { name } result { visitors metrics { goal { key } variants { variant { key } visitors conversions } } } } } } }`
		g.must(all, vars{"e": e}) // what the plugins say is remembered
		g.engine.taken()
		var data struct {
			Node struct {
				Breakdown []struct {
					Segment struct{ Name string }
					Result  json.RawMessage
				}
			}
		}
		g.into(&data, all, vars{"e": e})
		calls, questions := g.engine.taken()
		if calls != 1 || questions != 7 {
			t.Errorf("%d calls with %d questions", calls, questions)
		}
		if len(data.Node.Breakdown) != 7 {
			t.Fatalf("%d segments", len(data.Node.Breakdown))
		}
		for i, b := range data.Node.Breakdown {
			v, want := vars{"e": e, "f": []any{}}, "All"
			if i > 0 {
				want = countries[i-1]
				v["f"] = []any{raw(fmt.Sprintf(`{"country": {"is": %q}}`, want))}
			}
			var same struct {
				Node struct{ Results json.RawMessage }
			}
			g.into(&same, `query($e: ID!, $f: [FilterInput!]) { node(id: $e) { ... on Experiment { results(filters: $f) { visitors metrics { goal { key } variants { variant { key } visitors conversions } } } } } }`, v)
			if b.Segment.Name != want || string(b.Result) != string(same.Node.Results) || i > 0 && !strings.HasPrefix(string(b.Result), fmt.Sprintf(`{"visitors":%d,`, i+1)) {
				t.Errorf("segment %s: %s, by filters %s", b.Segment.Name, b.Result, same.Node.Results)
			}
		}
		g.want(`query($e: ID!, $s: [ID!]) { node(id: $e) { ... on Experiment { breakdown(segments: $s, range: {from: "2026-05-02T00:00:00Z"}) { segment { name } result { visitors } } } } }`,
			vars{"e": e, "s": []string{g.segmentNamed(site, "RO")}}, `{"node": {"breakdown": [{"segment": {"name": "RO"}, "result": {"visitors": 0}}]}}`)
		g.want(`query($e: ID!) { node(id: $e) { ... on Experiment { breakdown(segments: []) { segment { name } } } } }`, vars{"e": e}, `{"node": {"breakdown": []}}`)
		g.refused(`query($e: ID!, $s: [ID!]) { node(id: $e) { ... on Experiment { breakdown(segments: $s) { segment { name } } } } }`, vars{"e": e, "s": []string{other}}, model.NotFound, "segments[0]")
		for arguments, field := range map[string]string{
			`filters: {ip: {is: "x"}}`: "filters[0].ip.is[0]", `range: {from: "2026-05-02T00:00:00Z", to: "2026-05-01T00:00:00Z"}`: "range",
			`filters: {variant: {experiment: "nothing", is: "a"}}`: "",
		} {
			g.refused(`query($e: ID!) { node(id: $e) { ... on Experiment { results(`+arguments+`) { visitors } } } }`, vars{"e": e}, model.BadInput, field)
		}
	})
}

// Variants break down goal cards and funnels like any other filter.
func TestVariantsAsSegments(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "UTC")
		look, buy := g.tracked(site, "look"), g.tracked(site, "buy")
		e := g.experiment(site, "headline", buy)
		variants := []string{g.segment(site, "Old", raw(`{"variant": {"experiment": "headline", "is": "a"}}`)), g.segment(site, "New", raw(`{"variant": {"experiment": "headline", "is": ["b"]}}`))}
		for n := range 12 {
			visitor, when := fmt.Sprint(n), fmt.Sprintf("2026-05-01T10:%02d:00Z", n)
			g.write("a.example", assignment(visitor, when, "headline", []string{"a", "b", "b"}[n%3]))
			if n >= 4 {
				g.write("a.example", event(visitor, when, "look", 0, soon))
			}
			if n >= 8 {
				g.write("a.example", event(visitor, when, "buy", 10, soon))
			}
		}
		g.write("a.example", page("nobody", "2026-05-01T10:00:00Z", "/"))
		v := vars{"s": site, "l": look, "b": buy, "v": variants}
		cards := `query($s: ID!, $l: ID!, $b: ID!, $v: [ID!]) { site(id: $s) { goalCards(segments: $v, goals: [$b], range: {from: "2026-05-01T00:00:00Z"}) { cells { segment { name } sessions conversions valueTotal merged { label } } }
			funnel(steps: [$l, $b], segments: $v, range: {from: "2026-05-01T00:00:00Z"}) { segments { segment { name } steps { sessions } } } } }`
		// Nobody is assigned before it starts.
		g.want(cards, v, `{"site": {"goalCards": [{"cells": [
			{"segment": {"name": "Old"}, "sessions": 0, "conversions": 0, "valueTotal": 0, "merged": {"label": "Variant of headline is a and Tracked buy"}},
			{"segment": {"name": "New"}, "sessions": 0, "conversions": 0, "valueTotal": 0, "merged": {"label": "Variant of headline is b and Tracked buy"}}]}],
			"funnel": {"segments": [{"segment": {"name": "Old"}, "steps": [{"sessions": 0}, {"sessions": 0}]}, {"segment": {"name": "New"}, "steps": [{"sessions": 0}, {"sessions": 0}]}]}}}`)
		g.start(e, "2026-05-01T00:00:00Z")
		g.want(cards, v, `{"site": {"goalCards": [{"cells": [
			{"segment": {"name": "Old"}, "sessions": 4, "conversions": 1, "valueTotal": 10, "merged": {"label": "Variant of headline is a and Tracked buy"}},
			{"segment": {"name": "New"}, "sessions": 8, "conversions": 3, "valueTotal": 30, "merged": {"label": "Variant of headline is b and Tracked buy"}}]}],
			"funnel": {"segments": [{"segment": {"name": "Old"}, "steps": [{"sessions": 2}, {"sessions": 1}]}, {"segment": {"name": "New"}, "steps": [{"sessions": 6}, {"sessions": 3}]}]}}}`)
		g.must(`mutation($e: ID!) { stopExperiment(id: $e, at: "2026-05-01T10:06:00Z") { experiment { id } } }`, vars{"e": e})
		g.want(`query($s: ID!) { site(id: $s) { sessionCount(filters: {variant: {experiment: "headline", is: ["a", "b"]}}, range: {from: "2026-05-01T00:00:00Z"}) } }`, vars{"s": site}, `{"site": {"sessionCount": 6}}`)
		g.refused(`query($s: ID!) { site(id: $s) { sessionCount(filters: {variant: {experiment: "nothing", is: "a"}}, range: {from: "2026-05-01T00:00:00Z"}) } }`, vars{"s": site}, model.BadInput, "")
		// One whose audience depends on itself has no answer.
		self := g.experiment(site, "self", buy)
		g.must(`mutation($e: ID!) { updateExperiment(input: {id: $e, audience: {variant: {experiment: "self", is: "a"}}}) { experiment { id } } }`, vars{"e": self})
		g.start(self, "2026-05-01T00:00:00Z")
		g.refused(`query($e: ID!) { node(id: $e) { ... on Experiment { results { visitors } } } }`, vars{"e": self}, model.BadInput, "")
	})
}
