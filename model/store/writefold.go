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
				at := slices.IndexFunc(r.v.removals, func(removal removal) bool { return removal.takes(&hit) })
				if at < 0 {
					continue
				}
				to := w.byKey[r.v.removals[at].to]
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

// visitorKey is a session key of a visitor.
type visitorKey struct {
	visitor int64
	key     string
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
		for _, hits := range [][]model.Hit{v.hits, v.moved} {
			for i := range hits {
				if hits[i].SessionKey != "" {
					keys = append(keys, visitorKey{v.id, hits[i].SessionKey})
				}
			}
		}
	}
	return w.sessionsIn(ctx, spans, keys)
}

// sessionsIn returns the sessions of visitors that last at some time of a span, or have a key, by visitor and ordered by start.
//
// The database is asked for those of all the visitors in the time of all spans: with a list of visitors it looks each up by an
// index, where it might read the whole table to join one of spans.
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
		of(k.visitor).keys = append(of(k.visitor).keys, k.key)
	}
	sessions := map[int64][]model.Session{}
	for visitors := range slices.Chunk(slices.Sorted(maps.Keys(byVisitor)), insertChunk) {
		from, to, all := model.Open, -model.Open, map[string]bool{}
		for _, visitor := range visitors {
			for _, s := range byVisitor[visitor].spans {
				from, to = min(from, s.from), max(to, s.to)
			}
			for _, key := range byVisitor[visitor].keys {
				all[key] = true
			}
		}
		query := w.tx.NewSelect().Table("sessions").Column(sessionColumns...).
			Where("site_id = ? AND visitor_id IN (?)", w.site, bun.List(visitors)).
			WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
				q = q.Where("started_at <= ? AND ended_at >= ?", to, from)
				if len(all) > 0 {
					q = q.WhereOr("session_key IN (?)", bun.List(slices.Sorted(maps.Keys(all))))
				}
				return q
			})
		if err := eachSession(ctx, query, false, func(session *model.Session) error {
			if byVisitor[session.Visitor].has(session) {
				session.VisitorKey = w.keys[session.Visitor]
				sessions[session.Visitor] = append(sessions[session.Visitor], *session)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, own := range sessions {
		slices.SortFunc(own, func(a, b model.Session) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID.Partition, b.ID.Partition), cmp.Compare(a.ID.Ordinal, b.ID.Ordinal))
		})
	}
	return sessions, nil
}

// wanted says which sessions of a visitor are needed.
type wanted struct {
	spans []span
	keys  []string
}

func (w *wanted) has(session *model.Session) bool {
	return session.Key != "" && slices.Contains(w.keys, session.Key) ||
		slices.ContainsFunc(w.spans, func(s span) bool { return session.Start <= s.to && session.End >= s.from })
}
