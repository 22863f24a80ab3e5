package graph_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// manifestOf reads a folder with a file.
func manifestOf(t *testing.T, text string) (*document.Manifest, error) {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "persisted-documents.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return document.ReadManifest(folder)
}

// A document of the manifest is carried out by its id, by all ways, and for some callers nothing else is.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	deep := "query Deep { sites { " + strings.Repeat("goals { nodes { site { ", 6) + "name" + strings.Repeat(" } } }", 6) + " } }"
	manifest, err := manifestOf(t, `{"sha256:aa": "query Sites { sites { name } }", "old": "{ renamed }", "deep": "`+deep+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		o.Documents = manifest
		o.OnlyDocuments = func(ctx context.Context) bool { return model.ActorOf(ctx).Name == "page" }
	})
	if said := g.log.String(); strings.Count(said, "does not fit the schema") != 1 || !strings.Contains(said, "id=old") {
		t.Errorf("it logs %s", said)
	}
	g.site("a.example", "UTC")
	const want = `{"sites":[{"name":"a.example"}]}`
	readers := map[string]*testGraph{"": g, "page": g.as(readingKey("page"))}
	post := func(caller, body string) answer {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = readers[caller].headers()
		request.Header.Set("Content-Type", "application/json")
		return g.do(request)
	}
	for _, caller := range []string{"", "page"} {
		for _, body := range []string{
			`{"documentId": "sha256:aa"}`, `{"documentId": "aa", "variables": {}}`, `{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aa"}}}`,
			`{"query": "query Sites { sites { name } }"}`,
		} {
			if a := post(caller, body); string(a.Data) != want {
				t.Errorf("%s %s: %+v", caller, body, a)
			}
		}
		if a := post(caller, `{"documentId": "deep"}`); len(a.Errors) > 0 && !strings.Contains(a.Errors[0].Message, "points") {
			t.Errorf("%+v", a)
		}
		for _, body := range []string{`{"documentId": "bb"}`, `{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "bb"}}}`} {
			if a := post(caller, body); len(a.Errors) != 1 || a.Errors[0].Message != "PersistedQueryNotFound" || a.Errors[0].Extensions.Code != "PERSISTED_QUERY_NOT_FOUND" {
				t.Errorf("%s: %+v", body, a)
			}
		}
	}
	const free = "{ sites { name } }"
	for _, body := range []string{`{"query": "` + free + `"}`, `{"query": "` + free + `", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "` + document.Hash(free) + `"}}}`} {
		if a := post("page", body); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "FORBIDDEN" {
			t.Errorf("%s: %+v", body, a)
		}
		if a := post("", body); string(a.Data) != want {
			t.Errorf("%s: %+v", body, a)
		}
	}
	response, err := http.Get(g.url + "?documentId=" + url.QueryEscape("sha256:aa"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("GET: %d", response.StatusCode)
	}
	w := readers["page"].connect()
	w.send(`{"id": "1", "type": "subscribe", "payload": {"documentId": "aa"}}`)
	w.wantData("1", want)
}

func TestManifests(t *testing.T) {
	t.Parallel()
	for text, valid := range map[string]bool{
		`{"a": "{ sites { id } }"}`: true, `{}`: true, `{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a", "name": "A", "type": "query", "body": "{ sites { id } }"}]}`: true,
		`[]`: false, `{"a": 1}`: false, `{"a": "{"}`: false, ``: false,
	} {
		m, err := manifestOf(t, text)
		if (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
		if _, found := m.Text("a"); valid && text != "{}" && !found {
			t.Errorf("%s has no document", text)
		}
	}
	if _, err := document.ReadManifest(t.TempDir()); err == nil {
		t.Error("an empty folder is a manifest")
	}
}
