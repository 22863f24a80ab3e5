package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// State identifies everything that a site's answers depend on. While it stays equal, no
// commit has changed an answer.
type State struct {
	// Revision is the site's revision, which changes with every change to its
	// definitions.
	Revision int64
	// Sessions is the sum of the partitions' revisions.
	Sessions int64
	// WrittenAt is the time of the newest write to a partition. It is there because a
	// restored database may reach the same revisions again through other writes.
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
// segments, goals or experiments. do returns the site. Its revision becomes the current
// time or more, so that a restored database never reaches the same revision through
// other changes. After the commit, define calls Options.Defined.
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
