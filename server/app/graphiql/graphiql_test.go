package graphiql

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/server/bundle"
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
		if !bundle.HasType(name) || !packed {
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
