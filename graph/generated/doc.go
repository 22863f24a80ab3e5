// Package generated is what gqlgen makes of the schema: the executor, the inputs
// and the interfaces that package graph's resolvers implement. It is never
// edited; go generate ./graph makes it anew.
package generated
