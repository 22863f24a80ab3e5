package count

import (
	"context"
	"slices"
	"sync"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
)

// roster says which variant of an experiment a visitor is assigned to, as it stood at
// some moment.
type roster struct {
	variants []string
	// of returns the place of the variant that a session's visitor is assigned to when it
	// happens; -1 where there is none.
	of func(visitor int64, session model.SessionID, start model.Millis) int

	// sets are, by partition, the sessions of each variant.
	mu   sync.Mutex
	sets map[int64]rosterSets
}

type rosterSets struct {
	revision int64
	sets     []column.Set
}

// rosters are those that predicates need, by the experiment's key.
type rosters map[string]*roster

// fill fills in the variants of a session.
func (r rosters) fill(session *model.Session) {
	if len(r) == 0 {
		return
	}
	session.Assigned = make(map[string]string, len(r))
	for key, roster := range r {
		if place := roster.of(session.Visitor, session.ID, session.Start); place >= 0 {
			session.Assigned[key] = roster.variants[place]
		}
	}
}

// rosterDimensions are those that rosters need of columns.
var rosterDimensions = []column.Dimension{column.Visitors, column.Dimension(filter.Start.Name)}

// setsOf returns the sessions of each variant in a partition, which is locked and has
// rosterDimensions.
func (r *roster) setsOf(b *partition) []column.Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, found := r.sets[b.id]; found && known.revision == b.revision {
		return known.sets
	}
	sets := make([]column.Set, len(r.variants))
	for i := range sets {
		sets[i] = bitset.New(uint(b.sessions.Ordinals()))
	}
	b.sessions.EachVisitor(b.sessions.Counting(), func(ordinal int32, visitor int64, start model.Millis) {
		if place := r.of(visitor, model.SessionID{Partition: b.id, Ordinal: ordinal}, start); place >= 0 {
			sets[place].Set(uint(ordinal))
		}
	})
	if r.sets == nil {
		r.sets = map[int64]rosterSets{}
	}
	r.sets[b.id] = rosterSets{b.revision, sets}
	return sets
}

// choose returns those of the sets that are of some variants, as one.
func (r *roster) choose(sets []column.Set, variants []string, ordinals int) column.Set {
	chosen := bitset.New(uint(ordinals))
	for place, variant := range r.variants {
		if slices.Contains(variants, variant) {
			chosen.InPlaceUnion(sets[place])
		}
	}
	return chosen
}

// rostersFor returns the rosters that predicates need. above are the keys of the
// experiments whose audiences they are parts of.
func rostersFor(ctx context.Context, site int64, wheres []filter.Expr, above []string,
	assign func(ctx context.Context, x *Experiment, above []string) (*roster, error), definitions Definitions) (rosters, error) {
	var found rosters
	for _, where := range wheres {
		for _, key := range filter.Experiments(where) {
			if found[key] != nil {
				continue
			}
			x, err := define(ctx, definitions, site, key)
			if err != nil {
				return nil, err
			}
			if slices.Contains(above, key) {
				return nil, model.Errorf(model.BadInput, "the audience of the experiment %q depends on the experiment itself; change its filters", key)
			}
			roster, err := assign(ctx, &x, above)
			if err != nil {
				return nil, err
			}
			if found == nil {
				found = rosters{}
			}
			found[key] = roster
		}
	}
	return found, nil
}

func define(ctx context.Context, definitions Definitions, site int64, key string) (Experiment, error) {
	if definitions == nil {
		return Experiment{}, model.Errorf(model.BadInput, "the site has no experiment %q", key)
	}
	return definitions.Experiment(ctx, site, key)
}

// assignment is one that qualifies.
type assignment struct {
	at      model.Millis
	id      model.MessageID
	variant string
	session model.SessionID
}

func (a *assignment) before(b *assignment) bool {
	return model.Hit{At: a.at, ID: a.id}.Compare(model.Hit{At: b.at, ID: b.id}) < 0
}

// standing is the assignment of a visitor that stands.
type standing struct {
	assignment
	// other is when the visitor's first assignment to another variant was; model.Open
	// without any.
	other model.Millis
}

// standings are the standing assignments to an experiment, by visitor.
type standings map[int64]standing

// add takes in an assignment that qualifies. The order does not matter.
func (s standings) add(visitor int64, a assignment) {
	now, found := s[visitor]
	switch {
	case !found:
		now = standing{a, model.Open}
	case a.before(&now.assignment):
		if a.variant != now.variant {
			now.other = now.at // all others are later
		}
		now.assignment = a
	case a.variant != now.variant:
		now.other = min(now.other, a.at)
	}
	s[visitor] = now
}

// roster returns what they say of sessions.
func (s standings) roster(x *Experiment) *roster {
	return &roster{variants: x.Variants, of: func(visitor int64, session model.SessionID, start model.Millis) int {
		now, found := s[visitor]
		if found && (now.session == session || now.at < start) {
			return slices.Index(x.Variants, now.variant)
		}
		return -1
	}}
}

// takes tells whether an assignment is in the run and to one of the variants.
func (x *Experiment) takes(at model.Millis, variant string) bool {
	return x.Run.Contains(at) && slices.Contains(x.Variants, variant)
}
