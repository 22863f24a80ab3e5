// Package access decides which requests come in, and finds who asks by them.
//
// A server on a public address is asked by anybody, by programs and by the browsers of people who have another page
// open. A Door stands before all of its routes:
//
//   - Guard is for every request. It finds the sender's address, believing only trusted proxies, and refuses a request
//     whose Host is none of the server's names: a page could make its own name point here, and be the server's own to a
//     browser (DNS rebinding). It sets the headers that every answer has.
//   - Private is for routes that answer by who asks. It refuses what a browser sends for a page of another origin, unless
//     the origin is allowed, and puts the principal into the request's context. Routes without it have an anonymous one,
//     who may do nothing.
//   - Login is for routes by which people log in: the same without a principal.
//
// Tracking routes are behind Guard only: pages everywhere send there, and what they may do is the key's.
//
// A Directory finds principals by the secrets of keys, and tells which principals are still what they were. It keeps
// what it has found until the store's access epoch moves, which it reads twice a second: a revocation takes about that
// long, on every server of a database. What it knows holds for half a minute while the database cannot be read.
package access
