// Package graphiql serves GraphiQL, the editor for GraphQL in the browser, from the
// binary. It needs no other host, and the page's Content-Security-Policy enforces
// that.
//
// The page is an npm project in ui/. Vite bundles it into generated/, which is
// committed, so that building the server needs no Node.js. The files are stored
// gzipped and sent as they are to clients that accept gzip, which every browser does.
// Only index.html is plain, because the path of the GraphQL endpoint is written into
// it.
package graphiql

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:generate npm --prefix ui ci
//go:generate npm --prefix ui run build
//go:generate go run ./compress generated

//go:embed all:generated
var generated embed.FS

// policy lets the page use this server and nothing else. Monaco, the editor, styles its lines inline and has its icons in data: URLs.
const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are those of the bundle's files, because mime.TypeByExtension asks the machine's own table too.
var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".md":  "text/markdown; charset=utf-8",
	".ttf": "font/ttf",
}

// Handler serves the page at "/" and its files below, for a GraphQL endpoint at graphqlPath on the same host. Mount it at a path that
// ends in a slash, which the page's relative links need:
//
//	mux.Handle("/graphiql/", http.StripPrefix("/graphiql", graphiql.Handler("/graphql")))
func Handler(graphqlPath string) http.Handler {
	page, err := generated.ReadFile("generated/index.html")
	if err != nil {
		panic(err) // embedded
	}
	page = bytes.ReplaceAll(page, []byte("{{GRAPHQL_PATH}}"), []byte(html.EscapeString(graphqlPath)))
	sum := sha256.Sum256(page)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if r.URL.Path != "/" {
			serveFile(w, r)
			return
		}
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-cache") // but compared by ETag
		h.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
	})
}

func serveFile(w http.ResponseWriter, r *http.Request) {
	name := path.Clean(r.URL.Path)
	content, err := generated.ReadFile("generated" + name + ".gz")
	contentType := types[path.Ext(name)]
	if err != nil || contentType == "" {
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
	h.Set("Content-Type", contentType)
	if strings.HasPrefix(name, "/assets/") { // their names hold a hash of their content
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
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
