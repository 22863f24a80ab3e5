package store

import (
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// change is a session to be written.
type change struct {
	session model.Session
	// partition is the day of the partition that the session has its ordinal in, or
	// where isNew, shall have.
	partition model.Day
	isNew     bool
	// void gives the ordinal up. moved are the sessions whose hits become this one's.
	void  bool
	moved []model.SessionID
	// hits are those to be inserted; first tells that the first of them begins the session.
	hits  []model.Hit
	first bool
}

// demotion is a session that is its visitor's first no longer.
type demotion struct {
	partition model.Day
	session   model.SessionID
}

// fold makes sessions of the hits, together with the sessions that they touch.
func (w *writer) fold(ctx context.Context) error {
	sessions, err := w.neighbours(ctx)
	if err != nil {
		return err
	}
	var again []*writtenVisitor // those whose sessions must be folded from their hits
	var touched []model.Session
	for _, v := range w.visitors {
		visits, ok := model.Continue(sessions[v.id], v.hits)
		if !ok {
			again = append(again, v)
			touched = append(touched, sessions[v.id]...)
			continue
		}
		for i, visit := range visits {
			if len(visit.Hits) == 0 {
				continue
			}
			c := change{session: visit.Session, hits: visit.Hits, partition: visit.Session.Start.Day()}
			c.isNew = i >= len(sessions[v.id])
			c.first = c.isNew
			w.change(v, c)
		}
	}
	if len(again) == 0 {
		return nil
	}
	known, err := hitsOf(ctx, w.tx, w.site, touched)
	if err != nil {
		return err
	}
	for _, v := range again {
		w.foldAgain(v, sessions[v.id], known)
	}
	return nil
}

// neighbours returns the sessions that the hits may join, by visitor, ordered by
// start.
func (w *writer) neighbours(ctx context.Context) (map[int64][]model.Session, error) {
	sessions := map[int64][]model.Session{}
	for visitors := range slices.Chunk(w.visitors, insertChunk) {
		byID := make(map[int64]*writtenVisitor, len(visitors))
		keys := map[string]bool{}
		earliest, latest := model.Open, -model.Open
		for _, v := range visitors {
			if v.isNew {
				continue
			}
			byID[v.id] = v
			for _, hit := range v.hits {
				earliest, latest = min(earliest, hit.At), max(latest, hit.At)
				if hit.SessionKey != "" {
					keys[hit.SessionKey] = true
				}
			}
		}
		if len(byID) == 0 {
			continue
		}
		query := w.tx.NewSelect().Table("sessions").Column(sessionColumns...).
			Where("site_id = ? AND visitor_id IN (?)", w.site, bun.List(slices.Sorted(maps.Keys(byID)))).
			WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
				q = q.Where("started_at <= ? AND ended_at >= ?", latest+model.SessionGap, earliest-model.SessionGap)
				if len(keys) > 0 {
					q = q.WhereOr("session_key IN (?)", bun.List(slices.Sorted(maps.Keys(keys))))
				}
				return q
			}).
			Order("started_at", "partition_id", "ordinal")
		err := eachSession(ctx, query, false, func(session *model.Session) error {
			session.VisitorKey = byID[session.Visitor].key
			sessions[session.Visitor] = append(sessions[session.Visitor], *session)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

// foldAgain folds sessions from the hits that are known of them and from new
// ones. Since hits are only added, each session goes whole into one visit.
func (w *writer) foldAgain(v *writtenVisitor, sessions []model.Session, known map[model.SessionID][]model.Hit) {
	owner := map[model.MessageID]int{}
	hits := slices.Clone(v.hits)
	for i, session := range sessions {
		for _, hit := range known[session.ID] {
			owner[hit.ID] = i
			hits = append(hits, hit)
		}
	}
	// Those whose message's id was forgotten are known all the same.
	n := len(v.hits)
	v.hits = slices.DeleteFunc(v.hits, func(hit model.Hit) bool {
		_, isKnown := owner[hit.ID]
		return isKnown
	})
	w.found += n - len(v.hits)
	for _, visit := range model.Fold(hits) {
		c := change{session: visit.Session, partition: visit.Session.Start.Day(), isNew: true}
		var parts []int
		for i, hit := range visit.Hits {
			part, isKnown := owner[hit.ID]
			if !isKnown {
				c.first = c.first || i == 0
				c.hits = append(c.hits, hit)
			} else if !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
		if len(c.hits) == 0 {
			continue
		}
		for _, part := range parts {
			if old := sessions[part]; c.isNew && old.Start.Day() == c.partition {
				c.isNew = false
				c.session.ID = old.ID
				continue
			}
			c.moved = append(c.moved, sessions[part].ID)
			w.changes = append(w.changes, change{void: true, partition: sessions[part].Start.Day(), session: model.Session{ID: sessions[part].ID}})
		}
		w.change(v, c)
	}
}

func (w *writer) change(v *writtenVisitor, c change) {
	c.session.Visitor = v.id
	c.session.First = c.session.IsFirst(v.firstAt)
	w.changes = append(w.changes, c)
}
