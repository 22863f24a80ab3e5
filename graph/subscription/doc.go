// Package subscription computes the answers of subscriptions: once for all that are equal, and again when something has
// changed.
//
// Thousands of clients may follow the same cards. Each would have the same counts made and the same answer encoded, at
// every change, and most changes of a site change no answer at all. So equal subscriptions of one caller share a feed:
// one operation that is carried out for all of them.
//
// The way of an answer: Subscribe looks up the feed by caller and operation (Source.Key of package graph tells operations
// apart: text, name, variables and generation), or makes one. The feed computes its answer
// (package graph); while it does, the resolver says which site the answer follows from, and the site's state before. A
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
