package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// Assignment tells that a visitor saw a variant of an experiment. Every one that a message told of is kept, whether the
// experiment is defined or not; which one of a visitor's stands is not decided here.
type Assignment struct {
	bun.BaseModel `bun:"table:assignments,alias:assignments"`

	SiteID int64 `bun:",pk"`
	// Experiment and Variant are their keys.
	Experiment string `bun:",pk"`
	// PartitionID and Ordinal name the session that it happened in.
	PartitionID int64        `bun:",pk"`
	Ordinal     int32        `bun:",pk"`
	At          model.Millis `bun:",pk"`
	// IDHigh and IDLow are the halves of the message's id.
	IDHigh int64 `bun:",pk"`
	IDLow  int64 `bun:",pk"`
	// Place orders assignments of one moment, and then the message's id does.
	Place int32
	// VisitorID is the visitor's number.
	VisitorID int64
	Variant   string
}

// Hit returns what orders the assignment among the hits of its visitor.
func (a *Assignment) Hit() model.Hit {
	return model.Hit{At: a.At, Place: a.Place, ID: MessageID(a.IDHigh, a.IDLow)}
}

// MessageID returns the id of two halves.
func MessageID(high, low int64) model.MessageID { return joined(high, low) }

// Assignments returns the assignments to an experiment that stand in a partition, ordered by session, time, place and message.
func (s *Store) Assignments(ctx context.Context, site int64, experiment string, partition int64) (assignments []Assignment, err error) {
	defer wrap(&err, "assignments to %q in partition %d", experiment, partition)
	err = s.reading.NewSelect().Model(&assignments).Where("site_id = ? AND experiment = ? AND partition_id = ?", site, experiment, partition).
		Order("ordinal", "at", "place").Scan(ctx)
	sortAssignments(assignments)
	return assignments, err
}

// sortAssignments puts assignments that have the order of sessions, times and places into that of messages too, which the
// database does not know.
func sortAssignments(list []Assignment) {
	slices.SortFunc(list, func(a, b Assignment) int {
		return cmp.Or(cmp.Compare(a.Ordinal, b.Ordinal), a.Hit().Compare(b.Hit()))
	})
}

// saveAssignments keeps what the new hits assign, and has older assignments follow the sessions that they belong to.
func (w *writer) saveAssignments(ctx context.Context) error {
	var rows []Assignment
	at := map[model.MessageID]*writtenSession{}
	for _, c := range w.changes {
		for i := range c.hits {
			hit := &c.hits[i]
			if hit.Kind == model.Event {
				at[hit.ID] = c
			}
			if hit.Experiment == "" {
				continue
			}
			high, low := halves(hit.ID)
			rows = append(rows, Assignment{
				SiteID: w.site, Experiment: hit.Experiment, PartitionID: c.ID.Partition, Ordinal: c.ID.Ordinal, At: hit.At,
				IDHigh: high, IDLow: low, Place: hit.Place, VisitorID: c.Visitor, Variant: hit.Variant,
			})
		}
	}
	moved := slices.DeleteFunc(slices.Clone(w.dropped), func(d droppedHit) bool { return at[d.id] == nil || at[d.id].ID == d.session })
	assigned, err := w.assignedSessions(ctx, moved)
	if err != nil {
		return err
	}
	moved = slices.DeleteFunc(moved, func(d droppedHit) bool { return !assigned[d.session] })
	for chunk := range slices.Chunk(moved, insertChunk) {
		list := listed(chunk, func(d droppedHit) []any {
			high, low := halves(d.id)
			to := at[d.id]
			return []any{d.session.Partition, d.session.Ordinal, int64(d.at), high, low, to.ID.Partition, to.ID.Ordinal, to.Visitor}
		})
		if _, err := w.tx.NewUpdate().Table("assignments").TableExpr("?", list).
			Set("partition_id = listed.column6").Set("ordinal = listed.column7").Set("visitor_id = listed.column8").
			Where("site_id = ? AND partition_id = listed.column1 AND ordinal = listed.column2 AND at = listed.column3 AND id_high = listed.column4 AND id_low = listed.column5", w.site).Exec(ctx); err != nil {
			return err
		}
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := slices.Clip(rows[from:to])
		return w.tx.NewInsert().Model(&part)
	})
}

// assignedSessions returns those of the sessions of hits in which there are assignments.
func (w *writer) assignedSessions(ctx context.Context, hits []droppedHit) (map[model.SessionID]bool, error) {
	assigned := map[model.SessionID]bool{}
	for _, hit := range hits {
		assigned[hit.session] = false
	}
	for chunk := range slices.Chunk(slices.Collect(maps.Keys(assigned)), insertChunk) {
		list := listed(chunk, func(id model.SessionID) []any { return []any{id.Partition, id.Ordinal} })
		rows, err := w.tx.QueryContext(ctx, "SELECT DISTINCT partition_id, ordinal FROM assignments WHERE site_id = ? AND (partition_id, ordinal) IN (SELECT column1, column2 FROM ?)", w.site, list)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			id := model.SessionID{Site: w.site}
			if err := rows.Scan(&id.Partition, &id.Ordinal); err != nil {
				rows.Close()
				return nil, err
			}
			assigned[id] = true
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return assigned, nil
}
