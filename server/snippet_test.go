//go:build system

// The tests in this file run the server and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
)

// newShop serves a shop's pages, of another origin than the server, with the snippet
// in them; below /tagmanager a tag manager adds it when the page has loaded, and below
// /strict it is the page's last element, and the page may load and send nothing else.
// Below /wait it waits for consent, and below /plain it is missing.
func newShop(tb testing.TB, s *server, key string) string {
	tb.Helper()
	return newShopOf(tb, s.url, key)
}

// newShopOf serves them with the snippet of a server at an address.
func newShopOf(tb testing.TB, url, key string) string {
	tb.Helper()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		folder, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		w.Header().Set("Content-Type", "text/html")
		if folder == "strict" {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src "+url+"; connect-src "+url)
		}
		fmt.Fprint(w, "<!doctype html><title>shop</title>")
		switch folder {
		case "strict":
			fmt.Fprintf(w, `<p>Shop<script async src="%s/sdk.js" data-key="%s"></script>`, url, key)
		case "tagmanager":
			fmt.Fprintf(w, `<script>
				(window.goalgraph = window.goalgraph || []).push(['track', 'early', 7])
				onload = () => { for (const again of [1, 2]) { const s = document.createElement('script'); s.async = true; s.src = %q; s.dataset.key = %q; document.head.append(s) } }
			</script>`, url+"/sdk.js", key)
		case "wait":
			fmt.Fprintf(w, `<script async src="%s/sdk.js" data-key="%s" data-consent="wait"></script>`, url, key)
		case "plain":
		default:
			fmt.Fprintf(w, `<script async src="%s/sdk.js" data-key="%s"></script>`, url, key)
		}
	}))
	tb.Cleanup(shop.Close)
	return shop.URL
}

// loaded is true when the snippet is there.
const loaded = "typeof goalgraph === 'object' && 'track' in goalgraph"

// count returns how many sessions match a filter, in the graph's syntax.
func (s *server) count(tb testing.TB, filters string) int {
	tb.Helper()
	var data struct{ Site struct{ SessionCount int } }
	answer := s.mustAsk(tb, `{ site(domain: "shop.example") { sessionCount(filters: [`+filters+`], range: { from: "2020-01-01T00:00:00Z" }) } }`)
	if err := json.Unmarshal([]byte(answer), &data); err != nil {
		tb.Fatal(err)
	}
	return data.Site.SessionCount
}

// What a page does by the snippet is counted: pages, those of the history too,
// events with values, tags, traits; of goals made before and after it.
func TestSnippet(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		key := mustKey(t, database)
		s := mustServe(t, "--database", database)
		goal := func(key string) {
			s.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: %q, name: "Goal" }) { goal { id } } }`, s.siteID(t), key))
		}
		goal("purchase_completed")
		page := browsertest.Open(t, newShop(t, s, key)+"/start?utm_source=news&utm_campaign=spring")
		page.Await(loaded)
		page.Do(`goalgraph.track("purchase_completed", 49.99)`)
		page.Do(`history.pushState({}, "", "/pricing"); goalgraph.tag("interested"); goalgraph.track("signed_up", 12.5)`)
		page.Do(`goalgraph.identify("u1", { plan: "pro" }); goalgraph.experimentViewed("headline", "b")`)
		await(t, "all has arrived", func() bool {
			events := s.events(t)
			return events["purchase_completed"] == 1 && events["signed_up"] == 1 && events["Experiment Viewed"] == 1
		})
		// A goal that is made afterwards counts what came before.
		goal("signed_up")
		want := map[string]purchases{
			"purchase_completed": {Sessions: 1, Conversions: 1, Visitors: 1, ValueTotal: 49.99, ValuePerVisitor: 49.99},
			"signed_up":          {Sessions: 1, Conversions: 1, Visitors: 1, ValueTotal: 12.5, ValuePerVisitor: 12.5},
		}
		if got := s.cards(t); !maps.Equal(got, want) {
			t.Errorf("the goal cards show %+v, want %+v", got, want)
		}
		for _, filter := range []string{
			`{ entryPage: { is: "/start" } }`, `{ exitPage: { is: "/pricing" } }`, `{ pages: { all: ["/start", "/pricing"] } }`, `{ tags: { all: ["interested"] } }`,
			`{ utm: { source: ["news"], campaign: ["spring"] } }`, `{ os: { is: "Linux" } }`, `{ property: { key: "plan", is: "pro" } }`,
		} {
			if n := s.count(t, filter); n != 1 {
				t.Errorf("%s: %d sessions", filter, n)
			}
		}
		page.Do(`history.back()`)
		await(t, "the page before is viewed again", func() bool { return s.count(t, `{ exitPage: { is: "/start" } }, { pageViews: { min: 3 } }`) == 1 })
		page.Do(`history.replaceState({}, "", "/basket"); history.replaceState({ same: "page" }, "")`)
		await(t, "the page in its place is viewed", func() bool { return s.count(t, `{ exitPage: { is: "/basket" } }`) == 1 })
		if cookies := page.Text("document.cookie"); cookies != "" {
			t.Errorf("cookies: %s", cookies)
		}
		// The visitor comes back, and is the same.
		page.Run(chromedp.Reload())
		page.Await(loaded)
		await(t, "the view after the reload has arrived", func() bool { return s.count(t, `{ pageViews: { min: 5, max: 5 } }`) == 1 })
		if n := s.count(t, ""); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

// What is tracked while the server cannot be reached arrives later, once.
func TestSnippetOffline(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	page := browsertest.Open(t, newShop(t, s, key)+"/")
	page.Await(loaded)
	await(t, "the page view has arrived", func() bool { return s.count(t, "") == 1 })
	offline := func(is bool) {
		page.Run(network.Enable(), network.EmulateNetworkConditions(is, 0, -1, -1))
	}
	offline(true)
	page.Do(`goalgraph.track("offline", 1); goalgraph.track("offline", 2)`)
	page.Await(`Object.keys(localStorage).some((name) => name.startsWith("goalgraph.queue.") && localStorage[name].includes("offline"))`)
	offline(false)
	await(t, "the events have arrived", func() bool { return s.events(t)["offline"] == 2 })
	// What is wrong in a call is told on the console, and holds nothing else up.
	page.Do(`goalgraph.track("circular", 1, { window }); goalgraph.push(["nothing"], ["track", "after", 1])`)
	await(t, "what was tracked afterwards has arrived", func() bool { return s.events(t)["after"] == 1 })
	if events := s.events(t); events["offline"] != 2 || events["circular"] != 0 {
		t.Errorf("events %v", events)
	}
	// More than a browser sends of a page that is gone, and than the server takes at once.
	page.Do(`for (let n = 0; n < 40; n++) goalgraph.track("long", n, { text: "x".repeat(20_000) })`)
	await(t, "long events have arrived", func() bool { return s.events(t)["long"] == 40 })

	// A page that is left sends what it has at the last moment, and not by fetch.
	page.Do(`window.fetch = () => new Promise(() => {}); goalgraph.track("leaving", 3)`)
	page.Run(chromedp.Navigate("about:blank"))
	await(t, "the last event has arrived", func() bool { return s.events(t)["leaving"] == 1 })
}

// What a page left behind is sent by the next one, unless that is so long ago that the
// server may not know any more whether it has it.
func TestSnippetDropsOldMessages(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	shop := newShop(t, s, key)
	page := browsertest.Open(t, shop+"/plain")
	page.Do(`
		const message = (event) => JSON.stringify({ type: "track", event, messageId: event, anonymousId: "a", timestamp: new Date().toISOString() })
		const days = (n) => Date.now() - n * 86_400_000
		localStorage["goalgraph.queue.1"] = JSON.stringify([days(6), [[days(8), message("old")], [days(6), message("young")], [days(-8), message("of a wrong clock")]]])
		// As earlier versions left them.
		localStorage["goalgraph.queue.2"] = JSON.stringify([days(8), [message("old too")]])
		localStorage["goalgraph.queue.3"] = JSON.stringify([days(6), [message("young too")]])`)
	page.Run(chromedp.Navigate(shop + "/"))
	page.Await(loaded)
	await(t, "what is not too old has arrived", func() bool { return s.events(t)["young"] == 1 && s.events(t)["young too"] == 1 })
	page.Do(`goalgraph.track("last", 1)`)
	await(t, "what was tracked later has arrived", func() bool { return s.events(t)["last"] == 1 })
	if events := s.events(t); len(events) != 3 {
		t.Errorf("events %v", events)
	}
}

// However much a page tracks while the server cannot be reached, what it keeps is
// bounded, in number and in length; the newest is kept.
func TestSnippetKeepsLittle(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	page := browsertest.Open(t, newShop(t, s, key)+"/")
	page.Await(loaded)
	page.Run(network.Enable(), network.EmulateNetworkConditions(true, 0, -1, -1))
	const kept = `JSON.parse(Object.entries(localStorage).find(([name]) => name.startsWith("goalgraph.queue."))[1])[1]`
	page.Do(`for (let n = 0; n < 600; n++) goalgraph.track("short", n); ` + timers)
	if n := page.Text(kept + ".length"); n != "500" {
		t.Errorf("%s short messages are kept", n)
	}
	page.Do(`for (let n = 0; n < 600; n++) goalgraph.track("long", n, { text: "x".repeat(10_000) }); ` + timers)
	if length := page.Text(kept + `.reduce((sum, [, text]) => sum + text.length, 0) > 1_000_000`); length != "false" {
		t.Error("more than a million characters are kept")
	}
	if last := page.Text(kept + `.map(([, text]) => JSON.parse(text).properties.value).slice(-2)`); last != "598,599" {
		t.Errorf("the last values that are kept: %s", last)
	}
}

// A tag manager adds the snippet late, and twice.
func TestSnippetByTagManager(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	page := browsertest.Open(t, newShop(t, s, key)+"/tagmanager")
	page.Await(loaded)
	await(t, "what was tracked before the snippet came has arrived", func() bool { return s.events(t)["early"] == 1 })
	if n := s.count(t, `{ pageViews: { max: 1 } }`); n != 1 {
		t.Errorf("%d sessions of one page view", n)
	}
}

// A browser that refuses local storage, and is too old or too wary to make an id by
// itself, sends as others do; the visitor lasts as long as the page.
func TestSnippetWithoutStorage(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	page := browsertest.Open(t, "about:blank")
	page.BeforeLoad(`
		Object.defineProperty(window, "localStorage", { get() { throw new DOMException("refused", "SecurityError") } })
		Object.defineProperty(crypto, "randomUUID", { value: undefined })`)
	page.Run(chromedp.Navigate(newShop(t, s, key) + "/strict"))
	page.Await(loaded)
	page.Do(`goalgraph.track("first", 1); goalgraph.identify("u1"); goalgraph.track("second", 2)`)
	await(t, "all has arrived", func() bool { return s.events(t)["first"] == 1 && s.events(t)["second"] == 1 })
	if n := s.count(t, `{ entryPage: { is: "/strict" } }, { events: { all: ["first", "second"] } }`); n != 1 || s.count(t, "") != 1 {
		t.Errorf("%d sessions of the visit, %d in all", n, s.count(t, ""))
	}
}

// Of those who ask not to be tracked nothing is sent and nothing kept.
func TestSnippetHonoursRefusal(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	shop := newShop(t, s, key)
	for _, refusal := range []string{`globalPrivacyControl", { value: true }`, `doNotTrack", { value: "1" }`} {
		page := browsertest.Open(t, "about:blank")
		page.BeforeLoad(`Object.defineProperty(navigator, "` + refusal + `)`)
		page.Run(chromedp.Navigate(shop + "/"))
		page.Await(loaded)
		page.Do(`goalgraph.track("refused", 1); goalgraph.identify("u1"); goalgraph.tag("t"); goalgraph.consent(true)`)
		if kept := page.Text("JSON.stringify({ ...localStorage }) + document.cookie"); kept != "{}" {
			t.Errorf("%s: kept %s", refusal, kept)
		}
	}
	// A page that does not refuse comes later: what was sent before it would be there.
	page := browsertest.Open(t, shop+"/")
	page.Await(loaded)
	await(t, "the page view has arrived", func() bool { return s.count(t, "") > 0 })
	if n, events := s.count(t, ""), s.events(t); n != 1 || len(events) != 0 {
		t.Errorf("%d sessions, events %v", n, events)
	}
}

func TestSnippetIsSmall(t *testing.T) {
	t.Parallel()
	s := mustServe(t, "--database", storetest.SQLite(t))
	a := s.get(t, "/sdk.js")
	var packed strings.Builder
	w, err := gzip.NewWriterLevel(&packed, gzip.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, a.body); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if packed.Len() == 0 || packed.Len() > 3<<10 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/javascript") {
		t.Errorf("%d bytes packed of %s", packed.Len(), a.header.Get("Content-Type"))
	}
	t.Logf("the snippet takes %d bytes, %d packed", len(a.body), packed.Len())
	request, err := http.NewRequest(http.MethodGet, s.url+"/sdk.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("If-None-Match", a.header.Get("ETag"))
	if again, err := do(request, nil); err != nil || again.status != http.StatusNotModified {
		t.Errorf("asked again: %v %+v", err, again)
	}
}
