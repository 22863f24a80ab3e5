package store

import (
	"context"
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
	// IDHigh and IDLow are the halves of the message's id, which orders assignments of the same moment.
	IDHigh int64 `bun:",pk"`
	IDLow  int64 `bun:",pk"`
	// VisitorID is the visitor's number.
	VisitorID int64
	Variant   string
}

// Message returns the id of the message that told of it.
func (a *Assignment) Message() model.MessageID { return MessageID(a.IDHigh, a.IDLow) }

// MessageID returns the id of two halves.
func MessageID(high, low int64) model.MessageID { return joined(high, low) }

// Assignments returns the assignments to an experiment that stand in a partition, ordered by session, time and message.
func (s *Store) Assignments(ctx context.Context, site int64, experiment string, partition int64) (assignments []Assignment, err error) {
	defer wrap(&err, "assignments to %q in partition %d", experiment, partition)
	err = s.reading.NewSelect().Model(&assignments).Where("site_id = ? AND experiment = ? AND partition_id = ?", site, experiment, partition).
		Order("ordinal", "at", "id_high", "id_low").Scan(ctx)
	return assignments, err
}

// saveAssignments keeps what the new hits assign, and has older assignments follow the sessions that they belong to.
func (w *writer) saveAssignments(ctx context.Context) error {
	var rows []Assignment
	for i := range w.changes {
		c := &w.changes[i]
		for _, hit := range c.hits {
			if hit.Experiment == "" {
				continue
			}
			high, low := halves(hit.ID)
			rows = append(rows, Assignment{
				SiteID: w.site, Experiment: hit.Experiment, PartitionID: c.session.ID.Partition, Ordinal: c.session.ID.Ordinal, At: hit.At,
				IDHigh: high, IDLow: low, VisitorID: c.session.Visitor, Variant: hit.Variant,
			})
		}
	}
	if err := w.move(ctx, "assignments"); err != nil {
		return err
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := slices.Clip(rows[from:to])
		return w.tx.NewInsert().Model(&part)
	})
}
