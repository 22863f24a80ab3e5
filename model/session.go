package model

import (
	"maps"
	"slices"
)

// SessionGap is the longest pause within a session, in milliseconds: 30 minutes
// exactly still join.
const SessionGap Millis = 30 * 60 * 1000

// SessionID names a session: its site, its partition and its ordinal there.
type SessionID struct {
	Site, Partition int64
	Ordinal         int32
}

// Session is a visit: what one visitor did without a pause longer than
// SessionGap, or under one key that the sender gave it. It is a function of the
// set of its hits, not of the order in which they arrived.
type Session struct {
	ID SessionID
	// Visitor numbers the visitor within the database; VisitorKey is what the
	// site's messages call it.
	Visitor    int64
	VisitorKey string
	// Key is the sender's own name of the session, mostly empty.
	Key string
	// First tells that the visitor had no session before this one.
	First bool
	// Start and End are the times of the first and of the last hit.
	Start, End Millis
	PageViews  int
	Origin
	// ExitPage is the path of the last page view.
	ExitPage string
	// Pages holds the distinct paths viewed and Tags the distinct tags, each in
	// the order in which they were first seen.
	Pages, Tags []string
	Events      []EventSum
	Properties  map[string]string
	// Computed holds the keys of the computations that chose the session. It is no
	// part of what is stored: it is filled in for filter.Computed alone.
	Computed map[string]bool
	// Assigned holds, by experiment, the keys of the variants that the visitor was
	// assigned to in this session or in one that started before. It is no part of what
	// is stored: it is filled in for filter.Assigned alone.
	Assigned map[string]string
}

// EventSum is what one session holds of one event, in the order in which the
// events were first seen.
type EventSum struct {
	Name  string
	Count int
	// Values is how many of them had a value; Sum is their sum.
	Values int
	Sum    Sum
}

// Counts tells whether the session is counted and listed: it has a page view or
// an event. Traits alone are no visit; they wait for one that they belong to.
func (s *Session) Counts() bool { return s.PageViews > 0 || len(s.Events) > 0 }

// IsFirst tells whether the session is its visitor's first, given the time of
// the visitor's earliest page view or event.
func (s *Session) IsFirst(earliest Millis) bool {
	return s.Counts() && s.Start <= earliest && earliest <= s.End
}

// Length returns the time from the first to the last hit, in milliseconds.
func (s *Session) Length() Millis { return s.End - s.Start }

// Event returns what the session holds of the named event.
func (s *Session) Event(name string) (EventSum, bool) {
	for _, e := range s.Events {
		if e.Name == name {
			return e, true
		}
	}
	return EventSum{}, false
}

// Visit is a session together with hits of it, in order of time.
type Visit struct {
	Session Session
	Hits    []Hit
}

// Part returns the session folded again from those of the visit's hits, which must be
// all, that do not come before one (by Hit.Compare) and happened before an instant.
// What a session takes from its first hit, and whether it is the visitor's first, stays
// the whole session's. ok is false where what remains is no session that counts.
func (v *Visit) Part(from Hit, before Millis) (part Session, ok bool) {
	whole := &v.Session
	part = Session{ID: whole.ID, Visitor: whole.Visitor, VisitorKey: whole.VisitorKey, Key: whole.Key, First: whole.First, Origin: whole.Origin}
	some := false
	for _, hit := range v.Hits {
		if hit.Compare(from) < 0 || hit.At >= before {
			continue
		}
		if !some {
			some, part.Start = true, hit.At
		}
		part.add(hit)
	}
	return part, part.Counts()
}

// Fold returns the sessions of one visitor's hits, ordered by start. Hits with a
// session key are grouped by it; all others belong together while no two
// neighbours are more than SessionGap apart. A message id counts once. The order
// of hits does not matter; hits is reordered.
func Fold(hits []Hit) []Visit {
	visits, _ := Continue(nil, hits)
	return visits
}

// Continue folds hits onto sessions that their visitor has already: the result
// is what Fold would make of all hits together, with the hits given here alone.
// It can do so while every hit is later than the sessions of its key; otherwise
// ok is false, and the sessions' hits must be folded again from the start. The
// sessions are ordered by start, and are not changed; they come first, new ones
// follow in the order of their starts.
func Continue(sessions []Session, hits []Hit) (visits []Visit, ok bool) {
	slices.SortFunc(hits, Hit.Compare)
	open := map[string]int{} // the visit that a key's next hit may join
	for i, session := range sessions {
		session.Pages, session.Tags = slices.Clone(session.Pages), slices.Clone(session.Tags)
		session.Events, session.Properties = slices.Clone(session.Events), maps.Clone(session.Properties)
		visits = append(visits, Visit{Session: session})
		open[session.Key] = i
	}
	seen := make(map[MessageID]bool, len(hits))
	for _, hit := range hits {
		if seen[hit.ID] {
			continue
		}
		seen[hit.ID] = true
		at, found := open[hit.SessionKey]
		if found && at < len(sessions) && hit.At <= sessions[at].End {
			return nil, false
		}
		if !found || (hit.SessionKey == "" && hit.At-visits[at].Session.End > SessionGap) {
			at = len(visits)
			open[hit.SessionKey] = at
			visits = append(visits, Visit{Session: begin(hit)})
		}
		visits[at].Session.add(hit)
		visits[at].Hits = append(visits[at].Hits, hit)
	}
	return visits, true
}

// begin returns the session that a hit begins, to which it is still to be added.
func begin(hit Hit) Session {
	return Session{VisitorKey: hit.Visitor, Key: hit.SessionKey, Start: hit.At, Origin: hit.Origin}
}

// add takes in a hit that is no earlier than any the session has.
func (s *Session) add(hit Hit) {
	s.End = hit.At
	switch hit.Kind {
	case PageView:
		s.PageViews++
		s.ExitPage = hit.Name
		s.Pages = appendNew(s.Pages, hit.Name)
	case Event:
		s.addEvent(hit)
	}
	for _, tag := range hit.Tags {
		s.Tags = appendNew(s.Tags, tag)
	}
	if len(hit.Properties) > 0 {
		if s.Properties == nil {
			s.Properties = make(map[string]string, len(hit.Properties))
		}
		maps.Copy(s.Properties, hit.Properties)
	}
}

func (s *Session) addEvent(hit Hit) {
	at := slices.IndexFunc(s.Events, func(e EventSum) bool { return e.Name == hit.Name })
	if at < 0 {
		at = len(s.Events)
		s.Events = append(s.Events, EventSum{Name: hit.Name})
	}
	s.Events[at].Count++
	if hit.HasValue {
		s.Events[at].Values++
		s.Events[at].Sum = s.Events[at].Sum.Add(hit.Value.Sum())
	}
}

func appendNew(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}
