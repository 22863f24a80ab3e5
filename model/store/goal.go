package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type goalRow struct {
	bun.BaseModel `bun:"table:goals,alias:goals"`

	ID          int64 `bun:",pk,autoincrement"`
	SiteID      int64
	Key         string
	Name        string
	Description string
	Filters     string
	ValueEvent  string
	Direction   model.Direction
	Archived    bool
	SearchText  string
	CreatedAt   int64
	UpdatedAt   int64
}

func goalRowOf(goal *model.Goal) (*goalRow, error) {
	filters, err := encodeFilters(goal.Filters)
	return &goalRow{
		ID: goal.ID, SiteID: goal.SiteID, Key: goal.Key, Name: goal.Name, Description: goal.Description,
		Filters: filters, ValueEvent: goal.ValueEvent, Direction: goal.Direction, Archived: goal.Archived,
		SearchText: searchText(goal.Name, goal.Key, goal.Description),
		CreatedAt:  goal.CreatedAt.UnixMilli(), UpdatedAt: goal.UpdatedAt.UnixMilli(),
	}, err
}

func (row *goalRow) goal() (*model.Goal, error) {
	filters, err := decodeFilters(row.Filters)
	return &model.Goal{
		ID: row.ID, SiteID: row.SiteID, Key: row.Key, Name: row.Name, Description: row.Description,
		Filters: filters, ValueEvent: row.ValueEvent, Direction: row.Direction, Archived: row.Archived,
		CreatedAt: fromMillis(row.CreatedAt), UpdatedAt: fromMillis(row.UpdatedAt),
	}, err
}

// goalsOf returns the rows' goals, with the segments that they name.
func goalsOf(ctx context.Context, db bun.IDB, rows []goalRow) ([]model.Goal, error) {
	goals, filters := make([]model.Goal, len(rows)), make([][]model.FilterSpec, len(rows))
	for i := range rows {
		goal, err := rows[i].goal()
		if err != nil {
			return nil, err
		}
		goals[i], filters[i] = *goal, goal.Filters
	}
	return goals, fillSegments(ctx, db, filters...)
}

// oneGoal returns the row's goal, with the segments that it names.
func oneGoal(ctx context.Context, db bun.IDB, row *goalRow) (*model.Goal, error) {
	goal, err := row.goal()
	if err != nil {
		return nil, err
	}
	return goal, fillSegments(ctx, db, goal.Filters)
}

func objectOfGoal(goal *model.Goal) object { return object{model.GoalObject, goal.SiteID, goal.ID} }

// GoalQuery asks for goals of a site.
type GoalQuery struct {
	Site int64
	// Search is a part of the name, key or description, in any case; empty for all.
	Search string
	// Archived keeps archived goals or the others; nil for all.
	Archived *bool
}

func (q GoalQuery) apply(query *bun.SelectQuery) *bun.SelectQuery {
	query = matching(query.Where("site_id = ?", q.Site), q.Search)
	if q.Archived != nil {
		query = query.Where("archived = ?", *q.Archived)
	}
	return query
}

// Goals returns a page of the goals of the query, oldest first.
func (s *Store) Goals(ctx context.Context, q GoalQuery, page Page) (goals []model.Goal, err error) {
	defer wrap(&err, "goals of site %d", q.Site)
	var rows []goalRow
	if err := s.apply(page, q.apply(s.db.NewSelect().Model(&rows))).Scan(ctx); err != nil {
		return nil, err
	}
	return goalsOf(ctx, s.db, rows)
}

// CountGoals returns the number of goals of the query.
func (s *Store) CountGoals(ctx context.Context, q GoalQuery) (n int, err error) {
	defer wrap(&err, "count goals of site %d", q.Site)
	count, err := q.apply(s.db.NewSelect().Model((*goalRow)(nil))).Count(ctx)
	return int(count), err
}

// GoalsByID returns the goals that exist, in no particular order.
func (s *Store) GoalsByID(ctx context.Context, ids []int64) (goals []model.Goal, err error) {
	defer wrap(&err, "%d goals by id", len(ids))
	var rows []goalRow
	if err := s.db.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, err
	}
	return goalsOf(ctx, s.db, rows)
}

// Goal returns a goal by its id, or NotFound.
func (s *Store) Goal(ctx context.Context, id int64) (goal *model.Goal, err error) {
	defer wrap(&err, "goal %d", id)
	return s.goal(ctx, s.db, id, "")
}

func (s *Store) goal(ctx context.Context, db bun.IDB, id int64, lock string) (*model.Goal, error) {
	var row goalRow
	query := db.NewSelect().Model(&row).Where("id = ?", id)
	if lock != "" {
		query = query.For(lock)
	}
	if err := query.Scan(ctx); err != nil {
		return nil, notFound(err, "goal")
	}
	return oneGoal(ctx, db, &row)
}

// GoalByKey returns the site's goal with that key, or NotFound.
func (s *Store) GoalByKey(ctx context.Context, site int64, key string) (goal *model.Goal, err error) {
	defer wrap(&err, "goal %.40q of site %d", key, site)
	err = sql.ErrNoRows
	var row goalRow
	if isKeepable(key) {
		err = s.db.NewSelect().Model(&row).Where("site_id = ? AND key = ?", site, key).Scan(ctx)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, model.Errorf(model.NotFound, "the site has no goal with this key")
	}
	if err != nil {
		return nil, err
	}
	return oneGoal(ctx, s.db, &row)
}

// CreateGoal stores a new goal and sets its ID and times. The error is Conflict if the
// site already has the key, and NotFound if it does not have a segment that the filters name.
func (s *Store) CreateGoal(ctx context.Context, goal *model.Goal) (err error) {
	defer wrap(&err, "create goal %.40q", goal.Key)
	if err := goal.Validate(); err != nil {
		return err
	}
	return s.define(ctx, func(tx bun.Tx) (change, error) {
		if _, err := s.site(ctx, tx, goal.SiteID, s.dialect.keyLock); err != nil {
			return change{}, err
		}
		if err := s.insertGoal(ctx, tx, goal); err != nil {
			return change{}, err
		}
		err := model.Under("filters", s.nameSegments(ctx, tx, objectOfGoal(goal), nil, goal.Filters))
		return ofGoal(model.Created, goal, "", documentOfGoal(goal)), err
	})
}

func (s *Store) insertGoal(ctx context.Context, tx bun.Tx, goal *model.Goal) error {
	goal.CreatedAt = model.MillisOf(s.now()).Time()
	goal.UpdatedAt = goal.CreatedAt
	row, err := goalRowOf(goal)
	if err != nil {
		return err
	}
	if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
		if err = sortError(err); errors.Is(err, errUnique) {
			e := model.Errorf(model.Conflict, "the site already has a goal with the key %q; choose a different key", goal.Key)
			e.Field, e.Cause = "key", err
			return e
		}
		return err
	}
	goal.ID = row.ID
	return nil
}

// UpdateGoal calls apply with the goal and stores the result. Nothing changes if
// apply fails or the result is invalid. The key stays the same. The error is FailedPrecondition
// if the goal would lose the values by which an experiment is decided.
func (s *Store) UpdateGoal(ctx context.Context, id int64, apply func(*model.Goal) error) (goal *model.Goal, err error) {
	defer wrap(&err, "update goal %d", id)
	err = s.define(ctx, func(tx bun.Tx) (c change, err error) {
		goal, c, err = s.updateGoal(ctx, tx, id, apply)
		return c, err
	})
	return goal, err
}

// UpdateGoals is UpdateGoal for 1 to MaxTogether goals of one site: all change or none. The field of an error begins with
// the place of its id.
func (s *Store) UpdateGoals(ctx context.Context, ids []int64, apply func(*model.Goal) error) (goals []model.Goal, err error) {
	defer wrap(&err, "update %d goals", len(ids))
	return together(ctx, s, ids, func(tx bun.Tx, id int64) (*model.Goal, change, error) { return s.updateGoal(ctx, tx, id, apply) })
}

func (s *Store) updateGoal(ctx context.Context, tx bun.Tx, id int64, apply func(*model.Goal) error) (*model.Goal, change, error) {
	goal, err := s.goal(ctx, tx, id, s.dialect.rowLock)
	if err != nil {
		return nil, change{}, err
	}
	before, was := documentOfGoal(goal), *goal
	if err := apply(goal); err != nil {
		return nil, change{}, err
	}
	action := model.Updated
	switch {
	case goal.Archived && !was.Archived:
		action = model.Shelved
	case was.Archived && !goal.Archived:
		action = model.Restored
	}
	if err := goal.Validate(); err != nil {
		return nil, change{}, err
	}
	changed := ofGoal(action, goal, before, documentOfGoal(goal))
	if changed.isNone() {
		return goal, changed, nil
	}
	if was.ValueEvent != "" && goal.ValueEvent == "" {
		if err := checkValueUnused(ctx, tx, id); err != nil {
			return nil, change{}, err
		}
	}
	goal.UpdatedAt = s.nextUpdate(goal.UpdatedAt)
	row, err := goalRowOf(goal)
	if err != nil {
		return nil, change{}, err
	}
	if _, err := tx.NewUpdate().Model(row).ExcludeColumn("key", "created_at").WherePK().Exec(ctx); err != nil {
		return nil, change{}, err
	}
	if goal.Direction != was.Direction || goal.ValueEvent != was.ValueEvent || !model.EqualFilters(goal.Filters, was.Filters) {
		if err := s.noteGoalChange(ctx, tx, id); err != nil {
			return nil, change{}, err
		}
	}
	err = model.Under("filters", s.nameSegments(ctx, tx, objectOfGoal(goal), was.Filters, goal.Filters))
	return goal, changed, err
}

// DeleteGoal deletes a goal, with the segment it was converted from. The error is
// FailedPrecondition while an experiment uses it as a metric. Nothing changes if check fails; nil checks nothing.
func (s *Store) DeleteGoal(ctx context.Context, id int64, check func(*model.Goal) error) (err error) {
	defer wrap(&err, "delete goal %d", id)
	return s.define(ctx, func(tx bun.Tx) (change, error) {
		_, c, err := s.deleteGoal(ctx, tx, id, check)
		return c, err
	})
}

// DeleteGoals is DeleteGoal for 1 to MaxTogether goals of one site: all are deleted or none. The field of an error begins
// with the place of its id.
func (s *Store) DeleteGoals(ctx context.Context, ids []int64) (err error) {
	defer wrap(&err, "delete %d goals", len(ids))
	_, err = together(ctx, s, ids, func(tx bun.Tx, id int64) (*model.Goal, change, error) { return s.deleteGoal(ctx, tx, id, nil) })
	return err
}

func (s *Store) deleteGoal(ctx context.Context, tx bun.Tx, id int64, check func(*model.Goal) error) (*model.Goal, change, error) {
	goal, err := s.removable(ctx, tx, id, check)
	if err != nil {
		return nil, change{}, err
	}
	if err := unnameSegments(ctx, tx, objectOfGoal(goal)); err != nil {
		return nil, change{}, err
	}
	_, err = tx.NewDelete().Table("goals").Where("id = ?", id).Exec(ctx)
	return goal, ofGoal(model.Deleted, goal, documentOfGoal(goal), ""), err
}

// removable returns a goal, locked, that check lets pass and no experiment uses.
func (s *Store) removable(ctx context.Context, tx bun.Tx, id int64, check func(*model.Goal) error) (*model.Goal, error) {
	goal, err := s.goal(ctx, tx, id, s.dialect.rowLock)
	if err != nil {
		return nil, err
	}
	if check != nil {
		if err := check(goal); err != nil {
			return nil, err
		}
	}
	return goal, checkUnused(ctx, tx, id)
}

// ConvertSegmentToGoal turns a segment into a goal with the segment's filters. If goal
// has no name or key, it takes the segment's name and a key made from it. The segment
// is hidden until the goal is converted back. The error is FailedPrecondition while filters of other definitions name it.
// Nothing changes if check fails; nil checks nothing.
func (s *Store) ConvertSegmentToGoal(ctx context.Context, segmentID int64, goal *model.Goal, check func(*model.Segment) error) (err error) {
	defer wrap(&err, "convert segment %d to a goal", segmentID)
	given := *goal
	convert := func(tx bun.Tx) (change, error) {
		*goal = given
		segment, err := s.segment(ctx, tx, segmentID, s.dialect.rowLock)
		if err != nil {
			return change{}, err
		}
		if check != nil {
			if err := check(segment); err != nil {
				return change{}, err
			}
		}
		if err := s.checkUnnamed(ctx, tx, segment, nil); err != nil {
			return change{}, err
		}
		goal.SiteID, goal.Filters = segment.SiteID, segment.Filters
		if goal.Name == "" {
			goal.Name = segment.Name
		}
		if goal.Key == "" {
			if goal.Key, err = freeKey(ctx, tx, segment.SiteID, model.Slug(segment.Name)); err != nil {
				return change{}, err
			}
		}
		if err := goal.Validate(); err != nil {
			return change{}, err
		}
		if err := s.insertGoal(ctx, tx, goal); err != nil {
			return change{}, err
		}
		if err := renameSegments(ctx, tx, objectOfSegment(segment), objectOfGoal(goal)); err != nil {
			return change{}, err
		}
		_, err = tx.NewUpdate().Table("segments").Set("goal_id = ?", goal.ID).Where("id = ?", segmentID).Exec(ctx)
		return change{
			action: model.Converted, kind: model.SegmentObject, site: segment.SiteID, object: segmentID, name: segment.Name,
			before: documentOfSegment(segment), after: documentOfGoal(goal),
		}, err
	}
	for {
		err = s.define(ctx, convert)
		if given.Key != "" || !errors.Is(err, errUnique) {
			return err
		}
		// Another goal has taken the key that was free.
	}
}

// freeKey returns the slug, or the first of slug-2, slug-3, … that no goal of the site
// has.
func freeKey(ctx context.Context, tx bun.Tx, site int64, slug string) (string, error) {
	key := slug
	for n := 2; ; n++ {
		taken, err := tx.NewSelect().Table("goals").Where("site_id = ? AND key = ?", site, key).Exists(ctx)
		if err != nil || !taken {
			return key, err
		}
		suffix := fmt.Sprintf("-%d", n)
		runes := []rune(slug)
		key = string(runes[:min(len(runes), model.MaxKey-len(suffix))]) + suffix
	}
}

// ConvertGoalToSegment turns a goal into a segment with the same filters. If the goal
// was converted from a segment, that segment returns with its id, name and whether it
// is active. Otherwise the segment is new, active and has the goal's name. The error is
// FailedPrecondition while an experiment uses the goal as a metric. Nothing changes if check fails; nil checks nothing.
func (s *Store) ConvertGoalToSegment(ctx context.Context, goalID int64, check func(*model.Goal) error) (segment *model.Segment, err error) {
	defer wrap(&err, "convert goal %d to a segment", goalID)
	err = s.define(ctx, func(tx bun.Tx) (change, error) {
		goal, err := s.removable(ctx, tx, goalID, check)
		if err != nil {
			return change{}, err
		}
		var row segmentRow
		err = tx.NewSelect().Model(&row).Where("goal_id = ?", goalID).Scan(ctx)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			segment = &model.Segment{SiteID: goal.SiteID, Name: goal.Name, Filters: goal.Filters, Active: true}
			if err := s.insertSegment(ctx, tx, segment); err != nil {
				return change{}, err
			}
		case err != nil:
			return change{}, err
		default:
			if segment, err = row.segment(); err != nil {
				return change{}, err
			}
			segment.Filters = goal.Filters
			segment.UpdatedAt = s.nextUpdate(segment.UpdatedAt)
			restored, err := segmentRowOf(segment)
			if err != nil {
				return change{}, err
			}
			if _, err := tx.NewUpdate().Model(restored).ExcludeColumn("created_at").WherePK().Exec(ctx); err != nil {
				return change{}, err
			}
		}
		if err := renameSegments(ctx, tx, objectOfGoal(goal), objectOfSegment(segment)); err != nil {
			return change{}, err
		}
		_, err = tx.NewDelete().Table("goals").Where("id = ?", goalID).Exec(ctx)
		return change{
			action: model.Converted, kind: model.GoalObject, site: goal.SiteID, object: goalID, name: goal.Name,
			before: documentOfGoal(goal), after: documentOfSegment(segment),
		}, err
	})
	return segment, err
}
