package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// Computation is something that a plugin is asked of each session of a site.
type Computation struct {
	bun.BaseModel `bun:"table:computations,alias:computations"`

	ID     int64 `bun:",pk,autoincrement"`
	SiteID int64
	// Hash is that of Key, by which it is found: keys may be long.
	Hash string
	// Key says what is computed.
	Key       string
	CreatedAt model.Millis
	// AskedAt is about when it was last needed.
	AskedAt model.Millis
}

// Computation returns the site's computation of a key, which is made where there is
// none, and notes that it is needed now.
func (s *Store) Computation(ctx context.Context, site int64, key string) (c Computation, err error) {
	defer wrap(&err, "computation of site %d", site)
	hash, now := sha256.Sum256([]byte(key)), model.MillisOf(s.now())
	c = Computation{SiteID: site, Hash: hex.EncodeToString(hash[:]), Key: key, CreatedAt: now, AskedAt: now}
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		if _, err := s.site(ctx, tx, site, s.dialect.keyLock); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&c).On("CONFLICT (site_id, hash) DO UPDATE").Set("asked_at = EXCLUDED.asked_at").Returning("*").Exec(ctx)
		return err
	})
	return c, err
}

// Computations returns the computations of a site, or with 0 of all sites, the oldest first.
func (s *Store) Computations(ctx context.Context, site int64) (list []Computation, err error) {
	defer wrap(&err, "computations of site %d", site)
	query := s.db.NewSelect().Model(&list).Order("id")
	if site != 0 {
		query = query.Where("site_id = ?", site)
	} else {
		query = query.Where("site_id IN (?)", s.allSites())
	}
	return list, query.Scan(ctx)
}

// ForgetComputations erases computations of a site with all that was computed.
func (s *Store) ForgetComputations(ctx context.Context, site int64, ids []int64) (err error) {
	defer wrap(&err, "forget %d computations of site %d", len(ids), site)
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		// In this order, those that store a set have finished or will find no computation.
		if _, err := tx.NewDelete().Table("computations").Where("site_id = ? AND id IN (?)", site, bun.List(ids)).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewDelete().Table("computed").Where("site_id = ? AND computation_id IN (?)", site, bun.List(ids)).Exec(ctx)
		return err
	})
}

// ComputedSet is what was computed for a partition, as it was at a revision.
type ComputedSet struct {
	bun.BaseModel `bun:"table:computed,alias:computed"`

	SiteID        int64    `bun:",pk"`
	PartitionID   int64    `bun:",pk"`
	ComputationID int64    `bun:",pk"`
	Revision      Revision `bun:"embed:"`
	Data          []byte
}

// ComputedSets returns what is stored of a computation for some partitions, in no order.
func (s *Store) ComputedSets(ctx context.Context, c Computation, partitions []int64) (sets []ComputedSet, err error) {
	defer wrap(&err, "what computation %d computed for %d partitions", c.ID, len(partitions))
	for chunk := range slices.Chunk(partitions, insertChunk) {
		var some []ComputedSet
		if err := s.db.NewSelect().Model(&some).Where("site_id = ? AND computation_id = ? AND partition_id IN (?)", c.SiteID, c.ID, bun.List(chunk)).Scan(ctx); err != nil {
			return nil, err
		}
		sets = append(sets, some...)
	}
	return sets, nil
}

// SaveComputed stores what was computed for a partition, in place of what is older. Several processes may do so at
// once. Where the computation was forgotten nothing is stored.
func (s *Store) SaveComputed(ctx context.Context, set ComputedSet) (err error) {
	defer wrap(&err, "save what computation %d computed for partition %d", set.ComputationID, set.PartitionID)
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		// The lock keeps the computation from being forgotten meanwhile.
		query := tx.NewSelect().Table("computations").ColumnExpr("1").Where("site_id = ? AND id = ?", set.SiteID, set.ComputationID)
		if s.dialect.keyLock != "" {
			query = query.For(s.dialect.keyLock)
		}
		var found int
		if err := query.Scan(ctx, &found); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		}
		if isNewest, err := s.isSavable(ctx, tx, set.SiteID, set.PartitionID, set.Revision); err != nil || !isNewest {
			return err
		}
		_, err := tx.NewInsert().Model(&set).On("CONFLICT (site_id, partition_id, computation_id) DO UPDATE").
			Set("revision = EXCLUDED.revision").Set("write_id = EXCLUDED.write_id").Set("data = EXCLUDED.data").
			Where("computed.revision < EXCLUDED.revision").Exec(ctx)
		return err
	})
}

// ForgetComputed erases what is stored for a partition: it proved to be damaged.
func (s *Store) ForgetComputed(ctx context.Context, c Computation, partition int64) (err error) {
	defer wrap(&err, "forget what computation %d computed for partition %d", c.ID, partition)
	_, err = s.execute(ctx, s.writing.NewDelete().Table("computed").Where("site_id = ? AND partition_id = ? AND computation_id = ?", c.SiteID, partition, c.ID))
	return err
}

// ComputedProgress is how far the computations of a site are.
type ComputedProgress struct {
	// Sessions are those of all the site's partitions.
	Sessions int
	// Done are those of the partitions for which a computation is stored, by its id.
	// Changes since then are not regarded.
	Done map[int64]int
}

// ComputedProgress returns how far the computations of a site are.
func (s *Store) ComputedProgress(ctx context.Context, site int64) (p ComputedProgress, err error) {
	defer wrap(&err, "progress of the computations of site %d", site)
	if err := s.db.NewSelect().Table("partitions").ColumnExpr("COALESCE(SUM(sessions), 0)").Where("site_id = ?", site).Scan(ctx, &p.Sessions); err != nil {
		return p, err
	}
	type doneRow struct {
		ComputationID int64
		Sessions      int
	}
	var done []doneRow
	p.Done = map[int64]int{}
	err = s.db.NewSelect().Table("computed").Column("computation_id").ColumnExpr("SUM(partitions.sessions) AS sessions").
		Join("JOIN partitions ON partitions.site_id = computed.site_id AND partitions.id = computed.partition_id").
		Where("computed.site_id = ?", site).Group("computation_id").Scan(ctx, &done)
	for _, row := range done {
		p.Done[row.ComputationID] = row.Sessions
	}
	return p, err
}

// PartitionsToCompute returns the partitions for which a computation is not stored, or not as they are now, the newest
// first. Those for which it is stored are left out when they were written to at a moment or later.
func (s *Store) PartitionsToCompute(ctx context.Context, c Computation, before model.Millis) (partitions []Partition, err error) {
	defer wrap(&err, "partitions to compute for computation %d", c.ID)
	query := s.db.NewSelect().Model(&partitions).
		Join("LEFT JOIN computed ON computed.site_id = partitions.site_id AND computed.partition_id = partitions.id AND computed.computation_id = ?", c.ID).
		Where("partitions.site_id = ? AND (computed.revision IS NULL OR computed.revision < partitions.revision AND partitions.written_at < ?)", c.SiteID, before).
		Order("partitions.day DESC")
	return partitions, scanPartitions(ctx, query, &partitions)
}

// VisitsAt returns those of a partition's sessions at the ordinals that count, with their page views and events in the
// order of time, without tags and properties. Writes while it reads may show in the one and not in the other:
// EachChange tells of them afterwards.
func (s *Store) VisitsAt(ctx context.Context, site, partition int64, ordinals []int32) (visits []model.Visit, err error) {
	defer wrap(&err, "%d visits of partition %d", len(ordinals), partition)
	return s.visitsAt(ctx, site, partition, ordinals, true, 10, model.PageView, model.Event)
}

// WholeVisitsAt returns what VisitsAt does, with all that hits have but their origins,
// and with hits of all kinds. The visitors' keys are set where withKeys is.
func (s *Store) WholeVisitsAt(ctx context.Context, site, partition int64, ordinals []int32, withKeys bool) (visits []model.Visit, err error) {
	defer wrap(&err, "%d whole visits of partition %d", len(ordinals), partition)
	return s.visitsAt(ctx, site, partition, ordinals, withKeys, 12, model.PageView, model.Event, model.Traits)
}

func (s *Store) visitsAt(ctx context.Context, site, partition int64, ordinals []int32, withKeys bool, columns int, kinds ...model.HitKind) (visits []model.Visit, err error) {
	for chunk := range slices.Chunk(ordinals, insertChunk) {
		query := s.reading.NewSelect().Table("sessions").Column(sessionColumns...).Where("site_id = ?", site).Where(counted)
		if withKeys {
			query = s.keyedSessions(site)
		}
		at := make(map[int32]int, len(chunk))
		err := eachSession(ctx, query.Where("partition_id = ? AND ordinal IN (?)", partition, bun.List(chunk)), withKeys, func(session *model.Session) error {
			at[session.ID.Ordinal] = len(visits)
			visits = append(visits, model.Visit{Session: *session})
			return nil
		})
		if err != nil {
			return nil, err
		}
		if err := s.eachHit(ctx, site, partition, chunk, columns, kinds, func(ordinal int32, hit model.Hit) {
			if i, found := at[ordinal]; found {
				visits[i].Hits = append(visits[i].Hits, hit)
			}
		}); err != nil {
			return nil, err
		}
	}
	for _, visit := range visits {
		slices.SortFunc(visit.Hits, model.Hit.Compare)
	}
	return visits, nil
}

// eachHit calls do with each hit of the kinds of the sessions at the ordinals. columns
// is how many of the first of hitColumns are read.
func (s *Store) eachHit(ctx context.Context, site, partition int64, ordinals []int32, columns int, kinds []model.HitKind, do func(ordinal int32, hit model.Hit)) error {
	rows, err := s.reading.NewSelect().Table("hits").Column(hitColumns[:columns]...).
		Where("site_id = ? AND partition_id = ? AND ordinal IN (?) AND kind IN (?)", site, partition, bun.List(ordinals), bun.List(kinds)).Rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row hitRow
	fields := []any{&row.SiteID, &row.PartitionID, &row.Ordinal, &row.At, &row.IDHigh, &row.IDLow, &row.Place, &row.Kind, &row.Name, &row.Value, &row.Tags, &row.Properties}[:columns]
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		hit, err := row.hit(nil)
		if err != nil {
			return err
		}
		do(row.Ordinal, hit)
	}
	return rows.Err()
}
