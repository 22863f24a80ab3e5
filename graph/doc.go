// Package graph is what a client sees: the GraphQL schema and thin resolvers,
// which translate, call and return.
//
// The schema is served as the loaded plugins make it (schema.go): FilterInput has
// a field for each filter type. A Graph answers over HTTP (handler.go, http.go).
// Counts that one operation asks for are gathered and asked together (loading.go).
// All errors meet the client in errors.go.
package graph
