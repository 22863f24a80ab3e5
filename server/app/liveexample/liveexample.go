// Package liveexample serves a page with live goal cards, to show how little a
// dashboard needs: fewer than a hundred lines. Its only library is the graphql-ws
// client, as its authors bundle it, served from the binary.
package liveexample

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"
)

//go:generate npm --prefix ui ci --no-audit --no-fund
//go:generate npm --prefix ui run --silent build

//go:embed page.html
var page []byte

//go:embed generated/graphql-ws.js
var library []byte

// Path is where the page wants to be served. The tracking API and the graph are beside it.
const Path = "/live-example"

// Register serves the page and its library.
func Register(mux *http.ServeMux) {
	policy := fmt.Sprintf("default-src 'none'; script-src 'self' '%s'; style-src '%s'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		hashOf(`<script type="module">`, "</script>"), hashOf("<style>", "</style>"))
	serve := func(path, contentType string, content []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Set("Content-Type", contentType+"; charset=utf-8")
			header.Set("X-Content-Type-Options", "nosniff")
			header.Set("Content-Security-Policy", policy)
			header.Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		})
	}
	serve(Path, "text/html", page)
	serve(Path+"/graphql-ws.js", "text/javascript", library)
}

// hashOf returns the hash by which a policy allows the page's element between two tags.
func hashOf(begin, end string) string {
	_, text, _ := bytes.Cut(page, []byte(begin))
	text, _, _ = bytes.Cut(text, []byte(end))
	sum := sha256.Sum256(text)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
