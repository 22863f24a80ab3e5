package naive

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// filling fills in what predicates need of visits beside what is stored: what plugins compute, and the variants.
type filling struct {
	engine *Engine
	// read are the visits that were read for questions that are asked together; nil where one is asked alone.
	read         map[readKey][]model.Visit
	computations []string
	experiments  map[string]*standings
}

type readKey struct {
	partition int64
	revision  store.Revision
	withHits  bool
}

// filling returns one for predicates. above are the keys of the experiments whose audiences they are parts of.
func (e *Engine) filling(ctx context.Context, site int64, wheres []filter.Expr, above ...string) (*filling, error) {
	f := &filling{engine: e, experiments: map[string]*standings{}}
	for _, where := range wheres {
		f.computations = append(f.computations, filter.Computations(where)...)
		for _, key := range filter.Experiments(where) {
			if f.experiments[key] != nil {
				continue
			}
			definition, err := e.define(ctx, site, key)
			if err != nil {
				return nil, err
			}
			if slices.Contains(above, key) {
				return nil, model.Errorf(model.BadInput, "the audience of the experiment %q depends on the experiment itself; change its filters", key)
			}
			if f.experiments[key], err = e.standings(ctx, &definition, above...); err != nil {
				return nil, err
			}
		}
	}
	if len(f.computations) > 0 && e.computer == nil {
		name, _, _ := strings.Cut(f.computations[0], " ")
		return nil, model.Errorf(model.Unavailable, "the filter %s needs a plugin, but no plugins are available here", name)
	}
	return f, nil
}

func (e *Engine) define(ctx context.Context, site int64, key string) (experiment.Definition, error) {
	if e.definitions == nil {
		return experiment.Definition{}, model.Errorf(model.BadInput, "the site has no experiment %q", key)
	}
	return e.definitions.Experiment(ctx, site, key)
}

// visits returns the visits of a partition in the order of ordinals, filled in. They have hits if these are wanted, or if
// plugins look at them.
func (f *filling) visits(ctx context.Context, p *store.Partition, withHits bool) (visits []model.Visit, err error) {
	key := readKey{p.ID, p.Revision, withHits || len(f.computations) > 0}
	read, found := f.read[key]
	if !found {
		if read, err = f.engine.visits(ctx, p, key.withHits); err != nil {
			return nil, err
		}
		if f.read != nil {
			f.read[key] = read
		}
	}
	visits = slices.Clone(read)
	for i := range visits {
		session := &visits[i].Session
		session.Assigned = map[string]string{}
		for key, standings := range f.experiments {
			now, found := standings.of(session.Visitor)
			if found && (now.session == session.ID || now.assignment.At < session.Start) {
				session.Assigned[key] = now.variant
			}
		}
	}
	return visits, f.compute(ctx, visits)
}

// visits reads the visits of a partition, in the order of ordinals.
func (e *Engine) visits(ctx context.Context, p *store.Partition, withHits bool) (visits []model.Visit, err error) {
	if !withHits {
		return visits, e.store.EachSession(ctx, p.SiteID, p.ID, true, func(session *model.Session) error {
			visits = append(visits, model.Visit{Session: *session})
			return nil
		})
	}
	ordinals := make([]int32, p.Sessions)
	for i := range ordinals {
		ordinals[i] = int32(i)
	}
	visits, err = e.store.WholeVisitsAt(ctx, p.SiteID, p.ID, ordinals, true)
	slices.SortFunc(visits, func(a, b model.Visit) int { return cmp.Compare(a.Session.ID.Ordinal, b.Session.ID.Ordinal) })
	return visits, err
}

// compute fills in what plugins compute of visits, from page views and events alone.
func (f *filling) compute(ctx context.Context, visits []model.Visit) error {
	for batch := range slices.Chunk(visits, count.ComputeBatch) {
		tracked := slices.Clone(batch)
		for i := range tracked {
			batch[i].Session.Computed = map[string]bool{}
			tracked[i].Hits = slices.DeleteFunc(slices.Clone(batch[i].Hits), func(hit model.Hit) bool { return hit.Kind == model.Traits })
		}
		for _, key := range f.computations {
			matches, err := f.engine.computer.Compute(ctx, key, tracked)
			if err != nil {
				return err
			}
			for i, match := range matches {
				batch[i].Session.Computed[key] = match
			}
		}
	}
	return ctx.Err()
}

// standing is the assignment of a visitor that stands: the earliest one that qualifies.
type standing struct {
	assignment model.Hit
	variant    string
	session    model.SessionID
	// other is when the visitor's first assignment to another variant was; model.Open without any.
	other model.Millis
}

// standings are the standing assignments to an experiment, by unit.
type standings struct {
	// users are the numbers of the visitors' users where these are the units; else nil.
	users  map[int64]int64
	byUnit map[int64]standing
}

// unit is the number of a visitor's user where these are the units, or else the visitor's own.
func (s *standings) unit(visitor int64) int64 {
	if user, found := s.users[visitor]; found {
		return user
	}
	return visitor
}

func (s *standings) of(visitor int64) (standing, bool) {
	now, found := s.byUnit[s.unit(visitor)]
	return now, found
}

// standings reads all assignments to the experiment.
func (e *Engine) standings(ctx context.Context, x *experiment.Definition, above ...string) (*standings, error) {
	stand := &standings{byUnit: map[int64]standing{}}
	if x.ByUser {
		users, _, err := e.store.VisitorUsers(ctx, x.Site, store.Revision{})
		if err != nil {
			return nil, err
		}
		stand.users = make(map[int64]int64, len(users))
		for _, u := range users {
			stand.users[u.Visitor] = experiment.UserNumber(u.User)
		}
	}
	if x.Run.From >= x.Run.To {
		return stand, nil
	}
	fill, err := e.filling(ctx, x.Site, []filter.Expr{x.Audience}, append(slices.Clip(above), x.Key)...)
	if err != nil {
		return nil, err
	}
	partitions, err := e.store.Partitions(ctx, x.Site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return nil, err
	}
	qualifying := map[int64][]standing{} // by unit
	for i := range partitions {
		rows, err := e.store.Assignments(ctx, x.Site, x.Key, partitions[i].ID)
		if err != nil {
			return nil, err
		}
		visits, err := fill.visits(ctx, &partitions[i], false)
		if err != nil {
			return nil, err
		}
		sessions := map[int32]*model.Session{}
		for i := range visits {
			sessions[visits[i].Session.ID.Ordinal] = &visits[i].Session
		}
		for _, row := range rows {
			session := sessions[row.Ordinal]
			if session != nil && x.Takes(row.At, row.Variant) && x.Audience.Match(session) {
				unit := stand.unit(session.Visitor)
				qualifying[unit] = append(qualifying[unit], standing{row.Hit(), row.Variant, session.ID, model.Open})
			}
		}
	}
	for unit, list := range qualifying {
		slices.SortFunc(list, func(a, b standing) int { return a.assignment.Compare(b.assignment) })
		first := list[0]
		if i := slices.IndexFunc(list, func(s standing) bool { return s.variant != first.variant }); i >= 0 {
			first.other = list[i].assignment.At
		}
		stand.byUnit[unit] = first
	}
	return stand, nil
}
