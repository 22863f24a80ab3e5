package sdk

import (
	"bytes"
	"compress/gzip"
	"testing"
)

// maxPacked is how long the snippet may be when it is packed, in bytes: every page loads it.
const maxPacked = 2560

func TestSnippetIsSmall(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(snippet); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > maxPacked {
		t.Errorf("the snippet has %d bytes packed, and may have %d", packed.Len(), maxPacked)
	}
}
