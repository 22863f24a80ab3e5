// Package document reads the text of GraphQL documents, which strangers send: within bounds, within a deadline, and
// checked by the schema.
//
// The library parses and validates, but some of its validation takes time that grows with the square of a document's
// length, or doubles with each of its fragments, and cannot be stopped. So a text goes this way:
//
//  1. Parsing stops at Bounds.Tokens, and does not begin where the text is longer than Bounds.Bytes.
//  2. measure.go measures what was written: its depth, and its nodes, aliases, directives and root fields with every
//     fragment put in wherever it is spread. Each fragment is measured once, so this takes one walk over the text.
//     Fragments that spread themselves are refused here.
//  3. The library validates, by rules that look at each node. It is stopped when the context ends, and after
//     Bounds.Errors errors. Its rule for fields of one name is not used: overlap.go says the same in one walk.
//
// What is valid is kept, bounded by bytes: a schema has a Reader of its own, so that nothing kept is ever out of date.
package document
