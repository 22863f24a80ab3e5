// Package partition keeps what is known of day partitions, and brings it to their revisions.
//
// The problem: a question about a partition, the sessions of one site that started on one UTC day, must include every
// write that was committed before it was asked, whichever process wrote. Reading the day's rows for each question
// would be far too slow. So what was made of them is kept, in memory and in the database, with the revision of the
// partition that it was made from. A write moves the revision. The next question reads what changed since, and
// nothing else.
//
// Three things are kept that way, and one Cache serves them all: the columns of a day's sessions (Columns, here), the
// exposures of an experiment (model/experiment), and the sets that plugins computed (model/count/computed). Each is a
// Source, which says how its contents are loaded, built, brought forward and saved.
//
// The way of one read (cache.go):
//
//  1. Contents that are at the partition's revision, or a newer one, and complete for the question are read at once,
//     beside other readers.
//  2. Otherwise one caller takes the entry's turn, and the others wait for it or leave with their contexts. It loads
//     what is stored and missing, verifies each record's seal (seal.go), and tells the database to forget what is damaged.
//  3. What is not stored is built from the rows.
//  4. What is behind catches up by the rows with a newer revision. Readers are kept out only while a change is applied,
//     not while rows are read or plugins are asked.
//
// What is kept in memory is bounded by its weight in bytes; what was asked for least is let go first, and is loaded
// again when somebody needs it. What is stored is bounded by the data. A lost cache costs time and never changes an
// answer.
package partition
