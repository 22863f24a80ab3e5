// Package graphiql serves GraphiQL, the editor for GraphQL in the browser, from the
// binary. It needs no other host, and the page's Content-Security-Policy enforces
// that.
//
// The page is an npm project in ui/. Vite bundles it into generated/, which is
// committed, so that building the server needs no Node.js. The path of the GraphQL
// endpoint is written into its index.html.
package graphiql

import (
	"bytes"
	"embed"
	"html"
	"io/fs"
	"net/http"

	"github.com/goalgraph/goalgraph/server/bundle"
)

//go:generate npm --prefix ui ci
//go:generate npm --prefix ui run build
//go:generate go run ../../bundle/compress generated

//go:embed all:generated
var generated embed.FS

// policy lets the page use this server and nothing else. Monaco, the editor, styles its lines inline and has its icons in data: URLs.
const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page at "/" and its files below, for a GraphQL endpoint at graphqlPath on the same host. Mount it at a path that
// ends in a slash, which the page's relative links need:
//
//	mux.Handle("/graphiql/", http.StripPrefix("/graphiql", graphiql.Handler("/graphql")))
func Handler(graphqlPath string) http.Handler {
	folder, err := fs.Sub(generated, "generated")
	if err != nil {
		panic(err) // embedded
	}
	page, err := fs.ReadFile(folder, "index.html")
	if err != nil {
		panic(err) // embedded
	}
	page = bytes.ReplaceAll(page, []byte("{{GRAPHQL_PATH}}"), []byte(html.EscapeString(graphqlPath)))

	mux := http.NewServeMux()
	mux.Handle("/{$}", bundle.Page(page, policy))
	mux.Handle("/", bundle.Files(folder))
	return mux
}
