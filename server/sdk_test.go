//go:build system

// The tests in this file run the server, npm packages and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

// purchases is what the goal card of the segment All shows.
type purchases struct {
	Sessions, Conversions, Visitors int
	ValueTotal, ValuePerVisitor     float64
}

// cards returns the goal cards by their goals' keys.
func (s *server) cards(tb testing.TB) map[string]purchases {
	tb.Helper()
	var data struct {
		Site struct {
			GoalCards []struct {
				Goal  struct{ Key string }
				Cells []purchases
			}
		}
	}
	answer := s.mustAsk(tb, `{ site(domain: "shop.example") { goalCards(range: { from: "2020-01-01T00:00:00Z" }) { goal { key } cells { sessions conversions visitors valueTotal valuePerVisitor } } } }`)
	if err := json.Unmarshal([]byte(answer), &data); err != nil {
		tb.Fatalf("%v: %s", err, answer)
	}
	cards := map[string]purchases{}
	for _, card := range data.Site.GoalCards {
		cards[card.Goal.Key] = card.Cells[0]
	}
	return cards
}

func (s *server) purchases(tb testing.TB) purchases {
	tb.Helper()
	return s.cards(tb)["purchase_completed"]
}

// awaitCounts waits until so many sessions match each filter.
func (s *server) awaitCounts(tb testing.TB, want map[string]int) {
	tb.Helper()
	for filter, n := range want {
		await(tb, fmt.Sprintf("%d sessions match %s", n, filter), func() bool { return s.count(tb, filter) == n })
	}
}

// What real SDKs send with the settings of the docs is on the goal card, once, and nothing of it goes elsewhere. So does
// what the HTML snippets send that load their script from the server.
func TestSDKs(t *testing.T) {
	t.Parallel()
	nodetest.Install(t, "sdktest")
	bundle := filepath.Join(t.TempDir(), "bundle.js")
	build := exec.Command("npx", "--offline", "esbuild", "browser.js", "--bundle", "--format=iife", "--outfile="+bundle, "--log-level=error")
	build.Dir = "sdktest"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, output)
	}
	storetest.Databases(t, func(t *testing.T, database string) {
		key := mustKey(t, database)
		s := mustServe(t, "--database", database)
		s.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "purchase_completed", name: "Bought" }) { goal { id } } }`, s.siteID(t)))

		t.Run("servers", func(t *testing.T) {
			node := exec.CommandContext(t.Context(), "node", "node.mjs", s.url, key)
			node.Dir = "sdktest"
			if output, err := node.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			want := purchases{Sessions: 4, Conversions: 4, Visitors: 4, ValueTotal: 40, ValuePerVisitor: 10}
			await(t, "the server's purchases are on the card", func() bool { return s.purchases(t) == want })
			s.awaitCounts(t, map[string]int{`{ pages: { all: ["/node"] } }`: 4, `{ property: { key: "plan", is: "pro" } }`: 4})
		})
		t.Run("browsers", func(t *testing.T) {
			// The shop's page is of another origin than the server.
			shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch sdk := r.URL.Query().Get("html"); {
				case r.URL.Path == "/bundle.js":
					http.ServeFile(w, r, bundle)
				case sdk != "":
					fmt.Fprint(w, `<!doctype html><title>shop</title>`, htmlSnippet(t, sdk, s, key))
				default:
					fmt.Fprint(w, `<!doctype html><title>shop</title><script src="/bundle.js"></script>`)
				}
			}))
			defer shop.Close()
			page := browsertest.Open(t, "about:blank")
			for _, open := range []string{"sdk=segment", "sdk=customerio", "sdk=rudder", "sdk=jitsu", "html=segment", "html=customerio", "html=jitsu"} {
				page.Run(chromedp.Navigate(shop.URL + "/browser?" + open + "&url=" + s.url + "&key=" + key))
				page.Await("document.title != 'shop'")
				if title := page.Text("document.title"); title != "sent" {
					t.Fatalf("%s: %s", open, title)
				}
				others := page.Text(fmt.Sprintf(`performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => ![%q, %q].includes(new URL(name).origin))`, shop.URL, s.url))
				if others != "" {
					t.Errorf("%s asks others: %s", open, others)
				}
				// Some share the names of what they keep.
				page.Do("localStorage.clear()")
				page.Run(network.ClearBrowserCookies())
			}
			want := purchases{Sessions: 11, Conversions: 11, Visitors: 11, ValueTotal: 197.75, ValuePerVisitor: 197.75 / 11}
			await(t, "the pages' purchases are on the card", func() bool { return s.purchases(t) == want })
			s.awaitCounts(t, map[string]int{`{ pages: { all: ["/browser"] } }`: 7, `{ property: { key: "plan", is: "free" } }`: 7})
		})
	})
}

// htmlSnippet returns a vendor's snippet for a page, which loads the script from the server, with what the page does then.
func htmlSnippet(tb testing.TB, sdk string, s *server, key string) string {
	tb.Helper()
	const bought = `
		%[1]s.track("purchase_completed", { value: %[2]v })
		%[1]s.identify("html-visitor", { plan: "free" })
		%[1]s.ready(() => { document.title = %[1]s.user().id() === "html-visitor" && %[1]s.user().anonymousId() ? "sent" : "the visitor is unknown" })`
	host := strings.TrimPrefix(s.url, "http://")
	switch sdk {
	case "segment":
		// The vendor's own makes it, for https.
		render := exec.Command("node", "-p", "require('@segment/snippet').max({ host: process.argv[1], apiKey: process.argv[2] })", host, key)
		render.Dir = "sdktest"
		snippet, err := render.Output()
		if err != nil {
			tb.Error(err)
		}
		return "<script>" + strings.ReplaceAll(string(snippet), "https://", "http://") + fmt.Sprintf(bought, "analytics", 4) + "</script>"
	case "customerio":
		return fmt.Sprintf(`<script>
			window.cioanalytics = []
			for (const method of ["page", "track", "identify", "ready"]) cioanalytics[method] = (...args) => cioanalytics.push([method, ...args])
			const script = document.createElement("script")
			script.async = true
			script.setAttribute("data-global-customerio-analytics-key", "cioanalytics")
			script.src = "http://%s/v1/analytics-js/snippet/%s/analytics.min.js"
			document.head.append(script)
			cioanalytics.page()`, host, key) + fmt.Sprintf(bought, "cioanalytics", 2) + "</script>"
	default:
		return fmt.Sprintf(`<script>
			window.jitsuQ = [(jitsu) => {
				jitsu.track("purchase_completed", { value: 1.5 })
				jitsu.identify("html-visitor", { plan: "free" })
				document.title = jitsu.user().id === "html-visitor" && jitsu.user().anonymousId ? "sent" : "the visitor is unknown"
			}]
			</script><script async src="http://%s/p.js" data-write-key="%s"></script>`, host, key)
	}
}
