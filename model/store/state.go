package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// State tells what a site's answers follow from: while it stays equal, nothing was
// committed that changes one.
type State struct {
	// Revision is that of the site, which every change of its definitions moves.
	Revision int64
	// Sessions is the sum of the partitions' revisions.
	Sessions int64
	// WrittenAt is when the newest write to a partition was. A database that was restored
	// may come to the same revisions again, by other writes.
	WrittenAt model.Millis
}

// State returns the state of a site, or NotFound.
func (s *Store) State(ctx context.Context, site int64) (state State, err error) {
	defer wrap(&err, "state of site %d", site)
	partitions := s.db.NewSelect().Table("partitions").Where("site_id = sites.id")
	err = s.db.NewSelect().Table("sites").Column("revision").
		ColumnExpr("(?)", partitions.Clone().ColumnExpr("COALESCE(SUM(revision), 0)")).
		ColumnExpr("(?)", partitions.Clone().ColumnExpr("COALESCE(MAX(written_at), 0)")).
		Where("id = ?", site).Scan(ctx, &state.Revision, &state.Sessions, &state.WrittenAt)
	return state, notFound(err, "site")
}

// define runs a transaction that changes a site's definitions: the site itself, its
// segments, goals or experiments. do returns the site. Its revision moves, to the time or
// beyond: a database that is restored does not come to the same ones again by other
// changes. Those who were asked to be told are told.
func (s *Store) define(ctx context.Context, do func(tx bun.Tx) (site int64, err error)) error {
	var defined int64
	err := s.inTransaction(ctx, func(tx bun.Tx) error {
		site, err := do(tx)
		if err != nil {
			return err
		}
		defined = site
		now := model.MillisOf(s.now())
		_, err = tx.NewUpdate().Table("sites").Set("revision = CASE WHEN revision < ? THEN ? ELSE revision + 1 END", now, now).
			Where("id = ?", site).Exec(ctx)
		return err
	})
	if err == nil && s.defined != nil {
		s.defined(defined)
	}
	return err
}
