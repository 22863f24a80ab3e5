package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// EraseExpired erases the sessions of a site that ended longer ago than it keeps them, in transactions of bounded size, and
// returns how many of those that count there were. A visitor goes with the last session: who comes back is new. Several
// processes may do so at once.
func (s *Store) EraseExpired(ctx context.Context, site int64) (erased int, err error) {
	defer wrap(&err, "erase expired sessions of site %d", site)
	of, err := s.site(ctx, s.db, site, "")
	if err != nil || of.RetentionDays == nil {
		return 0, err
	}
	since := of.KeptSince(model.MillisOf(s.now()))
	partitions, err := s.Partitions(ctx, site, model.Range{From: -model.Open, To: since + 1})
	if err != nil {
		return 0, err
	}
	for _, partition := range partitions {
		n, err := s.eraseExpired(ctx, site, partition.ID)
		if erased += n; err != nil {
			return erased, err
		}
		if (partition.Day+1).Start()+model.MaxSessionLength <= since {
			if err := s.removePartition(ctx, site, partition.ID); err != nil {
				return erased, err
			}
		}
	}
	if err := s.sweepSessions(ctx, site); err != nil || erased == 0 {
		return erased, err
	}
	_, err = s.execute(ctx, s.writing.NewUpdate().Table("events").Set("first_at = ?", since).Where("site_id = ? AND first_at < ?", site, since))
	return erased, err
}

// eraseExpired erases the sessions of a partition that have expired.
func (s *Store) eraseExpired(ctx context.Context, site, partition int64) (erased int, err error) {
	after, isMore := int32(-1), true
	for isMore {
		n := 0
		err := s.erasing(ctx, site, func(e *eraser) (err error) {
			n, after, isMore, err = e.eraseExpired(ctx, partition, after)
			return err
		})
		if err != nil {
			return erased, err
		}
		erased += n
	}
	return erased, nil
}

// eraseExpired erases some of the sessions of a partition that have expired, from behind an ordinal on. last is the last one that
// it erased, and isMore tells that there may be more of them.
func (e *eraser) eraseExpired(ctx context.Context, partition int64, after int32) (erased int, last int32, isMore bool, err error) {
	since := e.site.KeptSince(e.now)
	var found []erasable
	if err := e.tx.NewSelect().Table("sessions").ColumnExpr(erasableColumns).
		Where("site_id = ? AND partition_id = ? AND ordinal > ? AND visitor_id <> 0 AND ended_at < ?", e.site.ID, partition, after, since).
		Order("ordinal").Limit(maxErased).Scan(ctx, &found); err != nil {
		return 0, after, false, err
	}
	part := bounded(found)
	if len(part) == 0 {
		return 0, after, false, nil
	}
	if erased, err = e.erase(ctx, part); err != nil {
		return 0, after, false, err
	}
	// A hit may come late to a session that goes on: what it has behind it is needed.
	if err := e.forgetExpired(ctx, part, since-model.MaxSessionLength); err != nil {
		return 0, after, false, err
	}
	return erased, part[len(part)-1].Ordinal, len(part) < len(found) || len(found) == maxErased, nil
}

// forgetExpired forgets the visitors of erased sessions who have no others. Of the others it erases links from before an instant
// that say nothing about what came since: a later one of their users did.
func (e *eraser) forgetExpired(ctx context.Context, sessions []erasable, before model.Millis) error {
	ids := map[int64]bool{}
	for _, s := range sessions {
		ids[s.VisitorID] = true
	}
	list := make([]int64, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	rows, err := e.tx.QueryContext(ctx, "SELECT visitor, EXISTS (SELECT 1 FROM sessions WHERE sessions.site_id = ? AND sessions.visitor_id = visitors.id) "+
		"FROM visitors WHERE site_id = ? AND id IN (?)", e.site.ID, e.site.ID, bun.List(list))
	if err != nil {
		return err
	}
	var gone, left []string
	if err := eachOf(rows, func() error {
		var visitor string
		var hasSessions bool
		if err := rows.Scan(&visitor, &hasSessions); err != nil {
			return err
		}
		if hasSessions {
			left = append(left, visitor)
		} else {
			gone = append(gone, visitor)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := e.forget(ctx, gone, before); err != nil || len(left) == 0 {
		return err
	}
	_, err = e.tx.ExecContext(ctx, "DELETE FROM links WHERE site_id = ? AND device IN (?) AND at < ? AND EXISTS (SELECT 1 FROM links AS later "+
		"WHERE later.site_id = links.site_id AND later.user_id = links.user_id AND later.at > links.at AND later.at < ?)", e.site.ID, bun.List(left), before, before)
	return err
}

// removePartition deletes a partition whose ordinals are all given up, with what was stored of it. Its rows of sessions, which
// are nobody's, are left to sweepSessions: together they may be too many.
func (s *Store) removePartition(ctx context.Context, site, partition int64) error {
	return s.erasing(ctx, site, func(e *eraser) error {
		isUsed, err := e.tx.NewSelect().Table("sessions").ColumnExpr("1").Where("site_id = ? AND partition_id = ? AND visitor_id <> 0", site, partition).Exists(ctx)
		if err != nil || isUsed {
			return err
		}
		if _, err := e.tx.NewDelete().Table("partitions").Where("site_id = ? AND id = ?", site, partition).Exec(ctx); err != nil {
			return err
		}
		for _, table := range []string{"columns", "experiment_columns", "computed"} {
			if _, err := e.tx.NewDelete().Table(table).Where("site_id = ? AND partition_id = ?", site, partition).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// swept is how many rows sweepSessions deletes at once.
const swept = 5000

// sweepSessions deletes the rows of sessions of partitions that are gone. It looks from one partition to the next, and not at
// all rows.
func (s *Store) sweepSessions(ctx context.Context, site int64) error {
	partitions, err := s.Partitions(ctx, site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return err
	}
	isThere := make(map[int64]bool, len(partitions))
	for i := range partitions {
		isThere[partitions[i].ID] = true
	}
	for partition := int64(0); ; {
		err := s.db.NewSelect().Table("sessions").Column("partition_id").Where("site_id = ? AND partition_id > ?", site, partition).
			Order("partition_id").Limit(1).Scan(ctx, &partition)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err == nil && !isThere[partition]:
			err = s.sweepPartition(ctx, site, partition)
		}
		if err != nil {
			return err
		}
	}
}

// sweepPartition deletes the rows of sessions of a partition, if it is gone: it may be new.
func (s *Store) sweepPartition(ctx context.Context, site, partition int64) error {
	some := s.db.NewSelect().Table("sessions").Column("ordinal").Where("site_id = ? AND partition_id = ?", site, partition).
		Where("NOT EXISTS (SELECT 1 FROM partitions WHERE partitions.site_id = ? AND partitions.id = ?)", site, partition).Limit(swept)
	for n := int64(swept); n == swept; {
		result, err := s.execute(ctx, s.writing.NewDelete().Table("sessions").Where("site_id = ? AND partition_id = ? AND ordinal IN (?)", site, partition, some))
		if err != nil {
			return err
		}
		if n, err = result.RowsAffected(); err != nil {
			return err
		}
	}
	return nil
}
