package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type experimentRow struct {
	bun.BaseModel `bun:"table:experiments,alias:experiments"`

	ID          int64 `bun:",pk,autoincrement"`
	SiteID      int64
	Key         string
	Name        string
	Description string
	Status      model.ExperimentStatus
	Variants    string
	Audience    string
	Attribution model.Attribution
	DecidesBy   model.DecidesBy
	Monitoring  model.Monitoring
	DecideAt    model.Millis
	Winner      string
	StartedAt   model.Millis
	StoppedAt   model.Millis
	SearchText  string
	CreatedAt   int64
	UpdatedAt   int64

	MetricChangedAt model.Millis

	Assignment   model.AssignmentSource
	Seed         string
	TrafficShare float64
	// LayerKey is empty where the experiment is of no layer.
	LayerKey           string
	LayerFrom, LayerTo float64
	ForcedVariants     string
	Rollout            bool
	OnlyEvaluated      bool
	Phases             string
	EarlierRuns        string

	Unit              model.AssignmentUnit
	WindowMS          model.Millis
	MultipleExposures model.MultipleExposures
	PriorLift         float64
	Notes             string
	Conclusion        string
}

type metricRow struct {
	bun.BaseModel `bun:"table:experiment_metrics,alias:experiment_metrics"`

	ExperimentID int64 `bun:",pk"`
	GoalID       int64 `bun:",pk"`
	// Position is 0 for the primary metric. Secondary metrics follow from 1 on, then guardrails.
	Position int
	// Margin is nil where the metric is no guardrail.
	Margin *float64
	// Direction is empty where it is the goal's.
	Direction model.Direction
}

func experimentRowOf(e *model.Experiment) (*experimentRow, error) {
	variants, err := json.Marshal(e.Variants)
	if err != nil {
		return nil, err
	}
	phases, err := json.Marshal(append([]model.Phase{}, e.Phases...))
	if err != nil {
		return nil, err
	}
	runs, err := json.Marshal(append([]model.Run{}, e.EarlierRuns...))
	if err != nil {
		return nil, err
	}
	audience, err := encodeFilters(e.Audience)
	if err != nil {
		return nil, err
	}
	var layer model.Layer
	if e.Layer != nil {
		layer = *e.Layer
	}
	texts := []string{e.Name, e.Key, e.Description, e.Notes, e.Conclusion}
	for _, run := range e.EarlierRuns {
		texts = append(texts, run.Conclusion)
	}
	row := &experimentRow{
		ID: e.ID, SiteID: e.SiteID, Key: e.Key, Name: e.Name, Description: e.Description, Status: e.Status,
		Variants: string(variants), Audience: audience, Attribution: e.Attribution, DecidesBy: e.DecidesBy, Monitoring: e.Monitoring,
		DecideAt: e.DecideAt, MetricChangedAt: e.MetricChangedAt, Winner: e.Winner, StartedAt: e.StartedAt, StoppedAt: e.StoppedAt, SearchText: searchText(texts...),
		Phases: string(phases), EarlierRuns: string(runs), Unit: e.Unit, WindowMS: model.Millis(e.Window.Milliseconds()), MultipleExposures: e.MultipleExposures, PriorLift: e.PriorLift, Notes: e.Notes, Conclusion: e.Conclusion,
		CreatedAt: e.CreatedAt.UnixMilli(), UpdatedAt: e.UpdatedAt.UnixMilli(),
		Assignment: e.Assignment, Seed: e.Seed, TrafficShare: e.TrafficShare, LayerKey: layer.Key, LayerFrom: layer.From, LayerTo: layer.To,
		Rollout: e.Rollout, OnlyEvaluated: e.OnlyEvaluated,
	}
	return row, encodeJSON(&row.ForcedVariants, len(e.Forced), e.Forced)
}

func (row *experimentRow) experiment() (model.Experiment, error) {
	e := model.Experiment{
		ID: row.ID, SiteID: row.SiteID, Key: row.Key, Name: row.Name, Description: row.Description, Status: row.Status,
		Secondary: []int64{}, Attribution: row.Attribution, DecidesBy: row.DecidesBy, Monitoring: row.Monitoring, DecideAt: row.DecideAt,
		Unit: row.Unit, Window: time.Duration(row.WindowMS) * time.Millisecond, MultipleExposures: row.MultipleExposures, PriorLift: row.PriorLift, Notes: row.Notes, Conclusion: row.Conclusion,
		MetricChangedAt: row.MetricChangedAt, Winner: row.Winner, StartedAt: row.StartedAt, StoppedAt: row.StoppedAt,
		CreatedAt: fromMillis(row.CreatedAt), UpdatedAt: fromMillis(row.UpdatedAt),
		Assignment: row.Assignment, Seed: row.Seed, TrafficShare: row.TrafficShare, Rollout: row.Rollout, OnlyEvaluated: row.OnlyEvaluated,
	}
	if row.LayerKey != "" {
		e.Layer = &model.Layer{Key: row.LayerKey, From: row.LayerFrom, To: row.LayerTo}
	}
	if err := decodeJSON(row.ForcedVariants, &e.Forced); err != nil {
		return e, fmt.Errorf("stored forced variants: %w", err)
	}
	err := errors.Join(
		json.Unmarshal([]byte(row.Variants), &e.Variants), json.Unmarshal([]byte(row.Phases), &e.Phases), json.Unmarshal([]byte(row.EarlierRuns), &e.EarlierRuns))
	if err != nil {
		return e, fmt.Errorf("stored variants, phases and runs: %w", err)
	}
	if len(e.EarlierRuns) == 0 {
		e.EarlierRuns = nil
	}
	if len(e.Phases) == 0 {
		e.Phases = nil
	}
	if e.StartedAt != 0 { // of one that started before weights could change, too
		e.Phases = e.Splits()
	}
	e.Audience, err = decodeFilters(row.Audience)
	return e, err
}

// experimentsOf returns the rows' experiments with their metrics, and with the segments that audiences name.
func experimentsOf(ctx context.Context, db bun.IDB, rows []experimentRow) ([]model.Experiment, error) {
	experiments := make([]model.Experiment, len(rows))
	at := make(map[int64]*model.Experiment, len(rows))
	ids, audiences := make([]int64, len(rows)), make([][]model.FilterSpec, len(rows))
	for i := range rows {
		var err error
		if experiments[i], err = rows[i].experiment(); err != nil {
			return nil, err
		}
		at[rows[i].ID], ids[i], audiences[i] = &experiments[i], rows[i].ID, experiments[i].Audience
	}
	if len(ids) == 0 {
		return experiments, nil
	}
	var metrics []metricRow
	if err := db.NewSelect().Model(&metrics).Where("experiment_id IN (?)", bun.List(ids)).Order("experiment_id", "position").Scan(ctx); err != nil {
		return nil, err
	}
	for _, metric := range metrics {
		if e := at[metric.ExperimentID]; metric.Direction != "" {
			e.Directions = append(e.Directions, model.MetricDirection{Goal: metric.GoalID, Direction: metric.Direction})
		}
		switch e := at[metric.ExperimentID]; {
		case metric.Margin != nil:
			e.Guardrails = append(e.Guardrails, model.Guardrail{Goal: metric.GoalID, Margin: *metric.Margin})
		case metric.Position == 0:
			e.Primary = metric.GoalID
		default:
			e.Secondary = append(e.Secondary, metric.GoalID)
		}
	}
	return experiments, fillSegments(ctx, db, audiences...)
}

// ExperimentQuery asks for experiments.
type ExperimentQuery struct {
	// Site is 0 for all sites.
	Site int64
	// Search is a part of the name, key, description, notes or conclusion, in any case; empty for all.
	Search string
	// Status keeps experiments with one of these statuses; nil for all.
	Status []model.ExperimentStatus
	// Assignment keeps experiments that are assigned so; empty for all.
	Assignment model.AssignmentSource
}

func (q ExperimentQuery) apply(query *bun.SelectQuery) *bun.SelectQuery {
	if query = matching(query, q.Search); q.Site != 0 {
		query = query.Where("site_id = ?", q.Site)
	}
	if q.Status != nil {
		query = query.Where("status IN (?)", bun.List(q.Status))
	}
	if q.Assignment != "" {
		query = query.Where("assignment = ?", q.Assignment)
	}
	return query
}

// Experiments returns a page of the experiments of the query, oldest first.
func (s *Store) Experiments(ctx context.Context, q ExperimentQuery, page Page) (experiments []model.Experiment, err error) {
	defer wrap(&err, "experiments of site %d", q.Site)
	var rows []experimentRow
	if err := s.apply(page, q.apply(s.db.NewSelect().Model(&rows))).Scan(ctx); err != nil {
		return nil, err
	}
	return experimentsOf(ctx, s.db, rows)
}

// CountExperiments returns the number of experiments of the query.
func (s *Store) CountExperiments(ctx context.Context, q ExperimentQuery) (n int, err error) {
	defer wrap(&err, "count experiments of site %d", q.Site)
	count, err := q.apply(s.db.NewSelect().Model((*experimentRow)(nil))).Count(ctx)
	return int(count), err
}

// ExperimentsOfGoals returns, by goal, the experiments that use it as a metric, oldest
// first.
func (s *Store) ExperimentsOfGoals(ctx context.Context, goals []int64) (byGoal map[int64][]model.Experiment, err error) {
	defer wrap(&err, "experiments of %d goals", len(goals))
	var rows []experimentRow
	using := s.db.NewSelect().Model((*metricRow)(nil)).Column("experiment_id").Where("goal_id IN (?)", bun.List(goals))
	if err := s.db.NewSelect().Model(&rows).Where("id IN (?)", using).Order("id").Scan(ctx); err != nil {
		return nil, err
	}
	experiments, err := experimentsOf(ctx, s.db, rows)
	if err != nil {
		return nil, err
	}
	byGoal = map[int64][]model.Experiment{}
	for _, e := range experiments {
		for _, goal := range e.Metrics() {
			byGoal[goal] = append(byGoal[goal], e)
		}
	}
	return byGoal, nil
}

// Experiment returns an experiment by its id, or NotFound.
func (s *Store) Experiment(ctx context.Context, id int64) (e *model.Experiment, err error) {
	defer wrap(&err, "experiment %d", id)
	return s.experiment(ctx, s.db, id, "")
}

func (s *Store) experiment(ctx context.Context, db bun.IDB, id int64, lock string) (*model.Experiment, error) {
	var row experimentRow
	query := db.NewSelect().Model(&row).Where("id = ?", id)
	if lock != "" {
		query = query.For(lock)
	}
	if err := query.Scan(ctx); err != nil {
		return nil, notFound(err, "experiment")
	}
	return oneExperiment(ctx, db, row)
}

func oneExperiment(ctx context.Context, db bun.IDB, row experimentRow) (*model.Experiment, error) {
	experiments, err := experimentsOf(ctx, db, []experimentRow{row})
	if err != nil {
		return nil, err
	}
	return &experiments[0], nil
}

// ExperimentByKey returns the site's experiment with that key, or NotFound.
func (s *Store) ExperimentByKey(ctx context.Context, site int64, key string) (e *model.Experiment, err error) {
	defer wrap(&err, "experiment %.40q of site %d", key, site)
	err = sql.ErrNoRows
	var row experimentRow
	if isKeepable(key) {
		err = s.db.NewSelect().Model(&row).Where("site_id = ? AND key = ?", site, key).Scan(ctx)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, model.Errorf(model.NotFound, "the site has no experiment with this key")
	}
	if err != nil {
		return nil, err
	}
	return oneExperiment(ctx, s.db, row)
}

func objectOfExperiment(e *model.Experiment) object {
	return object{model.ExperimentObject, e.SiteID, e.ID}
}

// CreateExperiment stores a new experiment, as a draft, and sets its ID and times. The
// error is Conflict if the site already has the key, BadInput if it is to be decided by values
// that the primary metric does not have, and NotFound if a metric is not a goal of the site, or if it does not have a segment that the audience names.
func (s *Store) CreateExperiment(ctx context.Context, e *model.Experiment) (err error) {
	defer wrap(&err, "create experiment %.40q", e.Key)
	if err := e.Validate(); err != nil {
		return err
	}
	e.Status = model.Draft
	return s.define(ctx, func(tx bun.Tx) (change, error) {
		if _, err := s.site(ctx, tx, e.SiteID, s.dialect.keyLock); err != nil {
			return change{}, err
		}
		e.CreatedAt = model.MillisOf(s.now()).Time()
		e.UpdatedAt = e.CreatedAt
		row, err := experimentRowOf(e)
		if err != nil {
			return change{}, err
		}
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			if err = sortError(err); errors.Is(err, errUnique) {
				conflict := model.Errorf(model.Conflict, "the site already has an experiment with the key %q; choose a different key", e.Key)
				conflict.Field, conflict.Cause = "key", err
				return change{}, conflict
			}
			return change{}, err
		}
		e.ID = row.ID
		if err := s.insertMetrics(ctx, tx, e); err != nil {
			return change{}, err
		}
		err = model.Under("audience", s.nameSegments(ctx, tx, objectOfExperiment(e), nil, e.Audience))
		return ofExperiment(model.Created, e, "", documentOfExperiment(e)), err
	})
}

// insertMetrics stores the goals of an experiment that has none yet. The goals cannot
// be deleted during the transaction, or afterwards, because they are in use.
func (s *Store) insertMetrics(ctx context.Context, tx bun.Tx, e *model.Experiment) error {
	goals := e.Metrics()
	if len(goals) == 0 {
		return nil
	}
	var known []goalRow
	query := tx.NewSelect().Model(&known).Column("id", "value_event").Where("site_id = ? AND id IN (?)", e.SiteID, bun.List(goals)).Order("id")
	if s.dialect.keyLock != "" {
		query = query.For(s.dialect.keyLock)
	}
	if err := query.Scan(ctx); err != nil {
		return err
	}
	find := func(goal int64) int { return slices.IndexFunc(known, func(row goalRow) bool { return row.ID == goal }) }
	missing := func(goal int64, field string) error {
		if find(goal) >= 0 {
			return nil
		}
		return &model.Error{Code: model.NotFound, Field: field, Message: "the site has no goal with this id"}
	}
	var rows []metricRow
	if e.Primary != 0 {
		if err := missing(e.Primary, "primaryMetric"); err != nil {
			return err
		}
		if e.DecidesBy == model.ByValue && known[find(e.Primary)].ValueEvent == "" {
			return model.Invalid("decidesBy", "is VALUE, but the primary metric has no values; decide by RATE, or give the goal a valueEvent first")
		}
		rows = append(rows, metricRow{ExperimentID: e.ID, GoalID: e.Primary})
	}
	for i, goal := range e.Secondary {
		if err := missing(goal, fmt.Sprintf("secondaryMetrics[%d]", i)); err != nil {
			return err
		}
		rows = append(rows, metricRow{ExperimentID: e.ID, GoalID: goal, Position: i + 1})
	}
	for i, guardrail := range e.Guardrails {
		if err := missing(guardrail.Goal, fmt.Sprintf("guardrails[%d].goal", i)); err != nil {
			return err
		}
		rows = append(rows, metricRow{ExperimentID: e.ID, GoalID: guardrail.Goal, Position: len(e.Secondary) + i + 1, Margin: &guardrail.Margin})
	}
	for i := range rows {
		rows[i].Direction = e.DirectionOf(&model.Goal{ID: rows[i].GoalID}) // empty unless it is given
	}
	_, err := tx.NewInsert().Model(&rows).Exec(ctx)
	return err
}

// UpdateExperiment calls apply with the experiment and stores the result. Nothing
// changes if apply fails, or if the result is invalid or not allowed in the
// experiment's state (model.Experiment.CheckChange). The key stays the same. Concurrent
// changes apply one after the other.
func (s *Store) UpdateExperiment(ctx context.Context, id int64, apply func(*model.Experiment) error) (e *model.Experiment, err error) {
	defer wrap(&err, "update experiment %d", id)
	err = s.define(ctx, func(tx bun.Tx) (c change, err error) {
		e, c, err = s.updateExperiment(ctx, tx, id, apply)
		return c, err
	})
	return e, err
}

// UpdateExperiments is UpdateExperiment for 1 to MaxTogether experiments of one site: all change or none. The field of an
// error begins with the place of its id.
func (s *Store) UpdateExperiments(ctx context.Context, ids []int64, apply func(*model.Experiment) error) (experiments []model.Experiment, err error) {
	defer wrap(&err, "update %d experiments", len(ids))
	return together(ctx, s, ids, func(tx bun.Tx, id int64) (*model.Experiment, change, error) {
		return s.updateExperiment(ctx, tx, id, apply)
	})
}

func (s *Store) updateExperiment(ctx context.Context, tx bun.Tx, id int64, apply func(*model.Experiment) error) (*model.Experiment, change, error) {
	e, err := s.experiment(ctx, tx, id, s.dialect.rowLock)
	if err != nil {
		return nil, change{}, err
	}
	before, was := *e, documentOfExperiment(e)
	if err := apply(e); err != nil {
		return nil, change{}, err
	}
	if err := e.Validate(); err != nil {
		return nil, change{}, err
	}
	if err := e.CheckChange(&before); err != nil {
		return nil, change{}, err
	}
	if e.Status == model.Running && before.Status != model.Running {
		if err := s.checkLayer(ctx, tx, e); err != nil {
			return nil, change{}, err
		}
	}
	if same := ofExperiment(model.Updated, e, was, documentOfExperiment(e)); same.isNone() {
		return e, same, nil
	}
	if err := e.NoteChange(&before, model.MillisOf(s.now())); err != nil {
		return nil, change{}, err
	}
	e.UpdatedAt = s.nextUpdate(e.UpdatedAt)
	row, err := experimentRowOf(e)
	if err != nil {
		return nil, change{}, err
	}
	if _, err := tx.NewUpdate().Model(row).ExcludeColumn("key", "created_at").WherePK().Exec(ctx); err != nil {
		return nil, change{}, err
	}
	if err := s.nameSegments(ctx, tx, objectOfExperiment(e), before.Audience, e.Audience); err != nil {
		return nil, change{}, model.Under("audience", err)
	}
	if e.Primary != before.Primary || !slices.Equal(e.Secondary, before.Secondary) || !slices.Equal(e.Guardrails, before.Guardrails) || !slices.Equal(e.Directions, before.Directions) ||
		e.DecidesBy != before.DecidesBy { // which is checked with the metrics
		if _, err := tx.NewDelete().Table("experiment_metrics").Where("experiment_id = ?", id).Exec(ctx); err != nil {
			return nil, change{}, err
		}
		if err := s.insertMetrics(ctx, tx, e); err != nil {
			return nil, change{}, err
		}
	}
	return e, ofExperiment(stepOf(before.Status, e.Status), e, was, documentOfExperiment(e)), nil
}

// checkLayer returns a FailedPrecondition error if the experiment, which is about to start, has visitors of a layer that one
// that runs has too.
func (s *Store) checkLayer(ctx context.Context, tx bun.Tx, e *model.Experiment) error {
	if e.Layer == nil || e.Assignment != model.GoalgraphAssignment {
		return nil
	}
	if err := s.moveRevision(ctx, tx, e.SiteID); err != nil { // two may start at once
		return err
	}
	var rows []experimentRow
	if err := tx.NewSelect().Model(&rows).Where("site_id = ? AND id <> ? AND status = ? AND assignment = ? AND layer_key = ?", e.SiteID, e.ID, model.Running, e.Assignment, e.Layer.Key).
		Order("id").Scan(ctx); err != nil {
		return err
	}
	for _, row := range rows {
		if other := (model.Layer{Key: row.LayerKey, From: row.LayerFrom, To: row.LayerTo}); other.Overlaps(*e.Layer) {
			return &model.Error{Code: model.FailedPrecondition, Field: "layer", Message: fmt.Sprintf(
				"its range of the layer %q, %v to %v, overlaps that of %q, which runs from %v to %v; choose another range, or stop that experiment first",
				e.Layer.Key, e.Layer.From, e.Layer.To, row.Name, other.From, other.To)}
		}
	}
	return nil
}

// DeleteExperiment deletes an experiment, but not its assignments. What visitors were given in it may be very much, and is left
// to PruneAssignments. The error is
// FailedPrecondition while it runs. Nothing changes if check fails; nil checks nothing.
func (s *Store) DeleteExperiment(ctx context.Context, id int64, check func(*model.Experiment) error) (err error) {
	defer wrap(&err, "delete experiment %d", id)
	return s.define(ctx, func(tx bun.Tx) (change, error) {
		_, c, err := s.deleteExperiment(ctx, tx, id, check)
		return c, err
	})
}

// DeleteExperiments is DeleteExperiment for 1 to MaxTogether experiments of one site: all are deleted or none. The field
// of an error begins with the place of its id.
func (s *Store) DeleteExperiments(ctx context.Context, ids []int64) (err error) {
	defer wrap(&err, "delete %d experiments", len(ids))
	_, err = together(ctx, s, ids, func(tx bun.Tx, id int64) (*model.Experiment, change, error) {
		return s.deleteExperiment(ctx, tx, id, nil)
	})
	return err
}

func (s *Store) deleteExperiment(ctx context.Context, tx bun.Tx, id int64, check func(*model.Experiment) error) (*model.Experiment, change, error) {
	e, err := s.experiment(ctx, tx, id, s.dialect.rowLock)
	if err != nil {
		return nil, change{}, err
	}
	if check != nil {
		if err := check(e); err != nil {
			return nil, change{}, err
		}
	}
	if err := e.CheckDelete(); err != nil {
		return nil, change{}, err
	}
	if err := unnameSegments(ctx, tx, objectOfExperiment(e)); err != nil {
		return nil, change{}, err
	}
	_, err = tx.NewDelete().Table("experiments").Where("id = ?", id).Exec(ctx)
	return e, ofExperiment(model.Deleted, e, documentOfExperiment(e), ""), err
}

// noteGoalChange notes that a goal changes which decides experiments that have started, or guards them.
func (s *Store) noteGoalChange(ctx context.Context, tx bun.Tx, goal int64) error {
	using := tx.NewSelect().Table("experiment_metrics").Column("experiment_id").Where("goal_id = ? AND (position = 0 OR margin IS NOT NULL)", goal)
	_, err := tx.NewUpdate().Table("experiments").Set("metric_changed_at = ?", model.MillisOf(s.now())).
		Where("id IN (?) AND started_at > 0", using).Exec(ctx)
	return err
}

// checkUnused returns a FailedPrecondition error that names the experiments which use
// the goal as a metric. The goal's row is locked.
func checkUnused(ctx context.Context, tx bun.Tx, goal int64) error {
	using := tx.NewSelect().Table("experiment_metrics").Column("experiment_id").Where("goal_id = ?", goal)
	names, err := namesOf(ctx, tx.NewSelect().Table("experiments").Where("id IN (?)", using))
	if err != nil || names == "" {
		return err
	}
	return model.Errorf(model.FailedPrecondition, "the goal is a metric of these experiments: %s; give them other metrics or delete them first", names)
}

// checkValueUnused returns a FailedPrecondition error that names the experiments which are decided by the goal's values. The
// goal's row is locked.
func checkValueUnused(ctx context.Context, tx bun.Tx, goal int64) error {
	using := tx.NewSelect().Table("experiment_metrics").Column("experiment_id").Where("goal_id = ? AND position = 0", goal)
	names, err := namesOf(ctx, tx.NewSelect().Table("experiments").Where("id IN (?) AND decides_by = ?", using, model.ByValue))
	if err != nil || names == "" {
		return err
	}
	e := model.Errorf(model.FailedPrecondition, "these experiments are decided by the goal's values: %s; give them other primary metrics or delete them first", names)
	e.Field = "valueEvent"
	return e
}

// namesOf lists the names of the first few experiments of a query, and says how many more there are; it is empty without any.
func namesOf(ctx context.Context, query *bun.SelectQuery) (string, error) {
	var names []string
	if err := query.Column("name").Order("id").Scan(ctx, &names); err != nil {
		return "", err
	}
	const named = 5
	list := make([]string, min(len(names), named))
	for i := range list {
		list[i] = fmt.Sprintf("%q", names[i])
	}
	if more := len(names) - named; more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", "), nil
}
