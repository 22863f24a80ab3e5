// Package pb is the protocol between the host and a plugin. filter.proto is the
// public contract for plugins in any language; the rest of this folder is generated
// from it.
//
// Predicates travel in their text form and arguments as JSON. So the protocol need
// not change when the predicate tree or a filter's input does.
package pb

//go:generate ./generate.sh
