package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// flagged is a session, not changed otherwise, that becomes its visitor's first one or is it no longer.
type flagged struct {
	session model.SessionID
	day     model.Day // of its partition
	isFirst bool
}

// candidate is a session that counts, and may be its visitor's first one.
type candidate struct {
	id      model.SessionID
	start   model.Millis
	isFirst bool            // as it is stored
	written *writtenSession // nil if the write does not touch it
}

// candidates are those sessions of a visitor that the write looked at.
func (v *writtenVisitor) candidates() (list []candidate, hasFirst bool) {
	for i := range v.sessions {
		s := &v.sessions[i]
		isFirst := s.old != nil && s.old.First
		hasFirst = hasFirst || isFirst
		if !s.isVoid && s.Counts() {
			list = append(list, candidate{id: s.ID, start: s.Start, isFirst: isFirst, written: s})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int { return cmp.Compare(a.start, b.start) })
	return list, hasFirst
}

// findFirsts finds the first session of each visitor: of those that count, the one that began first.
func (w *writer) findFirsts(ctx context.Context) error {
	var contested []int64 // visitors with a first session, out of sight, that may have lost to another
	for _, v := range w.visitors {
		if list, hasFirst := v.candidates(); !hasFirst && len(list) > 0 && v.firstAt != model.Open && list[0].start <= v.firstAt && !v.isNew {
			contested = append(contested, v.id)
		}
	}
	holders := map[int64]candidate{}
	for chunk := range slices.Chunk(contested, insertChunk) {
		query := w.tx.NewSelect().Where("visitor_id IN (?) AND first_visit", bun.List(chunk))
		if err := w.eachCandidate(ctx, query, func(visitor int64, c candidate) { holders[visitor] = c }); err != nil {
			return err
		}
	}
	var rows []visitorRow
	for _, v := range w.visitors {
		firstAt, err := w.findFirst(ctx, v, holders)
		if err != nil {
			return err
		}
		if firstAt != v.firstAt {
			rows = append(rows, visitorRow{SiteID: w.site, Visitor: v.key, FirstAt: firstAt})
		}
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := rows[from:to]
		return w.tx.NewInsert().Model(&part).On("CONFLICT (site_id, visitor) DO UPDATE").Set("first_at = EXCLUDED.first_at")
	})
}

// findFirst flags a visitor's first session, and returns when it began; model.Open without one.
func (w *writer) findFirst(ctx context.Context, v *writtenVisitor, holders map[int64]candidate) (firstAt model.Millis, err error) {
	list, hasFirst := v.candidates()
	if holder, found := holders[v.id]; found {
		list = append(list, holder)
	}
	if hasFirst && (len(list) == 0 || list[0].start > v.firstAt) {
		// What was the first is it no longer: the next one may be any.
		isWritten := make(map[model.SessionID]bool, len(v.sessions))
		for i := range v.sessions {
			if old := v.sessions[i].old; old != nil {
				isWritten[old.ID] = true
			}
		}
		next, err := w.nextStart(ctx, v, isWritten)
		if err != nil {
			return 0, err
		}
		query := w.tx.NewSelect().Where("visitor_id = ? AND started_at = ?", v.id, next).Where(counted)
		if err := w.eachCandidate(ctx, query, func(_ int64, c candidate) {
			if !isWritten[c.id] {
				list = append(list, c)
			}
		}); err != nil {
			return 0, err
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.start, b.start) })
	if len(list) > 1 && list[0].start == list[1].start {
		if err := w.breakTie(ctx, list); err != nil {
			return 0, err
		}
	}
	isHeld := !hasFirst && v.firstAt != model.Open && !v.isNew && (len(list) == 0 || v.firstAt < list[0].start)
	for i, c := range list {
		isFirst := i == 0 && !isHeld
		switch {
		case c.written != nil:
			c.written.First = isFirst
			c.written.isChanged = c.written.isChanged || isFirst != c.isFirst
		case isFirst != c.isFirst:
			w.flagged = append(w.flagged, flagged{c.id, c.start.Day(), isFirst})
		}
	}
	switch {
	case isHeld:
		return v.firstAt, nil
	case len(list) == 0:
		return model.Open, nil
	}
	return list[0].start, nil
}

// nextStart returns when the first session of a visitor began but those that are written; model.Open without one.
func (w *writer) nextStart(ctx context.Context, v *writtenVisitor, isWritten map[model.SessionID]bool) (model.Millis, error) {
	start := model.Open
	query := w.tx.NewSelect().Where("visitor_id = ?", v.id).Where(counted).Order("started_at").Limit(int64(len(isWritten)) + 1)
	err := w.eachCandidate(ctx, query, func(_ int64, c candidate) {
		if !isWritten[c.id] {
			start = min(start, c.start)
		}
	})
	return start, err
}

// eachCandidate calls do with the sessions of a query and their visitors.
func (w *writer) eachCandidate(ctx context.Context, query *bun.SelectQuery, do func(visitor int64, c candidate)) error {
	rows, err := query.Table("sessions").Column("visitor_id", "partition_id", "ordinal", "started_at", "first_visit").Where("site_id = ?", w.site).Rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		c, visitor := candidate{id: model.SessionID{Site: w.site}}, int64(0)
		if err := rows.Scan(&visitor, &c.id.Partition, &c.id.Ordinal, (*int64)(&c.start), &c.isFirst); err != nil {
			return err
		}
		do(visitor, c)
	}
	return rows.Err()
}

// breakTie orders the candidates that began at the instant of the first one by the hits that they began with.
func (w *writer) breakTie(ctx context.Context, list []candidate) error {
	n := 1
	for n < len(list) && list[n].start == list[0].start {
		n++
	}
	firsts := make(map[model.SessionID]model.Hit, n)
	first := func(c candidate) model.Hit {
		if c.written != nil && c.written.first != nil {
			return *c.written.first
		}
		return firsts[c.id]
	}
	for chunk := range slices.Chunk(list[:n], insertChunk) {
		ids := listed(chunk, func(c candidate) []any { return []any{c.id.Partition, c.id.Ordinal} })
		rows, err := w.tx.QueryContext(ctx, "SELECT partition_id, ordinal, place, id_high, id_low FROM hits WHERE site_id = ? AND at = ? AND (partition_id, ordinal) IN (SELECT column1, column2 FROM ?)",
			w.site, list[0].start, ids)
		if err != nil {
			return err
		}
		for rows.Next() {
			id, hit, high, low := model.SessionID{Site: w.site}, model.Hit{At: list[0].start}, int64(0), int64(0)
			if err := rows.Scan(&id.Partition, &id.Ordinal, &hit.Place, &high, &low); err != nil {
				rows.Close()
				return err
			}
			hit.ID = joined(high, low)
			if earlier, found := firsts[id]; !found || hit.Compare(earlier) < 0 {
				firsts[id] = hit
			}
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	slices.SortFunc(list[:n], func(a, b candidate) int { return first(a).Compare(first(b)) })
	return nil
}
