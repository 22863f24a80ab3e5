// Package sdk serves the scripts with which a web page sends events: the snippet at /sdk.js, with variants.js for
// pages that ask for variants, and what the HTML snippets of Segment, Customer.io and Jitsu load. All of them share
// tracker.js, so that a visitor is the same one to each.
//
// The vendors' own bundles would be ten times as long, keep cookies, know nothing of consent, and report their failures to
// the vendors.
package sdk

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
)

//go:generate go tool esbuild sdk.js segment.js jitsu.js --bundle --minify --target=es2020 --charset=utf8 --legal-comments=none --outdir=generated --log-level=warning
//go:generate go tool esbuild variants.js --minify --format=esm --target=es2020 --charset=utf8 --legal-comments=none --outdir=generated --log-level=warning

var (
	//go:embed generated/sdk.js
	snippet []byte
	//go:embed generated/variants.js
	variants []byte
	//go:embed generated/segment.js
	segment []byte
	//go:embed generated/jitsu.js
	jitsu []byte
)

// Register adds the scripts' routes to a mux. The key in the path of a script is read by
// the script itself, and not looked up before messages come.
func Register(mux *http.ServeMux) {
	mux.Handle("GET /sdk.js", serve(snippet))
	mux.Handle("GET /variants.js", serve(variants))
	mux.Handle("GET /analytics.js/v1/{key}/analytics.min.js", serve(segment))
	mux.Handle("GET /v1/analytics-js/snippet/{key}/analytics.min.js", serve(segment)) // Customer.io's
	mux.Handle("GET /p.js", serve(jitsu))
}

// serve serves a script. Browsers ask each hour whether it has changed.
func serve(script []byte) http.Handler {
	sum := sha256.Sum256(script)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/javascript; charset=utf-8")
		header.Set("Cache-Control", "public, max-age=3600")
		header.Set("ETag", tag)
		// Pages elsewhere may check it against a hash of theirs.
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		// What fails here is the browser's connection.
		_, _ = w.Write(script)
	})
}
