// Package ingest turns what visitors left behind into messages of the model:
// lines of access logs in the combined format, and messages of the Segment
// tracking spec as its SDKs send them.
//
// Decoding is free of state but for caches: a Decoder reads one line or one
// message, and what it returns depends on that alone. Import reads whole files
// and streams, in batches, while another goroutine hands the batches before to
// the store. It knows nothing of the store but one function that writes a batch
// once, however often the batch is written.
//
// # Identity
//
// Everything here rests on message ids, because a message id counts once. A
// tracking message is named by its messageId. A line of a log has no name, and
// two equal lines of a log with a resolution of one second may both be true: so
// a line is named by its bytes and by its number among the equal lines of its
// file. The same file read again, or the file when it has grown, gives the same
// ids for the same lines. Cutting a log into files keeps the ids too, as long
// as equal lines stay in one part; equal lines have equal times, so a log that
// is cut between two seconds is safe.
//
// # Lenience
//
// A message is rather kept than lost: text that is too long is cut, bytes that
// are no text are dropped, a field of the wrong type counts as missing. It is
// rejected, with a reason, when it does not say who did what and when.
package ingest
