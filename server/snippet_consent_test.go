//go:build system

// The tests in this file run the server and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
)

const (
	// counting counts what a page sends.
	counting = `
		window.requests = 0
		{
			const { fetch, navigator: { sendBeacon } } = window
			window.fetch = (...args) => { requests++; return fetch(...args) }
			navigator.sendBeacon = (...args) => { requests++; return sendBeacon.apply(navigator, args) }
		}`
	// traces is what a page keeps, and how often it sent something.
	traces = `JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie + requests`
	// timers makes what timers put off happen, and sends what a page sends when it is hidden.
	timers = `await new Promise((done) => setTimeout(() => setTimeout(done))); dispatchEvent(new Event("pagehide"))`
)

// Before consent nothing is kept and nothing sent; what happens until then is sent with it,
// or forgotten with a refusal, which also erases what was kept.
func TestSnippetConsent(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	tap := newWiretap(t, mustServe(t, "--database", database))
	shop := newShopOf(t, tap.url, key)
	page := browsertest.Open(t, "about:blank")
	page.BeforeLoad(counting)
	open := func(path string) {
		t.Helper()
		page.Run(chromedp.Navigate(shop + path))
		page.Await(loaded)
	}
	untouched := func() {
		t.Helper()
		page.Do(timers)
		if left := page.Text(traces); left != "{}0" {
			t.Fatalf("kept and sent: %s", left)
		}
	}

	open("/wait/refused")
	page.Do(`goalgraph.track("refused", 1); goalgraph.identify("u0"); goalgraph.consent(false); goalgraph.track("refused", 2)`)
	untouched()
	open("/wait/a")
	page.Do(`goalgraph.track("before", 1); goalgraph.identify("u1"); history.pushState({}, "", "/wait/b")`)
	untouched()
	page.Do(`goalgraph.consent(true); goalgraph.track("after", 1)`)
	want := []string{"page  on /wait/a from", "track before on /wait/a from", "identify  on /wait/a from", "page  on /wait/b from", "track after on /wait/b from"}
	tap.expect(t, want...)
	visitor := tap.sent()[0].AnonymousID
	for _, m := range tap.sent() {
		if m.AnonymousID == "" || m.AnonymousID != visitor {
			t.Errorf("%s is of visitor %q, want %q", m, m.AnonymousID, visitor)
		}
	}

	// Consent is remembered, and taken back in another tab too.
	open("/wait/c")
	want = append(want, "page  on /wait/c from "+shop+"/wait/b")
	await(t, "the page is viewed without another question", func() bool { return len(tap.sent()) == len(want) })
	if last := tap.sent()[len(want)-1]; last.AnonymousID != visitor || last.Context.Page.Path != "/wait/c" {
		t.Errorf("sent %+v of %s", last, visitor)
	}
	other := page.Tab(shop + "/wait/d")
	other.Await(loaded)
	await(t, "the other tab's page is viewed", func() bool { return len(tap.sent()) == len(want)+1 })
	other.Do(`goalgraph.consent(false); goalgraph.track("refused", 3)`)
	// A tab that has not heard of it yet keeps its visitor's id again.
	page.Await(`goalgraph.track("unheard", 1), Object.keys(localStorage).length === 0`)
	page.Do(`requests = 0; goalgraph.track("refused", 4); goalgraph.identify("u2"); goalgraph.tag("t")`)
	untouched()

	// Who consents after all is another visitor, on the page that he sees.
	page.Do(`goalgraph.consent(true)`)
	await(t, "the page is viewed again", func() bool {
		return slices.ContainsFunc(tap.sent(), func(m wireMessage) bool {
			return m.Type == "page" && m.AnonymousID != visitor && m.Context.Page.Path == "/wait/c"
		})
	})
	for _, m := range tap.sent() {
		if m.Event == "refused" {
			t.Errorf("sent %s", m)
		}
	}
}

// Without data-consent a page may refuse all the same, before the snippet comes too, and
// what earlier pages kept is erased.
func TestSnippetRefused(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	tap := newWiretap(t, mustServe(t, "--database", database))
	shop := newShopOf(t, tap.url, key)
	page := browsertest.Open(t, shop+"/")
	page.Await(loaded)
	await(t, "the page is viewed", func() bool { return len(tap.sent()) == 1 })
	page.BeforeLoad(counting + `; window.goalgraph = [["track", "refused", 1], ["consent", false]]`)
	page.Run(chromedp.Navigate(shop + "/second"))
	page.Await(loaded)
	page.Do(timers)
	if left := page.Text(traces); left != "{}0" {
		t.Errorf("kept and sent: %s", left)
	}
}
