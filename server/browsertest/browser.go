//go:build system

// Package browsertest gives tests a real browser, Chromium. It has the tag system, like every test that uses it: a plain
// go test ./... starts no browser.
package browsertest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// limit is how long a page may be open, on a loaded machine. Tests wait less for what
// they wait for.
const limit = 5 * time.Minute

// New starts Chromium and returns the context of an empty page, for chromedp. Both
// end with the test.
func New(tb testing.TB) context.Context {
	tb.Helper()
	return newBrowser(tb, limit)
}

// NewFor is New with a page that may be open for longer, or less.
func NewFor(tb testing.TB, limit time.Duration) context.Context {
	tb.Helper()
	return newBrowser(tb, limit)
}

// OpenWithHosts opens a page in a Chromium that finds the hosts of rules where these say: "MAP attacker.example 127.0.0.1".
func OpenWithHosts(tb testing.TB, rules, url string) *Page {
	tb.Helper()
	p := &Page{tb, newBrowser(tb, limit, chromedp.Flag("host-resolver-rules", rules))}
	p.Run(chromedp.Navigate(url))
	return p
}

func newBrowser(tb testing.TB, limit time.Duration, more ...chromedp.ExecAllocatorOption) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	tb.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.DisableGPU,
		// A headless browser's own is a bot's, whose messages are not kept.
		chromedp.UserAgent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"),
		chromedp.WSURLReadTimeout(time.Minute),
		// The browser's own calls home; the page's would fail on the test's condition in any case.
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	options = append(options, more...)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(func() {
		// Waits until the browser has ended and its profile's folder is gone.
		if err := chromedp.Cancel(ctx); err != nil {
			tb.Error(err)
		}
		cancel()
	})
	if err := chromedp.Run(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			tb.Fatal(err)
		}
		tb.Fatalf("start Chromium, which scripts/install-test-servers.sh installs: %v", err)
	}
	return ctx
}

// OpenAlone opens a page that nothing is attached to: what is attached to a page forbids it to prerender others. The page
// has to tell the test itself what becomes of it.
func OpenAlone(tb testing.TB, url string) {
	tb.Helper()
	ctx := New(tb)
	if _, err := target.CreateTarget(url).Do(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser)); err != nil {
		tb.Fatal(err)
	}
}

// Page is a page in a browser of its own.
type Page struct {
	tb  testing.TB
	ctx context.Context
}

// Open opens a page.
func Open(tb testing.TB, url string) *Page {
	tb.Helper()
	p := &Page{tb, New(tb)}
	p.Run(chromedp.Navigate(url))
	return p
}

// Tab opens another page in the same browser, which shares what the pages of an origin keep.
func (p *Page) Tab(url string) *Page {
	p.tb.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.tb.Cleanup(cancel)
	tab := &Page{p.tb, ctx}
	tab.Run(chromedp.Navigate(url))
	return tab
}

// BeforeLoad runs a script in every document that the page loads from then on, before its own.
func (p *Page) BeforeLoad(script string) {
	p.tb.Helper()
	p.Run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

// Run does something with the page.
func (p *Page) Run(actions ...chromedp.Action) {
	p.tb.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		p.tb.Fatal(err)
	}
}

// Do runs a script, and waits for the promise that it may be.
func (p *Page) Do(script string) {
	p.tb.Helper()
	var none any
	p.Run(chromedp.Evaluate("(async () => { "+script+" })().then(() => null)", &none, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// Text returns what an expression of text comes to.
func (p *Page) Text(expression string) (text string) {
	p.tb.Helper()
	p.Run(chromedp.Evaluate("String("+expression+")", &text))
	return text
}

// replaced reports whether an expression was not evaluated because a new document took the place of the one it was for.
func replaced(err error) bool {
	failure, ok := errors.AsType[*cdproto.Error](err)
	return ok && failure.Code == -32000 && (strings.HasPrefix(failure.Message, "Cannot find context") || failure.Message == "Inspected target navigated or closed")
}

// pollingInterval is how often Await looks. Without it, frames decide, which a page in the background does not draw.
const pollingInterval = 20 * time.Millisecond

// Await waits until an expression is true.
func (p *Page) Await(expression string) {
	p.tb.Helper()
	for {
		err := chromedp.Run(p.ctx, chromedp.Poll(expression, nil,
			chromedp.WithPollingInterval(pollingInterval),
			chromedp.WithPollingTimeout(0))) // the page's limit holds
		if err == nil {
			return
		}
		if !replaced(err) {
			p.tb.Fatal(err)
		}
	}
}
