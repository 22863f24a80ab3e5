package model

import (
	"maps"
	"slices"
)

// SessionID names a session: its site, its partition and its ordinal there.
type SessionID struct {
	Site, Partition int64
	Ordinal         int32
}

// Session is a visit: what one visitor did without a pause longer than
// SessionGap, or under one key that the sender gave it (fold.go has the rules). A visitor's
// sessions are a function of the visitor's hits, not of the order in which they arrived.
type Session struct {
	ID SessionID
	// Visitor numbers the visitor within the database; VisitorKey is what the
	// site's messages call it.
	Visitor    int64
	VisitorKey string
	// Key is the sender's own name of the session, mostly empty.
	Key string
	// First tells that the session counts and that no session of the visitor which counts
	// began before it.
	First bool
	// Start and End are the times of the first and of the last hit. Hits is how many there are.
	Start, End Millis
	Hits       int
	PageViews  int
	// Origin is put together from those of the hits, as far as Knows tells: each part is that of
	// the first hit that knows it.
	Origin
	Knows Knowledge
	// ExitPage is the path of the last page view.
	ExitPage string
	// Pages holds the distinct paths viewed and Tags the distinct tags, each in
	// the order in which they were first seen. Of them, and of Events and Properties, a session
	// holds up to 1000 values and about 64 KiB of text; what more there is counts as OtherValue.
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

// TextBytes is about how many bytes the texts have that are stored.
func (s *Session) TextBytes() int {
	bytes := bytesOf(s.VisitorKey, s.Key, s.ExitPage) + bytesOf(s.Pages...) + bytesOf(s.Tags...) + bytesOfPairs(s.Properties) + s.Origin.TextBytes()
	for i := range s.Events {
		bytes += len(s.Events[i].Name)
	}
	return bytes
}

// Counts tells whether the session is counted and listed: it has a page view or
// an event. Traits alone are no visit; they wait for one that they belong to.
func (s *Session) Counts() bool { return s.PageViews > 0 || len(s.Events) > 0 }

// IsTruncated tells whether a bound ended the session, not a pause: it has as many hits as it may, or lasted until less
// than SessionGap before MaxSessionLength.
func (s *Session) IsTruncated() bool {
	return s.Hits >= MaxSessionHits || s.Length() > MaxSessionLength-SessionGap
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
// all, that happened at an instant or later, and before another. What a session takes of its origin,
// and whether it is the visitor's first, stays the whole session's. ok is false where what remains
// is no session that counts.
func (v *Visit) Part(from, before Millis) (part Session, ok bool) {
	whole := &v.Session
	part = Session{
		ID: whole.ID, Visitor: whole.Visitor, VisitorKey: whole.VisitorKey, Key: whole.Key, First: whole.First,
		Origin: whole.Origin, Knows: whole.Knows,
	}
	for _, hit := range v.Hits {
		if hit.At < from || hit.At >= before {
			continue
		}
		if part.Hits == 0 {
			part.Start = hit.At
		}
		part.add(hit)
	}
	return part, part.Counts()
}

// SessionOf returns the session of hits that belong to one, in their order.
func SessionOf(hits []Hit) Session {
	session := begin(hits[0])
	for _, hit := range hits {
		session.add(hit)
	}
	return session
}

// begin returns the session that a hit begins, to which it is still to be added.
func begin(hit Hit) Session { return Session{VisitorKey: hit.Visitor, Start: hit.At} }

// add takes in a hit that is no earlier than any the session has.
func (s *Session) add(hit Hit) {
	s.End = hit.At
	s.Hits++
	if s.Key == "" {
		s.Key = hit.SessionKey
	}
	s.Origin.take(hit.origin(), hit.Knows&^s.Knows)
	s.Knows |= hit.Knows
	switch hit.Kind {
	case PageView:
		s.PageViews++
		s.ExitPage = hit.Name
		s.Pages = appendSome(s.Pages, hit.Name)
	case Event:
		s.addEvent(hit)
	}
	for _, tag := range hit.Tags {
		s.Tags = appendSome(s.Tags, tag)
	}
	s.addProperties(hit.Properties)
}

// addProperties takes in properties, in the order of their keys, as far as there is room.
func (s *Session) addProperties(properties map[string]string) {
	if len(properties) == 0 {
		return
	}
	if s.Properties == nil {
		s.Properties = make(map[string]string, len(properties))
	}
	if len(s.Properties)+len(properties) <= maxSessionText/MaxTextBytes/2 {
		maps.Copy(s.Properties, properties)
		return
	}
	size := 0
	for key, value := range s.Properties {
		size += len(key) + len(value)
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		old, isKnown := s.Properties[key]
		more := len(properties[key]) - len(old)
		if !isKnown {
			more += len(key)
		}
		if more <= 0 || size+more <= maxSessionText && len(s.Properties) < maxSessionValues {
			s.Properties[key] = properties[key]
			size += more
		}
	}
}

func (s *Session) addEvent(hit Hit) {
	find := func(name string) int {
		return slices.IndexFunc(s.Events, func(e EventSum) bool { return e.Name == name })
	}
	name := hit.Name
	at := find(name)
	if at < 0 && isFull(s.Events, func(e EventSum) string { return e.Name }) {
		name = OtherValue
		at = find(name)
	}
	if at < 0 {
		at = len(s.Events)
		s.Events = append(s.Events, EventSum{Name: name})
	}
	s.Events[at].Count++
	if hit.HasValue {
		s.Events[at].Values++
		s.Events[at].Sum = s.Events[at].Sum.Add(hit.Value.Sum())
	}
}

// The bounds of what a session lists of each kind, pages, tags, events and properties, so that its size does not grow with its
// hits: values, and bytes of them. What comes behind is OtherValue; of properties nothing.
const (
	maxSessionValues = 1000
	maxSessionText   = 64 << 10
)

// isFull tells whether a session's list takes no more values.
func isFull[T any](list []T, text func(T) string) bool {
	if len(list) < maxSessionText/MaxTextBytes {
		return false
	}
	size := 0
	for _, element := range list {
		size += len(text(element))
	}
	return len(list) >= maxSessionValues || size >= maxSessionText
}

// appendSome is appendNew to a session's list.
func appendSome(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	if isFull(list, func(s string) string { return s }) {
		value = OtherValue
	}
	return appendNew(list, value)
}

func appendNew(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}
