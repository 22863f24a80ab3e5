// Package ingest turns raw input into messages of the model: lines of access logs, and
// messages of the Segment tracking spec as its SDKs send them.
//
// A file goes through five steps. A source makes lines of its bytes. A prefix, of Docker or
// syslog for example, is taken off each. A Format, of which each family has a file here,
// makes a LogLine of it: what every log tells of a request. The Decoder makes a message of
// that, if it is a page view. A Plan knows all this of each file before the first message is
// written: it has read the first lines.
//
// Decoding depends on one line or one message only, and on the directives and counters of
// its file. Import reads whole files and streams in batches, while another goroutine passes
// the previous batches to the store. It knows the store as functions that write a batch
// once, however often they are called.
//
// # Identity
//
// Everything here rests on message ids, because a message id counts once. A tracking
// message brings its messageId. A line of a log has no id, and two equal lines can
// both be true, as a log has a resolution of one second. So the id of a line comes
// from its bytes and its number among the equal lines of its file. The same file read
// again, even after it has grown, gives the same ids for the same lines. A log may be
// cut into several files, as long as equal lines stay together. Equal lines have
// equal times, so a cut between two seconds is safe.
//
// A log that tells seconds has many lines of one time, in an order that matters. So the
// place of a line is its number among the lines of its time in the file, whatever becomes of
// them. It is the same in every file that has the whole second.
//
// # Lenience
//
// Ingest prefers to keep a message. It cuts text that is too long, drops bytes that
// are not text, and treats a field of the wrong type as missing. It rejects a message,
// with a reason, if the message does not say who did what and when.
package ingest
