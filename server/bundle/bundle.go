// Package bundle serves a web page that a bundler made: its index.html and the files that this loads. It needs no other host.
//
// The files are stored gzipped, by the command in compress/, and sent as they are to clients that accept gzip, which every
// browser does. Only index.html is plain.
package bundle

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// types are those of a bundle's files, because mime.TypeByExtension asks the machine's own table too.
var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".md":  "text/markdown; charset=utf-8",
	".ttf": "font/ttf",
}

// HasType reports whether a bundle's file is served: whether it is known what it is.
func HasType(name string) bool { return types[path.Ext(name)] != "" }

// Page returns a handler that answers every path with a page, under a Content-Security-Policy.
func Page(page []byte, policy string) http.Handler {
	sum := sha256.Sum256(page)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return reading(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-cache") // but compared by ETag
		h.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
	})
}

// Files returns a handler that serves the gzipped files of a folder, by their paths without ".gz". Those in assets/ are kept for
// a year: their names hold a hash of their content.
func Files(folder fs.FS) http.Handler {
	return reading(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		content, err := fs.ReadFile(folder, name+".gz")
		if err != nil || !HasType(name) {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
		} else if content, err = decompress(content); err != nil {
			panic(err) // embedded
		}
		h.Set("Content-Type", types[path.Ext(name)])
		if strings.HasPrefix(name, "assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}

// reading lets requests that only read through.
func reading(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next(w, r)
	})
}

func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.Trim(strings.ReplaceAll(parameters, " ", ""), "0.")
			return !strings.EqualFold(q, "q=")
		}
	}
	return false
}

func decompress(content []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
