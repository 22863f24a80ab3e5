// Package host starts the filter plugins, keeps them running, and asks them: what
// a filter compiles to, and what an active segment's filters and a goal's become
// together.
//
// A plugin is not trusted. It gets none of the server's environment; what it says
// of itself is checked before any of it reaches the schema; each call has a
// deadline; and an answer that makes no sense is an UNAVAILABLE error on the
// filter that needed it, as is a plugin that is down. One that died is started
// again with growing pauses. A plugin that does not start, or wants a name that
// another has, is listed as FAILED with the reason, and its types are absent;
// the built-in plugin alone must start.
//
// The folder of plugins is followed while the host runs. The filter types that are
// loaded at one moment are a Set, which does not change: who acquires one sees the
// same types until it releases it, and the plugins in it run as long.
//
// Answers are pure functions of their arguments, so they are remembered, those
// that refuse arguments too, within a bound of bytes. An answer belongs to one
// start of the plugin: what its successor says is asked anew. While a plugin is
// down, what it had said still stands.
package host
