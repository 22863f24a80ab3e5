// Package mcp lets assistants ask and change what people ask and change in the dashboard, by the Model Context Protocol:
// https://modelcontextprotocol.io/specification.
//
// A tool is a file of tools/: a GraphQL document, which is carried out by the executor that answers /graphql, for the same
// principal. So a tool may do what its caller may do by GraphQL and nothing else, costs the same points, waits in the same
// turns, and is written to the same audit log. All else that a tool has follows from its document (tool.go): its texts from
// the comments, the schema of its arguments from the variables, that of its results from the fields (schema.go), and the
// scope that it needs from whether it has mutations. A document may have several operations: the first whose arguments are
// all given is carried out (call.go).
//
// A Handler (handler.go) speaks every revision of the protocol that its library knows, each request by itself: there are no
// sessions, and no streams, so that nothing is held between two requests, and any server of a database may answer the next.
//
// What people and visitors wrote goes to a model that reads it like all else: a page may be named "ignore your
// instructions". So each result says that it is data, and which of its texts others wrote, by their paths (result.go).
package mcp
