package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

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
	w.changes = nil
	for _, v := range w.visitors {
		for i := range v.sessions {
			if c := &v.sessions[i]; c.isChanged {
				w.changes = append(w.changes, c)
			}
		}
	}
	for _, c := range w.changes {
		partition := touch(c.partition())
		if c.old == nil {
			partition.Sessions++
		}
	}
	for _, f := range w.flagged {
		touch(f.day)
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
	for _, c := range w.changes {
		if day := c.partition(); c.old == nil {
			c.ID = model.SessionID{Site: w.site, Partition: w.partitions[day].ID, Ordinal: next[day]}
			next[day]++
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
	var inserted, updated []*writtenSession
	var hits []hitRow
	for _, c := range w.changes {
		if c.old == nil {
			inserted = append(inserted, c)
		} else {
			updated = append(updated, c)
		}
		for i := range c.hits {
			row, err := hitRowOf(&c.hits[i], &c.Session)
			if err != nil {
				return err
			}
			hits = append(hits, row)
		}
	}
	values := func(changes []*writtenSession) func(i int) ([]any, error) {
		return func(i int) ([]any, error) {
			return sessionValues(&changes[i].Session, w.partitions[changes[i].partition()].Revision)
		}
	}
	if err := w.tx.insert(ctx, "sessions", sessionColumns, len(updated), values(updated), replaceSession); err != nil {
		return err
	}
	if err := w.tx.load(ctx, "sessions", sessionColumns, len(inserted), values(inserted)); err != nil {
		return err
	}
	if err := w.dropHits(ctx); err != nil {
		return err
	}
	if err := w.tx.load(ctx, "hits", hitColumns, len(hits), func(i int) ([]any, error) { return hits[i].values() }); err != nil {
		return err
	}
	if err := w.flag(ctx); err != nil {
		return err
	}
	if err := w.saveAssignments(ctx); err != nil {
		return err
	}
	return w.saveEvents(ctx)
}

// dropHits deletes the rows of hits that are elsewhere now, or otherwise: those of a session at once, if it is all of them.
func (w *writer) dropHits(ctx context.Context) error {
	left := map[model.SessionID]int{}
	for _, v := range w.visitors {
		for i := range v.sessions {
			if old := v.sessions[i].old; old != nil {
				left[old.ID] = old.Hits
			}
		}
	}
	for _, d := range w.dropped {
		left[d.session]--
	}
	var whole []model.SessionID
	var single []droppedHit
	for _, d := range w.dropped {
		if n := left[d.session]; n > 0 {
			single = append(single, d)
		} else if n == 0 {
			whole, left[d.session] = append(whole, d.session), -1
		}
	}
	for chunk := range slices.Chunk(whole, insertChunk) {
		list := listed(chunk, func(id model.SessionID) []any { return []any{id.Partition, id.Ordinal} })
		if _, err := w.tx.ExecContext(ctx, "DELETE FROM hits WHERE site_id = ? AND (partition_id, ordinal) IN (SELECT column1, column2 FROM ?)", w.site, list); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(single, insertChunk) {
		list := listed(chunk, func(d droppedHit) []any {
			high, low := halves(d.id)
			return []any{d.session.Partition, d.session.Ordinal, int64(d.at), high, low}
		})
		if _, err := w.tx.ExecContext(ctx, "DELETE FROM hits WHERE site_id = ? AND (partition_id, ordinal, at, id_high, id_low) IN (SELECT column1, column2, column3, column4, column5 FROM ?)", w.site, list); err != nil {
			return err
		}
	}
	return nil
}

// flag notes which sessions are their visitors' first ones now, or no longer.
func (w *writer) flag(ctx context.Context) error {
	for chunk := range slices.Chunk(w.flagged, insertChunk) {
		list := listed(chunk, func(f flagged) []any {
			return []any{f.session.Partition, f.session.Ordinal, w.partitions[f.day].Revision.Number, f.isFirst}
		})
		if _, err := w.tx.NewUpdate().Table("sessions").TableExpr("?", list).
			Set("first_visit = listed.column4").Set("revision = listed.column3").Set("write_id = ?", w.id).
			Where("site_id = ? AND partition_id = listed.column1 AND ordinal = listed.column2", w.site).Exec(ctx); err != nil {
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
