package store

import (
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/goalgraph/goalgraph/model"
)

// The bounds of what one transaction erases: others of the site wait for it.
const (
	maxErased           = 500
	maxErasedHits       = 20_000
	maxErasedPartitions = 32
)

// EraseVisitor erases all that is kept of a visitor of a site, who is a device, or a user with all devices that the user was
// ever linked with. It returns how many sessions that count were erased, which is 0 where there is no such visitor. The error is
// NotFound if there is no such site.
//
// Who is to be erased is noted first, in the transaction that writes the audit log, and then erased in transactions of bounded
// size. If it ends in between, ResumeErasures goes on. Messages that arrive meanwhile are erased too, and those that arrive later
// are of a new visitor.
func (s *Store) EraseVisitor(ctx context.Context, site int64, visitor string) (erased int, err error) {
	defer wrap(&err, "erase a visitor of site %d", site) // nothing that is logged names a visitor
	visitors, err := s.noteErasure(ctx, site, visitor)
	if err != nil {
		return 0, err
	}
	for _, visitor := range visitors {
		n, err := s.eraseVisitor(ctx, site, visitor)
		if erased += n; err != nil {
			return erased, err
		}
	}
	return erased, nil
}

// MaxErasures is how many erasures ResumeErasures carries out.
const MaxErasures = 1000

// ResumeErasures carries out erasures that were noted before an instant and have not come to their end, at most MaxErasures, the
// oldest first. Several processes may do so at once.
func (s *Store) ResumeErasures(ctx context.Context, before model.Millis) (resumed int, err error) {
	defer wrap(&err, "resume erasures")
	var rows []erasureRow
	if err := s.db.NewSelect().Model(&rows).Where("site_id IN (?) AND noted_at < ?", s.allSites(), before).
		Order("noted_at", "site_id", "visitor").Limit(MaxErasures).Scan(ctx); err != nil {
		return 0, err
	}
	for i, row := range rows {
		if _, err := s.eraseVisitor(ctx, row.SiteID, row.Visitor); err != nil && model.CodeOf(err) != model.NotFound {
			return i, err
		}
	}
	return len(rows), nil
}

type erasureRow struct {
	bun.BaseModel `bun:"table:erasures,alias:erasures"`

	SiteID  int64  `bun:",pk"`
	Visitor string `bun:",pk"`
	NotedAt model.Millis
}

// noteErasure notes who is to be erased: the visitor and, of a user, the linked devices. The audit log says how many sessions
// there are, and not whose.
func (s *Store) noteErasure(ctx context.Context, site int64, visitor string) (visitors []string, err error) {
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		of, err := s.site(ctx, tx, site, s.dialect.rowLock)
		if err != nil || !isKeepable(visitor) {
			return err
		}
		if visitors, err = knownVisitors(ctx, tx, site, visitor); err != nil || len(visitors) == 0 {
			return err
		}
		sessions := 0
		for chunk := range slices.Chunk(visitors, insertChunk) {
			rows := make([]erasureRow, len(chunk))
			for i, visitor := range chunk {
				rows[i] = erasureRow{SiteID: site, Visitor: visitor, NotedAt: model.MillisOf(s.now())}
			}
			if _, err := tx.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
				return err
			}
			ids := tx.NewSelect().Table("visitors").Column("id").Where("site_id = ? AND visitor IN (?)", site, bun.List(chunk))
			n, err := tx.NewSelect().Table("sessions").Where("site_id = ? AND visitor_id IN (?)", site, ids).Where(counted).Count(ctx)
			if err != nil {
				return err
			}
			sessions += int(n)
		}
		return s.record(ctx, tx, ofSite(model.Erased, of, "", fields{"erasedSessions": sessions}.document()))
	})
	return visitors, err
}

// knownVisitors returns the devices that a user was linked with, and the name itself where something is known by it.
func knownVisitors(ctx context.Context, tx bun.Tx, site int64, name string) (visitors []string, err error) {
	if err := tx.NewSelect().Table("links").ColumnExpr("DISTINCT device").Where("site_id = ? AND user_id = ? AND device <> ?", site, name, name).
		Order("device").Scan(ctx, &visitors); err != nil {
		return nil, err
	}
	isKnown := len(visitors) > 0
	for _, of := range []struct{ table, column string }{{"visitors", "visitor"}, {"links", "device"}, {"links", "user_id"}, {"kept_assignments", "visitor"}} {
		if isKnown {
			break
		}
		if isKnown, err = tx.NewSelect().Table(of.table).ColumnExpr("1").Where("site_id = ? AND ? = ?", site, bun.Ident(of.column), name).Exists(ctx); err != nil {
			return nil, err
		}
	}
	if isKnown {
		visitors = append(visitors, name)
	}
	return visitors, nil
}

// eraseVisitor erases a visitor who was noted.
func (s *Store) eraseVisitor(ctx context.Context, site int64, visitor string) (erased int, err error) {
	for isDone := false; !isDone; {
		var n int
		err := s.erasing(ctx, site, func(e *eraser) (err error) {
			n, isDone, err = e.eraseVisitor(ctx, visitor)
			return err
		})
		if err != nil {
			return erased, err
		}
		erased += n
	}
	return erased, nil
}

// eraser is a transaction that erases sessions.
type eraser struct {
	tx   loadingTx
	site *model.Site
	id   int64 // of the write
	now  model.Millis
}

// erasing runs a transaction that erases sessions of a site. Nothing is written to the site meanwhile: writers lock its row too.
func (s *Store) erasing(ctx context.Context, site int64, do func(*eraser) error) error {
	err := s.inLoadingTransaction(ctx, func(tx loadingTx) error {
		of, err := s.site(ctx, tx.Tx, site, s.dialect.rowLock)
		if err != nil {
			return err
		}
		return do(&eraser{tx: tx, site: of, id: newWriteID(), now: model.MillisOf(s.now())})
	})
	if err == nil && s.defined != nil {
		s.defined(site)
	}
	return err
}

// erasable is a session that may be erased.
type erasable struct {
	PartitionID int64
	Ordinal     int32
	VisitorID   int64
	Hits        int
	Counts      bool
}

// erasableColumns select an erasable.
const erasableColumns = "partition_id, ordinal, visitor_id, hits, page_views > 0 OR events <> '' AS counts"

// bounded returns the first of some sessions: as many as one transaction erases.
func bounded(sessions []erasable) []erasable {
	hits, partitions := 0, map[int64]bool{}
	for i := range sessions {
		hits += sessions[i].Hits
		partitions[sessions[i].PartitionID] = true
		if i > 0 && (hits > maxErasedHits || len(partitions) > maxErasedPartitions) {
			return sessions[:i]
		}
	}
	return sessions
}

// eraseVisitor erases a part of what is kept of a visitor. isDone tells that it is all.
func (e *eraser) eraseVisitor(ctx context.Context, visitor string) (erased int, isDone bool, err error) {
	var found []erasable
	ids := e.tx.NewSelect().Table("visitors").Column("id").Where("site_id = ? AND visitor = ?", e.site.ID, visitor)
	if err := e.tx.NewSelect().Table("sessions").ColumnExpr(erasableColumns).Where("site_id = ? AND visitor_id IN (?)", e.site.ID, ids).
		Order("ended_at", "partition_id", "ordinal").Limit(maxErased).Scan(ctx, &found); err != nil {
		return 0, false, err
	}
	part := bounded(found)
	if erased, err = e.erase(ctx, part); err != nil || len(found) == maxErased || len(part) < len(found) {
		return erased, false, err
	}
	if err := e.forget(ctx, []string{visitor}, model.Open); err != nil {
		return 0, false, err
	}
	_, err = e.tx.NewDelete().Table("erasures").Where("site_id = ? AND visitor = ?", e.site.ID, visitor).Exec(ctx)
	return erased, err == nil, err
}

// erase erases sessions with their hits and what was made of them, and returns how many of them count. Their ordinals are given
// up, so that all who follow the partitions hear of it.
func (e *eraser) erase(ctx context.Context, sessions []erasable) (erased int, err error) {
	if len(sessions) == 0 {
		return 0, nil
	}
	revisions, err := e.claim(ctx, sessions)
	if err != nil {
		return 0, err
	}
	list := listed(sessions, func(s erasable) []any { return []any{s.PartitionID, s.Ordinal} })
	if err := e.uncount(ctx, list); err != nil {
		return 0, err
	}
	for _, table := range []string{"hits", "assignments"} {
		if _, err := e.tx.ExecContext(ctx, "DELETE FROM ? WHERE site_id = ? AND (partition_id, ordinal) IN (SELECT column1, column2 FROM ?)", bun.Ident(table), e.site.ID, list); err != nil {
			return 0, err
		}
	}
	for _, s := range sessions {
		if s.Counts {
			erased++
		}
	}
	return erased, e.tx.insert(ctx, "sessions", sessionColumns, len(sessions), func(i int) ([]any, error) {
		id := model.SessionID{Site: e.site.ID, Partition: sessions[i].PartitionID, Ordinal: sessions[i].Ordinal}
		return sessionValues(&model.Session{ID: id}, Revision{revisions[id.Partition], e.id})
	}, replaceSession)
}

// claim moves the revisions of the partitions of sessions, and returns their numbers. Columns that were stored have the sessions
// still, and go: they are stored again when the partition is quiet.
func (e *eraser) claim(ctx context.Context, sessions []erasable) (revisions map[int64]int64, err error) {
	revisions = map[int64]int64{}
	for _, s := range sessions {
		revisions[s.PartitionID] = 0
	}
	high, low := halves(joined(e.id, 0))
	if _, err := e.tx.ExecContext(ctx, "INSERT INTO messages (site_id, id_high, id_low, day) VALUES (?, ?, ?, ?)", e.site.ID, high, low, int32(e.now.Day())); err != nil {
		return nil, err
	}
	partitions := bun.List(slices.Sorted(maps.Keys(revisions)))
	rows, err := e.tx.QueryContext(ctx, "UPDATE partitions SET revision = revision + 1, write_id = ?, written_at = ?, erased_revision = revision + 1, "+
		"columns_revision = 0, columns_write_id = 0 WHERE site_id = ? AND id IN (?) RETURNING id, revision", e.id, e.now, e.site.ID, partitions)
	if err != nil {
		return nil, err
	}
	if err := eachOf(rows, func() error {
		var id, revision int64
		err := rows.Scan(&id, &revision)
		revisions[id] = revision
		return err
	}); err != nil {
		return nil, err
	}
	for _, table := range []string{"columns", "experiment_columns"} {
		if _, err := e.tx.NewDelete().Table(table).Where("site_id = ? AND partition_id IN (?)", e.site.ID, partitions).Exec(ctx); err != nil {
			return nil, err
		}
	}
	return revisions, nil
}

// uncount takes the events of sessions out of the counts by name. Names of which there are no events any more go.
func (e *eraser) uncount(ctx context.Context, sessions schema.QueryWithArgs) error {
	type eventCount struct {
		Name  string
		Count int64
	}
	var events []eventCount
	if err := e.tx.NewRaw("SELECT name, COUNT(*) AS count FROM hits WHERE site_id = ? AND kind = ? AND (partition_id, ordinal) IN (SELECT column1, column2 FROM ?) GROUP BY name ORDER BY name",
		e.site.ID, int(model.Event), sessions).Scan(ctx, &events); err != nil {
		return err
	}
	for chunk := range slices.Chunk(events, insertChunk) {
		list := listed(chunk, func(event eventCount) []any { return []any{event.Name, event.Count} })
		if _, err := e.tx.NewUpdate().Table("events").TableExpr("?", list).Set("count = events.count - listed.column2").
			Where("site_id = ? AND name = listed.column1", e.site.ID).Exec(ctx); err != nil {
			return err
		}
		if _, err := e.tx.ExecContext(ctx, "DELETE FROM events WHERE site_id = ? AND count <= 0 AND name IN (SELECT column1 FROM ?)", e.site.ID, list); err != nil {
			return err
		}
	}
	return nil
}

// forget erases visitors who have no sessions: what they were given, and which users were on them before an instant. Users who
// are on no device any more, and have no sessions either, are forgotten with them.
//
// The ids of exposures are made of the visitor's name, so they go too. Those of other messages tell of nobody, and stay for as
// long as senders may send the messages again.
func (e *eraser) forget(ctx context.Context, visitors []string, before model.Millis) error {
	if len(visitors) == 0 {
		return nil
	}
	var users []string
	const linked = "site_id = ? AND device IN (?) AND at < ?"
	if err := e.tx.NewSelect().Table("links").ColumnExpr("DISTINCT user_id").Where(linked, e.site.ID, bun.List(visitors), before).Scan(ctx, &users); err != nil {
		return err
	}
	if _, err := e.tx.NewDelete().Table("links").Where(linked, e.site.ID, bun.List(visitors), before).Exec(ctx); err != nil {
		return err
	}
	gone, err := e.withoutTraces(ctx, users)
	if err != nil {
		return err
	}
	const them = "site_id = ? AND visitor IN (?)"
	for chunk := range slices.Chunk(slices.Concat(visitors, gone), insertChunk) {
		if err := e.forgetExposures(ctx, chunk); err != nil {
			return err
		}
		if _, err := e.tx.NewDelete().Table("kept_assignments").Where(them, e.site.ID, bun.List(chunk)).Exec(ctx); err != nil {
			return err
		}
		ids := e.tx.NewSelect().Table("visitors").Column("id").Where(them, e.site.ID, bun.List(chunk))
		if _, err := e.tx.NewDelete().Table("visitor_users").Where("site_id = ? AND visitor_id IN (?)", e.site.ID, ids).Exec(ctx); err != nil {
			return err
		}
		if _, err := e.tx.NewDelete().Table("visitors").Where(them, e.site.ID, bun.List(chunk)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// withoutTraces returns those of the names that are linked with no device and have no sessions.
func (e *eraser) withoutTraces(ctx context.Context, names []string) (gone []string, err error) {
	for chunk := range slices.Chunk(names, insertChunk) {
		var some []string
		if err := e.tx.NewRaw("SELECT listed.column1 FROM ? WHERE NOT EXISTS (SELECT 1 FROM links WHERE links.site_id = ? AND links.user_id = listed.column1) "+
			"AND NOT EXISTS (SELECT 1 FROM visitors JOIN sessions ON sessions.site_id = ? AND sessions.visitor_id = visitors.id WHERE visitors.site_id = ? AND visitors.visitor = listed.column1)",
			listed(chunk, func(name string) []any { return []any{name} }), e.site.ID, e.site.ID, e.site.ID).Scan(ctx, &some); err != nil {
			return nil, err
		}
		gone = append(gone, some...)
	}
	return gone, nil
}

// forgetExposures erases the ids of the exposures of visitors to what they were given.
func (e *eraser) forgetExposures(ctx context.Context, visitors []string) error {
	rows, err := e.tx.QueryContext(ctx, "SELECT visitor, experiment_id, run FROM kept_assignments WHERE site_id = ? AND visitor IN (?)", e.site.ID, bun.List(visitors))
	if err != nil {
		return err
	}
	var ids []model.MessageID
	if err := eachOf(rows, func() error {
		var visitor string
		var experiment int64
		var run model.Millis
		err := rows.Scan(&visitor, &experiment, (*int64)(&run))
		ids = append(ids, model.ExposureID(e.site.ID, experiment, run, visitor))
		return err
	}); err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, insertChunk) {
		list := listed(chunk, func(id model.MessageID) []any {
			high, low := halves(id)
			return []any{high, low}
		})
		if _, err := e.tx.ExecContext(ctx, "DELETE FROM messages WHERE site_id = ? AND (id_high, id_low) IN (SELECT column1, column2 FROM ?)", e.site.ID, list); err != nil {
			return err
		}
	}
	return nil
}
