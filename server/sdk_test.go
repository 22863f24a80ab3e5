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
	"testing"

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

// What real SDKs send with the settings of the docs is on the goal card, once.
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
		s.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "purchase_completed", name: "Bought" }) { id } }`, s.siteID(t)))

		t.Run("servers", func(t *testing.T) {
			node := exec.CommandContext(t.Context(), "node", "node.mjs", s.url, key)
			node.Dir = "sdktest"
			if output, err := node.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			want := purchases{Sessions: 2, Conversions: 2, Visitors: 2, ValueTotal: 32.5, ValuePerVisitor: 16.25}
			await(t, "the server's purchases are on the card", func() bool { return s.purchases(t) == want })
			s.awaitCounts(t, map[string]int{`{ pages: { all: ["/node"] } }`: 2, `{ property: { key: "plan", is: "pro" } }`: 2})
		})
		t.Run("browsers", func(t *testing.T) {
			// The shop's page is of another origin than the server.
			shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/bundle.js":
					http.ServeFile(w, r, bundle)
				default:
					fmt.Fprint(w, `<!doctype html><title>shop</title><script src="/bundle.js"></script>`)
				}
			}))
			defer shop.Close()
			page := browsertest.Open(t, shop.URL+"/?url="+s.url+"&key="+key)
			page.Await("document.title != 'shop'")
			if title := page.Text("document.title"); title != "sent" {
				t.Fatal(title)
			}
			want := purchases{Sessions: 4, Conversions: 4, Visitors: 4, ValueTotal: 152.75, ValuePerVisitor: 38.1875}
			await(t, "the page's purchases are on the card", func() bool { return s.purchases(t) == want })
			s.awaitCounts(t, map[string]int{`{ pages: { all: ["/browser"] } }`: 2, `{ property: { key: "plan", is: "free" } }`: 2})
		})
	})
}
