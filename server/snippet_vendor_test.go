//go:build system

// The tests in this file run the server and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
)

// vendorPage opens a page that has a script of a vendor's HTML snippet, behind what it does before.
func vendorPage(t *testing.T, before, script string) (*browsertest.Page, *wiretap) {
	t.Helper()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	tap := newWiretap(t, mustServe(t, "--database", database))
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<!doctype html><title>shop</title><script>%s</script>"+script, before, tap.url, key)
	}))
	t.Cleanup(shop.Close)
	page := browsertest.Open(t, "about:blank")
	page.BeforeLoad(counting)
	page.Run(chromedp.Navigate(shop.URL + "/shop"))
	return page, tap
}

const segmentScript = `<script async src="%s/analytics.js/v1/%s/analytics.min.js"></script>`

// What calls of Segment's client say arrives as its specification has it: who, when, and
// in which context; what a middleware takes out does not.
func TestSegmentScript(t *testing.T) {
	t.Parallel()
	page, tap := vendorPage(t, `
		window.analytics = [
			["page"], ["addSourceMiddleware", ({ payload, next }) => {
				if (payload.obj.event === "secret") return next(null)
				if (payload.obj.properties) delete payload.obj.properties.card
				next(payload)
			}], ["track", "early", { card: 1 }, { __t: "bpc", p: "/earlier", u: "http://shop.example/earlier" }],
		]`, segmentScript)
	page.Await("analytics.initialized")
	page.Do(`
		window.heard = []
		analytics.on("track", (event, properties) => heard.push(event + properties.value))
		analytics.track("secret")
		analytics.page("Docs", "Start", { path: "/docs" })
		await new Promise((sent) => analytics.track("bought", { value: 7, card: 2 }, { context: { locale: "xx" }, timestamp: "2026-01-02T03:04:05Z", messageId: "m1" }, sent))
		analytics.identify("u1", null, { anonymousId: "other" })
		analytics.group("g1", { plan: "team" })
		analytics.alias("u2")
		analytics.reset()
		analytics.track("as a new visitor")`)
	tap.expect(t, "page  on /shop from", "track early on /earlier from", "page  on /shop from", "track bought on /shop from",
		"identify  on /shop from", "group  on /shop from", "alias  on /shop from", "track as a new visitor on /shop from")
	sent := tap.sent()
	first := sent[0].AnonymousID
	if sent[0].Properties["path"] != "/shop" || sent[2].Properties["path"] != "/docs" || sent[2].Properties["category"] != "Docs" || sent[2].Properties["name"] != "Start" {
		t.Errorf("pages %v and %v", sent[0].Properties, sent[2].Properties)
	}
	for _, i := range []int{1, 3} {
		if _, has := sent[i].Properties["card"]; has {
			t.Errorf("%s has what the middleware took out", sent[i])
		}
	}
	if b := sent[3]; b.MessageID != "m1" || b.Context.Locale != "xx" || b.Timestamp != "2026-01-02T03:04:05Z" || b.Properties["value"] != 7.0 {
		t.Errorf("bought: %+v", b)
	}
	if sent[4].AnonymousID != "other" || sent[4].UserID != "u1" {
		t.Errorf("identify: %+v", sent[4])
	}
	if sent[6].UserID != "u2" || sent[6].PreviousID != "u1" {
		t.Errorf("alias: %+v", sent[6])
	}
	if last := sent[7]; last.AnonymousID == "" || last.AnonymousID == first || last.UserID != "" {
		t.Errorf("after the reset: %+v, before: %s", last, first)
	}
	if heard := page.Text("heard"); heard != "secretundefined,bought7,as a new visitorundefined" {
		t.Errorf("heard %s", heard)
	}
}

// The vendors' clients wait for consent as the snippet does.
func TestVendorScriptsConsent(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"analytics": segmentScript,
		"jitsu":     `<script async src="%s/p.js" data-write-key="%s:secret"></script>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, tap := vendorPage(t, `
				window.goalgraphSettings = { consent: "wait" }
				window.analytics = [["page"]]`, script)
			page.Await("window." + name + "?.consent")
			page.Do(name + `.track("before"); ` + timers)
			if left := page.Text(traces); left != "{}0" {
				t.Errorf("kept and sent: %s", left)
			}
			page.Do(name + `.consent(true)`)
			tap.expect(t, "page  on /shop from", "track before on /shop from")
			page.Do(name + `.consent(false); requests = 0; ` + name + `.track("after"); ` + timers)
			if left := page.Text(traces); left != "{}0" {
				t.Errorf("kept and sent: %s", left)
			}
		})
	}
}
