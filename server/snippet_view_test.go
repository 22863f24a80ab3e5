//go:build system

// The tests in this file run the server and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	pages "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
)

// wiretap stands before a server, and remembers the messages that pass.
type wiretap struct {
	url string

	mutex    sync.Mutex
	messages []wireMessage
}

type wireMessage struct {
	Type, Event, Timestamp                     string
	MessageID, AnonymousID, UserID, PreviousID string
	Properties                                 map[string]any
	Context                                    struct {
		Page   struct{ Path, Referrer string }
		Locale string
	}
}

// String tells what happened, where, and where from.
func (m wireMessage) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s on %s from %s", m.Type, m.Event, m.Context.Page.Path, m.Context.Page.Referrer))
}

func newWiretap(tb testing.TB, s *server) *wiretap {
	tb.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		tb.Fatal(err)
	}
	w := &wiretap{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // pages that are left give requests up
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/batch" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the page is gone
			}
			var sent struct{ Batch []wireMessage }
			if err := json.Unmarshal(body, &sent); err != nil {
				tb.Errorf("%v: %s", err, body)
			}
			w.mutex.Lock()
			w.messages = append(w.messages, sent.Batch...)
			w.mutex.Unlock()
			r.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		proxy.ServeHTTP(rw, r)
	}))
	tb.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// said returns the messages in their order, each once however often it was sent.
func (w *wiretap) said() (said []string) {
	for _, m := range w.sent() {
		said = append(said, m.String())
	}
	return said
}

func (w *wiretap) sent() (sent []wireMessage) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	known := map[string]bool{}
	for _, m := range w.messages {
		if !known[m.MessageID] {
			sent = append(sent, m)
		}
		known[m.MessageID] = true
	}
	return sent
}

// expect waits until so many messages are sent, and compares them with what they should say.
func (w *wiretap) expect(tb testing.TB, want ...string) {
	tb.Helper()
	await(tb, "all is sent", func() bool { return len(w.sent()) >= len(want) })
	if got := w.said(); !slices.Equal(got, want) {
		tb.Fatalf("sent:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// All that happens on the page that a visitor came to tells where from, also what was
// tracked before the snippet came; the pages after it were reached from within.
func TestSnippetReferrer(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	tap := newWiretap(t, mustServe(t, "--database", database))
	page := browsertest.Open(t, "about:blank")
	page.Run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, _, _, err := pages.Navigate(newShopOf(t, tap.url, key) + "/tagmanager").WithReferrer("http://search.example/").Do(ctx)
		return err
	}))
	page.Await(loaded)
	page.Do(`goalgraph.track("later", 1); history.pushState({}, "", "/next"); goalgraph.track("next", 1)`)
	tap.expect(t,
		"page  on /tagmanager from http://search.example/", "track early on /tagmanager from http://search.example/", "track later on /tagmanager from http://search.example/",
		"page  on /next from", "track next on /next from")
}

// A page that the browser prepares before the visitor asks for it counts when he comes to
// it, and not if he never does.
func TestSnippetPrerendered(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	var unseen sync.WaitGroup
	unseen.Add(2)
	prepared := make(chan struct{})
	go func() {
		unseen.Wait()
		close(prepared)
	}()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, `<!doctype html><title>shop</title><script type="speculationrules">{"prerender": [{"urls": ["/shown", "/never"], "eagerness": "immediate"}]}</script>
				<script>fetch("/prepared").then(() => { location.href = "/shown" })</script>`)
		case "/prepared":
			select {
			case <-prepared:
			case <-r.Context().Done():
			}
		case "/unseen":
			unseen.Done()
		case "/shown", "/never":
			// The page tells when the snippet is there and its timers have run, so that it would have sent.
			fmt.Fprintf(w, `<!doctype html><title>shop</title><script>
				window.goalgraph = [["track", "early", 1]]
				const told = setInterval(() => {
					if (!('track' in goalgraph)) return
					clearInterval(told)
					goalgraph.track("ready", 1)
					setTimeout(() => setTimeout(() => {
						if (!document.prerendering) throw new Error("the page is shown too early")
						fetch("goalgraph.visitor" in localStorage ? "/kept" : "/unseen")
					}))
				}, 1)
			</script><script async src="%s/sdk.js" data-key="%s"></script>`, s.url, key)
		case "/kept":
			t.Error("a page that is not shown keeps who the visitor is")
			unseen.Done()
		}
	}))
	t.Cleanup(shop.Close)
	browsertest.OpenAlone(t, shop.URL+"/")
	await(t, "the page is seen", func() bool { return s.events(t)["ready"] > 0 && s.count(t, `{ pages: { all: ["/shown"] } }`) == 1 })
	if n, events := s.count(t, ""), s.events(t); n != 1 || events["early"] != 1 || events["ready"] != 1 || s.count(t, `{ pages: { all: ["/never"] } }`) != 0 {
		t.Errorf("%d sessions, events %v", n, events)
	}
}

// A tab that is opened in the background is viewed when it is looked at, once, with the
// page that it then has. What happens in it before counts at once.
func TestSnippetInTheBackground(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	tap := newWiretap(t, mustServe(t, "--database", database))
	page := browsertest.Open(t, "about:blank")
	page.BeforeLoad(`let looked = false; Object.defineProperty(document, "visibilityState", { get: () => looked ? "visible" : "hidden" })`)
	page.Run(chromedp.Navigate(newShopOf(t, tap.url, key) + "/first"))
	page.Await(loaded)
	page.Do(`history.replaceState({}, "", "/second"); goalgraph.track("unseen", 1)`)
	await(t, "the event is sent", func() bool { return len(tap.sent()) == 1 })
	page.Do(`looked = true; for (const again of [1, 2]) document.dispatchEvent(new Event("visibilitychange")); goalgraph.track("seen", 1)`)
	tap.expect(t, "track unseen on /second from", "page  on /second from", "track seen on /second from")
}
