package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// writtenSession is a session of a visitor whose hits change.
type writtenSession struct {
	model.Session
	// old is the session as it is stored; nil if it is new.
	old *model.Session
	// first is the hit that it begins with, if that is known.
	first *model.Hit
	// hits are those to be inserted. isChanged tells that the session is to be written.
	hits      []model.Hit
	isChanged bool
	// isVoid gives the ordinal up.
	isVoid bool
}

// partition is the day of the partition that the session has its ordinal in or, if it is new, shall have.
func (s *writtenSession) partition() model.Day {
	if s.old != nil {
		return s.old.Start.Day()
	}
	return s.Start.Day()
}

// moveHits takes hits from the visitors that they are no longer of.
func (w *writer) moveHits(ctx context.Context) error {
	var losing []*writtenVisitor
	for _, v := range w.visitors {
		if len(v.removals) > 0 && !v.isNew {
			losing = append(losing, v)
		}
	}
	if len(losing) == 0 {
		return nil
	}
	refoldings, err := w.refoldings(ctx, losing)
	if err != nil {
		return err
	}
	for _, r := range refoldings {
		for i := range r.sessions {
			for _, hit := range r.hits[r.sessions[i].ID] {
				removal := r.v.removalOf(&hit)
				if removal == nil {
					continue
				}
				to := w.byKey[removal.to]
				hit.Visitor = to.key
				to.moved = append(to.moved, hit)
				w.dropped = append(w.dropped, droppedHit{r.sessions[i].ID, hit.At, hit.ID})
			}
		}
	}
	return nil
}

// droppedHit names a row of a hit that is deleted, or inserted otherwise.
type droppedHit struct {
	session model.SessionID
	at      model.Millis
	id      model.MessageID
}

// fold makes sessions of the hits, together with the sessions that they touch.
func (w *writer) fold(ctx context.Context) error {
	var known []*writtenVisitor
	for _, v := range w.visitors {
		if !v.isNew {
			known = append(known, v)
		}
	}
	sessions, err := w.neighbours(ctx, known)
	if err != nil {
		return err
	}
	var again []*writtenVisitor // those whose sessions must be folded from their hits
	for _, v := range w.visitors {
		visits, old, isFolded := v.visits, sessions[v.id], v.isNew && len(v.moved) == 0
		if !isFolded && len(v.removals) == 0 {
			visits, isFolded = model.Continue(old, slices.Concat(v.hits, v.moved))
		}
		if !isFolded {
			again = append(again, v)
			continue
		}
		for i := range visits {
			session := writtenSession{Session: visits[i].Session, hits: visits[i].Hits, isChanged: len(visits[i].Hits) > 0}
			if i < len(old) {
				session.old = &old[i]
			} else {
				session.first = &visits[i].Hits[0]
			}
			session.Visitor = v.id
			v.sessions = append(v.sessions, session)
		}
	}
	return w.refold(ctx, again)
}

// span is some time of a visitor.
type span struct {
	visitor  int64
	from, to model.Millis
}

// visitorKey asks for the sessions of a key of a visitor that a hit of some time may join, and for the nearest ones before and after.
type visitorKey struct {
	visitor  int64
	key      string
	from, to model.Millis
}

// neighbours returns the sessions that changed hits of visitors may belong to, by visitor.
func (w *writer) neighbours(ctx context.Context, visitors []*writtenVisitor) (map[int64][]model.Session, error) {
	var spans []span
	var keys []visitorKey
	for _, v := range visitors {
		from, to := v.span()
		if from > to {
			continue
		}
		spans = append(spans, span{v.id, from - model.SessionGap, to + model.SessionGap})
		isAsked := map[string]bool{"": true}
		for _, hits := range [][]model.Hit{v.hits, v.moved} {
			for i := range hits {
				if key := hits[i].SessionKey; !isAsked[key] {
					keys, isAsked[key] = append(keys, visitorKey{v.id, key, from, to + model.SessionGap}), true
				}
			}
		}
	}
	return w.sessionsIn(ctx, spans, keys)
}

// sessionsIn returns the sessions of visitors that last at some time of a span, or are asked for by a key, by visitor and ordered by
// start.
//
// The database is asked for those of all the visitors in the time of all spans, and for those of all keys: with a list of visitors
// it looks each up by an index, where it might read the whole table to join one of spans.
func (w *writer) sessionsIn(ctx context.Context, spans []span, keys []visitorKey) (map[int64][]model.Session, error) {
	byVisitor := make(map[int64]*wanted, len(spans))
	of := func(visitor int64) *wanted {
		if byVisitor[visitor] == nil {
			byVisitor[visitor] = &wanted{}
		}
		return byVisitor[visitor]
	}
	for _, s := range spans {
		of(s.visitor).spans = append(of(s.visitor).spans, s)
	}
	for _, k := range keys {
		of(k.visitor).keys = append(of(k.visitor).keys, k)
	}
	sessions := make(map[int64][]model.Session, len(byVisitor))
	for visitors := range slices.Chunk(slices.Sorted(maps.Keys(byVisitor)), insertChunk) {
		from, to, all := model.Open, -model.Open, map[string]bool{}
		for _, visitor := range visitors {
			byVisitor[visitor].join()
			for _, s := range byVisitor[visitor].spans {
				from, to = min(from, s.from), max(to, s.to)
			}
			for _, k := range byVisitor[visitor].keys {
				all[k.key] = true
			}
		}
		selected := func() *bun.SelectQuery {
			return w.tx.NewSelect().Table("sessions").Column(sessionColumns...).Where("site_id = ? AND visitor_id IN (?)", w.site, bun.List(visitors))
		}
		query := selected().Where("started_at <= ? AND ended_at >= ?", to, from)
		if len(all) > 0 {
			query = query.UnionAll(selected().Where("session_key IN (?) AND session_key <> ''", bun.List(slices.Sorted(maps.Keys(all)))))
		}
		found := map[int64][]model.Session{}
		if err := eachSession(ctx, query, false, func(session *model.Session) error {
			session.VisitorKey = w.keys[session.Visitor]
			found[session.Visitor] = append(found[session.Visitor], *session)
			return nil
		}); err != nil {
			return nil, err
		}
		for visitor, own := range found {
			if own = byVisitor[visitor].of(own); len(own) > 0 {
				sessions[visitor] = own
			}
		}
	}
	return sessions, nil
}

// wanted says which sessions of a visitor are needed.
type wanted struct {
	spans []span
	keys  []visitorKey
}

// join orders the spans, and makes one of those that touch.
func (w *wanted) join() {
	slices.SortFunc(w.spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	joined := w.spans[:0]
	for _, s := range w.spans {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, s.to)
		} else {
			joined = append(joined, s)
		}
	}
	w.spans = joined
}

// of returns those of a visitor's sessions that are needed, each once and ordered by start.
func (w *wanted) of(sessions []model.Session) []model.Session {
	slices.SortFunc(sessions, bySessionStart)
	sessions = slices.CompactFunc(sessions, func(a, b model.Session) bool { return a.ID == b.ID })
	isNeeded := make([]bool, len(sessions))
	byKey := map[string][]int{} // places
	for i := range sessions {
		after, _ := slices.BinarySearchFunc(w.spans, sessions[i].End, func(s span, at model.Millis) int { return cmp.Or(cmp.Compare(s.from, at), -1) })
		isNeeded[i] = after > 0 && w.spans[after-1].to >= sessions[i].Start
		byKey[sessions[i].Key] = append(byKey[sessions[i].Key], i)
	}
	for _, k := range w.keys {
		before, after := -model.Open, model.Open // when the nearest ones begin
		for _, i := range byKey[k.key] {
			if start := sessions[i].Start; start < k.from-model.MaxSessionLength {
				before = start
			} else if start > k.to {
				after = start
				break
			}
		}
		for _, i := range byKey[k.key] {
			if start := sessions[i].Start; before <= start && start <= after {
				isNeeded[i] = true
			}
		}
	}
	needed := sessions[:0]
	for i := range sessions {
		if isNeeded[i] {
			needed = append(needed, sessions[i])
		}
	}
	return needed
}

// bySessionStart orders the sessions of a visitor.
func bySessionStart(a, b model.Session) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID.Partition, b.ID.Partition), cmp.Compare(a.ID.Ordinal, b.ID.Ordinal))
}
