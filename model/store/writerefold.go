package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
)

// refolding is the folding of a visitor's sessions from their hits, from the first hit that changes on.
//
// What is before that hit stays. What is behind it is folded until nothing can differ any more: the sessions that a later hit
// could join are as they were.
type refolding struct {
	v        *writtenVisitor
	from, to model.Millis // when hits change
	// sessions are the stored ones, ordered by start, that last at some time around the change up to an instant, or at some time
	// of another one that is folded again. hits are those of the ones that are: they end behind the change, or as others do.
	sessions  []model.Session
	hits      map[model.SessionID][]model.Hit
	upTo      model.Millis
	isCovered map[model.SessionID]bool // sessions in whose time all others are here
	// keys are those whose sessions of that time are here, and the nearest before and after; asked are times of sessions of keys
	// that changed, for which that holds, too.
	keys  map[string]bool
	asked map[string]span
	// read is how many hits were read, and rounds how often sessions were looked for in the time of others. What begins at the cut,
	// or later, stays as it is: reading more would take too long.
	read, rounds int
	cut          model.Millis

	visits []model.Visit
	// resumed are the places among sessions of those that visits begin with.
	resumed []int
	owner   map[model.MessageID]int // the place of the session that has the hit now
	known   int                     // hits of the batch that were known by their hits
}

// refoldings reads what is needed to fold visitors again, at first.
func (w *writer) refoldings(ctx context.Context, visitors []*writtenVisitor) ([]*refolding, error) {
	sessions, err := w.neighbours(ctx, visitors)
	if err != nil {
		return nil, err
	}
	if err := w.split(visitors, sessions); err != nil {
		return nil, err
	}
	list := make([]*refolding, 0, len(visitors))
	for _, v := range visitors {
		r := &refolding{v: v, cut: model.Open, hits: map[model.SessionID][]model.Hit{}, isCovered: map[model.SessionID]bool{}, keys: map[string]bool{}, asked: map[string]span{}}
		r.from, r.to = v.span()
		r.upTo = r.to + model.SessionGap
		for _, hits := range [][]model.Hit{v.hits, v.moved} {
			for i := range hits {
				r.keys[hits[i].SessionKey] = true
			}
		}
		r.sessions = sessions[v.id]
		list = append(list, r)
	}
	return list, w.readAround(ctx, list)
}

// readAround reads the hits of the sessions that are folded again, and the sessions that last at some time of these or have
// their keys.
func (w *writer) readAround(ctx context.Context, list []*refolding) error {
	for isMore := true; isMore; {
		if err := w.readHits(ctx, list); err != nil {
			return err
		}
		var spans []span
		var keys []visitorKey
		for _, r := range list {
			if r.rounds++; r.rounds > maxRounds && len(r.sessions) > 0 {
				r.cut = min(r.cut, r.sessions[len(r.sessions)-1].Start+1)
				continue
			}
			for i := range r.sessions {
				session := &r.sessions[i]
				if _, isRead := r.hits[session.ID]; !isRead || r.isCovered[session.ID] {
					continue
				}
				r.isCovered[session.ID] = true
				if session.Key != "" && !r.keys[session.Key] {
					keys, r.keys[session.Key] = append(keys, visitorKey{r.v.id, session.Key, r.from, r.upTo}), true
				}
				if session.End > r.upTo {
					spans = append(spans, span{r.v.id, max(r.from, session.Start) - model.SessionGap, session.End})
				}
			}
		}
		found, err := w.sessionsIn(ctx, spans, keys)
		if err != nil {
			return err
		}
		isMore = false
		for _, r := range list {
			isMore = r.extend(found[r.v.id]) || isMore
		}
	}
	return nil
}

// readHits reads the hits of the sessions that were not read yet: of those that end behind the change, and of those that end while
// another one lasts, since only the hits tell which of the two had the latest before the change.
func (w *writer) readHits(ctx context.Context, list []*refolding) error {
	var needed []model.Session
	for _, r := range list {
		needed = append(needed, r.unread()...)
	}
	hits, err := hitsOf(ctx, w.tx, w.site, needed)
	if err != nil {
		return err
	}
	for _, r := range list {
		for _, session := range r.sessions {
			if read, found := hits[session.ID]; found {
				slices.SortFunc(read, model.Hit.Compare)
				r.hits[session.ID] = read
			}
		}
	}
	return nil
}

// unread returns the sessions whose hits are to be read, up to the cut.
func (r *refolding) unread() (needed []model.Session) {
	ends := make([]model.Millis, len(r.sessions))
	for i := range r.sessions {
		ends[i] = r.sessions[i].End
	}
	slices.Sort(ends)
	// isAlone tells that no other session lasts when one ends: as many have ended before that as began until then, but one.
	isAlone := func(session *model.Session) bool {
		began, _ := slices.BinarySearchFunc(r.sessions, session.End, func(s model.Session, at model.Millis) int { return cmp.Or(cmp.Compare(s.Start, at), -1) })
		ended, _ := slices.BinarySearch(ends, session.End)
		return began-ended == 1
	}
	for i := range r.sessions {
		session := &r.sessions[i]
		if _, isRead := r.hits[session.ID]; isRead {
			continue
		}
		if session.End < r.from && (r.from-session.End > model.SessionGap || isAlone(session)) {
			continue
		}
		if session.Start > r.to && r.read+session.Hits > maxRefolded {
			r.cut = session.Start
			later := slices.DeleteFunc(r.sessions[i:], func(s model.Session) bool { return r.hits[s.ID] == nil })
			r.sessions = r.sessions[:i+len(later)]
			break
		}
		r.read += session.Hits
		needed = append(needed, *session)
	}
	return needed
}

// The bounds of what is folded again for a visitor in one write, because sessions before it change. What comes behind keeps its
// sessions: only those of a visitor that goes on for days without a pause, as no person does, can depend on so much.
const (
	// maxRefolded is how many hits are read.
	maxRefolded = 50_000
	// maxRounds is how many sessions that overlap one by one are followed.
	maxRounds = 50
)

// refold folds the sessions of visitors from their hits.
func (w *writer) refold(ctx context.Context, visitors []*writtenVisitor) error {
	if len(visitors) == 0 {
		return nil
	}
	all, err := w.refoldings(ctx, visitors)
	if err != nil {
		return err
	}
	for list, reach := all, model.SessionGap; len(list) > 0; reach *= 2 {
		var spans []span
		var keys []visitorKey
		var open []*refolding
		for _, r := range list {
			r.fold()
			until, changed := r.horizon()
			if until <= r.upTo && len(changed) == 0 || r.cut < model.Open {
				continue
			}
			spans = append(spans, span{r.v.id, r.upTo, max(until, r.upTo) + reach})
			keys = append(keys, changed...)
			r.upTo = max(until, r.upTo) + reach
			open = append(open, r)
		}
		found, err := w.sessionsIn(ctx, spans, keys)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(open, func(r *refolding) bool { return !r.extend(found[r.v.id]) })
		if err := w.readAround(ctx, list); err != nil {
			return err
		}
	}
	for _, r := range all {
		w.found += r.known
		if err := w.keep(r); err != nil {
			return err
		}
	}
	return nil
}

// extend takes in sessions, and tells whether some were not known.
func (r *refolding) extend(found []model.Session) bool {
	n, isKnown := len(r.sessions), make(map[model.SessionID]bool, len(r.sessions))
	for i := range r.sessions {
		isKnown[r.sessions[i].ID] = true
	}
	for _, session := range found {
		if !isKnown[session.ID] && session.Start < r.cut {
			r.sessions = append(r.sessions, session)
		}
	}
	slices.SortFunc(r.sessions, bySessionStart)
	return len(r.sessions) > n
}

// fold folds what has been read.
func (r *refolding) fold() {
	r.owner = map[model.MessageID]int{}
	var stored []model.Hit
	change := model.Hit{At: model.Open}
	earlier := func(hit *model.Hit) {
		if hit.Compare(change) < 0 {
			change = *hit
		}
	}
	for place := range r.sessions {
		for _, hit := range r.hits[r.sessions[place].ID] {
			if r.v.removalOf(&hit) != nil {
				earlier(&hit)
				continue
			}
			r.owner[hit.ID] = place
			stored = append(stored, hit)
		}
	}
	// Those whose message's id was forgotten are known all the same.
	added := make([]model.Hit, 0, len(r.v.hits)+len(r.v.moved))
	for _, hit := range slices.Concat(r.v.hits, r.v.moved) {
		if _, isKnown := r.owner[hit.ID]; !isKnown {
			added = append(added, hit)
			earlier(&hit)
		}
	}
	r.known = len(r.v.hits) + len(r.v.moved) - len(added)

	type state struct {
		model.Session
		place int
		last  model.Hit
	}
	before := map[int][]model.Hit{}
	var behind []model.Hit
	for _, hit := range stored {
		if place := r.owner[hit.ID]; hit.Compare(change) < 0 {
			before[place] = append(before[place], hit)
		} else {
			behind = append(behind, hit)
		}
	}
	var states []state
	for place := range r.sessions {
		session := &r.sessions[place]
		own, isRead := r.hits[session.ID]
		switch {
		case !isRead || len(before[place]) == len(own):
			s := state{Session: *session, place: place, last: model.Hit{At: session.End}}
			if isRead {
				s.last = own[len(own)-1]
			}
			states = append(states, s)
		case len(before[place]) > 0:
			part := model.SessionOf(before[place])
			part.ID, part.Visitor, part.VisitorKey = session.ID, session.Visitor, session.VisitorKey
			states = append(states, state{part, place, before[place][len(before[place])-1]})
		}
	}
	slices.SortStableFunc(states, func(a, b state) int { return a.last.Compare(b.last) })
	sessions := make([]model.Session, len(states))
	r.resumed = make([]int, len(states))
	for i := range states {
		sessions[i], r.resumed[i] = states[i].Session, states[i].place
	}
	folding := model.NewFolding(sessions)
	behind = append(behind, added...)
	slices.SortFunc(behind, model.Hit.Compare)
	for i, hit := range behind {
		if i == 0 || hit.ID != behind[i-1].ID {
			folding.Add(hit)
		}
	}
	r.visits = folding.Visits()
}

// influence is what of a session decides on later hits.
type influence struct {
	key        string
	start, end model.Millis
	isFull     bool
}

func influenceOf(s *model.Session) influence {
	return influence{s.Key, s.Start, s.End, s.Hits >= model.MaxSessionHits}
}

// horizon returns until when sessions may begin that the changes touch, and of which keys, besides those that are here.
func (r *refolding) horizon() (until model.Millis, keys []visitorKey) {
	differences := map[influence]int{}
	for i := range r.sessions {
		differences[influenceOf(&r.sessions[i])]--
	}
	for i := range r.visits {
		differences[influenceOf(&r.visits[i].Session)]++
	}
	type identity struct {
		key    string
		start  model.Millis
		isFull bool
	}
	keyed := map[identity]int{}
	until = -model.Open
	for of, n := range differences {
		if n == 0 {
			continue
		}
		if !of.isFull {
			until = max(until, of.end+model.SessionGap)
		}
		keyed[identity{of.key, of.start, of.isFull}] += n
	}
	changed := map[string]span{}
	for of, n := range keyed {
		if n == 0 || of.key == "" {
			continue
		}
		times, found := changed[of.key]
		if !found {
			times = span{r.v.id, of.start, of.start}
		}
		changed[of.key] = span{r.v.id, min(times.from, of.start), max(times.to, of.start)}
	}
	for key, times := range changed {
		if asked, found := r.asked[key]; !found || times.from < asked.from || times.to > asked.to {
			keys, r.asked[key] = append(keys, visitorKey{r.v.id, key, times.from, times.to}), times
		}
	}
	return until, keys
}

// keep says what becomes of the sessions and the hits that were folded.
func (w *writer) keep(r *refolding) error {
	taken := map[int]bool{}
	for _, place := range r.resumed {
		taken[place] = true
	}
	for i := range r.visits {
		visit := &r.visits[i]
		session := writtenSession{Session: visit.Session}
		place := -1
		if i < len(r.resumed) {
			place = r.resumed[i]
		} else {
			session.first = &visit.Hits[0]
			for n := range visit.Hits {
				at, isStored := r.owner[visit.Hits[n].ID]
				if isStored && !taken[at] && r.sessions[at].Start.Day() == session.Start.Day() {
					place, taken[at] = at, true
					break
				}
			}
		}
		session.ID = model.SessionID{}
		if place >= 0 {
			session.old = &r.sessions[place]
			session.ID = session.old.ID
		}
		session.Visitor, session.VisitorKey, session.First = r.v.id, r.v.key, false
		for n := range visit.Hits {
			hit := &visit.Hits[n]
			at, isStored := r.owner[hit.ID]
			if isStored {
				isSame, err := isStoredAlike(hit, &r.sessions[at], &session.Session)
				if err != nil {
					return err
				}
				if isSame {
					continue
				}
				w.dropped = append(w.dropped, droppedHit{r.sessions[at].ID, hit.At, hit.ID})
			}
			session.hits = append(session.hits, *hit)
		}
		if session.old == nil {
			session.isChanged = true
		} else {
			same, old := session.Session, *session.old
			same.First, old.First = false, false
			session.isChanged = len(session.hits) > 0 || !sameSession(&same, &old)
		}
		r.v.sessions = append(r.v.sessions, session)
	}
	for place := range r.sessions {
		if !taken[place] {
			r.v.sessions = append(r.v.sessions, writtenSession{old: &r.sessions[place], isChanged: true, isVoid: true, Session: model.Session{ID: r.sessions[place].ID}})
		}
	}
	// What was known all the same is no event twice.
	r.v.hits = slices.DeleteFunc(r.v.hits, func(hit model.Hit) bool {
		_, isKnown := r.owner[hit.ID]
		return isKnown
	})
	return nil
}

// isStoredAlike tells whether the row of a hit stays as it is when its session becomes another, or is another.
func isStoredAlike(hit *model.Hit, from, to *model.Session) (bool, error) {
	if from.ID != to.ID {
		return false, nil
	}
	knows, origin, err := shareOrigin(hit, from)
	if err != nil {
		return false, err
	}
	newKnows, newOrigin, err := shareOrigin(hit, to)
	return knows == newKnows && origin == newOrigin, err
}

// sameSession tells whether a session would be stored as another one.
func sameSession(a, b *model.Session) bool {
	return a.ID == b.ID && a.Key == b.Key && a.Start == b.Start && a.End == b.End && a.Hits == b.Hits && a.PageViews == b.PageViews &&
		a.Origin == b.Origin && a.Knows == b.Knows && a.ExitPage == b.ExitPage && slices.Equal(a.Pages, b.Pages) && slices.Equal(a.Tags, b.Tags) &&
		slices.Equal(a.Events, b.Events) && maps.Equal(a.Properties, b.Properties)
}
