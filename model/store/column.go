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

	BucketID  int64  `bun:",pk"`
	Dimension string `bun:",pk"`
	Revision  int64
	Data      []byte
}

// Columns returns columns of a bucket as they were stored at a revision, by
// dimension. Those that are not stored at that revision, or no longer, are left
// out.
func (s *Store) Columns(ctx context.Context, bucket, revision int64, dimensions []string) (columns map[string][]byte, err error) {
	defer wrap(&err, "columns of bucket %d", bucket)
	query := s.db.NewSelect().Model((*columnRow)(nil)).Column("dimension", "data").Where("bucket_id = ? AND revision = ? AND dimension IN (?)", bucket, revision, bun.List(dimensions))
	columns = make(map[string][]byte, len(dimensions))
	return columns, s.dialect.eachRow(ctx, s.db, query.String(), func(values [][]byte) {
		columns[string(values[0])] = bytes.Clone(values[1])
	})
}

// SaveColumns stores the columns of all dimensions of a bucket, as it was at a
// revision. Columns of the same format that are as new stay as they are, so that
// several processes may do this at once; stored tells which it was.
func (s *Store) SaveColumns(ctx context.Context, bucket, revision int64, format int, columns map[string][]byte) (stored bool, err error) {
	defer wrap(&err, "save columns of bucket %d", bucket)
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		result, err := tx.NewUpdate().Table("buckets").Set("columns_revision = ?", revision).Set("columns_format = ?", format).
			Where("id = ? AND (columns_revision < ? OR columns_format <> ?)", bucket, revision, format).Exec(ctx)
		if err != nil {
			return err
		}
		changed, err := result.RowsAffected()
		if stored = changed > 0; err != nil || !stored {
			return err
		}
		if _, err := tx.NewDelete().Table("columns").Where("bucket_id = ?", bucket).Exec(ctx); err != nil {
			return err
		}
		for _, dimension := range slices.Sorted(maps.Keys(columns)) {
			row := columnRow{BucketID: bucket, Dimension: dimension, Revision: revision, Data: columns[dimension]}
			if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return stored, err
}

// ForgetColumns takes the columns of a bucket for not stored, where they are still those
// of the revision: they proved to be damaged.
func (s *Store) ForgetColumns(ctx context.Context, bucket, revision int64) (err error) {
	defer wrap(&err, "forget columns of bucket %d", bucket)
	_, err = s.execute(ctx, s.writing.NewUpdate().Table("buckets").Set("columns_revision = 0").Where("id = ? AND columns_revision = ?", bucket, revision))
	return err
}

// behind is true of the buckets whose columns are not stored as they are.
func behind(query *bun.SelectQuery, format int) *bun.SelectQuery {
	return query.Where("columns_revision < revision OR columns_format <> ?", format)
}

// BucketsBehind returns buckets, of one site or with 0 of all, whose columns are
// not stored as they are now, and which were last written to before an instant.
func (s *Store) BucketsBehind(ctx context.Context, site int64, format int, before model.Millis, limit int) (buckets []Bucket, err error) {
	defer wrap(&err, "buckets behind")
	query := behind(s.db.NewSelect().Model(&buckets), format).Where("written_at < ?", before).Order("id").Limit(int64(limit))
	if site != 0 {
		query = query.Where("site_id = ?", site)
	}
	return buckets, query.Scan(ctx)
}

// Behind is how much of the columns is not stored.
type Behind struct{ Buckets, Sessions int }

// CountBehind counts the buckets whose columns are not stored as they are, and
// their sessions.
func (s *Store) CountBehind(ctx context.Context, format int) (n Behind, err error) {
	defer wrap(&err, "count buckets behind")
	err = behind(s.db.NewSelect().Table("buckets").ColumnExpr("COUNT(*), COALESCE(SUM(sessions), 0)"), format).Scan(ctx, &n.Buckets, &n.Sessions)
	return n, err
}
