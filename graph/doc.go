// Package graph is what a client sees: the GraphQL schema, and thin resolvers that translate, call and return.
//
// The schema is not known when the code is written: each filter type that a loaded plugin offers is a field of
// FilterInput (schema.go), and plugins come and go while the server runs. And one operation may select thousands of
// counts, which are cheap together and dear one by one.
//
// The way of one operation: an Executor reads and checks it in the generation of the moment (generation.go), which is
// the schema and the resolvers of one set of filter types, and which it keeps until it ends. Variables are read by the
// letter of the specification (variables.go). A resolver stands in the file of its noun. A field that counts registers
// its question with the operation's collector and gets a promise (collector.go); cards, funnels and breakdowns register
// what their cells will need, as far as it is selected (card.go). Whoever needs an answer first has all asked that are
// registered. Filters are merged by plugins (package host), counts are made by the engine (package count), and what is
// derived from them stands in package stats. All errors meet the client in errors.go.
//
// Who asks is the context's model.Actor. A field says by @access which scope it needs, and each root field says it or no
// schema is made (access.go). Which site the scope must be on is checked where things are loaded and changed, by the
// guard, which is the only store that resolvers have (guard.go): node, Goal.site and ids in inputs lead around the root
// fields. What is of a site that the actor does not read does not exist. The guard stands before all that answers share,
// so nobody's rights are part of a cache's key.
//
// A subscription's operation is a Source (source.go), whose answer is computed as often as its site changes. What it
// follows from, and where the answer has the time of its computation, is noted in a Computation (computation.go).
//
// What is kept beyond an operation: a generation's checked documents, in 16 MiB, and the goals and segments of matrices,
// by the site's revision, in 8 MiB (matrix.go). One operation is bounded in what it may say (package document), in the
// fields that its answer may have, as far as that is known before (cost.go), and in what is made of it (budget.go).
package graph
