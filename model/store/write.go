package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/goalgraph/goalgraph/model"
)

// Written says what became of a batch of messages.
type Written struct {
	// Duplicates is how many of them were known already, from before or from
	// earlier in the batch, and so changed nothing.
	Duplicates int
	// Partitions are those that changed, as they are now.
	Partitions []Partition
	// Overflows counts, by dimension, the values in whose place model.OtherValue was
	// kept, because the site has as many distinct ones as it may.
	Overflows map[string]int
}

// Write takes in a batch of a site's messages, in the order in which they
// arrived, and brings the sessions up to date. It is one transaction: when it
// returns without an error, all is kept; otherwise nothing is. Messages that were
// written before count as duplicates, so a batch can be sent again.
func (s *Store) Write(ctx context.Context, site int64, batch []model.Message) (written Written, err error) {
	defer wrap(&err, "write %d messages to site %d", len(batch), site)
	if len(batch) == 0 {
		return Written{}, nil
	}
	var w writer
	err = s.inLoadingTransaction(ctx, func(tx loadingTx) error {
		w = writer{tx: tx, dialect: &s.dialect, site: site, id: newWriteID(), now: model.MillisOf(s.now()), values: s.values, maxValues: s.maxValues}
		if err := w.lockSite(ctx); err != nil {
			return err
		}
		for _, step := range []func(context.Context) error{
			func(ctx context.Context) error { return w.dropKnown(ctx, batch) },
			w.limitValues,
			w.resolveVisitors,
			w.lockVisitors,
			w.fold,
			w.demoteFirsts,
			w.claimPartitions,
			w.save,
		} {
			if err := step(ctx); err != nil {
				return err
			}
			if len(w.fresh) == 0 {
				break
			}
		}
		written = Written{Duplicates: len(batch) - len(w.fresh) + w.found, Overflows: w.overflows}
		for _, day := range slices.Sorted(maps.Keys(w.partitions)) {
			written.Partitions = append(written.Partitions, *w.partitions[day])
		}
		return nil
	})
	if err == nil {
		s.values.add(w.admitted)
	}
	return written, err
}

// writer is one transaction of Write.
type writer struct {
	dialect *dialect
	tx      loadingTx
	site    int64
	id      int64 // of the write
	now     model.Millis

	addresses model.AddressPrivacy
	values    *knownValues
	maxValues int

	fresh []model.Message // those that were not known, in their order
	found int             // those that were known all the same, by their hits
	// admitted are hashes of values that the site has now, overflows is Written's.
	admitted   []uint64
	overflows  map[string]int
	visitors   []*writtenVisitor
	changes    []change
	demoted    []demotion
	partitions map[model.Day]*Partition
}

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

// lockSite keeps the site from being deleted while the batch is written: only so
// does DeleteSite erase all of it. It also reads what the site says of addresses.
func (w *writer) lockSite(ctx context.Context) error {
	query := w.tx.NewSelect().Table("sites").Column("addresses").Where("id = ?", w.site)
	if w.dialect.keyLock != "" {
		query = query.For(w.dialect.keyLock)
	}
	return notFound(query.Scan(ctx, &w.addresses), "site")
}

// dropKnown notes the ids of the messages and keeps those that are new. A
// message that only links is kept: it does nothing twice.
func (w *writer) dropKnown(ctx context.Context, batch []model.Message) error {
	ids := make([]model.MessageID, len(batch), len(batch)+1)
	for i, message := range batch {
		ids[i] = message.Hit.ID
	}
	ids = append(ids, joined(w.id, 0)) // the note of this write
	// In one order for all writers.
	slices.SortFunc(ids, model.MessageID.Compare)
	isNew := make(map[model.MessageID]bool, len(ids))
	for chunk := range slices.Chunk(slices.Compact(ids), idChunk) {
		if err := w.noteIDs(ctx, chunk, isNew); err != nil {
			return err
		}
	}
	w.fresh = make([]model.Message, 0, len(isNew))
	for _, message := range batch {
		if isNew[message.Hit.ID] {
			delete(isNew, message.Hit.ID)
			w.fresh = append(w.fresh, message)
		}
	}
	return nil
}

// idChunk is how many ids of messages are noted in one statement.
const idChunk = 5000

// fewIDs is up to how many ids are noted as a list of rows, which a cluster stores without a second phase.
const fewIDs = 100

// noteIDs notes the ids of messages, and says in isNew which of them were not noted
// before.
func (w *writer) noteIDs(ctx context.Context, ids []model.MessageID, isNew map[model.MessageID]bool) error {
	source := bun.SafeQuery("SELECT ?, high, low, ? FROM ? WHERE TRUE", w.site, w.now.Day(), w.dialect.pairs(ids))
	if len(ids) <= fewIDs {
		var list strings.Builder
		for i, id := range ids {
			high, low := halves(id)
			fmt.Fprintf(&list, "%s(%d, %d, %d, %d)", [2]string{"VALUES ", ", "}[min(i, 1)], w.site, high, low, w.now.Day())
		}
		source = bun.SafeQuery(list.String())
	}
	rows, err := w.tx.QueryContext(ctx, "INSERT INTO messages (site_id, id_high, id_low, day) ? ON CONFLICT DO NOTHING RETURNING id_high, id_low", source)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var high, low int64
		if err := rows.Scan(&high, &low); err != nil {
			return err
		}
		isNew[joined(high, low)] = true
	}
	return rows.Err()
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

// claimPartitions takes the partitions that change, which serialises their writers,
// and the ordinals for new sessions.
func (w *writer) claimPartitions(ctx context.Context) error {
	w.partitions = map[model.Day]*Partition{}
	touch := func(day model.Day) *Partition {
		if w.partitions[day] == nil {
			w.partitions[day] = &Partition{SiteID: w.site, Day: day, Revision: Revision{1, w.id}, WrittenAt: w.now}
		}
		return w.partitions[day]
	}
	for _, c := range w.changes {
		partition := touch(c.partition)
		if c.isNew {
			partition.Sessions++
		}
	}
	for _, d := range w.demoted {
		touch(d.partition)
	}
	rows := make([]Partition, 0, len(w.partitions))
	for _, day := range slices.Sorted(maps.Keys(w.partitions)) {
		rows = append(rows, *w.partitions[day])
	}
	next := map[model.Day]int32{}
	for chunk := range slices.Chunk(rows, insertChunk) {
		var claimed []Partition
		if err := w.tx.NewInsert().Model(&chunk).On("CONFLICT (site_id, day) DO UPDATE").
			Set("sessions = partitions.sessions + EXCLUDED.sessions").Set("revision = partitions.revision + 1").Set("write_id = EXCLUDED.write_id").Set("written_at = EXCLUDED.written_at").
			Returning("*").Scan(ctx, &claimed); err != nil {
			return err
		}
		for _, partition := range claimed {
			next[partition.Day] = partition.Sessions - w.partitions[partition.Day].Sessions
			w.partitions[partition.Day] = &partition
		}
	}
	for i := range w.changes {
		if c := &w.changes[i]; c.isNew {
			c.session.ID = model.SessionID{Site: w.site, Partition: w.partitions[c.partition].ID, Ordinal: next[c.partition]}
			next[c.partition]++
		}
	}
	return nil
}

// replaceSession ends an INSERT of sessions that are there already.
var replaceSession = func() string {
	var set []string
	for _, column := range sessionColumns[3:] {
		set = append(set, fmt.Sprintf("%[1]s = EXCLUDED.%[1]s", column))
	}
	return "ON CONFLICT (site_id, partition_id, ordinal) DO UPDATE SET " + strings.Join(set, ", ")
}()

func (w *writer) save(ctx context.Context) error {
	var inserted, updated []*change
	var hits []hitRow
	for i := range w.changes {
		c := &w.changes[i]
		if c.isNew {
			inserted = append(inserted, c)
		} else {
			updated = append(updated, c)
		}
		for i := range c.hits {
			row, err := hitRowOf(&c.hits[i], c.session.ID, c.first && i == 0)
			if err != nil {
				return err
			}
			hits = append(hits, row)
		}
	}
	values := func(changes []*change) func(i int) ([]any, error) {
		return func(i int) ([]any, error) {
			return sessionValues(&changes[i].session, w.partitions[changes[i].partition].Revision)
		}
	}
	if err := w.tx.insert(ctx, "sessions", sessionColumns, len(updated), values(updated), replaceSession); err != nil {
		return err
	}
	if err := w.tx.load(ctx, "sessions", sessionColumns, len(inserted), values(inserted)); err != nil {
		return err
	}
	if err := w.move(ctx, "hits"); err != nil {
		return err
	}
	if err := w.tx.load(ctx, "hits", hitColumns, len(hits), func(i int) ([]any, error) { return hits[i].values() }); err != nil {
		return err
	}
	if err := w.demote(ctx); err != nil {
		return err
	}
	if err := w.saveAssignments(ctx); err != nil {
		return err
	}
	return w.saveEvents(ctx)
}

// move has the rows of a table follow the sessions that they belong to.
func (w *writer) move(ctx context.Context, table string) error {
	var moves [][]int64
	for i := range w.changes {
		to := w.changes[i].session.ID
		for _, from := range w.changes[i].moved {
			moves = append(moves, []int64{from.Partition, int64(from.Ordinal), to.Partition, int64(to.Ordinal)})
		}
	}
	return w.updateFrom(ctx, moves, func(from schema.QueryAppender) *bun.UpdateQuery {
		return w.tx.NewUpdate().Table(table).TableExpr("?", from).Set("partition_id = listed.column3").Set("ordinal = listed.column4")
	})
}

// demote notes that sessions are their visitors' first ones no longer.
func (w *writer) demote(ctx context.Context) error {
	rows := make([][]int64, len(w.demoted))
	for i, d := range w.demoted {
		rows[i] = []int64{d.session.Partition, int64(d.session.Ordinal), w.partitions[d.partition].Revision.Number}
	}
	return w.updateFrom(ctx, rows, func(from schema.QueryAppender) *bun.UpdateQuery {
		return w.tx.NewUpdate().Table("sessions").TableExpr("?", from).
			Set("first_visit = ?", false).Set("revision = listed.column3").Set("write_id = ?", w.id)
	})
}

// updateFrom runs the update that build makes of a list of numbers, for each chunk of them. The first two are a partition
// and an ordinal; the others are columns of the table listed.
func (w *writer) updateFrom(ctx context.Context, rows [][]int64, build func(from schema.QueryAppender) *bun.UpdateQuery) error {
	for chunk := range slices.Chunk(rows, insertChunk) {
		var list strings.Builder
		for i, row := range chunk {
			fmt.Fprintf(&list, "%s(%s)", [2]string{"", ", "}[min(i, 1)], strings.Trim(strings.Join(strings.Fields(fmt.Sprint(row)), ", "), "[]"))
		}
		update := build(bun.SafeQuery("(VALUES " + list.String() + ") AS listed"))
		if _, err := update.Where("site_id = ? AND partition_id = listed.column1 AND ordinal = listed.column2", w.site).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) saveEvents(ctx context.Context) error {
	byName := map[string]*Event{}
	for _, v := range w.visitors {
		for _, hit := range v.hits {
			if hit.Kind != model.Event {
				continue
			}
			e := byName[hit.Name]
			if e == nil {
				e = &Event{SiteID: w.site, Name: hit.Name, SearchText: searchText(hit.Name), FirstAt: hit.At, LastAt: hit.At}
				byName[hit.Name] = e
			}
			e.Count++
			e.FirstAt, e.LastAt = min(e.FirstAt, hit.At), max(e.LastAt, hit.At)
			e.HasValue = e.HasValue || hit.HasValue
		}
	}
	rows := make([]Event, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		rows = append(rows, *byName[name])
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := rows[from:to]
		return w.tx.NewInsert().Model(&part).On("CONFLICT (site_id, name) DO UPDATE").
			Set("count = events.count + EXCLUDED.count").
			Set("first_at = CASE WHEN EXCLUDED.first_at < events.first_at THEN EXCLUDED.first_at ELSE events.first_at END").
			Set("last_at = CASE WHEN EXCLUDED.last_at > events.last_at THEN EXCLUDED.last_at ELSE events.last_at END").
			Set("has_value = events.has_value OR EXCLUDED.has_value")
	})
}

// insertChunk is how many rows one statement carries: beyond some hundreds a
// longer one is no faster, and its text costs memory.
const insertChunk = 1000

// insert runs the query that build makes for each chunk of n rows.
func (w *writer) insert(ctx context.Context, n int, build func(from, to int) *bun.InsertQuery) error {
	for from := 0; from < n; from += insertChunk {
		if _, err := build(from, min(n, from+insertChunk)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
