//go:build system

// The steps of TestDashboard, screen by screen. They run the server, npm packages and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/server/browsertest"
)

// A change shows in its cell, and nothing else moves.
func (d *dashboard) follow(t *testing.T) {
	d.open(sampleSite+"?range=TODAY", cellsShown)
	d.do(`void new PerformanceObserver(l => { for (const e of l.getEntries()) window.shift = (window.shift ?? 0) + e.value }).observe({type: 'layout-shift'})`)
	d.do(firstCell + `.focus()`)
	d.server.mustDeliver(t, pageView("one", "/projects/xdotool/"))
	sent := time.Now()
	d.await(firstCell + `.innerText.includes('1 of 1')`)
	t.Logf("a change shows after %s", time.Since(sent))
	if !eval[bool](d, `document.activeElement === `+firstCell) {
		t.Error("the focus has moved")
	}
	if shift := eval[float64](d, `window.shift ?? 0`); shift >= 0.01 {
		t.Errorf("the layout has shifted by %f", shift)
	}

	r := rand.New(rand.NewPCG(1, 2))
	var messages []map[string]any
	for i := range 60 {
		messages = append(messages, pageView(fmt.Sprint("visitor ", r.IntN(40)), []string{"/", "/blog/a", "/projects/xdotool/", "/c"}[r.IntN(4)]))
		messages[i]["messageId"] = fmt.Sprint("random ", i)
	}
	d.click("button", "Pause")
	d.await(`document.body.innerText.includes('Paused at')`)
	d.server.mustDeliver(t, messages...)
	d.click("button", "Resume")
	d.await(`!` + firstCell + `.innerText.includes('of 1\n')`)
	d.checkFigures(t, "{ name: TODAY }")
}

// A panel is part of the view: a link opens it, Escape closes it, and Back opens it again.
func (d *dashboard) explain(t *testing.T) {
	d.open(sampleSite, cellsShown)
	d.do(`document.querySelectorAll('tbody td a')[1].focus()`)
	d.run(chromedp.KeyEvent("\r"))
	d.await(`document.querySelectorAll('dialog table').length > 1 && document.querySelector('dialog').innerText.includes('(143)')`)
	text := eval[string](d, `document.querySelector('dialog').innerText`)
	for _, want := range []string{"33.8 %", "143", "423", "Referrer is *google*", "Visited /projects/xdotool*"} {
		if !strings.Contains(text, want) {
			t.Errorf("the panel lacks %q:\n%s", want, text)
		}
	}
	d.run(chromedp.KeyEvent("\x1b"))
	d.await(`!document.querySelector('dialog')`)
	if !eval[bool](d, `document.activeElement === document.querySelectorAll('tbody td a')[1]`) {
		t.Error("the focus is not where it was")
	}
	d.do(`history.back()`)
	d.await(`document.querySelector('dialog')`)
}

type convertedAnswer struct {
	Site struct {
		Segments, Goals struct {
			Nodes []struct {
				ID, Name string
				Filters  []struct{ Inputs any }
			}
		}
	}
}

// A segment that becomes a goal and a segment again is what it was, also for another browser.
func (d *dashboard) convert(t *testing.T) {
	ask := func() string {
		var answer convertedAnswer
		if err := json.Unmarshal([]byte(d.server.mustAsk(t, `{ site(domain: "www.semicomplete.com") {
			segments(search: "From Google") { nodes { id name filters { inputs } } } goals(search: "From Google") { nodes { id name filters { inputs } } } } }`)), &answer); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(answer.Site)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := ask()
	d.open(sampleSite+"/segments", `document.querySelector('main li')`)
	d.click("a", "Convert to a goal: From Google")
	d.click("dialog button", "Convert to a goal")
	d.await(`!document.querySelector('dialog') && !document.body.innerText.includes('From Google')`)
	if after := ask(); after == before {
		t.Errorf("nothing is converted: %s", after)
	}
	d.open(sampleSite+"/goals", `document.body.innerText.includes('From Google')`)
	d.click("button", "Convert to a segment: From Google")
	d.await(`!document.body.innerText.includes('From Google')`)
	if after := ask(); after != before {
		t.Errorf("the segment was %s and is %s", before, after)
	}
	other := browsertest.Open(t, d.origin+sampleSite)
	other.Await(`document.body.innerText.includes('From Google')`)
}

// Names that are markup, right to left or very long are texts like others.
func (d *dashboard) showHostileNames(t *testing.T) {
	names := []string{`<img src=x onerror="document.title='run'">`, "\u202eorders \u05e9\u05dc\u05d5\u05dd", strings.Repeat("W", 200)}
	for i, name := range names {
		d.server.mustAsk(t, fmt.Sprintf(`mutation { createSegment(input: { siteId: "U2l0ZTox", name: %q, filters: [] }) { segment { id } }
			createGoal(input: { siteId: "U2l0ZTox", key: %q, name: %q, description: %[1]q }) { goal { id } } }`, name, fmt.Sprint(strings.Repeat("k", 190), i), name))
	}
	for _, path := range []string{"", "/segments", "/goals", "/breakdowns?by=REFERRER&range=2015-05-17..2015-05-20", "/funnel"} {
		for _, width := range []int64{360, 1440} {
			d.run(chromedp.EmulateViewport(width, 900))
			d.open(sampleSite+path, `document.body.innerText.includes('WWWW')`)
			if eval[bool](d, `document.documentElement.scrollWidth > innerWidth || document.title === 'run' || document.querySelector('img') !== null`) {
				t.Errorf("%s at %d: a hostile name overflows, or is no text", path, width)
			}
		}
	}
}

// The server goes and comes back: the page says so, and shows what is new without being loaded again.
func (d *dashboard) lose(t *testing.T, args ...string) {
	d.open(sampleSite+"?range=TODAY", cellsShown)
	d.do(`void (window.same = true)`)
	d.mu.Lock()
	d.expectLoss = true
	d.mu.Unlock()
	if err := d.server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lost := time.Now()
	d.await(`document.body.innerText.includes('Not connected')`)
	t.Logf("the page tells of the loss after %s", time.Since(lost))
	d.server.result(t)

	d.server = mustServe(d.whole, args...)
	d.server.mustDeliver(t, pageView("after", "/projects/xdotool/"))
	want := eval[string](d, firstCell+`.innerText`)
	d.relay.lead(strings.TrimPrefix(d.server.url, "http://"))
	back := time.Now()
	d.await(fmt.Sprintf(`!document.body.innerText.includes('Not connected') && %s.innerText !== %q`, firstCell, want))
	t.Logf("the figures are right %s after the server is back", time.Since(back))
	d.checkFigures(t, "{ name: TODAY }")
	if !eval[bool](d, `window.same === true`) {
		t.Error("the page was loaded again")
	}
}

// cells are the texts of the tables' cells, row by row.
const cells = `[...document.querySelectorAll('main tbody tr')].map(row => [...row.children].map(cell => cell.innerText))`

// ask puts what the graph says of the sample site into a value.
func (d *dashboard) ask(value any, fields string) {
	d.Helper()
	if err := json.Unmarshal([]byte(d.server.mustAsk(d.T, `{ site(domain: "www.semicomplete.com") { `+fields+` } }`)), &struct{ Site any }{value}); err != nil {
		d.Fatal(err)
	}
}

// isNumber tells whether a text says a number of things.
func isNumber(text string, n int) bool { return shownNumber(text) == float64(n) }

const sampleDays = `range: {date: {from: "2015-05-17", to: "2015-05-20"}}`

// A breakdown says what the graph says, and a click on a value narrows it to that value.
func (d *dashboard) breakDown(*testing.T) {
	var want struct {
		Breakdown struct {
			Nodes []struct {
				Values             []string
				Sessions, Visitors int
				BounceRate         *float64
				Goals              []struct {
					Conversions    int
					ConversionRate *float64
				}
			}
		}
	}
	d.ask(&want, `breakdown(by: [REFERRER], `+sampleDays+`) { nodes { values sessions visitors bounceRate goals { conversions conversionRate } } }`)
	d.open(sampleSite+"/breakdowns?by=REFERRER&range=2015-05-17..2015-05-20", tableShown+` && document.querySelector('tbody a')`)
	rows := eval[[][]string](d, cells)
	if len(rows) != len(want.Breakdown.Nodes) || len(rows) < 2 {
		d.Fatalf("%d rows of %d", len(rows), len(want.Breakdown.Nodes))
	}
	for i, row := range want.Breakdown.Nodes {
		got := rows[i]
		if got[0] != row.Values[0] || !isNumber(got[1], row.Sessions) || !isNumber(got[2], row.Visitors) || !isShare(got[3], row.BounceRate) || len(got) != 5+len(row.Goals) {
			d.Errorf("row %d shows %q; the graph says %+v", i, got, row)
			continue
		}
		for j, goal := range row.Goals {
			rate, conversions, _ := strings.Cut(got[5+j], "\n")
			if !isShare(rate, goal.ConversionRate) || !isNumber(strings.TrimSpace(conversions), goal.Conversions) {
				d.Errorf("row %d, goal %d shows %q; the graph says %+v", i, j, got[5+j], goal)
			}
		}
	}
	second := want.Breakdown.Nodes[1]
	d.click("tbody a", "Only "+second.Values[0])
	d.await(`document.querySelectorAll('main tbody tr').length === 1 && document.querySelector('main li button')`)
	if got := eval[[][]string](d, cells)[0]; got[0] != second.Values[0] || !isNumber(got[1], second.Sessions) {
		d.Errorf("the filter keeps %q, not %+v", got, second)
	}
	d.do(`history.back()`)
	d.await(`document.querySelectorAll('main tbody tr').length > 1`)
}

var shownStep = regexp.MustCompile(`^([\d,]+) \(([\d.,]+ %|–) of all\)\s+([\d.,]+ %|–) of the step before; ([\d,]+) lost$`)

func (d *dashboard) stepDown(*testing.T) {
	var want struct {
		Funnel struct {
			Segments []struct {
				Segment struct{ SessionCount int }
				Steps   []struct {
					Sessions                int
					FromPrevious, FromStart *float64
				}
			}
		}
	}
	d.ask(&want, `funnel(steps: ["R29hbDox", "R29hbDoy"], `+sampleDays+`) { segments { segment { sessionCount(`+sampleDays+`) } steps { sessions fromPrevious fromStart } } }`)
	d.open(sampleSite+"/funnel?goals=R29hbDox,R29hbDoy&range=2015-05-17..2015-05-20", `document.querySelector('td svg')`)
	rows := eval[[][]string](d, cells)
	for i, segment := range want.Funnel.Segments {
		before := segment.Segment.SessionCount
		for j, step := range segment.Steps {
			got := shownStep.FindStringSubmatch(rows[j][1+i])
			if got == nil || !isNumber(got[1], step.Sessions) || !isShare(got[2], step.FromStart) || !isShare(got[3], step.FromPrevious) || !isNumber(got[4], before-step.Sessions) {
				d.Errorf("step %d of segment %d shows %q; the graph says %+v", j, i, rows[j][1+i], step)
			}
			before = step.Sessions
		}
	}
}

// The results of an experiment are those of the graph; so are the lists of sessions and events, and who is there.
func (d *dashboard) checkLists(t *testing.T) {
	experiment := d.server.arrange(t)
	type rate struct{ Mean, Low, High *float64 }
	var want struct {
		Experiment struct {
			Results struct {
				Metrics []struct {
					Variants []struct {
						Variant               struct{ Name string }
						Visitors, Conversions int
						ConversionRate        rate
						ProbabilityToBeBest   *float64
						ExpectedLoss          *float64
					}
				}
			}
		}
		Sessions struct{ TotalCount int }
		Events   struct{ TotalCount int }
		Now      struct{ Last30Minutes struct{ Visitors int } }
	}
	d.ask(&want, `experiment(key: "headline") { results { metrics { variants { variant { name } visitors conversions conversionRate { mean low high } probabilityToBeBest expectedLoss } } } }
		sessions(range: {name: TODAY}, first: 0) { totalCount } events(first: 0) { totalCount } now { last30Minutes { visitors } }`)
	d.open(sampleSite+"/experiments?by="+experiment, `document.querySelectorAll('main tbody').length > 2`)
	rows := eval[[][]string](d, `[...document.querySelectorAll('section[aria-label^="Primary metric: "] tbody tr')].map(row => [...row.children].map(cell => cell.innerText))`)
	if len(rows) != 2 {
		t.Fatalf("the primary metric has the rows %q", rows)
	}
	for i, of := range want.Experiment.Results.Metrics[0].Variants {
		got := rows[i]
		mean, _, _ := strings.Cut(got[2], "\n")
		if !strings.HasPrefix(got[0], of.Variant.Name) || got[1] != fmt.Sprintf("%d of %d", of.Conversions, of.Visitors) || !isShare(mean, of.ConversionRate.Mean) || !isShare(got[4], of.ProbabilityToBeBest) || !isShare(got[6], of.ExpectedLoss) {
			t.Errorf("a variant shows %q; the graph says %+v", got, of)
		}
	}
	for path, text := range map[string]string{
		"/sessions?range=TODAY": fmt.Sprintf("of %d", want.Sessions.TotalCount),
		"/events":               fmt.Sprintf("%d of %[1]d", want.Events.TotalCount),
		"/now":                  fmt.Sprintf("Visitors in the last 30 minutes\n%d", want.Now.Last30Minutes.Visitors),
	} {
		d.open(sampleSite+path, fmt.Sprintf(`document.querySelector('main').innerText.includes(%q)`, text))
	}
	d.open(sampleSite+"/sessions?range=TODAY", tableShown)
	d.do(`document.querySelector('tbody a').click()`)
	d.await(`document.querySelector('dialog tbody td')`)
}

// tabTo presses Tab until what has the focus has a text or a name.
func (d *dashboard) tabTo(name string) {
	d.Helper()
	for range 60 {
		d.run(chromedp.KeyEvent("\t"))
		if eval[bool](d, fmt.Sprintf(`[document.activeElement.ariaLabel, document.activeElement.labels?.[0]?.innerText, document.activeElement.innerText].some(text => text?.trim() === %q)`, name)) {
			return
		}
	}
	d.Fatalf("Tab does not lead to %q", name)
}

// An experiment is defined, started and stopped by the keyboard alone.
func (d *dashboard) experimentByKeyboard(*testing.T) {
	d.open(sampleSite+"/experiments", `document.querySelector('main a.button')`)
	d.tabTo("+ New experiment")
	d.run(chromedp.KeyEvent("\r"))
	d.await(editorShown)
	d.tabTo("Name")
	d.run(chromedp.KeyEvent("By keyboard"))
	d.tabTo("Key")
	d.run(chromedp.KeyEvent("keyboard"))
	d.tabTo("Primary metric")
	d.run(chromedp.KeyEvent("Read about"))
	d.tabTo("Create")
	d.run(chromedp.KeyEvent("\r"))
	d.await(`document.querySelector('h1')?.innerText === 'By keyboard' && document.body.innerText.includes('Draft')`)
	d.tabTo("Start")
	d.run(chromedp.KeyEvent("\r"))
	d.await(`document.body.innerText.includes('Running')`)
	d.tabTo("Stop")
	d.run(chromedp.KeyEvent("\r"))
	d.await(`document.activeElement.innerText === 'Cancel'`)
	d.tabTo("Stop")
	d.run(chromedp.KeyEvent("\r"))
	d.await(`document.body.innerText.includes('Stopped')`)
}

// A plugin that is dropped in while an editor is open comes into its picker. What the plugin refuses stands at the field.
func (d *dashboard) dropPlugin(t *testing.T, folder string) {
	paid := filepath.Join(mustMakeExamples(t), "paidtraffic")
	d.open(sampleSite+"/segments?panel=segment.new", editorShown)
	d.do(`document.querySelector('dialog [role=combobox]').focus()`)
	d.run(chromedp.KeyEvent("Paid"))
	mustDrop(t, paid, folder)
	dropped := time.Now()
	d.await(`document.querySelector('dialog [role=option]')?.innerText.includes('Paid traffic')`)
	t.Logf("a plugin is in the picker after %s", time.Since(dropped))
	d.run(chromedp.KeyEvent("\r"))
	d.await(`document.querySelector('dialog [role=combobox][aria-label=Source]')`)
	d.do(`document.querySelector('dialog [role=combobox][aria-label=Source]').focus()`)
	d.run(chromedp.KeyEvent("bing\r"))
	d.click("dialog button", "Remove bing")
	d.await(`document.querySelector('dialog [role=combobox][aria-label=Source][aria-invalid=true]') && document.querySelector('dialog .bad').innerText.includes('empty')`)
	mustRemove(t, paid, folder)
}

// A light turns green with the first event of a site.
func (d *dashboard) begin(t *testing.T) {
	d.open("/sites/empty.example", `document.body.innerText.includes('Waiting for the first event')`)
	body, err := json.Marshal(map[string]any{"batch": []any{pageView("first", "/")}})
	if err != nil {
		t.Fatal(err)
	}
	if a := d.server.mustTrack(t, "empty.example", "/v1/batch", body); a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	d.await(`document.body.innerText.includes('The first event has arrived')`)
	d.click("button", "Show the goals")
	d.await(`document.body.innerText.includes('There is no goal yet')`)
}
