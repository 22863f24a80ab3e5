package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// State identifies everything that a site's answers depend on. While it stays equal, no
// commit has changed an answer.
type State struct {
	// Revision is the site's revision, which changes with every change to its
	// definitions.
	Revision int64
	// Sessions is the sum of the partitions' revisions, and Writes are the sums of the halves of their writes' ids: a
	// database that lost writes reaches the same revisions again through others.
	Sessions int64
	Writes   [2]int64
	// Users is the revision of what VisitorUsers tells: a link may change an answer that changes no partition.
	Users Revision
}

// State returns the state of a site, or NotFound.
func (s *Store) State(ctx context.Context, site int64) (state State, err error) {
	defer wrap(&err, "state of site %d", site)
	err = s.db.NewSelect().Table("sites").ColumnExpr("sites.revision, COALESCE(SUM(partitions.revision), 0)").
		ColumnExpr("COALESCE(SUM(partitions.write_id / 4294967296), 0), COALESCE(SUM(partitions.write_id % 4294967296), 0)").
		ColumnExpr("COALESCE(users.revision, 0), COALESCE(users.write_id, 0)").
		Join("LEFT JOIN partitions ON partitions.site_id = sites.id").Join("LEFT JOIN visitor_user_revisions AS users ON users.site_id = sites.id").
		Where("sites.id = ?", site).Group("sites.id", "sites.revision", "users.revision", "users.write_id").
		Scan(ctx, &state.Revision, &state.Sessions, &state.Writes[0], &state.Writes[1], &state.Users.Number, &state.Users.Write)
	return state, notFound(err, "site")
}

// define runs a transaction that changes a site's definitions: the site itself, its
// segments, goals or experiments. do returns what it changed, which the audit log keeps. The
// site's revision becomes the current time or more, so that a restored database never
// reaches the same revision through other changes. After the commit, define calls
// Options.Defined.
func (s *Store) define(ctx context.Context, do func(tx bun.Tx) (change, error)) error {
	return s.defineAll(ctx, func(tx bun.Tx) ([]change, error) {
		c, err := do(tx)
		return []change{c}, err
	})
}

// defineAll is define for one change or more, all of one site.
func (s *Store) defineAll(ctx context.Context, do func(tx bun.Tx) ([]change, error)) error {
	var defined int64
	err := s.inTransaction(ctx, func(tx bun.Tx) error {
		changes, err := do(tx)
		if err != nil {
			return err
		}
		changes = slices.DeleteFunc(changes, func(c change) bool { return c.isNone() })
		if len(changes) == 0 {
			return nil
		}
		defined = changes[0].site
		if err := s.moveRevision(ctx, tx, defined); err != nil {
			return err
		}
		for _, c := range changes {
			if err := s.record(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && defined != 0 && s.defined != nil {
		s.defined(defined)
	}
	return err
}

// moveRevision moves a site's revision. Until the transaction ends, no other one changes the site's definitions; those that
// move it before they look at other definitions than their own see them as they then are.
func (s *Store) moveRevision(ctx context.Context, tx bun.Tx, site int64) error {
	now := model.MillisOf(s.now())
	_, err := tx.NewUpdate().Table("sites").Set("revision = CASE WHEN revision < ? THEN ? ELSE revision + 1 END", now, now).
		Where("id = ?", site).Exec(ctx)
	return err
}
