// Package model holds the nouns that Goalgraph talks about: sites and their
// visitors' hits and sessions, the segments and goals that analysts define over
// them. It imports the standard library only, does no input or output, and its
// functions are pure.
//
// Times are milliseconds since 1970-01-01T00:00:00Z wherever they are counted
// with (Millis), and UTC days since then (Day) wherever they are grouped by.
package model
