package graphiql

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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

func newTestServer(t *testing.T, graphql http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/ui/", http.StripPrefix("/ui", Handler("/api/graphql")))
	mux.HandleFunc("POST /api/graphql", graphql)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestHandler(t *testing.T) {
	s := newTestServer(t, http.NotFound)
	page := get(t, s.URL+"/ui/", nil)
	text := body(t, page)
	if !strings.Contains(text, `data-graphql="/api/graphql"`) || strings.Contains(text, "{{") {
		t.Errorf("the endpoint is missing:\n%s", text)
	}
	if page.Header.Get("Content-Security-Policy") == "" {
		t.Error("no Content-Security-Policy")
	}
	_, script, _ := strings.Cut(text, `src="./`)
	script, _, _ = strings.Cut(script, `"`)
	if !strings.HasPrefix(script, "assets/") {
		t.Fatalf("no script in\n%s", text)
	}

	plain := get(t, s.URL+"/ui/"+script, http.Header{"Accept-Encoding": {"gzip;q=0, br"}})
	if e := plain.Header.Get("Content-Encoding"); e != "" {
		t.Errorf("Content-Encoding %s, which was not accepted", e)
	}
	packed := get(t, s.URL+"/ui/"+script, http.Header{"Accept-Encoding": {"br, gzip;q=0.5"}})
	for name, want := range map[string]string{
		"Content-Encoding": "gzip", "Vary": "Accept-Encoding", "Content-Type": "text/javascript; charset=utf-8",
		"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
	} {
		if got := packed.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if string(unpacked) != body(t, plain) {
		t.Error("gzip and plain differ")
	}

	again := get(t, s.URL+"/ui/", http.Header{"If-None-Match": {page.Header.Get("ETag")}})
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("the same page again: %s", again.Status)
	}
	for _, path := range []string{"/ui/assets/", "/ui/missing.js", "/ui/..%2f..%2fgraphiql.go", "/ui/index.html.gz"} {
		if r := get(t, s.URL+path, nil); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}

func TestEveryFileHasAType(t *testing.T) {
	files, err := filepath.Glob("generated/assets/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name, packed := strings.CutSuffix(file, ".gz")
		if types[filepath.Ext(name)] == "" || !packed {
			t.Errorf("%s is not served", file)
		}
	}
}

func get(t *testing.T, url string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

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
