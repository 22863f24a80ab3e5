// Package transport carries GraphQL between clients and the graph: over HTTP, over WebSockets (graphql-transport-ws) and
// as server-sent events (graphql-sse).
//
// Three protocols ask for the same operations, and the last two for answers without an end, by clients that may read
// slowly, or not at all, or stay away without a word. What they send is hostile until it is read; what they are sent must
// cost the same whether they read it or not.
//
// The way of one message: Handler.ServeHTTP reads a request (http.go) and chooses the protocol by what the client takes
// (accept.go). Over HTTP, the answer is a reply, which is compared and packed on its way out (reply.go, pack.go). A WebSocket
// (websocket.go) has one goroutine that reads and one that writes; an event stream (events.go) has the request's
// goroutine. Both hand an operation on (operation.go): a query or a mutation is carried out once, a subscription goes to
// package subscription. Either way a delivery holds what is to be sent: the newest answer, and then perhaps the end. The
// writer takes messages from the deliveries in turn.
//
// What is kept is one delivery an operation, with one encoded answer at the most, which equal subscriptions share.
// Limits bounds connections, operations on each, and distinct subscriptions; requests are bounded in bytes. A client
// that takes longer than Limits.Write for a message or a ping is cut off. When the server stops, clients are told by a
// code after which they connect again, and have three seconds.
package transport
