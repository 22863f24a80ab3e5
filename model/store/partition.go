package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// Partition is the sessions of one site that started on one UTC day.
type Partition struct {
	bun.BaseModel `bun:"table:partitions,alias:partitions"`

	ID     int64 `bun:",pk,autoincrement"`
	SiteID int64
	Day    model.Day
	// Sessions is how many ordinals were handed out, those that count nowhere among them.
	Sessions int32
	// Revision is that of the newest write. Revisions commit in their order.
	Revision int64
	// WrittenAt is when that was.
	WrittenAt model.Millis
	// ColumnsRevision and ColumnsFormat are those of the stored columns; 0 without.
	ColumnsRevision int64
	ColumnsFormat   int
}

// Partitions returns the site's partitions that may hold sessions of the range, the
// oldest first.
func (s *Store) Partitions(ctx context.Context, site int64, in model.Range) (partitions []Partition, err error) {
	defer wrap(&err, "partitions of site %d", site)
	first, last := in.Days()
	err = s.db.NewSelect().Model(&partitions).Where("site_id = ? AND day BETWEEN ? AND ?", site, first, last).Order("day").Scan(ctx)
	return partitions, err
}

// Totals are what a site holds altogether.
type Totals struct{ Visitors, Sessions int }

// Totals counts the site's visitors and sessions.
func (s *Store) Totals(ctx context.Context, site int64) (totals Totals, err error) {
	defer wrap(&err, "totals of site %d", site)
	partitions := s.db.NewSelect().Table("partitions").Column("id").Where("site_id = ?", site)
	err = s.db.NewSelect().Table("sessions").ColumnExpr("COUNT(DISTINCT visitor_id), COUNT(*)").
		Where("partition_id IN (?)", partitions).Where(counted).Scan(ctx, &totals.Visitors, &totals.Sessions)
	return totals, err
}
