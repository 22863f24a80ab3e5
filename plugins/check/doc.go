// Package check tests plugins against the rules that every plugin must keep. A
// finding says what is wrong and what to do.
//
// Type checks a filter type's description; the server calls it before it loads the
// type. Plugin checks a running plugin as well: answers are pure, merges keep their
// law on sessions, labels are readable, wrong and huge arguments are refused by name
// and in time, and answers are fast. It is behind the command "goalgraph plugin
// check" and, in Go tests, behind the package plugintest. It only knows the protocol,
// so it works for plugins in any language.
package check
