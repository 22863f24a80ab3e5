// Package check holds the rules that every plugin must keep, as code that finds
// where one does not and says what to do.
//
// Type is what the server asks of a filter type's description before it loads
// it. Plugin asks for more, of a running plugin: that its answers are pure, that
// merges keep their law on sessions, that labels can be read, that wrong and huge
// arguments are refused by name and in time, and that it is fast. It is the
// command "goalgraph plugin check" and, in Go tests, the package plugintest. It
// knows the protocol only, so it is the same for plugins in any language.
package check
