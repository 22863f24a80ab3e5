//go:build system

// The steps of TestDashboard, screen by screen. They run the server, npm packages and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
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
	d.await(`!/ of 1$/m.test(` + firstCell + `.innerText)`)
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

// Names that are markup, right to left or very long are texts like others, on every screen and panel that has names.
func (d *dashboard) showHostileNames(t *testing.T) {
	names := []string{`<img src=x onerror="document.title='run'">`, "\u202eorders \u05e9\u05dc\u05d5\u05dd", strings.Repeat("W", 200)}
	var goal, experiment string
	for i, name := range names {
		key := fmt.Sprint(strings.Repeat("k", 190), i)
		var made struct {
			CreateGoal       struct{ Goal struct{ ID string } }
			CreateExperiment struct{ Experiment struct{ ID string } }
		}
		d.askAll(&made, fmt.Sprintf(`mutation { createSegment(input: { siteId: "U2l0ZTox", name: %[1]q, filters: [] }) { segment { id } }
			createGoal(input: { siteId: "U2l0ZTox", key: %[2]q, name: %[1]q, description: %[1]q }) { goal { id } }
			createApiKey(input: { name: %[1]q, scope: READ, sites: ["U2l0ZTox"] }) { secret } createUser(input: { name: %[1]q, roles: [] }) { user { id } }
			createExperiment(input: { siteId: "U2l0ZTox", key: %[2]q, name: %[1]q, description: %[1]q, primaryMetric: "R29hbDox", guardrails: [{goal: "R29hbDoy", margin: 0.1}],
				variants: [{key: "a", name: %[1]q}, {key: "b", name: %[1]q}] }) { experiment { id } } }`, name, key))
		goal, experiment = made.CreateGoal.Goal.ID, made.CreateExperiment.Experiment.ID
		d.server.mustAsk(t, fmt.Sprintf(`mutation { startExperiment(id: %q) { experiment { id } } }`, experiment))
		d.server.mustDeliver(t, pageView(fmt.Sprint("hostile ", i), "/"+name),
			map[string]any{"type": "track", "anonymousId": fmt.Sprint("hostile ", i), "event": name, "context": firefox, "properties": map[string]any{name: name}})
	}
	for _, path := range []string{
		"", "?panel=why." + goal + ".U2VnbWVudDox", "/segments", "/goals", "/goals?panel=goal." + goal, "/breakdowns?by=PAGE&range=TODAY", "/funnel?range=TODAY&goals=" + goal,
		"/experiments", "/experiments?by=" + experiment, "/experiments?panel=experiment." + experiment, "/sessions?range=TODAY", "/events", "/now",
		"/settings?by=keys", "/settings?by=people", "/settings?by=audit",
	} {
		for _, width := range []int64{360, 1440} {
			d.run(chromedp.EmulateViewport(width, 900))
			d.open(sampleSite+path, `document.body.innerText.includes('WWWW')`)
			if eval[bool](d, `document.documentElement.scrollWidth > innerWidth || document.title === 'run' || document.querySelector('img') !== null`) {
				t.Errorf("%s at %d: a hostile name overflows, or is no text: %.300q", path, width, eval[[]string](d, `[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 90))`))
			}
		}
	}
	// In a sentence of the server's each name of a variant keeps its direction to itself.
	d.open(sampleSite+"/experiments?search="+url.QueryEscape(names[1]), `document.querySelector('main tbody a')`)
	d.do(`document.querySelector('main tbody a').click()`)
	d.await(`document.querySelectorAll('section[aria-labelledby=decision] li bdi').length === 2`)
	if shown := eval[[]string](d, `[...document.querySelectorAll('section[aria-labelledby=decision] li bdi')].map(e => e.textContent)`); shown[0] != names[1] || shown[1] != names[1] {
		t.Errorf("the reasons name %q", shown)
	}
	d.open(sampleSite+"/segments", `document.querySelector('main li button')`)
	d.click("button", "Delete: "+names[1])
	// In a sentence the name keeps to itself: what turns its letters around is closed in.
	d.await(`[...document.querySelectorAll('[role=group] > span')].some(e => e.innerText.includes('Delete \u2068'+'\u202e') && e.innerText.endsWith('\u2069 for good?'))`)
}

// away is how long the server is: so long that the page has tried again several times.
const away = 10 * time.Second

// busy is by how much a machine that has other tests to run may miss what is demanded.
const busy = 5

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
	told := time.Since(lost)
	d.server.result(t)
	d.relay.lead("") // nobody listens

	restart := time.After(away - time.Since(lost))
	d.server = mustServe(d.whole, args...)
	d.server.mustDeliver(t, pageView("after", "/projects/xdotool/"))
	want := eval[string](d, firstCell+`.innerText`)
	<-restart
	d.relay.lead(strings.TrimPrefix(d.server.url, "http://"))
	back := time.Now()
	d.await(fmt.Sprintf(`!document.body.innerText.includes('Not connected') && %s.innerText !== %q`, firstCell, want))
	t.Logf("the page tells of the loss after %s, and is right %s after the server is back", told, time.Since(back))
	if told > busy*2*time.Second || time.Since(back) > busy*5*time.Second {
		t.Error("that is too late")
	}
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
	d.askAll(&struct{ Site any }{value}, `{ site(domain: "www.semicomplete.com") { `+fields+` } }`)
}

// askAll puts what the graph answers into a value.
func (d *dashboard) askAll(value any, query string) {
	d.Helper()
	if err := json.Unmarshal([]byte(d.server.mustAsk(d.T, query)), value); err != nil {
		d.Fatal(err)
	}
}

// isNumber tells whether a text says a number of things.
func isNumber(text string, n int) bool { return shownNumber(text) == float64(n) }

// inRange is what the graph and the address call a range.
type inRange struct{ graph, address string }

var (
	sampleDays = inRange{`range: {date: {from: "2015-05-17", to: "2015-05-20"}}`, "range=2015-05-17..2015-05-20"}
	// today has the random messages of the step live.
	today = inRange{`range: {name: TODAY}`, "range=TODAY"}
)

// A breakdown says what the graph says, and a click on a value narrows it to that value.
func (d *dashboard) breakDown(*testing.T) {
	d.breakDownBy("REFERRER", sampleDays)
	d.breakDownBy("PAGE", today)
}

func (d *dashboard) breakDownBy(dimension string, in inRange) {
	d.Helper()
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
	d.ask(&want, `breakdown(by: [`+dimension+`], `+in.graph+`) { nodes { values sessions visitors bounceRate goals { conversions conversionRate } } }`)
	d.open(sampleSite+"/breakdowns?by="+dimension+"&"+in.address, tableShown+` && document.querySelector('tbody a')`)
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
	d.await(`document.querySelector('main table[aria-busy=false]') && document.querySelector('main li button')`)
	// Sessions have several pages; of a referrer they have one.
	got := eval[[][]string](d, cells)
	if i := slices.IndexFunc(got, func(row []string) bool { return row[0] == second.Values[0] }); i < 0 || !isNumber(got[i][1], second.Sessions) || dimension == "REFERRER" && len(got) != 1 {
		d.Errorf("the filter keeps %q, not %+v", got, second)
	}
	d.do(`history.back()`)
	d.await(`document.querySelectorAll('main tbody tr').length > 1`)
}

var shownStep = regexp.MustCompile(`^([\d,]+) \(([\d.,]+ %|–) of all\)\s+([\d.,]+ %|–) of the step before; ([\d,]+) lost$`)

func (d *dashboard) stepDown(*testing.T) {
	d.stepDownIn(sampleDays)
	d.stepDownIn(today)
}

func (d *dashboard) stepDownIn(in inRange) {
	d.Helper()
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
	d.ask(&want, `funnel(steps: ["R29hbDox", "R29hbDoy"], `+in.graph+`) { segments { segment { sessionCount(`+in.graph+`) } steps { sessions fromPrevious fromStart } } }`)
	d.open(sampleSite+"/funnel?goals=R29hbDox,R29hbDoy&"+in.address, `document.querySelector('td svg')`)
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

// The lists of sessions and events, and who is there, are those of the graph.
func (d *dashboard) checkLists(*testing.T) {
	var want struct {
		Sessions struct{ TotalCount int }
		Events   struct{ TotalCount int }
		Now      struct{ Last30Minutes struct{ Visitors int } }
	}
	d.ask(&want, `sessions(range: {name: TODAY}, first: 0) { totalCount } events(first: 0) { totalCount } now { last30Minutes { visitors } }`)
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

// The plugins and the settings are those of the graph.
func (d *dashboard) checkSettings(t *testing.T) {
	var want struct {
		Plugins []struct {
			Name, Version, Status string
			FilterTypes           []struct{ Title string }
		}
		APIKeys []struct{ Name, Prefix string } `json:"apiKeys"`
		Users   []struct{ Name string }
		Site    struct {
			Name, Timezone, Addresses string
			Domains                   []string
			AuditLog                  struct {
				TotalCount int
				Nodes      []struct{ ActorName, ObjectName string }
			}
		}
	}
	d.askAll(&want, `{ plugins { name version status filterTypes { title } } apiKeys { name prefix } users { name }
		site(domain: "www.semicomplete.com") { name timezone addresses domains auditLog { totalCount nodes { actorName objectName } } } }`)
	d.open(sampleSite+"/plugins", `document.querySelector('main details')`)
	d.do(`document.querySelectorAll('main details').forEach(e => e.open = true)`)
	shown := eval[[]string](d, `[...document.querySelectorAll('main > div > ul > li')].map(e => e.innerText)`)
	if len(shown) != len(want.Plugins) || len(shown) == 0 {
		t.Fatalf("%d plugins of %d", len(shown), len(want.Plugins))
	}
	for i, plugin := range want.Plugins {
		lines := []string{plugin.Name + " " + plugin.Version, "Running", fmt.Sprintf("%d filter type", len(plugin.FilterTypes))}
		for _, of := range plugin.FilterTypes {
			lines = append(lines, of.Title)
		}
		for _, line := range lines {
			if plugin.Status != "RUNNING" || !strings.Contains(shown[i], line) {
				t.Errorf("plugin %d shows %q; the graph says %+v", i, shown[i], plugin)
			}
		}
	}
	d.open(sampleSite+"/settings", `document.querySelector('main form')`)
	if got := eval[[]string](d, `[...document.querySelectorAll('main form :is(input[type=text], select)')].map(e => e.value)`); !slices.Equal(got, []string{want.Site.Name, strings.Join(want.Site.Domains, ", "), want.Site.Timezone, "", want.Site.Addresses, ""}) {
		t.Errorf("the settings show %q; the graph says %+v", got, want.Site)
	}
	list := func(tab string, wanted int) [][]string {
		t.Helper()
		d.open(sampleSite+"/settings?by="+tab, tableShown)
		rows := eval[[][]string](d, cells)
		if len(rows) != wanted || wanted == 0 {
			t.Fatalf("%s: %d rows of %d", tab, len(rows), wanted)
		}
		return rows
	}
	for i, row := range list("keys", len(want.APIKeys)) {
		if key := want.APIKeys[i]; row[0] != key.Name || row[3] != key.Prefix+"…" {
			t.Errorf("a key shows %q; the graph says %+v", row, key)
		}
	}
	for i, row := range list("people", len(want.Users)) {
		if !strings.HasPrefix(row[0], want.Users[i].Name) {
			t.Errorf("a person shows %q; the graph says %+v", row, want.Users[i])
		}
	}
	for i, row := range list("audit", len(want.Site.AuditLog.Nodes)) {
		if entry := want.Site.AuditLog.Nodes[i]; row[1] != entry.ActorName || !strings.HasSuffix(row[2], entry.ObjectName) {
			t.Errorf("a change shows %q; the graph says %+v", row, entry)
		}
	}
	if text := eval[string](d, `document.querySelector('main [role=status]').innerText`); !strings.HasSuffix(text, fmt.Sprintf(" of %d", want.Site.AuditLog.TotalCount)) {
		t.Errorf("%q, of %d changes", text, want.Site.AuditLog.TotalCount)
	}
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
	d.await(`document.activeElement.innerText === 'Cancel'`)
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
