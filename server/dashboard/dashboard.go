// Package dashboard serves the dashboard, the page for people who look at goals, segments and experiments, from the binary. It
// needs no other host, and the page's Content-Security-Policy enforces that.
//
// The page is an npm project in ui/. Its URL is its state: every path below /sites/ is a view of a site, which the page reads
// itself. Vite bundles it into generated/, which is committed, so that building the server needs no Node.js.
package dashboard

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/goalgraph/goalgraph/server/bundle"
)

//go:generate npm --prefix ui ci
//go:generate npm --prefix ui run types
//go:generate npm --prefix ui run build
//go:generate go run ../bundle/compress generated

//go:embed all:generated
var generated embed.FS

// policy lets the page use this server and nothing else, no inline script or style, and no text as code.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Register adds the page's paths: / and all below /sites/ are the page, and /assets/ has its files.
func Register(mux *http.ServeMux) {
	folder, err := fs.Sub(generated, "generated")
	if err != nil {
		panic(err) // embedded
	}
	index, err := fs.ReadFile(folder, "index.html")
	if err != nil {
		panic(err) // embedded
	}
	page, files := bundle.Page(index, policy), bundle.Files(folder)
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /sites/", page)
	mux.Handle("GET /assets/", files)
	mux.Handle("GET /LICENSES.md", files)
}
