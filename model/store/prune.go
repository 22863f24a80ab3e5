package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/goalgraph/goalgraph/model"
)

// PruneMessages deletes at most some ids of a site's messages written before a day, and returns
// how many. A page view or event that is sent again later still counts once, because it
// is found among the hits. The ids only make that check faster.
func (s *Store) PruneMessages(ctx context.Context, site int64, before model.Day, some int) (pruned int, err error) {
	defer wrap(&err, "prune messages of site %d", site)
	part := s.db.NewSelect().Table("messages").Column("id_high", "id_low").Where("site_id = ? AND site_id + 0 = ? AND day < ?", site, site, before).Limit(int64(some))
	result, err := s.execute(ctx, s.writing.NewDelete().Table("messages").Where("site_id = ? AND (id_high, id_low) IN (?)", site, part))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// PruneAssignments deletes at most some kept assignments of a site that can matter no more, and returns how many: those to
// experiments that are deleted or archived, and those in runs before the last one.
func (s *Store) PruneAssignments(ctx context.Context, site int64, some int) (pruned int, err error) {
	defer wrap(&err, "prune kept assignments of site %d", site)
	var experiment, run int64 // from one run to the next, and not through all rows
	for pruned < some {
		err := s.db.NewSelect().Table("kept_assignments").Column("experiment_id", "run").Where("site_id = ? AND (experiment_id, run) > (?, ?)", site, experiment, run).
			Order("experiment_id", "run").Limit(1).Scan(ctx, &experiment, &run)
		if errors.Is(err, sql.ErrNoRows) {
			return pruned, nil
		}
		if err != nil {
			return pruned, err
		}
		n, err := s.pruneRun(ctx, site, experiment, run, some-pruned)
		if pruned += n; err != nil {
			return pruned, err
		}
	}
	return pruned, nil
}

// pruneRun deletes at most some assignments that were kept of a run, unless it is the last one of an experiment that goes on or
// may be run again.
func (s *Store) pruneRun(ctx context.Context, site, experiment, run int64, some int) (pruned int, err error) {
	part := s.db.NewSelect().Table("kept_assignments").Column("visitor").Where("site_id = ? AND experiment_id = ? AND run = ?", site, experiment, run).
		Where("NOT EXISTS (SELECT 1 FROM experiments WHERE id = ? AND started_at = ? AND status <> ?)", experiment, run, model.Archived).
		Order("visitor").Limit(int64(some))
	result, err := s.execute(ctx, s.writing.NewDelete().Table("kept_assignments").
		Where("site_id = ? AND experiment_id = ? AND run = ? AND visitor IN (?)", site, experiment, run, part))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
