package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type segmentRow struct {
	bun.BaseModel `bun:"table:segments,alias:segments"`

	ID         int64 `bun:",pk,autoincrement"`
	SiteID     int64
	GoalID     *int64
	Name       string
	Filters    string
	Active     bool
	SearchText string
	CreatedAt  int64
	UpdatedAt  int64
}

func segmentRowOf(segment *model.Segment) (*segmentRow, error) {
	filters, err := encodeFilters(segment.Filters)
	return &segmentRow{
		ID: segment.ID, SiteID: segment.SiteID, Name: segment.Name, Filters: filters, Active: segment.Active,
		SearchText: searchText(segment.Name),
		CreatedAt:  segment.CreatedAt.UnixMilli(), UpdatedAt: segment.UpdatedAt.UnixMilli(),
	}, err
}

func (row *segmentRow) segment() (*model.Segment, error) {
	filters, err := decodeFilters(row.Filters)
	return &model.Segment{
		ID: row.ID, SiteID: row.SiteID, Name: row.Name, Filters: filters, Active: row.Active,
		CreatedAt: fromMillis(row.CreatedAt), UpdatedAt: fromMillis(row.UpdatedAt),
	}, err
}

// segmentsOf returns the rows' segments, with those that they name.
func segmentsOf(ctx context.Context, db bun.IDB, rows []segmentRow) ([]model.Segment, error) {
	segments, filters := make([]model.Segment, len(rows)), make([][]model.FilterSpec, len(rows))
	for i := range rows {
		segment, err := rows[i].segment()
		if err != nil {
			return nil, err
		}
		segments[i], filters[i] = *segment, segment.Filters
	}
	return segments, fillSegments(ctx, db, filters...)
}

// SegmentQuery asks for segments of a site.
type SegmentQuery struct {
	Site int64
	// Search is a part of the name, in any case; empty for all.
	Search string
	// Active keeps active segments or the others; nil for all.
	Active *bool
}

func (q SegmentQuery) apply(query *bun.SelectQuery) *bun.SelectQuery {
	query = matching(query.Where("site_id = ? AND goal_id IS NULL", q.Site), q.Search)
	if q.Active != nil {
		query = query.Where("active = ?", *q.Active)
	}
	return query
}

// Segments returns a page of the segments of the query, oldest first.
func (s *Store) Segments(ctx context.Context, q SegmentQuery, page Page) (segments []model.Segment, err error) {
	defer wrap(&err, "segments of site %d", q.Site)
	var rows []segmentRow
	if err := s.apply(page, q.apply(s.db.NewSelect().Model(&rows))).Scan(ctx); err != nil {
		return nil, err
	}
	return segmentsOf(ctx, s.db, rows)
}

// CountSegments returns the number of segments of the query.
func (s *Store) CountSegments(ctx context.Context, q SegmentQuery) (n int, err error) {
	defer wrap(&err, "count segments of site %d", q.Site)
	count, err := q.apply(s.db.NewSelect().Model((*segmentRow)(nil))).Count(ctx)
	return int(count), err
}

// SegmentsByID returns the segments that exist, in no particular order.
func (s *Store) SegmentsByID(ctx context.Context, ids []int64) (segments []model.Segment, err error) {
	defer wrap(&err, "%d segments by id", len(ids))
	var rows []segmentRow
	if err := s.db.NewSelect().Model(&rows).Where("id IN (?) AND goal_id IS NULL", bun.List(ids)).Scan(ctx); err != nil {
		return nil, err
	}
	return segmentsOf(ctx, s.db, rows)
}

// Segment returns a segment by its id, or NotFound.
func (s *Store) Segment(ctx context.Context, id int64) (segment *model.Segment, err error) {
	defer wrap(&err, "segment %d", id)
	return s.segment(ctx, s.db, id, "")
}

func (s *Store) segment(ctx context.Context, db bun.IDB, id int64, lock string) (*model.Segment, error) {
	var row segmentRow
	query := db.NewSelect().Model(&row).Where("id = ? AND goal_id IS NULL", id)
	if lock != "" {
		query = query.For(lock)
	}
	if err := query.Scan(ctx); err != nil {
		return nil, notFound(err, "segment")
	}
	segment, err := row.segment()
	if err != nil {
		return nil, err
	}
	return segment, fillSegments(ctx, db, segment.Filters)
}

func objectOfSegment(segment *model.Segment) object {
	return object{model.SegmentObject, segment.SiteID, segment.ID}
}

// CreateSegment stores a new segment and sets its ID and times. The error is NotFound if the site does not have a segment
// that the filters name.
func (s *Store) CreateSegment(ctx context.Context, segment *model.Segment) (err error) {
	defer wrap(&err, "create segment %.40q", segment.Name)
	if err := segment.Validate(); err != nil {
		return err
	}
	return s.define(ctx, func(tx bun.Tx) (change, error) {
		if _, err := s.site(ctx, tx, segment.SiteID, s.dialect.keyLock); err != nil {
			return change{}, err
		}
		if err := s.insertSegment(ctx, tx, segment); err != nil {
			return change{}, err
		}
		err := model.Under("filters", s.nameSegments(ctx, tx, objectOfSegment(segment), nil, segment.Filters))
		return ofSegment(model.Created, segment, "", documentOfSegment(segment)), err
	})
}

func (s *Store) insertSegment(ctx context.Context, tx bun.Tx, segment *model.Segment) error {
	segment.CreatedAt = model.MillisOf(s.now()).Time()
	segment.UpdatedAt = segment.CreatedAt
	row, err := segmentRowOf(segment)
	if err != nil {
		return err
	}
	_, err = tx.NewInsert().Model(row).Exec(ctx)
	segment.ID = row.ID
	return err
}

// UpdateSegment calls apply with the segment and stores the result. Nothing changes if
// apply fails or the result is invalid: a segment that the filters name must be one of the site, none can be part of
// itself, and the audience of an experiment that has started keeps its segments' filters (FailedPrecondition).
func (s *Store) UpdateSegment(ctx context.Context, id int64, apply func(*model.Segment) error) (segment *model.Segment, err error) {
	defer wrap(&err, "update segment %d", id)
	err = s.define(ctx, func(tx bun.Tx) (c change, err error) {
		segment, c, err = s.updateSegment(ctx, tx, id, apply)
		return c, err
	})
	return segment, err
}

// UpdateSegments is UpdateSegment for 1 to MaxTogether segments of one site: all change or none. The field of an error
// begins with the place of its id.
func (s *Store) UpdateSegments(ctx context.Context, ids []int64, apply func(*model.Segment) error) (segments []model.Segment, err error) {
	defer wrap(&err, "update %d segments", len(ids))
	return together(ctx, s, ids, func(tx bun.Tx, id int64) (*model.Segment, change, error) { return s.updateSegment(ctx, tx, id, apply) })
}

func (s *Store) updateSegment(ctx context.Context, tx bun.Tx, id int64, apply func(*model.Segment) error) (*model.Segment, change, error) {
	segment, err := s.segment(ctx, tx, id, s.dialect.rowLock)
	if err != nil {
		return nil, change{}, err
	}
	before, filters := documentOfSegment(segment), segment.Filters
	if err := apply(segment); err != nil {
		return nil, change{}, err
	}
	if err := segment.Validate(); err != nil {
		return nil, change{}, err
	}
	changed := ofSegment(model.Updated, segment, before, documentOfSegment(segment))
	if changed.isNone() {
		return segment, changed, nil
	}
	segment.UpdatedAt = s.nextUpdate(segment.UpdatedAt)
	row, err := segmentRowOf(segment)
	if err != nil {
		return nil, change{}, err
	}
	if _, err := tx.NewUpdate().Model(row).ExcludeColumn("goal_id", "created_at").WherePK().Exec(ctx); err != nil {
		return nil, change{}, err
	}
	err = s.changeFilters(ctx, tx, segment, filters)
	return segment, changed, err
}

// changeFilters has what names the segment, and what it names, know of filters that replaced others.
func (s *Store) changeFilters(ctx context.Context, tx bun.Tx, segment *model.Segment, before []model.FilterSpec) error {
	if err := s.nameSegments(ctx, tx, objectOfSegment(segment), before, segment.Filters); err != nil {
		return model.Under("filters", err)
	}
	if model.EqualFilters(before, segment.Filters) {
		return nil
	}
	return s.checkNamers(ctx, tx, segment)
}

// DeleteSegment deletes a segment. The error is FailedPrecondition while filters of other definitions name it. Nothing
// changes if check fails; nil checks nothing.
func (s *Store) DeleteSegment(ctx context.Context, id int64, check func(*model.Segment) error) (err error) {
	defer wrap(&err, "delete segment %d", id)
	return s.define(ctx, func(tx bun.Tx) (change, error) {
		_, c, err := s.deleteSegment(ctx, tx, id, nil, check)
		return c, err
	})
}

// DeleteSegments is DeleteSegment for 1 to MaxTogether segments of one site: all are deleted or none. They may name each
// other. The field of an error begins with the place of its id.
func (s *Store) DeleteSegments(ctx context.Context, ids []int64) (err error) {
	defer wrap(&err, "delete %d segments", len(ids))
	_, err = together(ctx, s, ids, func(tx bun.Tx, id int64) (*model.Segment, change, error) {
		return s.deleteSegment(ctx, tx, id, ids, nil)
	})
	return err
}

// deleteSegment deletes a segment that is named by none but those that are deleted with it.
func (s *Store) deleteSegment(ctx context.Context, tx bun.Tx, id int64, with []int64, check func(*model.Segment) error) (*model.Segment, change, error) {
	segment, err := s.segment(ctx, tx, id, s.dialect.rowLock)
	if err != nil {
		return nil, change{}, err
	}
	if check != nil {
		if err := check(segment); err != nil {
			return nil, change{}, err
		}
	}
	if err := s.checkUnnamed(ctx, tx, segment, with); err != nil {
		return nil, change{}, err
	}
	if err := unnameSegments(ctx, tx, objectOfSegment(segment)); err != nil {
		return nil, change{}, err
	}
	_, err = tx.NewDelete().Table("segments").Where("id = ?", id).Exec(ctx)
	return segment, ofSegment(model.Deleted, segment, documentOfSegment(segment), ""), err
}
