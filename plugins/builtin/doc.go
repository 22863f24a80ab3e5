// Package builtin holds the filter types that come with Goalgraph, one file each.
// They are a plugin like any other, served by a process of their own: the same
// program, started again. So all types take the same path, and a team's own types can
// do whatever the built-in ones can.
//
// The texts in Description and SDL appear in the schema, so they are documentation.
package builtin
