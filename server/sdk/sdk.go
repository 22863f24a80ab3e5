// Package sdk serves sdk.js, the minified snippet with which a web page sends events.
package sdk

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
)

//go:generate go tool esbuild sdk.js --minify --target=es2020 --charset=utf8 --legal-comments=none --outfile=generated/sdk.js --log-level=warning

//go:embed generated/sdk.js
var script []byte

// Handler serves the script. Browsers ask each hour whether it has changed.
func Handler() http.Handler {
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
