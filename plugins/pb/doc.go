// Package pb is the protocol between the host and a plugin: filter.proto, which
// is the public contract for plugins in any language, and the code that protoc
// makes of it. Everything else in this folder is generated.
//
// Predicates travel in their text form and arguments as JSON, so that the
// protocol need not change when the tree or a filter's input does.
package pb

//go:generate ./generate.sh
