package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Manifest has the texts of documents by the ids under which clients ask for them. The zero Manifest has none.
type Manifest struct {
	byID  map[string]string
	texts map[string]bool
}

// apolloManifest is a manifest as Apollo's tools write it.
type apolloManifest struct {
	Format     string `json:"format"`
	Operations []struct{ ID, Body string }
}

// ReadManifest reads all files of a folder that end in .json: objects of texts by ids, as graphql-codegen
// (persisted-documents.json) and relay-compiler write them, or manifests of Apollo's tools.
func ReadManifest(folder string) (*Manifest, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("the folder %s has no manifest of documents, which is a file *.json", folder)
	}
	m := &Manifest{byID: map[string]string{}, texts: map[string]bool{}}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := m.add(text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

// add adds the documents of a manifest.
func (m *Manifest) add(text []byte) error {
	var apollo apolloManifest
	given := map[string]string{}
	if json.Unmarshal(text, &apollo) == nil && apollo.Format != "" {
		for _, operation := range apollo.Operations {
			given[operation.ID] = operation.Body
		}
	} else if err := json.Unmarshal(text, &given); err != nil {
		return fmt.Errorf("this is not an object of documents by their ids: %w", err)
	}
	for id, text := range given {
		if _, err := parser.ParseQuery(&ast.Source{Input: text}); err != nil {
			return fmt.Errorf("the document %.80q does not parse: %w", id, err)
		}
		m.byID[plainID(id)] = text
		m.texts[text] = true
	}
	return nil
}

// With returns a Manifest that has more documents, which clients send by their texts.
func (m *Manifest) With(texts ...string) *Manifest {
	more := &Manifest{texts: map[string]bool{}}
	if m != nil {
		more.byID = m.byID
		maps.Copy(more.texts, m.texts)
	}
	for _, text := range texts {
		more.texts[text] = true
	}
	return more
}

// plainID returns an id without the prefix that says how it was made.
func plainID(id string) string { return strings.TrimPrefix(id, "sha256:") }

// Text returns the document of an id.
func (m *Manifest) Text(id string) (text string, found bool) {
	if m == nil {
		return "", false
	}
	text, found = m.byID[plainID(id)]
	return text, found
}

// IDs returns the ids of the documents, sorted.
func (m *Manifest) IDs() []string {
	if m == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(m.byID))
}

// Has tells whether a text is one of the documents.
func (m *Manifest) Has(text string) bool { return m != nil && m.texts[text] }
