// Package subscription computes the answers of subscriptions: once for all that are equal, and again when something has
// changed.
//
// Thousands of clients may follow the same cards. Each would have the same counts made and the same answer encoded, at
// every change, and most changes of a site change no answer at all. So equal subscriptions share a feed, whoever has them:
// one operation that is carried out for all of them. It is carried out by a principal that may do what the operation takes
// on its site, and nothing else, so that the answer is that of everyone who may have it.
//
// Who may have it is asked of each subscriber: when it subscribes, before each answer, and when principals have changed
// (Check). A subscription of who may have it no longer ends with UNAUTHENTICATED, FORBIDDEN or NOT_FOUND.
//
// The way of an answer: Subscribe has the resolver find, as the subscriber, which site the answer follows from, and the
// site's state. It looks up the feed by operation (Source.Key of package graph tells operations apart: text, name,
// variables and generation), or makes one, which computes its answer (package graph). A
// watch for each site that feeds follow looks at that state: at once when the bus hints at a change, and a second later
// at the latest where nothing is heard. The feeds that have not seen the state compute again, together, so that they
// share what they count, and each at most once a second. An answer that differs from the last one by nothing but its
// computedAt is dropped. Any other is encoded once, and every subscriber is given it.
//
// A subscriber never makes others wait: what it is given takes the place of what it has not sent yet (package
// transport).
//
// What is kept is the newest answer of each feed, its digest, and one goroutine a site. Options.Most bounds the feeds;
// an answer is as large as one of a query may be. A feed goes when its last subscriber leaves, and a watch with its last
// feed. Nothing outlives Close.
package subscription
