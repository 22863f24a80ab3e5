//go:build system

// The tests in this file run the server and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
)

// outcome is what the results say of an experiment.
type outcome struct {
	Visitors    int
	SampleRatio struct{ Mismatch bool }
	Metrics     []struct {
		Decision string
		Leader   *struct{ Key string }
		Variants []struct {
			Variant               struct{ Key string }
			Visitors, Conversions int
		}
	}
}

// outcome returns the results of an experiment of shop.example.
func (s *server) outcome(tb testing.TB, key string) outcome {
	tb.Helper()
	var data struct {
		Site struct{ Experiment struct{ Results outcome } }
	}
	answer := s.mustAsk(tb, fmt.Sprintf(`{ site(domain: "shop.example") { experiment(key: %q) { results { visitors sampleRatio { mismatch } metrics {
		decision leader { key } variants { variant { key } visitors conversions } } } } } }`, key))
	if err := json.Unmarshal([]byte(answer), &data); err != nil {
		tb.Fatal(err)
	}
	return data.Site.Experiment.Results
}

// A page asks for variants by the snippet, shows them, and tells others; its visitors are exposed once.
func TestSnippetVariants(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	s.mustStart(t, s.mustExperiment(t, "headline", `variants: [{ key: "a", value: { text: "A" } }, { key: "b", value: { text: "B" } }]`))
	s.mustStart(t, s.mustExperiment(t, "unread", twoVariants))
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	// A proxy stands before the server, that can be slow, and counts what is asked.
	var evaluations, unchanged atomic.Int64
	var slow atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if strings.HasPrefix(r.Request.URL.Path, "/ofrep/") && r.Request.Method == http.MethodPost {
			evaluations.Add(1)
			if r.StatusCode == http.StatusNotModified {
				unchanged.Add(1)
			}
			if slow.Load() {
				select {
				case <-r.Request.Context().Done():
				case <-time.After(2 * time.Second): // of a slow network
				}
			}
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	defer front.Close()

	const read = `(window.seen = [], addEventListener("goalgraph:variant", ({ detail }) => seen.push(detail.experiment + "=" + detail.variant)), window.dataLayer = [],
		Promise.all([goalgraph.variant("headline"), goalgraph.variant("headline"), goalgraph.variant("nothing")]).then((all) => { window.values = JSON.stringify(all) }))`
	page := browsertest.Open(t, newShopOf(t, front.URL, key)+"/")
	page.Await(loaded)
	page.Do(read)
	page.Await("window.values")
	visitor := page.Text(`localStorage["goalgraph.visitor"]`)
	variant := hashed("headline", visitor)
	if got, want := page.Text("values"), fmt.Sprintf(`[{"text":%[1]q},{"text":%[1]q},null]`, strings.ToUpper(variant)); got != want {
		t.Errorf("the values are %s, want %s", got, want)
	}
	if got := page.Text("JSON.stringify([seen, dataLayer.length, dataLayer[0].event])"); got != fmt.Sprintf(`[["headline=%s"],1,"goalgraph:variant"]`, variant) {
		t.Errorf("others were told %s", got)
	}
	await(t, "the visitor is exposed", func() bool { return s.outcome(t, "headline").Visitors == 1 })
	// The next page asks whether anything has changed, and exposes nobody again.
	page.Do("location.reload()")
	page.Await(loaded + " && !window.seen")
	page.Do(read)
	page.Await("window.values")
	if evaluations.Load() != 2 || unchanged.Load() != 1 {
		t.Errorf("of %d answers %d said that nothing has changed", evaluations.Load(), unchanged.Load())
	}
	await(t, "the page view has arrived", func() bool { return s.count(t, `{ pageViews: { min: 2 } }`) == 1 })
	if events := s.events(t); events["Experiment Viewed"] != 1 {
		t.Errorf("the events are %v", events)
	}
	if got := s.outcome(t, "unread").Visitors; got != 0 {
		t.Errorf("of an experiment that no page reads, %d visitors are exposed", got)
	}
	// A page waits half a second, and then shows what it always does.
	slow.Store(true)
	late := browsertest.Open(t, newShopOf(t, front.URL, key)+"/")
	late.Await(loaded)
	late.Do(read)
	late.Await("window.values")
	if got := late.Text("values"); got != "[null,null,null]" {
		t.Errorf("of a slow server the values are %s", got)
	}
	await(t, "the late answer is there", func() bool { return evaluations.Load() == 3 })
	late.Await(`localStorage["goalgraph.variants"]`)
	late.Do(`goalgraph.track("after")`)
	await(t, "what came after has arrived", func() bool { return s.events(t)["after"] == 1 })
	if got := s.outcome(t, "headline").Visitors; got != 1 {
		t.Errorf("%d visitors are exposed, of whom one has seen nothing", got)
	}
	// Who does not want to be tracked is not asked about.
	asked := evaluations.Load()
	refusing := browsertest.Open(t, "about:blank")
	refusing.BeforeLoad(`Object.defineProperty(navigator, "globalPrivacyControl", { get: () => true })`)
	refusing.Do(fmt.Sprintf("location.href = %q", newShopOf(t, front.URL, key)+"/"))
	refusing.Await(loaded)
	refusing.Do(read)
	refusing.Await("window.values")
	if got := refusing.Text("values"); got != "[null,null,null]" || evaluations.Load() != asked || refusing.Text("localStorage.length") != "0" {
		t.Errorf("the values are %s, after %d more questions", got, evaluations.Load()-asked)
	}
	// A page that its server has made says what it shows.
	made := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		consent := ""
		if r.URL.RawQuery == "consent" {
			consent = ` data-consent="wait"`
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>shop</title><script>window.seen = []; addEventListener("goalgraph:variant", ({ detail }) => seen.push(detail.experiment + "=" + detail.variant))</script>
			<script src="%s/sdk.js" data-key="%s" data-variants='{"unread": "b"}'%s></script><script>window.now = goalgraph.variants.unread</script>`, front.URL, key, consent)
	}))
	defer made.Close()
	synchronous := browsertest.Open(t, made.URL)
	synchronous.Await(`window.now === "b" && seen.join() === "unread=b"`)
	await(t, "the variant is reported", func() bool { return s.outcome(t, "unread").Visitors == 1 })
	if evaluations.Load() != asked {
		t.Error("the page has asked for what it shows")
	}
	// Where it waits for consent, it says so when that is given.
	consenting := browsertest.Open(t, made.URL+"/?consent")
	consenting.Await(loaded)
	if got := consenting.Text("seen.length + localStorage.length"); got != "0" {
		t.Errorf("before consent %s things are told or kept", got)
	}
	consenting.Do("goalgraph.consent(true)")
	consenting.Await(`seen.join() === "unread=b"`)
	await(t, "the variant is reported after consent", func() bool { return s.outcome(t, "unread").Visitors == 2 })
}
