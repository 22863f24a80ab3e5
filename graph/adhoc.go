package graph

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

// adHoc are the goals and segments that a client gives with a question, without saving them. They count like saved ones.
// They have ids that nothing stored has: see adHocID.
type adHoc struct {
	goals    []generated.AdHocGoalInput
	segments []generated.AdHocSegmentInput
}

// isAdHoc tells whether an id is of what is not saved.
func isAdHoc(id int64) bool { return id < 0 }

// adHocID returns the id of what is not saved. It is negative, and follows from what is given, so that the same has the same
// id in all answers.
func adHocID(kind noun, site int64, name string, filters []model.FilterSpec, more ...string) (int64, error) {
	text, err := json.Marshal(filters)
	of := count.FingerprintOf(append([]string{string(kind), strconv.FormatInt(site, 10), name, string(text)}, more...)...)
	return -1 - int64(binary.BigEndian.Uint64(of[:8])>>1), err
}

// epoch is when everything was made that is not saved.
var epoch = time.Unix(0, 0).UTC()

func (r *Resolver) adHocGoal(ctx context.Context, site int64, given *generated.AdHocGoalInput, field string) (goal model.Goal, err error) {
	goal = model.Goal{SiteID: site, Key: "ad hoc", Name: given.Name, CreatedAt: epoch, UpdatedAt: epoch}
	set(&goal.ValueEvent, given.ValueEvent)
	set(&goal.Direction, given.Direction)
	if goal.Filters, err = r.filtersOf(ctx, site, given.Filters, field+".filters"); err != nil {
		return goal, err
	}
	if err := goal.Validate(); err != nil {
		return goal, model.Under(field, err)
	}
	goal.Key = goal.Name // now, so that what is wrong with the name is said of the name
	goal.ID, err = adHocID(goalNoun, site, goal.Name, goal.Filters, goal.ValueEvent, string(goal.Direction))
	return goal, err
}

func (r *Resolver) adHocGoals(ctx context.Context, site int64, given []generated.AdHocGoalInput) (goals []model.Goal, err error) {
	goals = make([]model.Goal, len(given))
	for i := range given {
		field := fmt.Sprintf("adHocGoals[%d]", i)
		if goals[i], err = r.adHocGoal(ctx, site, &given[i], field); err != nil {
			return nil, err
		}
		if placeOfKey(goals[:i], goals[i].Key) >= 0 {
			return nil, model.Invalid(field+".name", "%.40q is the name of another ad-hoc goal; give each its own", goals[i].Key)
		}
	}
	return goals, nil
}

// placeOfKey returns the place of the ad-hoc goal of a key, which is its name; -1 where there is none.
func placeOfKey(goals []model.Goal, key string) int {
	return slices.IndexFunc(goals, func(goal model.Goal) bool { return isAdHoc(goal.ID) && goal.Key == key })
}

func (r *Resolver) adHocSegments(ctx context.Context, site int64, given []generated.AdHocSegmentInput) (segments []model.Segment, err error) {
	segments = make([]model.Segment, len(given))
	for i := range given {
		field, segment := fmt.Sprintf("adHocSegments[%d]", i), &segments[i]
		*segment = model.Segment{SiteID: site, Name: given[i].Name, CreatedAt: epoch, UpdatedAt: epoch}
		if segment.Filters, err = r.filtersOf(ctx, site, given[i].Filters, field+".filters"); err != nil {
			return nil, err
		}
		if err := segment.Validate(); err != nil {
			return nil, model.Under(field, err)
		}
		if segment.ID, err = adHocID(segmentNoun, site, segment.Name, segment.Filters); err != nil {
			return nil, err
		}
	}
	return segments, nil
}

// checkTogether returns an error where more are named and given ad hoc than there may be.
func checkTogether(field string, named, adHoc, most int) error {
	if adHoc > 0 && named+adHoc > most {
		return model.Invalid(field, "these are %d with those that are named by ids; the limit is %d", named+adHoc, most)
	}
	return nil
}

// named returns the ids that a client names. Where it gives something ad hoc and names none, these are none, and not the
// site's own.
func named[T any](ids []string, adHoc []T) []string {
	if ids == nil && len(adHoc) > 0 {
		return []string{}
	}
	return ids
}

// goalsWith returns the goals that a client names, or the site's own, and those that it gives ad hoc.
func (r *Resolver) goalsWith(ctx context.Context, site int64, ids []string, given []generated.AdHocGoalInput) ([]model.Goal, error) {
	if err := checkTogether("adHocGoals", len(ids), len(given), maxGoals); err != nil {
		return nil, err
	}
	goals, err := r.chosenGoals(ctx, site, matrixArguments{goals: named(ids, given), first: maxGoals})
	if err != nil {
		return nil, err
	}
	more, err := r.adHocGoals(ctx, site, given)
	return append(goals, more...), err
}

// segmentsWith returns the segments that a client names, or the site's active ones, and those that it gives ad hoc.
func (r *Resolver) segmentsWith(ctx context.Context, site int64, ids []string, given []generated.AdHocSegmentInput) ([]model.Segment, error) {
	if err := checkTogether("adHocSegments", len(ids), len(given), maxSegments); err != nil {
		return nil, err
	}
	segments, err := r.segments(ctx, site, named(ids, given), false)
	if err != nil {
		return nil, err
	}
	more, err := r.adHocSegments(ctx, site, given)
	return append(segments, more...), err
}

// segmentsAsked names the segments that a client has asked for, those given ad hoc by what they are.
func segmentsAsked(ids []string, includeInactive bool, segments []model.Segment, given []generated.AdHocSegmentInput) string {
	if !includeInactive {
		ids = named(ids, given)
	}
	text := view.SegmentsAsked(ids, includeInactive)
	for _, segment := range segments {
		if isAdHoc(segment.ID) {
			text += " " + encodeID(segmentNoun, segment.ID)
		}
	}
	return text
}

// matrixWith is matrix with what is given ad hoc.
func (r *Resolver) matrixWith(ctx context.Context, site *model.Site, chosen matrixArguments, given adHoc) (matrix, error) {
	if err := checkTogether("adHocGoals", len(chosen.goals), len(given.goals), maxGoals); err != nil {
		return matrix{}, err
	}
	if err := checkTogether("adHocSegments", len(chosen.segments), len(given.segments), maxSegments); err != nil {
		return matrix{}, err
	}
	chosen.goals = named(chosen.goals, given.goals)
	if !chosen.inactive {
		chosen.segments = named(chosen.segments, given.segments)
	}
	m, err := r.matrix(ctx, site, chosen)
	if err != nil {
		return m, err
	}
	if err := checkTogether("adHocSegments", len(m.segments), len(given.segments), maxSegments); err != nil {
		return matrix{}, err
	}
	goals, segments, err := both(
		func() ([]model.Goal, error) { return r.adHocGoals(ctx, site.ID, given.goals) },
		func() ([]model.Segment, error) { return r.adHocSegments(ctx, site.ID, given.segments) })
	return matrix{slices.Concat(m.goals, goals), slices.Concat(m.segments, segments)}, err
}

// goalsOfSteps returns the goals of a funnel's steps. A step is the id of a goal, or the name of an ad-hoc one; those that
// are not named come last.
func (r *Resolver) goalsOfSteps(ctx context.Context, site int64, steps []string, given []generated.AdHocGoalInput) ([]model.Goal, error) {
	if n := max(len(steps), len(given)); n == 0 || n > maxSteps {
		return nil, model.Invalid("steps", "%d steps are given; a funnel has 1 to %d", n, maxSteps)
	}
	adHoc, err := r.adHocGoals(ctx, site, given)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(steps))
	for i, step := range steps {
		if place := placeOfKey(adHoc, step); place >= 0 {
			ids[i] = adHoc[place].ID
		} else if ids[i], err = decodeID(goalNoun, step, fmt.Sprintf("steps[%d]", i)); err != nil {
			return nil, err
		}
	}
	for _, goal := range adHoc {
		if !slices.Contains(ids, goal.ID) {
			ids = append(ids, goal.ID)
		}
	}
	if len(ids) > maxSteps {
		return nil, model.Invalid("steps", "there are %d steps with the ad-hoc goals; a funnel has 1 to %d", len(ids), maxSteps)
	}
	var saved []model.Goal
	if named := slices.DeleteFunc(slices.Clone(ids), isAdHoc); len(named) > 0 {
		if saved, err = r.store.GoalsByID(ctx, named); err != nil {
			return nil, err
		}
	}
	found := slices.DeleteFunc(append(saved, adHoc...), func(goal model.Goal) bool { return goal.SiteID != site })
	goals, err := inOrder(ids, found, func(goal *model.Goal) int64 { return goal.ID })
	return goals, model.Under("steps", err)
}

// idsOf returns the ids of goals, as clients know them.
func idsOf(goals []model.Goal) []string {
	ids := make([]string, len(goals))
	for i, goal := range goals {
		ids[i] = encodeID(goalNoun, goal.ID)
	}
	return ids
}

// metrics are the goals that an experiment is judged by, and the id of the primary one.
type metrics struct {
	goals   []model.Goal
	primary int64
	// alone tells that one goal, with the guardrails that it has, stands for all metrics.
	alone bool
}

// asked names the metrics that a client has asked for.
func (m metrics) asked() int64 {
	if m.alone {
		return m.primary
	}
	return 0
}

// metricsOf returns an experiment's metrics or, where a client names a goal or gives one ad hoc, that alone. The primary metric
// keeps its guardrails.
func (r *Resolver) metricsOf(ctx context.Context, e *model.Experiment, goalID *string, given *generated.AdHocGoalInput) (metrics, error) {
	var goal model.Goal
	switch {
	case goalID != nil && given != nil:
		return metrics{}, model.Invalid("adHocGoal", "is given beside `goal`; give one of the two")
	case goalID != nil:
		found, err := r.goalOfSite(ctx, e.SiteID, *goalID, "goal")
		if err != nil {
			return metrics{}, err
		}
		goal = *found
	case given != nil:
		var err error
		if goal, err = r.adHocGoal(ctx, e.SiteID, given, "adHocGoal"); err != nil {
			return metrics{}, err
		}
	default:
		goals, err := r.goalsOf(ctx, e.Metrics())
		return metrics{goals: goals, primary: e.Primary}, err
	}
	alone := metrics{[]model.Goal{goal}, goal.ID, true}
	if goal.ID != e.Primary {
		return alone, nil
	}
	ids := make([]int64, len(e.Guardrails))
	for i, guardrail := range e.Guardrails {
		ids[i] = guardrail.Goal
	}
	guardrails, err := r.goalsOf(ctx, ids)
	alone.goals = append(alone.goals, guardrails...)
	return alone, err
}

// goalOfSite returns the goal of a site that an argument names.
func (r *Resolver) goalOfSite(ctx context.Context, siteID int64, given, argument string) (*model.Goal, error) {
	id, err := decodeID(goalNoun, given, argument)
	if err != nil {
		return nil, err
	}
	goal, err := r.store.Goal(ctx, id)
	if err == nil && goal.SiteID != siteID {
		err = missing("goal")
	}
	if err != nil {
		return nil, aboutID(argument, err)
	}
	return goal, nil
}
