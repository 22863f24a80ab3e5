// Package host answers what a filter means. It starts the filter plugins, keeps them
// running, and asks them what a filter compiles to and how two filters merge.
//
// Plugins are code that the operator trusts, but they have bugs. So a plugin's
// description is checked before any of it reaches the schema, every call has a
// deadline, and memory has a bound. A plugin that is down or gives an invalid answer
// makes the filters that need it UNAVAILABLE, and nothing else. A plugin that died is
// restarted with growing pauses. A plugin that does not start, or wants a name that
// is taken, is listed as FAILED with the reason, and its types are absent. Only the
// built-in plugin must start. None of this protects from malice: a plugin runs with
// the server's rights. It only lacks the server's environment.
//
// The host watches the plugin folder. A Set holds the filter types loaded at one
// moment and never changes: whoever acquires one sees the same types until release,
// and their plugins run that long.
//
// Answers are pure functions of their arguments, so the host remembers them, refusals
// included, within a bound of bytes. An answer belongs to one start of the plugin and
// is asked again after a restart. While a plugin is down, its remembered answers
// count.
package host
