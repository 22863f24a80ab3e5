package document

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/maypok86/otter/v2"
)

// Registry keeps documents that clients have sent once, to ask for them by the SHA-256 of their texts later: Apollo's
// automatic persisted queries. Those that nobody has asked for lately are forgotten, and clients send them again. It is safe
// for concurrent use.
type Registry struct{ byHash *otter.Cache[string, string] }

// NewRegistry returns a Registry that keeps so many bytes of documents.
func NewRegistry(keep uint64) (*Registry, error) {
	byHash, err := otter.New(&otter.Options[string, string]{
		MaximumWeight: keep, Weigher: func(hash, text string) uint32 { return uint32(len(hash) + len(text)) },
	})
	return &Registry{byHash}, err
}

// Text returns the document of a hash.
func (r *Registry) Text(hash string) (text string, found bool) { return r.byHash.GetIfPresent(hash) }

// Add keeps a document.
func (r *Registry) Add(text string) { r.byHash.Set(Hash(text), text) }

// Hash returns the SHA-256 of a document, in hexadecimal digits.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
