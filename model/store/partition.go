package store

import (
	"context"
	"slices"
	"time"

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
	// Revision is that of the newest write, and WrittenAt when that was.
	Revision  Revision `bun:"embed:"`
	WrittenAt model.Millis
	// Columns is the revision of the stored columns, and ColumnsFormat their format; zero without.
	Columns       Revision `bun:"embed:columns_"`
	ColumnsFormat int

	// ReadAt is when the database had answered. What was read later is as new, or newer.
	ReadAt time.Time `bun:"-"`
}

// Partitions returns the site's partitions that may hold sessions of the range, the
// oldest first.
func (s *Store) Partitions(ctx context.Context, site int64, in model.Range) (partitions []Partition, err error) {
	defer wrap(&err, "partitions of site %d", site)
	first, last := in.Days()
	query := s.db.NewSelect().Model(&partitions).Where("site_id = ? AND day BETWEEN ? AND ?", site, first, last).Order("day")
	return partitions, scanPartitions(ctx, query, &partitions)
}

// scanPartitions reads partitions, and notes when.
func scanPartitions(ctx context.Context, query *bun.SelectQuery, to *[]Partition) error {
	err := query.Scan(ctx, to)
	now := time.Now()
	for i := range *to {
		(*to)[i].ReadAt = now
	}
	return err
}

// HaveMoved tells whether some of a site's partitions, in the order of their days, are not as they were when they were
// read.
func (s *Store) HaveMoved(ctx context.Context, partitions []Partition) (moved bool, err error) {
	if len(partitions) == 0 {
		return false, nil
	}
	first, last := &partitions[0], &partitions[len(partitions)-1]
	defer wrap(&err, "revisions of site %d", first.SiteID)
	now, err := s.Partitions(ctx, first.SiteID, model.Range{From: first.Day.Start(), To: (last.Day + 1).Start()})
	if err != nil {
		return false, err
	}
	revisions := make(map[int64]Revision, len(now))
	for i := range now {
		revisions[now[i].ID] = now[i].Revision
	}
	return slices.ContainsFunc(partitions, func(p Partition) bool { return revisions[p.ID] != p.Revision }), nil
}
