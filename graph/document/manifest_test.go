package document

import (
	"os"
	"path/filepath"
	"testing"
)

// A manifest with more documents has those of its files too, and changes nothing of the one that it was made of.
func TestManifestWith(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "documents.json"), []byte(`{"sha256:aa": "{ a }"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := ReadManifest(folder)
	if err != nil {
		t.Fatal(err)
	}
	more := read.With("{ b }")
	if text, found := more.Text("aa"); !found || text != "{ a }" || !more.Has("{ a }") || !more.Has("{ b }") {
		t.Errorf("%q, %v: %+v", text, found, more)
	}
	if read.Has("{ b }") {
		t.Error("the manifest itself has changed")
	}
	var none *Manifest
	if own := none.With("{ b }"); !own.Has("{ b }") || own.Has("{ a }") {
		t.Errorf("%+v", own)
	}
	if _, found := none.With("{ b }").Text("aa"); found {
		t.Error("there is a document of an id")
	}
}
