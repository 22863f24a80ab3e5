package store

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// Record is a named part of what is stored of a partition as it was at a revision.
type Record struct {
	Name     string
	Revision Revision `bun:"embed:"`
	Data     []byte
}

// columnRow is a dimension of a partition, as it is stored.
type columnRow struct {
	bun.BaseModel `bun:"table:columns,alias:columns"`

	SiteID      int64    `bun:",pk"`
	PartitionID int64    `bun:",pk"`
	Dimension   string   `bun:",pk"`
	Revision    Revision `bun:"embed:"`
	Data        []byte
}

// MinColumns is from how many sessions on columns are stored: those of fewer take longer to read than the sessions.
const MinColumns = 16

// Columns returns stored columns of partitions of a site, by their ids and by dimensions, without those that are not
// stored. Those of one partition are all of one revision, which may be any. The replica is tried for those of the revisions
// that the partitions name.
func (s *Store) Columns(ctx context.Context, partitions []*Partition, dimensions []string, tries Origin) (columns map[int64]Stored, err error) {
	defer wrap(&err, "columns of %d partitions of site %d", len(partitions), partitions[0].SiteID)
	at := func(p *Partition) Revision { return p.Columns }
	return s.stored(ctx, partitions, len(dimensions), at, tries, func(db *bun.DB, ids []int64) (map[int64][]Record, error) {
		return s.columns(ctx, db, partitions[0].SiteID, ids, dimensions)
	})
}

func (s *Store) columns(ctx context.Context, db *bun.DB, site int64, partitions []int64, dimensions []string) (columns map[int64][]Record, err error) {
	query := db.NewSelect().Model((*columnRow)(nil)).ColumnExpr("CAST(partition_id AS TEXT)").Column("dimension").
		ColumnExpr("CAST(revision AS TEXT), CAST(write_id AS TEXT)").Column("data").
		Where("site_id = ? AND partition_id IN (?) AND dimension IN (?)", site, bun.List(partitions), bun.List(dimensions))
	columns = make(map[int64][]Record, len(partitions))
	var malformed error
	err = s.dialect.eachRow(ctx, db, query.String(), func(values [][]byte) {
		number := func(text []byte) int64 {
			n, err := strconv.ParseInt(string(text), 10, 64)
			malformed = errors.Join(malformed, err)
			return n
		}
		partition, revision := number(values[0]), Revision{number(values[2]), number(values[3])}
		columns[partition] = append(columns[partition], Record{string(values[1]), revision, bytes.Clone(values[4])})
	})
	return columns, errors.Join(err, malformed)
}

// SaveColumns stores the columns of all dimensions of a partition, as it was at a revision. Columns of the same format
// that are as new stay as they are, so that several processes may do this at once. Columns of a revision that was lost
// are not stored.
func (s *Store) SaveColumns(ctx context.Context, site, partition int64, revision Revision, format int, columns map[string][]byte) (err error) {
	defer wrap(&err, "save columns of partition %d", partition)
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		isSavable, err := s.isSavable(ctx, tx, site, partition, revision)
		if err != nil || !isSavable {
			return err
		}
		result, err := tx.NewUpdate().Table("partitions").
			Set("columns_revision = ?", revision.Number).Set("columns_write_id = ?", revision.Write).Set("columns_format = ?", format).
			Where("site_id = ? AND id = ? AND (columns_revision < ? OR columns_format <> ?)", site, partition, revision.Number, format).Exec(ctx)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err != nil || changed == 0 {
			return err
		}
		if _, err := tx.NewDelete().Table("columns").Where("site_id = ? AND partition_id = ?", site, partition).Exec(ctx); err != nil {
			return err
		}
		for _, dimension := range slices.Sorted(maps.Keys(columns)) {
			row := columnRow{SiteID: site, PartitionID: partition, Dimension: dimension, Revision: revision, Data: columns[dimension]}
			if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// isSavable tells whether a revision of a partition is part of the database's history, and no sessions were erased since: what
// was made from another one must not be stored. Until the transaction ends, nobody writes to the partition.
func (s *Store) isSavable(ctx context.Context, tx bun.Tx, site, partition int64, revision Revision) (bool, error) {
	query := tx.NewSelect().Table("partitions").Column("id").Where("site_id = ? AND id = ? AND erased_revision <= ?", site, partition, revision.Number).
		WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("revision = ? AND write_id = ?", revision.Number, revision.Write).WhereOr("EXISTS (?)", noted(tx, site, revision.Write))
		})
	if s.dialect.rowLock != "" {
		query = query.For(s.dialect.rowLock)
	}
	var found []int64
	err := query.Scan(ctx, &found)
	return len(found) > 0, err
}

// ForgetColumns makes the columns of a partition count as not stored: they proved to be damaged.
func (s *Store) ForgetColumns(ctx context.Context, site, partition int64) (err error) {
	defer wrap(&err, "forget columns of partition %d", partition)
	_, err = s.execute(ctx, s.writing.NewUpdate().Table("partitions").Set("columns_revision = 0").Set("columns_write_id = 0").Where("site_id = ? AND id = ?", site, partition))
	return err
}

// behind is true of the partitions whose columns are not stored as they are, and should be.
func behind(query *bun.SelectQuery, format int) *bun.SelectQuery {
	return query.Where("sessions >= ? AND (columns_revision < revision OR columns_format <> ?)", MinColumns, format)
}

// PartitionsBehind returns partitions of a site, of MinColumns sessions at least, whose columns are not stored as they are
// now, and which were last written to before an instant.
func (s *Store) PartitionsBehind(ctx context.Context, site int64, format int, before model.Millis) (partitions []Partition, err error) {
	defer wrap(&err, "partitions behind of site %d", site)
	query := behind(s.db.NewSelect().Model(&partitions).Where("site_id = ?", site), format).
		Where("written_at < ?", before).Order("id")
	return partitions, scanPartitions(ctx, query, &partitions)
}

// SitesBehind returns the sites of which PartitionsBehind or ExposuresBehind would return something.
func (s *Store) SitesBehind(ctx context.Context, format int, before model.Millis) (sites []int64, err error) {
	defer wrap(&err, "sites behind")
	all := s.allSites()
	partitions := behind(s.db.NewSelect().Table("partitions").Column("site_id").Where("site_id IN (?)", all), format).Where("written_at < ?", before)
	exposures := s.exposuresBehind(before).Column("partitions.site_id").Where("partitions.site_id IN (?)", all)
	return sites, s.db.NewSelect().ColumnExpr("DISTINCT site_id").TableExpr("(?) AS behind", partitions.UnionAll(exposures)).Order("site_id").Scan(ctx, &sites)
}

// Behind is how much of the columns is not stored.
type Behind struct{ Partitions, Sessions int }

// CountBehind counts the partitions whose columns are not stored as they are, and their sessions.
func (s *Store) CountBehind(ctx context.Context, format int) (n Behind, err error) {
	defer wrap(&err, "count partitions behind")
	err = behind(s.db.NewSelect().Table("partitions").ColumnExpr("COUNT(*), COALESCE(SUM(sessions), 0)").
		Where("site_id IN (?)", s.allSites()), format).Scan(ctx, &n.Partitions, &n.Sessions)
	return n, err
}
