//go:build system

// The steps of TestDashboard about experiments. They run the server, npm packages and Chromium, so they have the tag system: see
// main_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// isChange tells whether a text says a relative change, with its sign.
func isChange(text string, change float64) bool {
	sign, size := "", math.Abs(change)
	if change > 0 {
		sign = "+"
	} else if change < 0 {
		sign = "−"
	}
	digits, hasSign := strings.CutPrefix(text, sign)
	return hasSign && isShare(digits, &size)
}

// isPValue tells whether a text says a p-value to two digits.
func isPValue(text string, p *float64) bool {
	switch {
	case p == nil:
		return text == "–"
	case *p < 0.0001:
		return text == "< 0.0001"
	}
	two, err := strconv.ParseFloat(strconv.FormatFloat(*p, 'g', 2, 64), 64)
	return err == nil && shownNumber(text) == two
}

var (
	shownDay    = regexp.MustCompile(`^([\d.,]+ %) \(([\d,]+) of ([\d,]+)\)(?:\s+at any time: (\S+ %|–) to (\S+ %|–))?$`)
	shownSplit  = regexp.MustCompile(`^([\d.,]+ %|–)\s+([\d,]+) of ([\d,]+)(?:\s+p = (.+))?$`)
	shownCurves = regexp.MustCompile(`Conversion rates from ([\d.,]+ %) to ([\d.,]+ %)\.`)
	shownPlan   = regexp.MustCompile(`Each variant needs ([\d,]+) visitors, planned from a figure of ([\d.,]+ %) and ([\d.,]+) visitors a day .* That is (\d+) days? from now\.`)
)

type estimate struct{ Mean, Low, High float64 }

type variantAnswer struct {
	Variant                           struct{ Name string }
	Visitors, Conversions             int
	ConversionRate                    estimate
	Uplift                            *estimate
	ProbabilityToBeBest, ExpectedLoss *float64
	AdjustedPValue                    *float64
	ProbabilityWithinMargin           *float64
	Density                           []struct{ X float64 }
	Series                            []struct {
		Visitors, Conversions int
		ProbabilityToBeBest   *float64
		Anytime               *struct{ Uplift *estimate }
	}
}

type metricsAnswer struct {
	Metrics []struct {
		Role     string
		Variants []variantAnswer
	}
}

// All that the results of an experiment say is what the graph says: the table, the curves, the days and the segments.
func (d *dashboard) checkExperiment(t *testing.T) {
	experiment, _ := d.server.arrange(t)
	var readers struct {
		CreateSegment struct{ Segment struct{ ID string } }
	}
	d.askAll(&readers, `mutation { createSegment(input: {siteId: "U2l0ZTox", name: "Readers", active: false, filters: [{pages: {all: ["/projects/xdotool*"]}}]}) { segment { id } } }`)
	segment := readers.CreateSegment.Segment.ID
	var want struct {
		Experiment struct {
			Results   metricsAnswer
			Breakdown []struct{ Result metricsAnswer }
			Readers   metricsAnswer
		}
	}
	d.ask(&want, `experiment(key: "headline") {
		results { metrics { role variants { variant { name } visitors conversions conversionRate { mean low high } uplift { mean low high } probabilityToBeBest expectedLoss adjustedPValue probabilityWithinMargin
			density { x } series { visitors conversions probabilityToBeBest anytime { uplift { mean low high } } } } } }
		breakdown(goal: "R29hbDox") { result { metrics { variants { visitors conversions conversionRate { mean low high } adjustedPValue } } } }
		readers: results(goal: "R29hbDox", filters: [{segment: "`+segment+`"}]) { metrics { variants { visitors conversions } } } }`)
	d.open(sampleSite+"/experiments?by="+experiment, `document.querySelectorAll('main tbody').length > 3 && document.querySelectorAll('figure').length > 2`)
	rows := eval[[][]string](d, `[...document.querySelectorAll('section[aria-label^="Primary metric: "] tbody tr')].map(row => [...row.children].map(cell => cell.innerText))`)
	if len(rows) != 2 {
		t.Fatalf("the primary metric has the rows %q", rows)
	}
	variants := want.Experiment.Results.Metrics[0].Variants
	lowest, highest := math.Inf(1), math.Inf(-1)
	for i, of := range variants {
		got := rows[i]
		mean, _, _ := strings.Cut(got[2], "\n")
		uplift, _, _ := strings.Cut(got[3], "\n")
		if !strings.HasPrefix(got[0], of.Variant.Name) || got[1] != fmt.Sprintf("%d of %d", of.Conversions, of.Visitors) || !isShare(mean, &of.ConversionRate.Mean) ||
			!isShare(got[4], of.ProbabilityToBeBest) || !isShare(got[6], of.ExpectedLoss) || !isPValue(got[7], of.AdjustedPValue) ||
			(of.Uplift == nil) != (uplift == "–") || of.Uplift != nil && !isChange(uplift, of.Uplift.Mean) {
			t.Errorf("a variant shows %q; the graph says %+v", got, of)
		}
		lowest, highest = min(lowest, of.Density[0].X), max(highest, of.Density[len(of.Density)-1].X)
	}
	for _, metric := range want.Experiment.Results.Metrics {
		if metric.Role == "GUARDRAIL" {
			d.checkGuardrail(metric.Variants)
		}
	}
	main := eval[string](d, `document.querySelector('main').innerText`)
	if got := shownCurves.FindStringSubmatch(main); got == nil || !isShare(got[1], &lowest) || !isShare(got[2], &highest) {
		t.Errorf("the curves go %q; the graph says from %g to %g", got, lowest, highest)
	}
	d.do(`document.querySelector('details:has(section[aria-label="What each day would have shown"])').open = true`)
	days := eval[[][]string](d, `[...document.querySelectorAll('section[aria-label="What each day would have shown"] tbody tr')].map(row => [...row.children].map(cell => cell.innerText))`)
	if len(days) != len(variants[0].Series) || len(days) == 0 {
		t.Fatalf("%d days of %d", len(days), len(variants[0].Series))
	}
	bounded := 0
	for i, day := range days {
		for j, of := range variants {
			point, got := of.Series[i], shownDay.FindStringSubmatch(day[1+j])
			if got == nil || !isShare(got[1], point.ProbabilityToBeBest) || !isNumber(got[2], point.Conversions) || !isNumber(got[3], point.Visitors) {
				t.Errorf("day %d of variant %d shows %q; the graph says %+v", i, j, day[1+j], point)
				continue
			}
			if point.Anytime == nil || point.Anytime.Uplift == nil {
				continue
			}
			bounded++
			if bounds := point.Anytime.Uplift; !isChange(got[4], bounds.Low) || bounds.High < 1e300 && !isChange(got[5], bounds.High) {
				t.Errorf("day %d of variant %d shows %q; the graph says %+v", i, j, day[1+j], bounds)
			}
		}
	}
	if bounded == 0 {
		t.Error("no day has bounds")
	}
	d.checkSplit(want.Experiment.Breakdown[0].Result)
	// The segments are those of the view, within the one that is chosen: of the first, which has everybody, nobody else is left.
	d.open(sampleSite+"/experiments?by="+experiment+"&in="+segment, `document.body.innerText.includes('sessions that are in') && document.querySelector('section[aria-label="By segment"] table[aria-busy=false]')`)
	d.checkSplit(want.Experiment.Readers)
	if all, within := want.Experiment.Results.Metrics[0].Variants[0], want.Experiment.Readers.Metrics[0].Variants[0]; within.Visitors == 0 || within.Visitors == all.Visitors {
		t.Errorf("of %d visitors %d are within the segment", all.Visitors, within.Visitors)
	}
	d.checkUnjoined()
}

// checkGuardrail compares how probably each variant is within the margin of the only guardrail with the graph.
func (d *dashboard) checkGuardrail(want []variantAnswer) {
	d.Helper()
	rows := eval[[][]string](d, `[...document.querySelectorAll('section[aria-label^="Guardrail: "] table')].flatMap(table => {
		const at = [...table.tHead.rows[0].cells].findIndex(cell => cell.innerText === 'Within the margin')
		return [...table.tBodies[0].rows].map(row => [row.cells[0].innerText, row.cells[at].innerText])
	})`)
	known := 0
	for i, of := range want {
		if len(rows) != len(want) || !strings.HasPrefix(rows[i][0], of.Variant.Name) || !isShare(rows[i][1], of.ProbabilityWithinMargin) {
			d.Errorf("the guardrail shows %q; the graph says %+v", rows, of)
			return
		}
		if of.ProbabilityWithinMargin != nil {
			known++
		}
	}
	if known == 0 {
		d.Error("no variant has a probability to be within the margin")
	}
}

// checkUnjoined shows how many visitors were assigned of whom nothing else has come.
func (d *dashboard) checkUnjoined() {
	d.Helper()
	var made struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	d.askAll(&made, `mutation { createExperiment(input: {siteId: "U2l0ZTox", key: "assigned", name: "Assigned", assignment: GOALGRAPH, primaryMetric: "R29hbDox", variants: [{key: "a"}, {key: "b"}]}) { experiment { id } } }`)
	id := made.CreateExperiment.Experiment.ID
	d.server.mustStart(d, id)
	for _, visitor := range []string{"unjoined 1", "unjoined 2"} {
		a, err := d.server.track("", "/ofrep/v1/evaluate/flags/assigned", fmt.Appendf(nil, `{"context": {"targetingKey": %q}}`, visitor), "Content-Type", "application/json", "X-API-Key", "www.semicomplete.com")
		if err != nil || a.status != 200 {
			d.Fatal(a, err)
		}
	}
	// They are kept behind the answer.
	await(d, "unjoined assignments", func() bool {
		var of struct {
			Experiment struct {
				Results struct{ UnjoinedAssignments int }
			}
		}
		d.ask(&of, `experiment(key: "assigned") { results { unjoinedAssignments } }`)
		return of.Experiment.Results.UnjoinedAssignments == 2
	})
	d.open(sampleSite+"/experiments?by="+id, `document.querySelector('section[aria-labelledby=validity]')?.innerText.includes('2 of those whom Goalgraph assigned have sent nothing else.')`)
}

// checkSplit compares the first row of the segments with the graph.
func (d *dashboard) checkSplit(want metricsAnswer) {
	d.Helper()
	row := eval[[]string](d, `[...document.querySelectorAll('section[aria-label="By segment"] tbody tr')[0].children].map(cell => cell.innerText)`)
	for i, of := range want.Metrics[0].Variants {
		got := shownSplit.FindStringSubmatch(row[2+i])
		if got == nil || !isNumber(got[2], of.Conversions) || !isNumber(got[3], of.Visitors) || of.AdjustedPValue != nil && !isPValue(got[4], of.AdjustedPValue) {
			d.Errorf("variant %d in the first segment shows %q; the graph says %+v", i, row, of)
		}
	}
}

// focus gives the focus to the first control, of the open panel, that has a label or a name.
func (d *dashboard) focus(name string) {
	d.Helper()
	find := fmt.Sprintf(`[...(document.querySelector('dialog') ?? document.querySelector('main')).querySelectorAll('input, select, button')].find(e => [e.ariaLabel, e.labels?.[0]?.innerText, e.innerText].some(text => text?.trim() === %q))`, name)
	d.await(find + ` !== undefined`)
	d.do(find + `.focus()`)
}

// write writes into the control that has a label or a name, in place of what is there; in a select it chooses what begins so.
func (d *dashboard) write(name, text string) {
	d.Helper()
	d.focus(name)
	d.do(`document.activeElement.select?.()`)
	d.run(chromedp.KeyEvent(text))
}

// An experiment that is planned, guarded and looked at once is made by its form, and planned again while it runs.
func (d *dashboard) planExperiment(t *testing.T) {
	type plan struct {
		Figure, VisitorsPerDay   float64
		VisitorsPerVariant, Days int
	}
	const fields = `{ figure visitorsPerDay visitorsPerVariant days }`
	// Visitors a day are fewer by the second where the experiment has just begun.
	check := func(want plan, begun bool) {
		t.Helper()
		d.await(`/from now\.|They never come/.test(document.querySelector('dialog, main details[open]')?.innerText)`)
		text := eval[string](d, `document.querySelector('dialog, main details[open]').innerText`)
		got := shownPlan.FindStringSubmatch(text)
		if got == nil || !isNumber(got[1], want.VisitorsPerVariant) || !isShare(got[2], &want.Figure) || !begun && math.Abs(shownNumber(got[3])-want.VisitorsPerDay) > 0.006 || !isNumber(got[4], want.Days) {
			t.Errorf("the plan is %q; the graph says %+v\n%s", got, want, text)
		}
	}
	d.open(sampleSite+"/experiments?panel=experiment.new", editorShown)
	d.write("Name", "Planned")
	d.write("Key", "planned")
	d.write("Primary metric", "Read about")
	d.click("dialog button", "+ Add a guardrail")
	d.write("Guardrail 1: Goal", "Saw the home")
	d.write("Guardrail 1: Margin, %", "3.5")
	d.write("Smallest effect to find, %", "60")
	var want struct{ PlanExperiment plan }
	d.ask(&want, `planExperiment(metric: "R29hbDox", minimumEffect: 0.6) `+fields)
	d.await(fmt.Sprintf(`document.querySelector('dialog').innerText.replaceAll(',', '').includes('needs %d visitors')`, want.PlanExperiment.VisitorsPerVariant))
	check(want.PlanExperiment, false)
	d.click("dialog button", "Look then, and once")
	d.await(`document.querySelector('dialog input[type=datetime-local]')`)
	d.click("dialog button", "Create")
	d.await(`document.querySelector('h1')?.innerText === 'Planned'`)
	var made struct {
		Experiment struct {
			Monitoring string
			DecideAt   time.Time
			Guardrails []struct {
				Goal   struct{ Name string }
				Margin float64
			}
		}
	}
	d.ask(&made, `experiment(key: "planned") { monitoring decideAt guardrails { goal { name } margin } }`)
	e := made.Experiment
	if off := time.Until(e.DecideAt) - time.Duration(want.PlanExperiment.Days)*24*time.Hour; e.Monitoring != "FIXED_HORIZON" || off < -5*time.Minute || off > time.Minute ||
		len(e.Guardrails) != 1 || e.Guardrails[0].Goal.Name != "Saw the home page" || e.Guardrails[0].Margin != 0.035 {
		t.Errorf("the experiment is %+v; the plan is %+v", e, want.PlanExperiment)
	}

	// The first experiment has begun, and has visitors.
	var rest struct {
		Experiment struct {
			ID      string
			Results struct{ Metrics []struct{ Plan plan } }
		}
	}
	// The guardrail has no rate to plan from, which is no matter of the primary metric's plan.
	got, err := do(graphQLRequest(d.server.url, `{ site(domain: "www.semicomplete.com") { experiment(key: "headline") { id results(goal: "R29hbDox") { metrics { plan(minimumEffect: 0.05) `+fields+` } } } } }`))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got.body), &struct{ Data struct{ Site any } }{struct{ Site any }{&rest}}); err != nil {
		t.Fatal(err)
	}
	if len(rest.Experiment.Results.Metrics) != 2 {
		t.Fatal(got)
	}
	d.open(sampleSite+"/experiments?by="+rest.Experiment.ID, `[...document.querySelectorAll('main summary')].some(e => e.innerText === 'How much longer will it take?')`)
	d.do(`[...document.querySelectorAll('main summary')].find(e => e.innerText === 'How much longer will it take?').click()`)
	check(rest.Experiment.Results.Metrics[0].Plan, true)
}
