//go:build system

// The tests in this file run the server, npm packages and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/server/browsertest"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

// dashboardSource is the folder of the dashboard's source.
const dashboardSource = "dashboard/ui"

// The source passes its own checks: the linter with its rule of what imports what, the compiler, and the tests.
func TestDashboardSource(t *testing.T) {
	t.Parallel()
	nodetest.Install(t, dashboardSource)
	for _, args := range [][]string{{"run", "types"}, {"run", "check"}, {"test"}} {
		command := exec.CommandContext(t.Context(), "npm", args...)
		command.Dir = dashboardSource
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("npm %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
}

// dashboard is the dashboard in a browser, with a server at an address that stays when the server goes.
type dashboard struct {
	*testing.T
	whole  *testing.T // the test that the server lives as long as
	server *server
	relay  *relay
	origin string
	ctx    context.Context

	mu         sync.Mutex
	requests   []string
	operations int // over HTTP and WebSockets
	complaints []string
	expectLoss bool
}

const sampleSite = "/sites/www.semicomplete.com"

// newDashboard starts a server, and the dashboard in a browser.
func newDashboard(t *testing.T, args ...string) *dashboard {
	t.Helper()
	relay, server := newRelay(t), mustServe(t, args...)
	relay.lead(strings.TrimPrefix(server.url, "http://"))
	return browse(t, server, relay)
}

// browse starts the dashboard of a server in a browser of its own.
func browse(t *testing.T, server *server, relay *relay) *dashboard {
	t.Helper()
	d := &dashboard{T: t, whole: t, relay: relay, origin: "http://" + relay.address, server: server}
	d.ctx = browsertest.NewFor(t, 5*time.Minute+time.Duration(updatesOf(t))*2*time.Second)
	d.watch(d.ctx)
	d.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}), chromedp.EmulateViewport(1440, 900))
	return d
}

// watch collects what the page asks for and what the browser complains about.
func (d *dashboard) watch(ctx context.Context) {
	chromedp.ListenTarget(ctx, func(event any) {
		d.mu.Lock()
		defer d.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			d.requests = append(d.requests, e.Request.URL)
			if e.Request.Method == http.MethodPost {
				d.operations++
			}
		case *network.EventWebSocketCreated:
			d.requests = append(d.requests, e.URL)
		case *network.EventWebSocketFrameSent:
			if strings.Contains(e.Response.PayloadData, `"type":"subscribe"`) {
				d.operations++
			}
		case *runtime.EventExceptionThrown:
			d.complaints = append(d.complaints, e.ExceptionDetails.Error())
		case *log.EventEntryAdded: // a refusal by the Content-Security-Policy, among others
			isLoss := d.expectLoss && e.Entry.Source == log.SourceNetwork
			if (e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning) && !isLoss {
				d.complaints = append(d.complaints, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				for _, arg := range e.Args {
					d.complaints = append(d.complaints, string(arg.Value)+arg.Description)
				}
			}
		}
	})
}

func (d *dashboard) run(actions ...chromedp.Action) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, limit)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var text string
		_ = chromedp.Run(d.ctx, chromedp.Evaluate("location.href + ' ' + document.body.innerText", &text))
		d.Fatalf("%v\n%s", err, text)
	}
}

// open opens a view and waits until an expression of JavaScript is true.
func (d *dashboard) open(path, ready string) {
	d.Helper()
	d.run(chromedp.Navigate(d.origin + path))
	d.await(ready)
}

func (d *dashboard) await(expression string) {
	d.Helper()
	d.run(chromedp.Poll("!!("+expression+")", nil, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0)))
}

// eval returns what an expression of JavaScript, or the promise that it is, comes to.
func eval[T any](d *dashboard, expression string) (value T) {
	d.Helper()
	d.run(chromedp.Evaluate(expression, &value, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return value
}

// do runs a script.
func (d *dashboard) do(script string) {
	d.Helper()
	d.run(chromedp.Evaluate(script, nil))
}

// click clicks what has a text or a name for those who do not see it.
func (d *dashboard) click(selector, name string) {
	d.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll(%q)].findLast(e => (e.ariaLabel ?? e.innerText).trim() === %q)", selector, name)
	// In one go, as the page may draw the element anew in between.
	d.await("(e => e !== undefined && (e.click(), true))(" + find + ")")
}

// cellsShown is true once every cell of the home screen has a figure, out of sight too, where there is no innerText.
const cellsShown = `document.querySelector('td a, dd a') && [...document.querySelectorAll('td a, dd a')].every(a => / of |Not available/.test(a.textContent))`

// shownCell is the text of a cell: the rate, conversions of sessions.
var shownCell = regexp.MustCompile(`([\d.,]+ %|–)\s+([\d,]+) of ([\d,]+)`)

type cardsAnswer struct {
	Site struct {
		GoalCards []struct {
			Cells []struct {
				Sessions, Conversions int
				ConversionRate        *float64
			}
		}
	}
}

// checkFigures compares the cells of the home screen with the graph.
func (d *dashboard) checkFigures(t *testing.T, rangeInput string) {
	t.Helper()
	var want cardsAnswer
	query := fmt.Sprintf(`{ site(domain: "www.semicomplete.com") { goalCards(range: %s) { cells { sessions conversions conversionRate } } } }`, rangeInput)
	if err := json.Unmarshal([]byte(d.server.mustAsk(t, query)), &want); err != nil {
		t.Fatal(err)
	}
	rows := eval[[][]string](d, `[...document.querySelectorAll('tbody tr')].map(r => [...r.querySelectorAll('td a')].map(a => a.innerText))`)
	if len(rows) != len(want.Site.GoalCards) || len(rows) == 0 {
		t.Fatalf("%d rows of %d", len(rows), len(want.Site.GoalCards))
	}
	for i, card := range want.Site.GoalCards {
		if len(rows[i]) != len(card.Cells) {
			t.Fatalf("row %d has %d cells of %d", i, len(rows[i]), len(card.Cells))
		}
		for j, cell := range card.Cells {
			shown := shownCell.FindStringSubmatch(rows[i][j])
			if shown == nil || shownNumber(shown[2]) != float64(cell.Conversions) || shownNumber(shown[3]) != float64(cell.Sessions) || !isShare(shown[1], cell.ConversionRate) {
				t.Errorf("cell %d, %d shows %q; the graph says %+v", i, j, rows[i][j], cell)
			}
		}
	}
}

func shownNumber(text string) float64 {
	n, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// isShare tells whether a text says a rate, to all the digits that it has, and 0 % only of 0.
func isShare(text string, rate *float64) bool {
	digits, isPercent := strings.CutSuffix(text, " %")
	if rate == nil || !isPercent {
		return rate == nil && text == "–"
	}
	_, behind, _ := strings.Cut(digits, ".")
	unit := math.Pow10(-len(behind))
	return math.Abs(shownNumber(digits)-*rate*100) <= unit*0.5001 && (shownNumber(digits) == 0) == (*rate == 0)
}

// A view is one of the dashboard that is looked at in every width and scheme.
type dashboardView struct{ name, path, ready string }

const (
	tableShown  = `document.querySelector('main tbody td')`
	editorShown = `document.querySelector('dialog [role=combobox]')`
)

// dashboardViews are all screens and panels, of a site that has been arranged.
func dashboardViews(experiment, draft string) []dashboardView {
	return []dashboardView{
		{"home", sampleSite + "?range=2015-05-17..2015-05-20&compare=previous", cellsShown},
		{"why", sampleSite + "?panel=why.R29hbDox.U2VnbWVudDoy&range=2015-05-17..2015-05-20", `document.querySelectorAll('dialog table').length > 1`},
		{"breakdowns", sampleSite + "/breakdowns?by=REFERRER&range=2015-05-17..2015-05-20&compare=previous", tableShown + ` && document.querySelector('tbody a')`},
		{"breakdown-filtered", sampleSite + `/breakdowns?filters=[{"referrer":{"is":["*google*"]}}]&range=2015-05-17..2015-05-20`, tableShown + ` && document.querySelector('main li button')`},
		{"funnel", sampleSite + "/funnel?goals=R29hbDox,R29hbDoy&range=2015-05-17..2015-05-20", `document.querySelector('td svg')`},
		{"experiments", sampleSite + "/experiments", tableShown},
		{"experiment", sampleSite + "/experiments?by=" + experiment, `document.querySelectorAll('main tbody').length > 2 && document.querySelectorAll('figure').length > 1`},
		{"new-experiment", sampleSite + "/experiments?panel=experiment.new", editorShown},
		{"draft-experiment", sampleSite + "/experiments?panel=experiment." + draft, editorShown + ` && document.querySelector('dialog details')`},
		{"now", sampleSite + "/now", tableShown},
		{"sessions", sampleSite + "/sessions?range=TODAY", tableShown},
		{"events", sampleSite + "/events", tableShown},
		{"segments", sampleSite + "/segments", `document.querySelector('main li')`},
		{"new-segment", sampleSite + "/segments?panel=segment.new", editorShown},
		{"goals", sampleSite + "/goals", `document.querySelector('main li')`},
		{"goal", sampleSite + "/goals?panel=goal.R29hbDox", editorShown},
		{"convert", sampleSite + "?panel=convert.U2VnbWVudDoy&range=2015-05-17..2015-05-20", `document.querySelector('dialog form')`},
		{"plugins", sampleSite + "/plugins", `document.querySelector('main details')`},
		{"site-settings", sampleSite + "/settings", `document.querySelector('main form')`},
		{"tracking", sampleSite + "/settings?by=snippet", `document.querySelector('main pre')`},
		{"keys", sampleSite + "/settings?by=keys", tableShown},
		{"people", sampleSite + "/settings?by=people", tableShown},
		{"changes", sampleSite + "/settings?by=audit", tableShown},
		{"first-steps", "/sites/empty.example", `document.querySelector('main pre')`},
		{"no-site", "/sites/nowhere.example", `document.querySelector('h1')`},
	}
}

// arrange makes what the sample lacks, so that every screen has something to show, and returns the ids of an experiment that runs and of
// one that does not yet.
func (s *server) arrange(t *testing.T) (experiment, draft string) {
	t.Helper()
	s.mustAsk(t, `mutation { createSite(input: {name: "Empty", domains: ["empty.example"]}) { site { id } }
		createApiKey(input: {name: "Web shop", scope: WRITE, sites: ["U2l0ZTox"]}) { secret }
		createUser(input: {name: "Ann", roles: [{site: "U2l0ZTox", role: EDITOR}]}) { user { id } } }`)
	var created struct {
		Running, Draft struct{ Experiment struct{ ID string } }
	}
	if err := json.Unmarshal([]byte(s.mustAsk(t, `mutation {
		running: createExperiment(input: {siteId: "U2l0ZTox", key: "headline", name: "New headline", variants: [{key: "old", name: "Old"}, {key: "new", name: "New"}],
			primaryMetric: "R29hbDox", secondaryMetrics: ["R29hbDoy"], guardrails: [{goal: "R29hbDoz", margin: 0.02}]}) { experiment { id } }
		draft: createExperiment(input: {siteId: "U2l0ZTox", key: "next", name: "Next headline", variants: [{key: "old"}, {key: "new"}, {key: "newest"}],
			primaryMetric: "R29hbDox", guardrails: [{goal: "R29hbDoy", margin: 0.02}, {goal: "R29hbDoz", margin: 0.1}], monitoring: FIXED_HORIZON, decideAt: "2040-01-01T09:30:00Z"}) { experiment { id } } }`)), &created); err != nil {
		t.Fatal(err)
	}
	experiment, draft = created.Running.Experiment.ID, created.Draft.Experiment.ID
	s.mustAsk(t, fmt.Sprintf(`mutation { startExperiment(id: %q) { experiment { id } } }`, experiment))
	r := rand.New(rand.NewPCG(3, 4))
	var messages []map[string]any
	for i := range 120 {
		visitor, variant := fmt.Sprint("assigned ", i), []string{"old", "new"}[i%2]
		messages = append(messages, map[string]any{
			"type": "track", "anonymousId": visitor, "event": "Experiment Viewed", "messageId": fmt.Sprint("assignment ", i), "context": firefox,
			"properties": map[string]any{"experiment_id": "headline", "variation_id": variant},
		})
		if r.IntN(4) < 1+i%2 {
			messages = append(messages, pageView(visitor, "/projects/xdotool/"))
		}
	}
	s.mustDeliver(t, messages...)
	return experiment, draft
}

type violation struct {
	ID, Help string
	Nodes    []string
}

// The rules of axe-core that look at colours; in another scheme all others see the same.
const colourRules = `['color-contrast', 'link-in-text-block']`

// In every width and scheme each screen keeps all of axe-core's rules, fits the page, and has targets of 24 pixels. The browser
// has nothing to complain of. GOALGRAPH_SCREENSHOTS names a folder for pictures.
func TestDashboardLooks(t *testing.T) {
	t.Parallel()
	nodetest.Install(t, dashboardSource)
	axe, err := os.ReadFile(filepath.Join(dashboardSource, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	relay, server := newRelay(t), mustServe(t, "--sample", "--database", "sqlite:"+filepath.Join(t.TempDir(), "goalgraph.db"))
	relay.lead(strings.TrimPrefix(server.url, "http://"))
	views := dashboardViews(server.arrange(t))
	t.Run("widths", func(t *testing.T) {
		for _, width := range []int64{1440, 768, 360} {
			t.Run(fmt.Sprint(width), func(t *testing.T) {
				t.Parallel()
				d := browse(t, server, relay)
				for _, view := range views {
					d.look(view, width, string(axe))
				}
				d.checkQuiet()
			})
		}
	})
	server.mustStop(t)
}

func (d *dashboard) look(view dashboardView, width int64, axe string) {
	d.Helper()
	d.run(chromedp.EmulateViewport(width, 900))
	d.open(view.path, view.ready)
	d.run(chromedp.Evaluate(axe, nil))
	for _, scheme := range []string{"light", "dark"} {
		name := fmt.Sprintf("%s-%d-%s", view.name, width, scheme)
		d.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
		rules := `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']`
		if scheme == "dark" {
			rules = colourRules
		}
		for _, v := range eval[[]violation](d, fmt.Sprintf(`axe.run(document, {runOnly: %s, resultTypes: ['violations']}).then(r => r.violations.map(({id, help, nodes}) => ({id, help, nodes: nodes.map(({html}) => html)})))`, rules)) {
			d.Errorf("%s: %s: %s: %+v", name, v.ID, v.Help, v.Nodes)
		}
		if folder := os.Getenv("GOALGRAPH_SCREENSHOTS"); folder != "" {
			var picture []byte
			d.run(chromedp.CaptureScreenshot(&picture))
			if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
				d.Fatal(err)
			}
		}
	}
	if eval[bool](d, `document.documentElement.scrollWidth > innerWidth`) {
		d.Errorf("%s at %d scrolls sideways", view.name, width)
	}
	if small := eval[[]string](d, `[...document.querySelectorAll('a, button, input, select, summary')].filter(e => {
		const {width, height} = e.getBoundingClientRect()
		return width > 0 && (width < 24 || height < 24)
	}).map(e => e.outerHTML)`); len(small) > 0 {
		d.Errorf("%s at %d: targets are too small: %q", view.name, width, small)
	}
}

// checkFew fails the test if the page has needed more than four operations since it began, or more than one WebSocket.
func (d *dashboard) checkFew() {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	sockets := 0
	for _, url := range d.requests {
		if strings.HasPrefix(url, "ws:") {
			sockets++
		}
	}
	if d.operations == 0 || d.operations > 4 || sockets != 1 {
		d.Errorf("the page has %d operations and %d WebSockets: %q", d.operations, sockets, d.requests)
	}
}

// checkQuiet fails the test if the page has asked for anything outside its origin, or the browser has complained.
func (d *dashboard) checkQuiet() {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, url := range d.requests {
		if !strings.HasPrefix(url, d.origin+"/") && !strings.HasPrefix(url, "ws://"+d.relay.address+"/") && !strings.HasPrefix(url, "data:") && url != "about:blank" {
			d.Errorf("a request outside: %s", url)
		}
	}
	for _, complaint := range d.complaints {
		d.Errorf("the browser complains: %s", complaint)
	}
}

// firefox is the context of messages from a browser.
var firefox = map[string]any{"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}

// pageView is a message of a page view, now.
func pageView(visitor, path string) map[string]any {
	return map[string]any{
		"type": "page", "anonymousId": visitor, "properties": map[string]any{"path": path},
		"context": firefox,
	}
}

func (s *server) mustDeliver(t *testing.T, messages ...map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"batch": messages})
	if err != nil {
		t.Fatal(err)
	}
	if a := s.mustTrack(t, "www.semicomplete.com", "/v1/batch", body); a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
}

const firstCell = `document.querySelector('tbody td a')`

// The dashboard in a real browser.
func TestDashboard(t *testing.T) {
	t.Parallel()
	plugins := t.TempDir()
	args := []string{"--sample", "--plugins", plugins, "--database", "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")}
	d := newDashboard(t, args...)
	step := func(name string, test func(*testing.T)) {
		t.Run(name, func(inner *testing.T) {
			d.T = inner
			defer func() { d.T = t }()
			test(inner)
		})
	}
	step("figures", func(t *testing.T) {
		d.open("/", cellsShown)
		d.checkFigures(t, `{ date: { from: "2015-04-21", to: "2015-05-20" } }`)
		d.checkFew() // the sites, the first one, and two subscriptions
	})
	step("paint", d.paint)
	step("panel", d.explain)
	step("plugin", func(t *testing.T) { d.dropPlugin(t, plugins) })
	step("unseen plugin", func(t *testing.T) { d.shapeUnseenPlugin(t, plugins) })
	step("convert", d.convert)
	step("live", d.follow)
	step("breakdowns", d.breakDown)
	step("funnel", d.stepDown)
	step("experiment", d.checkExperiment)
	step("plan", d.planExperiment)
	step("lists", d.checkLists)
	step("settings", d.checkSettings)
	step("keyboard", d.experimentByKeyboard)
	step("first steps", d.begin)
	step("large table", d.followLargeTable)
	step("lost", func(t *testing.T) { d.lose(t, args...) })
	step("hostile names", d.showHostileNames)

	d.checkQuiet()
	d.server.mustStop(t)
}
