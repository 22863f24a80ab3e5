// Package model holds the nouns of Goalgraph: sites, the hits and sessions of their
// visitors, and the segments, goals and experiments defined on them. It imports the
// standard library only, does no input or output, and its functions are pure.
//
// hit.go says what a hit is, and session.go folds a visitor's hits into sessions: their length, pages, events and what
// their first hits tell are made there, and nowhere else.
//
// A time is a number of milliseconds since 1970-01-01T00:00:00Z (Millis) in
// calculations, and a number of UTC days since then (Day) in groups.
package model
