package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// namedRow says that the filters of a segment, a goal or an experiment name a segment.
type namedRow struct {
	bun.BaseModel `bun:"table:named_segments,alias:named_segments"`

	SiteID     int64
	ObjectKind model.ObjectKind `bun:",pk"`
	ObjectID   int64            `bun:",pk"`
	SegmentID  int64            `bun:",pk"`
}

// object is what has filters.
type object struct {
	kind     model.ObjectKind
	site, id int64
}

// segmentID is the object's id if it is a segment.
func (o object) segmentID() int64 {
	if o.kind == model.SegmentObject {
		return o.id
	}
	return 0
}

// PutSegments puts into filters the segments of the site that they name. The error is NotFound for one that the site does
// not have, and BadInput if there are too many filters in all; its field is the filter's place.
func (s *Store) PutSegments(ctx context.Context, site int64, filters []model.FilterSpec) (err error) {
	defer wrap(&err, "named segments of site %d", site)
	return putSegments(ctx, s.db, object{site: site}, filters)
}

func putSegments(ctx context.Context, db bun.IDB, of object, filters []model.FilterSpec) error {
	ids := model.SegmentsNamed(filters)
	if len(ids) == 0 {
		return nil
	}
	segments, err := namedSegments(ctx, db, ids)
	if err != nil {
		return err
	}
	for id, segment := range segments {
		if segment.SiteID != of.site {
			delete(segments, id)
		}
	}
	return model.PutSegments(of.segmentID(), filters, segments)
}

// fillSegments puts into lists of filters, which are stored, the segments that they name. Where that is not possible the
// filters say so when they are asked: a segment may have been changed since they were read.
func fillSegments(ctx context.Context, db bun.IDB, lists ...[]model.FilterSpec) error {
	ids := model.SegmentsNamed(lists...)
	if len(ids) == 0 {
		return nil
	}
	segments, err := namedSegments(ctx, db, ids)
	if err != nil {
		return err
	}
	for _, filters := range lists {
		_ = model.PutSegments(0, filters, segments)
	}
	return nil
}

// namedSegments returns the segments with the ids, and all that they name, as they are at one moment.
func namedSegments(ctx context.Context, db bun.IDB, ids []int64) (map[int64]*model.Segment, error) {
	const all = `WITH RECURSIVE named (id) AS (
		SELECT id FROM segments WHERE id IN (?)
		UNION SELECT segment_id FROM named_segments JOIN named ON object_kind = ? AND object_id = named.id
	) SELECT segments.* FROM segments JOIN named ON named.id = segments.id WHERE goal_id IS NULL`
	var rows []segmentRow
	if err := db.NewRaw(all, bun.List(ids), model.SegmentObject).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	segments := make(map[int64]*model.Segment, len(rows))
	for i := range rows {
		segment, err := rows[i].segment()
		if err != nil {
			return nil, err
		}
		segments[segment.ID] = segment
	}
	return segments, nil
}

// nameSegments checks the segments that an object's new filters name, puts them in, and notes that the object names them
// in place of those that its filters before named. The object is stored already.
func (s *Store) nameSegments(ctx context.Context, tx bun.Tx, of object, before, filters []model.FilterSpec) error {
	was, are := model.SegmentsNamed(before), model.SegmentsNamed(filters)
	if len(was) == 0 && len(are) == 0 {
		return nil
	}
	if err := s.moveRevision(ctx, tx, of.site); err != nil {
		return err
	}
	if err := putSegments(ctx, tx, of, filters); err != nil {
		return err
	}
	if slices.Equal(was, are) {
		return nil
	}
	if err := unnameSegments(ctx, tx, of); err != nil || len(are) == 0 {
		return err
	}
	rows := make([]namedRow, len(are))
	for i, id := range are {
		rows[i] = namedRow{SiteID: of.site, ObjectKind: of.kind, ObjectID: of.id, SegmentID: id}
	}
	_, err := tx.NewInsert().Model(&rows).Exec(ctx)
	return err
}

// unnameSegments notes that an object names no segments.
func unnameSegments(ctx context.Context, tx bun.Tx, of object) error {
	_, err := tx.NewDelete().Table("named_segments").Where("object_kind = ? AND object_id = ?", of.kind, of.id).Exec(ctx)
	return err
}

// renameSegments notes that an object names the segments that another one did.
func renameSegments(ctx context.Context, tx bun.Tx, from, to object) error {
	_, err := tx.NewUpdate().Table("named_segments").Set("object_kind = ?, object_id = ?", to.kind, to.id).
		Where("object_kind = ? AND object_id = ?", from.kind, from.id).Exec(ctx)
	return err
}

// namer is an object whose filters name a segment.
type namer struct {
	object
	name    string
	filters []model.FilterSpec
	// started tells that it is an experiment that has begun its run.
	started bool
}

func (n *namer) String() string { return fmt.Sprintf("%s %q", strings.ToLower(string(n.kind)), n.name) }

// namers returns the objects of the site that name a segment; with those that do so by other segments if deep.
func namers(ctx context.Context, tx bun.Tx, segment *model.Segment, deep bool) ([]namer, error) {
	const all = `WITH RECURSIVE naming (kind, id) AS (
		SELECT object_kind, object_id FROM named_segments WHERE segment_id = ?
		UNION SELECT object_kind, object_id FROM named_segments JOIN naming ON ? AND naming.kind = ? AND segment_id = naming.id
	)
	SELECT kind, segments.id AS object_id, name, filters, 0 AS started_at FROM segments JOIN naming ON naming.id = segments.id AND kind = ?
	UNION ALL SELECT kind, goals.id, name, filters, 0 FROM goals JOIN naming ON naming.id = goals.id AND kind = ?
	UNION ALL SELECT kind, experiments.id, name, audience, started_at FROM experiments JOIN naming ON naming.id = experiments.id AND kind = ?
	ORDER BY kind DESC, object_id`
	type namerRow struct {
		Kind                model.ObjectKind
		ObjectID, StartedAt int64
		Name, Filters       string
	}
	var rows []namerRow
	err := tx.NewRaw(all, segment.ID, deep, model.SegmentObject, model.SegmentObject, model.GoalObject, model.ExperimentObject).Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	found := make([]namer, len(rows))
	for i, row := range rows {
		found[i] = namer{object: object{row.Kind, segment.SiteID, row.ObjectID}, name: row.Name, started: row.StartedAt != 0}
		if found[i].filters, err = decodeFilters(row.Filters); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// checkNamers returns an error if what names a segment, which is stored, does not allow its new filters: FailedPrecondition
// for the audience of an experiment that has started, and BadInput where there would be too many filters in all.
func (s *Store) checkNamers(ctx context.Context, tx bun.Tx, segment *model.Segment) error {
	if err := s.moveRevision(ctx, tx, segment.SiteID); err != nil {
		return err
	}
	found, err := namers(ctx, tx, segment, true)
	if err != nil || len(found) == 0 {
		return err
	}
	var ids []int64
	for i := range found {
		if found[i].started {
			return &model.Error{Code: model.FailedPrecondition, Field: "filters", Message: fmt.Sprintf(
				"the filters cannot change, because the %s has started and names the segment for its audience; create a new segment", &found[i])}
		}
		if found[i].kind == model.GoalObject {
			if err := s.noteGoalChange(ctx, tx, found[i].id); err != nil {
				return err
			}
		}
		ids = append(ids, model.SegmentsNamed(found[i].filters)...)
	}
	segments, err := namedSegments(ctx, tx, ids)
	if err != nil {
		return err
	}
	for i := range found {
		if err := model.PutSegments(found[i].segmentID(), found[i].filters, segments); err != nil {
			return model.Invalid("filters", "with these filters, the %s, which names the segment, would have too many: the maximum is %d, %d levels deep, with those of named segments",
				&found[i], model.MaxAllFilters, model.MaxAllLevels)
		}
	}
	return nil
}

// checkUnnamed returns a FailedPrecondition error that tells what names a segment, which is about to go; segments that go
// with it do not count.
func (s *Store) checkUnnamed(ctx context.Context, tx bun.Tx, segment *model.Segment, with []int64) error {
	if err := s.moveRevision(ctx, tx, segment.SiteID); err != nil {
		return err
	}
	found, err := namers(ctx, tx, segment, false)
	found = slices.DeleteFunc(found, func(n namer) bool { return slices.Contains(with, n.segmentID()) })
	if err != nil || len(found) == 0 {
		return err
	}
	const told = 5
	list := make([]string, min(len(found), told))
	for i := range list {
		list[i] = "the " + found[i].String()
	}
	if more := len(found) - told; more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	return model.Errorf(model.FailedPrecondition, "the segment is part of %s; change their filters or delete them first", strings.Join(list, ", "))
}
