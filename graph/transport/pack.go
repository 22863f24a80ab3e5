package transport

import (
	"bytes"
	"io"
	"net/http"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// leastPacked is the size from which packing saves more than it takes, in bytes.
const leastPacked = 1 << 10

// mostPacking is how many messages of WebSockets are packed at the same time, which takes 40 MB.
const mostPacking = 32

// packer packs answers.
type packer struct {
	// writers are those of the content codings that nobody uses at the moment, packWriters.
	writers map[string]*sync.Pool
}

// packWriter writes a packed text, one after another.
type packWriter interface {
	io.WriteCloser
	Reset(into io.Writer)
}

// Both codings pack at a speed of about 100 MB/s, the speed at which JSON is encoded.
const (
	gzipLevel   = 5
	brotliLevel = 4
	// brotliWindow is the binary logarithm of the window, in bytes: that of gzip is 15, and the library's default of 22 would
	// take megabytes for each answer.
	brotliWindow = 18
)

func newPacker() packer {
	return packer{map[string]*sync.Pool{
		"br": {New: func() any {
			return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: brotliLevel, LGWin: brotliWindow})
		}},
		"gzip": {New: func() any {
			w, _ := gzip.NewWriterLevel(nil, gzipLevel) // the level is valid
			return w
		}},
	}}
}

// pack returns a text in a content coding, which encoding has chosen.
func (p packer) pack(text []byte, coding string) []byte {
	var packed bytes.Buffer
	writer := p.writers[coding].Get().(packWriter)
	defer p.writers[coding].Put(writer)
	writer.Reset(&packed)
	// Neither fails: a buffer takes everything.
	_, _ = writer.Write(text)
	_ = writer.Close()
	return packed.Bytes()
}

// coding returns the content coding of the answer to a request, empty for none.
//
// How well an answer packs tells about what is in it, to whoever sees its size and has had a part of it chosen (BREACH).
// For that a page of another site must have a browser ask by the cookie of its user. The door refuses such pages, except
// for links and addresses that they lead the browser to: those are not packed. Nor is what asks by a cookie without saying
// how a page came to ask. The secret of a new key stands in one answer only, and that to a POST.
func coding(r *http.Request, text []byte) string {
	mode := r.Header.Get("Sec-Fetch-Mode")
	if len(text) < leastPacked || mode == "navigate" || mode == "" && r.Header.Get("Cookie") != "" {
		return ""
	}
	return encoding(r)
}
