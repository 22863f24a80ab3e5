package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/store"
)

// guard is the store as far as the context's actor may use it. Resolvers have no other: whatever they load or change, by
// whichever way they came to its id, is checked here. What is of a site that the actor does not read does not exist: the
// answer is what the store says of something that does not, in the same words and about as fast. The guards of people and
// keys stand in their files.
//
// The guard stands before what answers share, the counts, merges and matrices, which therefore know of no actor.
type guard struct{ store *store.Store }

// nowhere is the number of no site.
const nowhere int64 = -1

// readable returns the site, or nowhere if the context's actor does not read it.
func readable(ctx context.Context, site int64) int64 {
	if model.ActorOf(ctx).May(model.ReadScope, site) {
		return site
	}
	return nowhere
}

// changeable returns the site, or nowhere if the context's actor does not read it. The error is FORBIDDEN where it reads
// the site and has not the scope.
func changeable(ctx context.Context, needed model.Scope, site int64) (int64, error) {
	actor := model.ActorOf(ctx)
	switch {
	case actor.May(needed, site):
		return site, nil
	case actor.May(model.ReadScope, site):
		return nowhere, forbidden(actor.Principal, needed, site)
	}
	return nowhere, nil
}

// missing is what the store says where there is nothing with an id.
func missing(noun string) error {
	return model.Errorf(model.NotFound, "there is no %s with this id", noun)
}

// pass returns what was found in a site if the context's actor has the scope there.
func pass[T any](ctx context.Context, needed model.Scope, noun string, found *T, err error, siteOf func(*T) int64) (*T, error) {
	if err != nil {
		return nil, err
	}
	site, err := changeable(ctx, needed, siteOf(found))
	if err != nil {
		return nil, err
	}
	if site == nowhere {
		return nil, missing(noun)
	}
	return found, nil
}

// firstSite returns the site of the first of several definitions, all of which the context's actor may change. The field of
// an error is the place of its id.
func firstSite[T any](ctx context.Context, ids []int64, load func(context.Context, model.Scope, int64) (*T, error), siteOf func(*T) int64) (site int64, err error) {
	for i, id := range ids {
		found, err := load(ctx, model.EditScope, id)
		if err != nil {
			return 0, model.Under(fmt.Sprintf("[%d]", i), err)
		}
		if i == 0 {
			site = siteOf(found)
		}
	}
	return site, nil
}

// keep keeps what is of sites that the context's actor reads.
func keep[T any](ctx context.Context, found []T, err error, siteOf func(*T) int64) ([]T, error) {
	return slices.DeleteFunc(found, func(element T) bool { return readable(ctx, siteOf(&element)) == nowhere }), err
}

func siteOfSite(s *model.Site) int64             { return s.ID }
func siteOfSegment(s *model.Segment) int64       { return s.SiteID }
func siteOfGoal(goal *model.Goal) int64          { return goal.SiteID }
func siteOfExperiment(e *model.Experiment) int64 { return e.SiteID }

func (g guard) Site(ctx context.Context, id int64) (*model.Site, error) {
	return g.store.Site(ctx, readable(ctx, id))
}

func (g guard) SiteByDomain(ctx context.Context, domain string) (*model.Site, error) {
	site, err := g.store.SiteByDomain(ctx, domain)
	if err == nil && readable(ctx, site.ID) == nowhere {
		return nil, model.Errorf(model.NotFound, "no site has the domain %q", domain)
	}
	return site, err
}

func (g guard) Sites(ctx context.Context) ([]model.Site, error) {
	ids, all := model.ActorOf(ctx).Sites(model.ReadScope)
	switch {
	case all:
		return g.store.Sites(ctx)
	case len(ids) == 0:
		return []model.Site{}, nil
	}
	return g.store.SitesByID(ctx, ids)
}

func (g guard) SitesByID(ctx context.Context, ids []int64) ([]model.Site, error) {
	sites, err := g.store.SitesByID(ctx, ids)
	return keep(ctx, sites, err, siteOfSite)
}

func (g guard) State(ctx context.Context, site int64) (store.State, error) {
	return g.store.State(ctx, readable(ctx, site))
}

func (g guard) CreateSite(ctx context.Context, site *model.Site) error {
	if actor := model.ActorOf(ctx); !actor.May(model.AdminScope, model.AllSites) {
		return forbidden(actor.Principal, model.AdminScope, model.AllSites)
	}
	return g.store.CreateSite(ctx, site)
}

func (g guard) UpdateSite(ctx context.Context, id int64, apply func(*model.Site) error) (*model.Site, error) {
	id, err := changeable(ctx, model.AdminScope, id)
	if err != nil {
		return nil, err
	}
	return g.store.UpdateSite(ctx, id, apply)
}

func (g guard) DeleteSite(ctx context.Context, id int64, check func(*model.Site) error) error {
	id, err := changeable(ctx, model.AdminScope, id)
	if err != nil {
		return err
	}
	return g.store.DeleteSite(ctx, id, check)
}

func (g guard) EraseVisitor(ctx context.Context, site int64, visitor string) (int, error) {
	site, err := changeable(ctx, model.AdminScope, site)
	if err != nil {
		return 0, err
	}
	return g.store.EraseVisitor(ctx, site, visitor)
}

func (g guard) segment(ctx context.Context, needed model.Scope, id int64) (*model.Segment, error) {
	segment, err := g.store.Segment(ctx, id)
	return pass(ctx, needed, "segment", segment, err, siteOfSegment)
}

func (g guard) Segment(ctx context.Context, id int64) (*model.Segment, error) {
	return g.segment(ctx, model.ReadScope, id)
}

func (g guard) SegmentsByID(ctx context.Context, ids []int64) ([]model.Segment, error) {
	segments, err := g.store.SegmentsByID(ctx, ids)
	return keep(ctx, segments, err, siteOfSegment)
}

func (g guard) Segments(ctx context.Context, q store.SegmentQuery, page store.Page) ([]model.Segment, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.Segments(ctx, q, page)
}

func (g guard) CountSegments(ctx context.Context, q store.SegmentQuery) (int, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.CountSegments(ctx, q)
}

func (g guard) CreateSegment(ctx context.Context, segment *model.Segment) (err error) {
	if segment.SiteID, err = changeable(ctx, model.EditScope, segment.SiteID); err != nil {
		return err
	}
	return g.store.CreateSegment(ctx, segment)
}

func (g guard) UpdateSegment(ctx context.Context, id int64, apply func(*model.Segment) error) (*model.Segment, error) {
	if _, err := g.segment(ctx, model.EditScope, id); err != nil {
		return nil, err
	}
	return g.store.UpdateSegment(ctx, id, apply)
}

func (g guard) UpdateSegments(ctx context.Context, ids []int64, apply func(*model.Segment) error) ([]model.Segment, error) {
	if _, err := firstSite(ctx, ids, g.segment, siteOfSegment); err != nil {
		return nil, err
	}
	return g.store.UpdateSegments(ctx, ids, apply)
}

// DeleteSegment returns the site of the segment.
func (g guard) DeleteSegment(ctx context.Context, id int64, check func(*model.Segment) error) (site int64, err error) {
	segment, err := g.segment(ctx, model.EditScope, id)
	if err != nil {
		return 0, err
	}
	return segment.SiteID, g.store.DeleteSegment(ctx, id, check)
}

// DeleteSegments returns the site of the segments.
func (g guard) DeleteSegments(ctx context.Context, ids []int64) (site int64, err error) {
	if site, err = firstSite(ctx, ids, g.segment, siteOfSegment); err != nil {
		return 0, err
	}
	return site, g.store.DeleteSegments(ctx, ids)
}

func (g guard) ConvertSegmentToGoal(ctx context.Context, id int64, goal *model.Goal, check func(*model.Segment) error) error {
	if _, err := g.segment(ctx, model.EditScope, id); err != nil {
		return err
	}
	return g.store.ConvertSegmentToGoal(ctx, id, goal, check)
}

// PutSegments puts into filters the segments of a site that they name.
func (g guard) PutSegments(ctx context.Context, site int64, filters []model.FilterSpec) error {
	return g.store.PutSegments(ctx, readable(ctx, site), filters)
}

func (g guard) goal(ctx context.Context, needed model.Scope, id int64) (*model.Goal, error) {
	goal, err := g.store.Goal(ctx, id)
	return pass(ctx, needed, "goal", goal, err, siteOfGoal)
}

func (g guard) Goal(ctx context.Context, id int64) (*model.Goal, error) {
	return g.goal(ctx, model.ReadScope, id)
}

func (g guard) GoalByKey(ctx context.Context, site int64, key string) (*model.Goal, error) {
	return g.store.GoalByKey(ctx, readable(ctx, site), key)
}

func (g guard) GoalsByID(ctx context.Context, ids []int64) ([]model.Goal, error) {
	goals, err := g.store.GoalsByID(ctx, ids)
	return keep(ctx, goals, err, siteOfGoal)
}

func (g guard) Goals(ctx context.Context, q store.GoalQuery, page store.Page) ([]model.Goal, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.Goals(ctx, q, page)
}

func (g guard) CountGoals(ctx context.Context, q store.GoalQuery) (int, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.CountGoals(ctx, q)
}

func (g guard) CreateGoal(ctx context.Context, goal *model.Goal) (err error) {
	if goal.SiteID, err = changeable(ctx, model.EditScope, goal.SiteID); err != nil {
		return err
	}
	return g.store.CreateGoal(ctx, goal)
}

func (g guard) UpdateGoal(ctx context.Context, id int64, apply func(*model.Goal) error) (*model.Goal, error) {
	if _, err := g.goal(ctx, model.EditScope, id); err != nil {
		return nil, err
	}
	return g.store.UpdateGoal(ctx, id, apply)
}

func (g guard) UpdateGoals(ctx context.Context, ids []int64, apply func(*model.Goal) error) ([]model.Goal, error) {
	if _, err := firstSite(ctx, ids, g.goal, siteOfGoal); err != nil {
		return nil, err
	}
	return g.store.UpdateGoals(ctx, ids, apply)
}

// DeleteGoal returns the site of the goal.
func (g guard) DeleteGoal(ctx context.Context, id int64, check func(*model.Goal) error) (site int64, err error) {
	goal, err := g.goal(ctx, model.EditScope, id)
	if err != nil {
		return 0, err
	}
	return goal.SiteID, g.store.DeleteGoal(ctx, id, check)
}

// DeleteGoals returns the site of the goals.
func (g guard) DeleteGoals(ctx context.Context, ids []int64) (site int64, err error) {
	if site, err = firstSite(ctx, ids, g.goal, siteOfGoal); err != nil {
		return 0, err
	}
	return site, g.store.DeleteGoals(ctx, ids)
}

func (g guard) ConvertGoalToSegment(ctx context.Context, id int64, check func(*model.Goal) error) (*model.Segment, error) {
	if _, err := g.goal(ctx, model.EditScope, id); err != nil {
		return nil, err
	}
	return g.store.ConvertGoalToSegment(ctx, id, check)
}

func (g guard) experiment(ctx context.Context, needed model.Scope, id int64) (*model.Experiment, error) {
	e, err := g.store.Experiment(ctx, id)
	return pass(ctx, needed, "experiment", e, err, siteOfExperiment)
}

func (g guard) Experiment(ctx context.Context, id int64) (*model.Experiment, error) {
	return g.experiment(ctx, model.ReadScope, id)
}

func (g guard) ExperimentByKey(ctx context.Context, site int64, key string) (*model.Experiment, error) {
	return g.store.ExperimentByKey(ctx, readable(ctx, site), key)
}

func (g guard) ExperimentsOfGoals(ctx context.Context, goals []int64) (map[int64][]model.Experiment, error) {
	byGoal, err := g.store.ExperimentsOfGoals(ctx, goals)
	for goal, experiments := range byGoal {
		byGoal[goal], _ = keep(ctx, experiments, nil, siteOfExperiment)
	}
	return byGoal, err
}

func (g guard) Experiments(ctx context.Context, q store.ExperimentQuery, page store.Page) ([]model.Experiment, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.Experiments(ctx, q, page)
}

func (g guard) CountExperiments(ctx context.Context, q store.ExperimentQuery) (int, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.CountExperiments(ctx, q)
}

func (g guard) CreateExperiment(ctx context.Context, e *model.Experiment) (err error) {
	if e.SiteID, err = changeable(ctx, model.EditScope, e.SiteID); err != nil {
		return err
	}
	return g.store.CreateExperiment(ctx, e)
}

func (g guard) UpdateExperiment(ctx context.Context, id int64, apply func(*model.Experiment) error) (*model.Experiment, error) {
	if _, err := g.experiment(ctx, model.EditScope, id); err != nil {
		return nil, err
	}
	return g.store.UpdateExperiment(ctx, id, apply)
}

func (g guard) UpdateExperiments(ctx context.Context, ids []int64, apply func(*model.Experiment) error) ([]model.Experiment, error) {
	if _, err := firstSite(ctx, ids, g.experiment, siteOfExperiment); err != nil {
		return nil, err
	}
	return g.store.UpdateExperiments(ctx, ids, apply)
}

// DeleteExperiment returns the site of the experiment.
func (g guard) DeleteExperiment(ctx context.Context, id int64, check func(*model.Experiment) error) (site int64, err error) {
	e, err := g.experiment(ctx, model.EditScope, id)
	if err != nil {
		return 0, err
	}
	return e.SiteID, g.store.DeleteExperiment(ctx, id, check)
}

// DeleteExperiments returns the site of the experiments.
func (g guard) DeleteExperiments(ctx context.Context, ids []int64) (site int64, err error) {
	if site, err = firstSite(ctx, ids, g.experiment, siteOfExperiment); err != nil {
		return 0, err
	}
	return site, g.store.DeleteExperiments(ctx, ids)
}

func (g guard) CountUnjoined(ctx context.Context, site, experiment int64, run model.Millis) (int, error) {
	return g.store.CountUnjoined(ctx, readable(ctx, site), experiment, run)
}

func (g guard) Session(ctx context.Context, id model.SessionID) (*model.Session, error) {
	id.Site = readable(ctx, id.Site)
	return g.store.Session(ctx, id)
}

func (g guard) Hits(ctx context.Context, site int64, sessions []*model.Session, page store.HitPage) ([][]model.Hit, error) {
	return g.store.Hits(ctx, readable(ctx, site), sessions, page)
}

func (g guard) Events(ctx context.Context, q store.EventQuery, page store.EventPage) ([]store.Event, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.Events(ctx, q, page)
}

func (g guard) CountEvents(ctx context.Context, q store.EventQuery) (int, error) {
	q.Site = readable(ctx, q.Site)
	return g.store.CountEvents(ctx, q)
}

func (g guard) Computations(ctx context.Context, site int64) ([]store.Computation, error) {
	return g.store.Computations(ctx, readable(ctx, site))
}

func (g guard) ComputedProgress(ctx context.Context, site int64) (store.ComputedProgress, error) {
	return g.store.ComputedProgress(ctx, readable(ctx, site))
}

// TypesInUse returns the filter types in use on the sites that the actor reads.
func (g guard) TypesInUse(ctx context.Context) (map[string]store.TypeUse, error) {
	sites, all := model.ActorOf(ctx).Sites(model.ReadScope)
	if !all && len(sites) == 0 {
		return nil, nil
	}
	return g.store.TypesInUse(ctx, sites)
}

// Changes and CountChanges are of a site, which the actor must administer, or of one experiment.
func (g guard) Changes(ctx context.Context, q store.AuditQuery, page store.Page) ([]model.Change, error) {
	if err := checkAudit(ctx, q); err != nil {
		return nil, err
	}
	return g.store.Changes(ctx, q, page)
}

func (g guard) CountChanges(ctx context.Context, q store.AuditQuery) (int, error) {
	if err := checkAudit(ctx, q); err != nil {
		return 0, err
	}
	return g.store.CountChanges(ctx, q)
}

func checkAudit(ctx context.Context, q store.AuditQuery) error {
	if q.Site == nil {
		return fmt.Errorf("changes of no site are asked for")
	}
	needed := model.AdminScope
	if q.Kind == model.ExperimentObject && q.Object != 0 {
		needed = model.ReadScope
	}
	site, err := changeable(ctx, needed, *q.Site)
	if err == nil && site == nowhere {
		err = missing("site")
	}
	return err
}

// guardedEngine is the engine as far as the context's actor may ask it. Whoever asks it has loaded the site already: this
// is for who forgets.
type guardedEngine struct {
	engine Engine
	// zoneOf returns the name of a site's time zone.
	zoneOf func(ctx context.Context, site int64) (string, error)
}

func (g guardedEngine) Prefetch(site int64) { g.engine.Prefetch(site) }

func (g guardedEngine) Count(ctx context.Context, questions []count.Question) ([]count.Answer, error) {
	actor := model.ActorOf(ctx)
	for i := range questions {
		if !actor.May(model.ReadScope, questions[i].Site) {
			return nil, missing("site")
		}
	}
	questions, err := g.countInZone(ctx, questions)
	if err != nil {
		return nil, err
	}
	return g.engine.Count(ctx, questions)
}

func (g guardedEngine) Sessions(ctx context.Context, q count.SessionQuery) ([]model.Session, error) {
	if readable(ctx, q.Site) == nowhere {
		return nil, missing("site")
	}
	if err := inZone(ctx, q.Site, g.zoneOf, &q.Where); err != nil {
		return nil, err
	}
	return g.engine.Sessions(ctx, q)
}

func (g guardedEngine) Values(ctx context.Context, q count.ValueQuery) ([]count.Value, error) {
	if readable(ctx, q.Site) == nowhere {
		return nil, missing("site")
	}
	if err := g.valuesInZone(ctx, &q); err != nil {
		return nil, err
	}
	return g.engine.Values(ctx, q)
}

func (g guardedEngine) Breakdown(ctx context.Context, q count.BreakdownQuery) (count.Breakdown, error) {
	if readable(ctx, q.Site) == nowhere {
		return count.Breakdown{}, missing("site")
	}
	if err := g.breakdownInZone(ctx, &q); err != nil {
		return count.Breakdown{}, err
	}
	return g.engine.Breakdown(ctx, q)
}

func (g guardedEngine) Results(ctx context.Context, questions []experiment.Question) ([]experiment.Answer, error) {
	actor := model.ActorOf(ctx)
	for i := range questions {
		if !actor.May(model.ReadScope, questions[i].Definition.Site) {
			return nil, missing("site")
		}
	}
	questions, err := g.resultsInZone(ctx, questions)
	if err != nil {
		return nil, err
	}
	return g.engine.Results(ctx, questions)
}
