package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// Written says what became of a batch of messages.
type Written struct {
	// Duplicates is how many of them were known already, from before or from
	// earlier in the batch, and so changed nothing.
	Duplicates int
	// Expired is how many were not kept because they are older than the site keeps sessions.
	Expired int
	// Partitions are those that changed, as they are now.
	Partitions []Partition
	// Truncated is how many sessions came to one of their bounds.
	Truncated int
	// Overflows counts, by dimension, the values in whose place model.OtherValue was
	// kept, because the site has as many distinct ones as it may.
	Overflows map[string]int
}

// Write takes in a batch of a site's messages, in the order in which they
// arrived, and brings the sessions up to date. When it returns without an error, all
// is kept. It is one transaction, which keeps all or nothing, but for hits that lie far apart
// among very many of one visitor: these are written in parts, so that others need not wait for all.
// Messages that were written before count as duplicates, so a batch can be sent again.
func (s *Store) Write(ctx context.Context, site int64, batch []model.Message) (written Written, err error) {
	defer wrap(&err, "write %d messages to site %d", len(batch), site)
	for parts := [][]model.Message{batch}; len(parts) > 0; {
		part, err := s.write(ctx, site, parts[0])
		var wide *wideBatch
		switch {
		case errors.As(err, &wide):
			written.Expired += len(parts[0])
			for _, part := range wide.parts {
				written.Expired -= len(part)
			}
			parts = append(wide.parts, parts[1:]...)
			continue
		case err != nil:
			return written, err
		case len(parts[0]) == len(batch):
			return part, nil
		}
		written.add(part)
		parts = parts[1:]
	}
	return written, nil
}

// write is Write in one transaction. The error is a *wideBatch if it takes several.
func (s *Store) write(ctx context.Context, site int64, batch []model.Message) (written Written, err error) {
	if len(batch) == 0 {
		return Written{}, nil
	}
	var w writer
	err = s.inLoadingTransaction(ctx, func(tx loadingTx) error {
		w = writer{tx: tx, batch: batch, dialect: &s.dialect, site: site, id: newWriteID(), now: model.MillisOf(s.now()), values: s.values, maxValues: s.maxValues}
		if err := w.lockSite(ctx); err != nil {
			return err
		}
		w.dropExpired()
		for _, step := range []func(context.Context) error{
			w.dropKnown,
			w.limitValues,
			w.resolveVisitors,
			w.keepOwnAssignments,
			w.lockVisitors,
			w.moveHits,
			w.fold,
			w.findFirsts,
			w.claimPartitions,
			w.saveVisitorUsers,
			w.save,
		} {
			if err := step(ctx); err != nil {
				return err
			}
			if len(w.fresh) == 0 {
				break
			}
		}
		written = Written{Duplicates: len(w.batch) - len(w.fresh) + w.found, Expired: len(batch) - len(w.batch), Overflows: w.overflows}
		for _, day := range slices.Sorted(maps.Keys(w.partitions)) {
			written.Partitions = append(written.Partitions, *w.partitions[day])
		}
		for _, c := range w.changes {
			if c.IsTruncated() && (c.old == nil || !c.old.IsTruncated()) {
				written.Truncated++
			}
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
	batch   []model.Message

	options   *model.Site
	values    *knownValues
	maxValues int

	fresh []model.Message // those that were not known, in their order
	found int             // those that were known all the same, by their hits
	// admitted are hashes of values that the site has now, overflows is Written's.
	admitted  []uint64
	overflows map[string]int
	users     map[string]*writtenUser
	removals  []removal
	byKey     map[string]*writtenVisitor
	visitors  []*writtenVisitor // ordered by key
	keys      map[int64]string  // of the visitors, by their numbers
	// dropped are hits whose rows are deleted: they are inserted again elsewhere, or otherwise.
	dropped    []droppedHit
	changes    []*writtenSession
	flagged    []flagged
	partitions map[model.Day]*Partition
}

// lockSite keeps the site from being deleted while the batch is written: only so
// does DeleteSite erase all of it. It also reads what the site says of addresses and
// of how long it keeps sessions.
func (w *writer) lockSite(ctx context.Context) error {
	if w.dialect.keyLock != "" {
		if _, err := w.tx.NewSelect().Table("sites").Column("id").Where("id = ?", w.site).For(w.dialect.keyLock).Exec(ctx); err != nil {
			return err
		}
	}
	rows, err := w.dialect.rows(ctx, w.tx.Tx, siteByID, w.site)
	if err != nil {
		return err
	}
	sites, err := scanSites(rows)
	if err == nil && len(sites) == 0 {
		err = notFound(sql.ErrNoRows, "site")
	}
	if err == nil {
		w.options = &sites[0]
	}
	return err
}

// dropExpired leaves out what is older than the site keeps sessions: it would go with the
// next sessions that are erased.
func (w *writer) dropExpired() {
	since := w.options.KeptSince(w.now)
	isExpired := func(m model.Message) bool { return m.Hit.At < since }
	if slices.ContainsFunc(w.batch, isExpired) { // the batch belongs to the caller
		w.batch = slices.DeleteFunc(slices.Clone(w.batch), isExpired)
	}
}

// dropKnown notes the ids of the messages and keeps those that are new. A
// message that only links is kept: it does nothing twice.
func (w *writer) dropKnown(ctx context.Context) error {
	ids := make([]model.MessageID, len(w.batch), len(w.batch)+1)
	for i, message := range w.batch {
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
	for _, message := range w.batch {
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
