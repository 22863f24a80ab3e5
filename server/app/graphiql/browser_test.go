//go:build system

// The test in this file runs Chromium, so it has the tag system: make test-system runs it.
package graphiql

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/server/browsertest"
)

// The answer to introspection of: type Query { hello: String }
const introspection = `{"data": {"__schema": {
	"queryType": {"name": "Query", "kind": "OBJECT"}, "mutationType": null, "subscriptionType": null, "directives": [],
	"types": [
		{"kind": "SCALAR", "name": "String"},
		{"kind": "SCALAR", "name": "Boolean"},
		{"kind": "OBJECT", "name": "Query", "interfaces": [], "fields": [
			{"name": "hello", "args": [], "type": {"kind": "SCALAR", "name": "String"}, "isDeprecated": false}
		]}
	]
}}}`

// TestInABrowser opens the page in a real browser, runs a query, and holds it to its own origin.
func TestInABrowser(t *testing.T) {
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Query string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer := introspection
		if !strings.Contains(request.Query, "__schema") {
			answer = `{"data": {"hello": "it answers"}}`
		}
		_, _ = io.WriteString(w, answer) // a page that has gone
	})

	ctx := browsertest.New(t)
	var mu sync.Mutex
	var requests, complaints []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			requests = append(requests, e.Request.URL)
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Error())
		case *log.EventEntryAdded: // a refusal by the Content-Security-Policy, among others
			if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
				complaints = append(complaints, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				for _, arg := range e.Args {
					complaints = append(complaints, string(arg.Value)+arg.Description)
				}
			}
		}
	})

	var screenshot []byte
	err := chromedp.Run(ctx,
		chromedp.EmulateViewport(1400, 900),
		chromedp.Navigate(s.URL+"/ui/"),
		chromedp.WaitVisible(`.graphiql-query-editor .monaco-editor .view-line`),
		chromedp.WaitEnabled(`button.graphiql-execute-button`),
		chromedp.Click(`button.graphiql-execute-button`),
		chromedp.Poll(`document.querySelector('.graphiql-response')?.innerText.replaceAll('\u00a0', ' ').includes('it answers')`, nil),
		// The schema has arrived, and the worker that checks queries by it works: the welcome query does not fit this schema.
		chromedp.WaitVisible(`.graphiql-query-editor .squiggly-error`),
		chromedp.CaptureScreenshot(&screenshot),
	)
	if len(screenshot) > 0 {
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "graphiql.png"), screenshot, 0o644); err != nil {
			t.Error(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if err != nil {
		t.Errorf("%v\nrequests: %q", err, requests)
	}
	for _, url := range requests {
		if !strings.HasPrefix(url, s.URL+"/") && !strings.HasPrefix(url, "data:") {
			t.Errorf("a request outside: %s", url)
		}
	}
	if len(requests) < 5 {
		t.Errorf("too few requests to be all: %q", requests)
	}
	for _, c := range complaints {
		t.Errorf("the browser complains: %s", c)
	}
}
