package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// writtenVisitor is a visitor of whom the batch has hits.
type writtenVisitor struct {
	id  int64
	key string
	// isNew tells that the batch is the first to name it, so it has no sessions.
	isNew bool
	// firstAt is the time of the earliest page view or event, as it was and as it is
	// now; model.Open without any.
	oldFirstAt, firstAt model.Millis
	hits                []model.Hit
}

// resolveVisitors says whose the hits are, and keeps what the messages tell of
// which user is which anonymous visitor.
func (w *writer) resolveVisitors(ctx context.Context) error {
	type linkRow struct {
		bun.BaseModel `bun:"table:visitor_links,alias:visitor_links"`

		SiteID              int64
		UserID, AnonymousID string
	}
	users := map[string]bool{}
	for _, message := range w.fresh {
		if message.UserID != "" {
			users[message.UserID] = true
		}
	}
	links := map[string]string{}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(users)), insertChunk) {
		var rows []linkRow
		if err := w.tx.NewSelect().Model(&rows).Where("site_id = ? AND user_id IN (?)", w.site, bun.List(chunk)).Scan(ctx); err != nil {
			return err
		}
		for _, row := range rows {
			links[row.UserID] = row.AnonymousID
		}
	}

	linked := map[string]bool{}
	visitors := map[string]*writtenVisitor{}
	for _, message := range w.fresh {
		key := message.AnonymousID
		switch {
		case key != "" && message.UserID != "" && links[message.UserID] != key:
			links[message.UserID] = key
			linked[message.UserID] = true
		case key == "":
			if key = links[message.UserID]; key == "" {
				key = message.UserID
			}
		}
		if message.Hit.Kind == 0 {
			continue
		}
		hit := message.Hit
		hit.Visitor = key
		hit.Origin.IP = w.addresses.Keep(hit.Origin.IP)
		v := visitors[key]
		if v == nil {
			v = &writtenVisitor{key: key, firstAt: model.Open}
			visitors[key] = v
		}
		if hit.Kind != model.Traits {
			v.firstAt = min(v.firstAt, hit.At)
		}
		v.hits = append(v.hits, hit)
	}
	w.visitors = slices.SortedFunc(maps.Values(visitors), func(a, b *writtenVisitor) int { return strings.Compare(a.key, b.key) })

	rows := make([]linkRow, 0, len(linked))
	for _, user := range slices.Sorted(maps.Keys(linked)) {
		rows = append(rows, linkRow{SiteID: w.site, UserID: user, AnonymousID: links[user]})
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := rows[from:to]
		return w.tx.NewInsert().Model(&part).On("CONFLICT (site_id, user_id) DO UPDATE").Set("anonymous_id = EXCLUDED.anonymous_id")
	})
}

type visitorRow struct {
	bun.BaseModel `bun:"table:visitors,alias:visitors"`

	ID      int64 `bun:",pk,autoincrement"`
	SiteID  int64
	Visitor string
	FirstAt model.Millis
	// Inserted tells of a row that a statement returns that it was not there before.
	Inserted bool `bun:",scanonly"`
}

// lockVisitors numbers the visitors and keeps other writers away from them.
func (w *writer) lockVisitors(ctx context.Context) error {
	byKey := make(map[string]*writtenVisitor, len(w.visitors))
	for _, v := range w.visitors {
		byKey[v.key] = v
	}
	found := func(rows []visitorRow) {
		for _, row := range rows {
			v := byKey[row.Visitor]
			v.id, v.isNew, v.oldFirstAt = row.ID, row.Inserted, row.FirstAt
			v.firstAt = min(v.firstAt, row.FirstAt)
		}
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(byKey)), insertChunk) {
		var known []visitorRow
		query := w.tx.NewSelect().Model(&known).Where("site_id = ? AND visitor IN (?)", w.site, bun.List(chunk)).Order("visitor")
		if w.dialect.rowLock != "" {
			query = query.For(w.dialect.rowLock)
		}
		if err := query.Scan(ctx); err != nil {
			return err
		}
		found(known)
	}
	var rows []visitorRow
	for _, v := range w.visitors {
		if v.id == 0 {
			rows = append(rows, visitorRow{SiteID: w.site, Visitor: v.key, FirstAt: v.firstAt})
		}
	}
	for chunk := range slices.Chunk(rows, insertChunk) {
		var inserted []visitorRow
		// Where another writer was faster, the update changes nothing: it takes the
		// lock, and makes RETURNING give the row.
		if err := w.tx.NewInsert().Model(&chunk).On("CONFLICT (site_id, visitor) DO UPDATE").Set("visitor = EXCLUDED.visitor").
			Returning("id, visitor, first_at, ? AS inserted", bun.Safe(w.dialect.inserted)).Scan(ctx, &inserted); err != nil {
			return err
		}
		found(inserted)
	}
	return nil
}

// demoteFirsts finds the sessions that were their visitors' first ones until the
// batch told of earlier ones, and keeps what the visitors' first ones are now.
func (w *writer) demoteFirsts(ctx context.Context) error {
	changed := map[model.SessionID]bool{}
	for _, c := range w.changes {
		changed[c.session.ID] = !c.isNew
	}
	var rows []visitorRow
	var ids []int64
	for _, v := range w.visitors {
		if v.firstAt < v.oldFirstAt {
			rows = append(rows, visitorRow{SiteID: w.site, Visitor: v.key, FirstAt: v.firstAt})
			ids = append(ids, v.id)
		}
	}
	for chunk := range slices.Chunk(ids, insertChunk) {
		var found []struct {
			PartitionID int64
			Ordinal     int32
			StartedAt   model.Millis
		}
		if err := w.tx.NewSelect().Table("sessions").Column("partition_id", "ordinal", "started_at").
			Where("site_id = ? AND visitor_id IN (?) AND first_visit", w.site, bun.List(chunk)).Scan(ctx, &found); err != nil {
			return err
		}
		for _, row := range found {
			id := model.SessionID{Site: w.site, Partition: row.PartitionID, Ordinal: row.Ordinal}
			if !changed[id] {
				w.demoted = append(w.demoted, demotion{partition: row.StartedAt.Day(), session: id})
			}
		}
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := rows[from:to]
		return w.tx.NewInsert().Model(&part).On("CONFLICT (site_id, visitor) DO UPDATE").Set("first_at = EXCLUDED.first_at")
	})
}
