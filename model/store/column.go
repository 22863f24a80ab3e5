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
	Revision int64
	Data     []byte
}

// columnRow is a dimension of a partition, as it is stored.
type columnRow struct {
	bun.BaseModel `bun:"table:columns,alias:columns"`

	PartitionID int64  `bun:",pk"`
	Dimension   string `bun:",pk"`
	Revision    int64
	Data        []byte
}

// Columns returns stored columns of a partition, by dimensions, without those that are not stored. They are all of one
// revision, which may be any.
func (s *Store) Columns(ctx context.Context, partition int64, dimensions []string) (columns []Record, err error) {
	defer wrap(&err, "columns of partition %d", partition)
	query := s.db.NewSelect().Model((*columnRow)(nil)).Column("dimension").ColumnExpr("CAST(revision AS TEXT)").Column("data").
		Where("partition_id = ? AND dimension IN (?)", partition, bun.List(dimensions))
	columns = make([]Record, 0, len(dimensions))
	var malformed error
	err = s.dialect.eachRow(ctx, s.db, query.String(), func(values [][]byte) {
		revision, err := strconv.ParseInt(string(values[1]), 10, 64)
		malformed = errors.Join(malformed, err)
		columns = append(columns, Record{string(values[0]), revision, bytes.Clone(values[2])})
	})
	return columns, errors.Join(err, malformed)
}

// SaveColumns stores the columns of all dimensions of a partition, as it was at a revision. Columns of the same format
// that are as new stay as they are, so that several processes may do this at once.
func (s *Store) SaveColumns(ctx context.Context, partition, revision int64, format int, columns map[string][]byte) (err error) {
	defer wrap(&err, "save columns of partition %d", partition)
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		result, err := tx.NewUpdate().Table("partitions").Set("columns_revision = ?", revision).Set("columns_format = ?", format).
			Where("id = ? AND (columns_revision < ? OR columns_format <> ?)", partition, revision, format).Exec(ctx)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err != nil || changed == 0 {
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
}

// ForgetColumns makes the columns of a partition count as not stored: they proved to be damaged.
func (s *Store) ForgetColumns(ctx context.Context, partition int64) (err error) {
	defer wrap(&err, "forget columns of partition %d", partition)
	_, err = s.execute(ctx, s.writing.NewUpdate().Table("partitions").Set("columns_revision = 0").Where("id = ?", partition))
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

// CountBehind counts the partitions whose columns are not stored as they are, and their sessions.
func (s *Store) CountBehind(ctx context.Context, format int) (n Behind, err error) {
	defer wrap(&err, "count partitions behind")
	err = behind(s.db.NewSelect().Table("partitions").ColumnExpr("COUNT(*), COALESCE(SUM(sessions), 0)"), format).Scan(ctx, &n.Partitions, &n.Sessions)
	return n, err
}
