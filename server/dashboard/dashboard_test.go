package dashboard

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/server/bundle"
)

func TestRegister(t *testing.T) {
	mux := http.NewServeMux()
	Register(mux)
	for path, want := range map[string]string{
		"/": "text/html", "/sites/shop.example": "text/html", "/sites/shop.example/goals?search=x": "text/html", "/LICENSES.md": "text/markdown",
		firstFile(t, ".js"): "text/javascript", firstFile(t, ".css"): "text/css",
		"/elsewhere": "", "/assets/": "", "/assets/missing.js": "", "/assets/..%2findex.html": "",
	} {
		r := httptest.NewRecorder()
		mux.ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
		got, _, _ := strings.Cut(r.Header().Get("Content-Type"), ";")
		if want == "" && r.Code != http.StatusNotFound || want != "" && (r.Code != http.StatusOK || got != want) {
			t.Errorf("%s: status %d, %s, not %q", path, r.Code, got, want)
		}
		if want == "text/html" && r.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s: the policy is %q", path, r.Header().Get("Content-Security-Policy"))
		}
	}
}

// firstFile returns the path of the first of the page's files of a kind.
func firstFile(t *testing.T, extension string) string {
	t.Helper()
	names, err := fs.Glob(generated, "generated/assets/*"+extension+".gz")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(names[0], "generated"), ".gz")
}

var loadedFirst = regexp.MustCompile(`(?:src|href)="/(assets/[^"]+)"`)

// The packed size of what the first load takes, of all, and of one file, in KiB.
func TestPackedSize(t *testing.T) {
	index, err := fs.ReadFile(generated, "generated/index.html")
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]bool{}
	for _, found := range loadedFirst.FindAllStringSubmatch(string(index), -1) {
		first["generated/"+found[1]+".gz"] = true
	}
	files, err := fs.Glob(generated, "generated/assets/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var script, style, all, firsts int
	for _, file := range files {
		content, err := fs.ReadFile(generated, file)
		if err != nil {
			t.Fatal(err)
		}
		name, packed := strings.CutSuffix(file, ".gz")
		if !packed || !bundle.HasType(name) {
			t.Errorf("%s is not served", file)
		}
		size := len(content)
		all += size
		if size > 120<<10 {
			t.Errorf("%s has %d KiB, more than 120", file, size>>10)
		}
		if !first[file] {
			continue
		}
		firsts++
		if filepath.Ext(name) == ".css" {
			style += size
		} else {
			script += size
		}
	}
	if firsts != len(first) || firsts < 2 {
		t.Errorf("%d files of the first load are there, of %v", firsts, first)
	}
	if script > 160<<10 || style > 15<<10 || all > 300<<10 {
		t.Errorf("the first load has %d KiB of script and %d of style, and all is %d KiB: more than 160, 15 or 300", script>>10, style>>10, all>>10)
	}
	t.Logf("first load: %d bytes of script, %d of style; all: %d", script, style, all)
}
