package count

import (
	"context"
	"maps"
	"slices"
	"sort"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Scan is the Engine that reads every session of the partitions in question and
// evaluates it. Partitions are streamed, some at a time, so that its memory does
// not grow with the range: what it keeps are counters, and a compressed bitmap
// of visitors where they are asked for.
type Scan struct {
	store     *store.Store
	gathering gathering
	// computer and definitions may be nil for none.
	computer    Computer
	definitions Definitions
	// assign returns the roster of an experiment; above are the keys of those whose
	// audiences need it.
	assign func(ctx context.Context, x *Experiment, above []string) (*roster, error)
	// choose returns what computations choose of a partition.
	choose func(ctx context.Context, partition store.Partition, keys []string) (*choice, error)
}

// NewScan returns a Scan over a store. The computer, nil for none, is asked about all
// sessions of a partition whenever a question needs it. The definitions, nil for none, are
// those of the experiments that predicates name.
func NewScan(st *store.Store, computer Computer, definitions Definitions) *Scan {
	e := &Scan{store: st, computer: computer, definitions: definitions}
	e.assign = e.assignOneByOne
	e.gathering = gathering{store: st, count: e.countPartition, assigned: e.rosters}
	e.choose = func(ctx context.Context, partition store.Partition, keys []string) (*choice, error) {
		return chooseAll(ctx, st, computer, partition, keys)
	}
	return e
}

// choice is what computations choose of a partition: their sets, or why there are none,
// by key.
type choice struct {
	sets map[string]column.Set
	errs map[string]error
}

func newChoice() *choice {
	return &choice{sets: map[string]column.Set{}, errs: map[string]error{}}
}

// err is why one of the computations has no set.
func (c *choice) err(keys []string) error {
	for _, key := range keys {
		if err := c.errs[key]; err != nil {
			return err
		}
	}
	return nil
}

// chooseAll asks the computer about all sessions of a partition.
func chooseAll(ctx context.Context, st *store.Store, computer Computer, partition store.Partition, keys []string) (*choice, error) {
	c := newChoice()
	for _, key := range keys {
		c.sets[key] = bitset.New(uint(partition.Sessions))
		if computer == nil {
			c.errs[key] = noComputer(key)
		}
	}
	if computer == nil || len(keys) == 0 {
		return c, nil
	}
	for from := int32(0); from < partition.Sessions; from += computeBatch {
		var ordinals []int32
		for ordinal := from; ordinal < min(from+computeBatch, partition.Sessions); ordinal++ {
			ordinals = append(ordinals, ordinal)
		}
		visits, err := st.VisitsAt(ctx, partition.ID, ordinals)
		if err != nil {
			return nil, err
		}
		if len(visits) == 0 {
			continue
		}
		for _, key := range keys {
			matches, err := computer.Compute(ctx, key, visits)
			if err != nil {
				c.errs[key] = err
				continue
			}
			for i, visit := range visits {
				c.sets[key].SetTo(uint(visit.Session.ID.Ordinal), matches[i])
			}
		}
	}
	return c, ctx.Err()
}

// fill fills in what computations say of the session.
func (c *choice) fill(session *model.Session) {
	if len(c.sets) == 0 {
		return
	}
	session.Computed = make(map[string]bool, len(c.sets))
	for key, set := range c.sets {
		session.Computed[key] = set.Test(uint(session.ID.Ordinal))
	}
}

var _ Engine = (*Scan)(nil)

// Count answers questions together: each partition is read once for all of them.
func (e *Scan) Count(ctx context.Context, questions []Question) ([]Answer, error) {
	return e.gathering.answer(ctx, questions)
}

func (e *Scan) countPartition(ctx context.Context, partition store.Partition, parts []*part) error {
	var keys []string
	for _, p := range parts {
		keys = append(keys, p.computations...)
	}
	slices.Sort(keys)
	chosen, err := e.choose(ctx, partition, slices.Compact(keys))
	if err != nil {
		return err
	}
	var able []*part
	for _, p := range parts {
		if p.err = chosen.err(p.computations); p.err == nil {
			able = append(able, p)
		}
	}
	assigned := rosters{}
	for _, p := range able {
		maps.Copy(assigned, p.assigned)
	}
	withKeys := slices.ContainsFunc(able, func(p *part) bool { return filter.Uses(p.Where, filter.Visitor) })
	shared := slices.Collect(maps.Values(sharing(able)))
	if len(shared) == 0 {
		return nil
	}
	return e.store.EachSession(ctx, partition.ID, withKeys, func(session *model.Session) error {
		chosen.fill(session)
		assigned.fill(session)
		for _, same := range shared {
			if !same[0].Where.Match(session) {
				continue
			}
			for _, p := range same {
				p.add(session)
			}
		}
		return nil
	})
}

func (p *part) add(session *model.Session) {
	if !p.In.Contains(session.Start) {
		return
	}
	p.sessions++
	if p.visitors != nil {
		p.visitors.Add(uint64(session.Visitor))
	}
	if p.Value != "" {
		event, _ := session.Event(p.Value)
		p.value += event.Sum
	}
	if len(p.steps) > 0 {
		behind := sort.Search(len(p.Steps), func(i int) bool { return p.Steps[i] > session.Start })
		if 0 < behind && behind < len(p.Steps) {
			p.steps[behind-1]++
		}
	}
}

// rosters returns those that a predicate needs.
func (e *Scan) rosters(ctx context.Context, site int64, where filter.Expr) (rosters, error) {
	return rostersFor(ctx, site, []filter.Expr{where}, nil, e.assign, e.definitions)
}

// Follow does nothing: sessions are read when they are asked for.
func (*Scan) Follow(context.Context, int64) {}

// Sessions reads the partitions from the newest on until the page is full.
func (e *Scan) Sessions(ctx context.Context, q SessionQuery) ([]model.Session, error) {
	assigned, err := e.rosters(ctx, q.Site, q.Where)
	if err != nil {
		return nil, err
	}
	return listSessions(ctx, e.store, q, func(partition store.Partition, in model.Range, limit int) ([]model.Session, error) {
		var found []model.Session
		computations := filter.Computations(q.Where)
		chosen, err := e.choose(ctx, partition, computations)
		if err != nil {
			return nil, err
		}
		if err := chosen.err(computations); err != nil {
			return nil, err
		}
		err = e.store.EachSession(ctx, partition.ID, true, func(session *model.Session) error {
			chosen.fill(session)
			assigned.fill(session)
			if !in.Contains(session.Start) || q.After != nil && newestFirst(PositionOf(session), *q.After) <= 0 || !q.Where.Match(session) {
				return nil
			}
			session.Computed, session.Assigned = nil, nil
			if found = append(found, *session); len(found) >= 2*limit {
				found = newest(found, limit)
			}
			return nil
		})
		return found, err
	})
}

// Values counts the values of all sessions.
func (e *Scan) Values(ctx context.Context, q ValueQuery) ([]Value, error) {
	return listValues(ctx, e.store, q, func(ctx context.Context, partition store.Partition, add func(text string, sessions int)) error {
		return e.store.EachSession(ctx, partition.ID, q.Field == filter.Visitor, func(session *model.Session) error {
			texts := q.Field.Texts(session)
			for _, text := range texts {
				add(text, 1)
			}
			if len(texts) == 0 {
				add("", 1)
			}
			return nil
		})
	})
}
