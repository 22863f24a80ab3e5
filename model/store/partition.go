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
	// ErasedRevision is the number of the revision at which sessions were erased last: nothing older is stored.
	ErasedRevision int64

	// ReadAt is when the database had answered. What was read later is as new, or newer.
	ReadAt time.Time `bun:"-"`
}

// Partitions returns the site's partitions that may hold sessions of the range, the
// oldest first.
func (s *Store) Partitions(ctx context.Context, site int64, in model.Range) (partitions []Partition, err error) {
	defer wrap(&err, "partitions of site %d", site)
	first, last := in.Days()
	rows, err := s.dialect.rows(ctx, s.db, partitionsOfDays, site, int32(first), int32(last))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p := Partition{SiteID: site}
		if err := rows.Scan(&p.ID, (*int32)(&p.Day), &p.Sessions, &p.Revision.Number, &p.Revision.Write, (*int64)(&p.WrittenAt),
			&p.Columns.Number, &p.Columns.Write, &p.ColumnsFormat); err != nil {
			return nil, err
		}
		partitions = append(partitions, p)
	}
	setReadAt(partitions)
	return partitions, rows.Err()
}

var partitionsOfDays = bind("SELECT id, day, sessions, revision, write_id, written_at, columns_revision, columns_write_id, columns_format " +
	"FROM partitions WHERE site_id = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day")

// scanPartitions reads partitions, and notes when.
func scanPartitions(ctx context.Context, query *bun.SelectQuery, to *[]Partition) error {
	err := query.Scan(ctx, to)
	setReadAt(*to)
	return err
}

func setReadAt(partitions []Partition) {
	now := time.Now()
	for i := range partitions {
		partitions[i].ReadAt = now
	}
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
