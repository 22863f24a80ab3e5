package store

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type columnRow struct {
	bun.BaseModel `bun:"table:columns,alias:columns"`

	PartitionID int64  `bun:",pk"`
	Dimension   string `bun:",pk"`
	Revision    int64
	Data        []byte
}

// Columns returns columns of a partition as they were stored at a revision, by
// dimension. Those that are not stored at that revision, or no longer, are left
// out.
func (s *Store) Columns(ctx context.Context, partition, revision int64, dimensions []string) (columns map[string][]byte, err error) {
	defer wrap(&err, "columns of partition %d", partition)
	query := s.db.NewSelect().Model((*columnRow)(nil)).Column("dimension", "data").Where("partition_id = ? AND revision = ? AND dimension IN (?)", partition, revision, bun.List(dimensions))
	columns = make(map[string][]byte, len(dimensions))
	return columns, s.dialect.eachRow(ctx, s.db, query.String(), func(values [][]byte) {
		columns[string(values[0])] = bytes.Clone(values[1])
	})
}

// SaveColumns stores the columns of all dimensions of a partition, as it was at a
// revision. Columns of the same format that are as new stay as they are, so that
// several processes may do this at once; stored tells which it was.
func (s *Store) SaveColumns(ctx context.Context, partition, revision int64, format int, columns map[string][]byte) (stored bool, err error) {
	defer wrap(&err, "save columns of partition %d", partition)
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		result, err := tx.NewUpdate().Table("partitions").Set("columns_revision = ?", revision).Set("columns_format = ?", format).
			Where("id = ? AND (columns_revision < ? OR columns_format <> ?)", partition, revision, format).Exec(ctx)
		if err != nil {
			return err
		}
		changed, err := result.RowsAffected()
		if stored = changed > 0; err != nil || !stored {
			return err
		}
		if _, err := tx.NewDelete().Table("columns").Where("partition_id = ?", partition).Exec(ctx); err != nil {
			return err
		}
		for _, dimension := range slices.Sorted(maps.Keys(columns)) {
			row := columnRow{PartitionID: partition, Dimension: dimension, Revision: revision, Data: columns[dimension]}
			if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return stored, err
}

// ForgetColumns takes the columns of a partition for not stored, where they are still those
// of the revision: they proved to be damaged.
func (s *Store) ForgetColumns(ctx context.Context, partition, revision int64) (err error) {
	defer wrap(&err, "forget columns of partition %d", partition)
	_, err = s.execute(ctx, s.writing.NewUpdate().Table("partitions").Set("columns_revision = 0").Where("id = ? AND columns_revision = ?", partition, revision))
	return err
}

// behind is true of the partitions whose columns are not stored as they are.
func behind(query *bun.SelectQuery, format int) *bun.SelectQuery {
	return query.Where("columns_revision < revision OR columns_format <> ?", format)
}

// PartitionsBehind returns partitions, of one site or with 0 of all, whose columns are
// not stored as they are now, and which were last written to before an instant.
func (s *Store) PartitionsBehind(ctx context.Context, site int64, format int, before model.Millis, limit int) (partitions []Partition, err error) {
	defer wrap(&err, "partitions behind")
	query := behind(s.db.NewSelect().Model(&partitions), format).Where("written_at < ?", before).Order("id").Limit(int64(limit))
	if site != 0 {
		query = query.Where("site_id = ?", site)
	}
	return partitions, query.Scan(ctx)
}

// Behind is how much of the columns is not stored.
type Behind struct{ Partitions, Sessions int }

// CountBehind counts the partitions whose columns are not stored as they are, and
// their sessions.
func (s *Store) CountBehind(ctx context.Context, format int) (n Behind, err error) {
	defer wrap(&err, "count partitions behind")
	err = behind(s.db.NewSelect().Table("partitions").ColumnExpr("COUNT(*), COALESCE(SUM(sessions), 0)"), format).Scan(ctx, &n.Partitions, &n.Sessions)
	return n, err
}
