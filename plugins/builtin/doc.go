// Package builtin holds the filter types that Goalgraph comes with, a file each.
// They are a plugin like any other, served by a process of its own: the same
// program, started again. So every type goes one way, and what the built-in ones
// can do a team's own can do too.
//
// A type says in its Description and in its SDL what the schema will say of it,
// so those texts are documentation.
package builtin
