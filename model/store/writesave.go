package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

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
		list := make([]string, len(chunk))
		for i, row := range chunk {
			numbers := make([]string, len(row))
			for n, number := range row {
				numbers[n] = strconv.FormatInt(number, 10)
			}
			list[i] = "(" + strings.Join(numbers, ", ") + ")"
		}
		update := build(bun.SafeQuery("(VALUES " + strings.Join(list, ", ") + ") AS listed"))
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
