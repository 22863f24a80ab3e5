// Package ingest turns raw input into messages of the model: lines of access logs in
// the combined format, and messages of the Segment tracking spec as its SDKs send
// them.
//
// Decoding has no state except caches: the result depends on one line or one message
// only. Import reads whole files and streams in batches, while another goroutine
// passes the previous batches to the store. It knows the store as a single function,
// which writes a batch once, however often it is called.
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
// # Lenience
//
// Ingest prefers to keep a message. It cuts text that is too long, drops bytes that
// are not text, and treats a field of the wrong type as missing. It rejects a message,
// with a reason, if the message does not say who did what and when.
package ingest
