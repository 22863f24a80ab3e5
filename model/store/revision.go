package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/uptrace/bun"
)

// Revision names the state of a partition. Numbers alone do not: a database that lost its last commits, or was restored
// from a backup, comes to the same numbers again by other writes. The zero value is the state before the first write.
type Revision struct {
	// Number counts the writes to the partition. Writes commit in their order.
	Number int64 `bun:"revision"`
	// Write is the random id of the last one.
	Write int64 `bun:"write_id"`
}

// IsZero tells whether there was no write.
func (r Revision) IsZero() bool { return r == Revision{} }

// ErrLost tells that a revision is not, or not provably, part of the database's history: what was made from it is to be
// made anew.
var ErrLost = errors.New("the revision is not part of the database's history")

// newWriteID returns an id that no other write has.
func newWriteID() int64 {
	for {
		if id := rand.Int64(); id != 0 {
			return id
		}
	}
}

// noted selects the note of a write: every write is noted among the messages, by its id and 0. Since commits are lost
// from the newest on, a database that has a write has all that the write was built on.
func noted(db bun.IDB, site, write int64) *bun.SelectQuery {
	return db.NewSelect().Table("messages").ColumnExpr("1").Where("site_id = ? AND id_high = ? AND id_low = 0", site, write)
}

// mustHave returns ErrLost unless a revision of a partition is part of the database's history. The notes of old writes are
// pruned: that the partition is at the revision says so too.
func (s *Store) mustHave(ctx context.Context, site, partition int64, revision Revision) error {
	found, err := s.reading.NewSelect().ColumnExpr("1").Where("EXISTS (?)", noted(s.reading, site, revision.Write)).
		WhereOr("EXISTS (?)", s.reading.NewSelect().Table("partitions").ColumnExpr("1").
			Where("site_id = ? AND id = ? AND revision = ? AND write_id = ?", site, partition, revision.Number, revision.Write)).Exists(ctx)
	if err == nil && !found {
		return ErrLost
	}
	return err
}

// Confirm returns ErrLost unless contents that are of a revision, and of which parts were read at others, saw nothing but
// the partition's history until then. A part that was read at a newer revision than the newest was read of a lost write.
func (s *Store) Confirm(ctx context.Context, site, partition int64, newest Revision, read []Revision) (err error) {
	defer wrap(&err, "history of partition %d", partition)
	for i, revision := range read {
		if revision == newest || slices.Contains(read[:i], revision) {
			continue
		}
		if revision.Number >= newest.Number {
			return ErrLost
		}
		if err := s.mustHave(ctx, site, partition, revision); err != nil {
			return err
		}
	}
	return nil
}

// AtOneMoment calls do with a store that reads sessions, hits and assignments as they are at one moment.
func (s *Store) AtOneMoment(ctx context.Context, do func(*Store) error) error {
	options := sql.TxOptions{ReadOnly: true}
	if s.dialect.copies { // SQLite's transactions are of one moment anyway
		options.Isolation = sql.LevelRepeatableRead
	}
	return s.db.RunInTx(ctx, &options, func(_ context.Context, tx bun.Tx) error {
		at := *s
		at.reading = tx
		return do(&at)
	})
}

// RevisionOf returns the revision that a partition is at; zero if it is gone.
func (s *Store) RevisionOf(ctx context.Context, site, partition int64) (revision Revision, err error) {
	defer wrap(&err, "revision of partition %d", partition)
	err = s.reading.NewSelect().Table("partitions").Column("revision", "write_id").Where("site_id = ? AND id = ?", site, partition).
		Scan(ctx, &revision.Number, &revision.Write)
	if errors.Is(err, sql.ErrNoRows) {
		return Revision{}, nil
	}
	return revision, err
}
