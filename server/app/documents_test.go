package app

import (
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/server/mcp"
)

// Where everyone is confined to trusted documents, nobody changes something by the server's own.
func TestOwnDocumentsChangeNothing(t *testing.T) {
	t.Parallel()
	own, err := mcp.Documents()
	if err != nil {
		t.Fatal(err)
	}
	for auth, mayChange := range map[string]bool{AuthNone: false, AuthKeys: true} {
		trusted, err := readDocuments(Options{Auth: auth})
		if err != nil {
			t.Fatal(err)
		}
		changing := 0
		for _, text := range own {
			changes := strings.Contains(text, "mutation ")
			if changes {
				changing++
			}
			if trusted.Has(text) != (mayChange || !changes) {
				t.Errorf("%s: %.60q", auth, text)
			}
		}
		if changing != 5 {
			t.Errorf("%d documents change something", changing)
		}
	}
}
