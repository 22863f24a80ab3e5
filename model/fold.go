package model

import (
	"cmp"
	"maps"
	"slices"
)

// The bounds of a session, in milliseconds and in hits.
const (
	// SessionGap is the longest pause within an open session: 30 minutes exactly still join.
	SessionGap Millis = 30 * 60 * 1000
	// MaxSessionLength is when a session ends at the latest: a hit of that moment begins another.
	MaxSessionLength Millis = 24 * 60 * 60 * 1000
	// MaxSessionHits is the most hits of a session.
	MaxSessionHits = 10_000
)

// Folding makes the sessions of one visitor out of its hits, which are added in their order (Hit.Compare):
//
//   - A hit with a session key that the visitor had before belongs to the newest session of that key,
//     whatever the pause, while that is not over.
//   - One with a new key belongs to the open session, if that has no key, and gives it its own.
//   - One without a key belongs to the open session.
//   - All others begin a session.
//
// A session is over MaxSessionLength after it began, or with its hit of number MaxSessionHits. It is open while
// it is not over and its last hit is at most SessionGap ago. Of several that are, the one with the
// latest hit is meant.
type Folding struct {
	visits []Visit
	// newest are the newest sessions of each key, and recent those that may be open, the one with the latest
	// hit last.
	newest map[string]int
	recent []int
}

// NewFolding returns a Folding that goes on from sessions of the visitor, whose hits are all before those that
// are to be added. They are given in the order of their last hits, and are not changed. Those that no hit can join
// may be left out, but for one of each key.
func NewFolding(sessions []Session) *Folding {
	f := &Folding{newest: map[string]int{}}
	for i, session := range sessions {
		session.Pages, session.Tags = slices.Clone(session.Pages), slices.Clone(session.Tags)
		session.Events, session.Properties = slices.Clone(session.Events), maps.Clone(session.Properties)
		f.visits = append(f.visits, Visit{Session: session})
		f.recent = append(f.recent, i)
		if session.Key == "" {
			continue
		}
		// Of one instant, the one that is not full is the newer one.
		if other, found := f.newest[session.Key]; !found || cmp.Or(cmp.Compare(sessions[other].Start, session.Start), cmp.Compare(session.Hits, sessions[other].Hits)) < 0 {
			f.newest[session.Key] = i
		}
	}
	return f
}

// Visits returns the sessions that the Folding began with, in their order, and then those that hits began. The hits of
// each are those that were added.
func (f *Folding) Visits() []Visit { return f.visits }

// Add adds a hit, and returns the place of its visit.
func (f *Folding) Add(hit Hit) (place int) {
	place = f.find(hit)
	if place < 0 {
		place = len(f.visits)
		f.visits = append(f.visits, Visit{Session: begin(hit)})
	}
	visit := &f.visits[place]
	visit.Session.add(hit)
	visit.Hits = append(visit.Hits, hit)
	if hit.SessionKey != "" {
		f.newest[hit.SessionKey] = place
	}
	if at := slices.Index(f.recent, place); at >= 0 {
		f.recent = slices.Delete(f.recent, at, at+1)
	}
	f.recent = append(f.recent, place)
	return place
}

// find returns the place of the session that a hit belongs to; -1 where it begins one.
func (f *Folding) find(hit Hit) int {
	if hit.SessionKey != "" {
		if place, found := f.newest[hit.SessionKey]; found {
			if f.visits[place].Session.IsOver(hit.At) {
				return -1
			}
			return place
		}
	}
	place := f.open(hit.At)
	if place >= 0 && hit.SessionKey != "" && f.visits[place].Session.Key != "" {
		return -1
	}
	return place
}

// open returns the place of the open session at an instant; -1 without one.
func (f *Folding) open(at Millis) int {
	for i := len(f.recent) - 1; i >= 0; i-- {
		session := &f.visits[f.recent[i]].Session
		switch {
		case at-session.End > SessionGap: // and so have all before it
			f.recent = f.recent[i+1:]
			return -1
		case session.IsOver(at):
			f.recent = slices.Delete(f.recent, i, i+1)
		default:
			return f.recent[i]
		}
	}
	return -1
}

// IsOver tells whether no hit of an instant, or later, can belong to the session.
func (s *Session) IsOver(at Millis) bool {
	return s.Hits >= MaxSessionHits || at-s.Start >= MaxSessionLength
}

// Fold returns the sessions of one visitor's hits, ordered by start. A message id counts once. The order
// of hits does not matter; hits is reordered.
func Fold(hits []Hit) []Visit {
	visits, _ := Continue(nil, hits)
	return visits
}

// Continue folds hits onto sessions that their visitor has already: the result
// is what Fold would make of all hits together, with the hits given here alone.
// It can do so while every hit is later than all of the sessions, and no two of these that a hit may join end
// at one instant; otherwise ok is false, and hits must be folded again. The
// sessions may be in any order, and are not changed; they come first, new ones
// follow in the order of their starts.
func Continue(sessions []Session, hits []Hit) (visits []Visit, ok bool) {
	slices.SortFunc(hits, Hit.Compare)
	places := make([]int, len(sessions))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(sessions[a].End, sessions[b].End) })
	ordered := make([]Session, len(sessions))
	for i, place := range places {
		ordered[i] = sessions[place]
	}
	if len(hits) > 0 && len(ordered) > 0 {
		first, last := hits[0].At, &ordered[len(ordered)-1]
		if first <= last.End || AreTied(ordered, first) {
			return nil, false
		}
	}
	f := NewFolding(ordered)
	seen := make(map[MessageID]bool, len(hits))
	for _, hit := range hits {
		if !seen[hit.ID] {
			seen[hit.ID] = true
			f.Add(hit)
		}
	}
	visits = make([]Visit, len(f.visits))
	copy(visits[len(sessions):], f.visits[len(sessions):])
	for i, place := range places {
		visits[place] = f.visits[i]
	}
	return visits, true
}

// AreTied tells whether two of the sessions, ordered by their ends, end at one instant and may both be joined by a hit: only
// their hits tell which has the latest.
func AreTied(sessions []Session, at Millis) bool {
	for i := 1; i < len(sessions); i++ {
		if sessions[i-1].End == sessions[i].End && !sessions[i-1].IsOver(at) && !sessions[i].IsOver(at) {
			return true
		}
	}
	return false
}
