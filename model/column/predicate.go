package column

import (
	"slices"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Predicate is a predicate that is asked of many partitions: what is the same in each is
// found once. It does not change.
type Predicate struct {
	expr  filter.Expr
	text  string
	parts []*Predicate // of an And, an Or and a Not
	// dimensions are those that the whole predicate needs.
	dimensions []Dimension
}

// Prepare makes a predicate ready to be asked.
func Prepare(where filter.Expr) *Predicate {
	p := prepare(where)
	for _, field := range filter.Fields(where) {
		if d := dimension.Named(field.Name); d != nil && !d.Unindexed {
			p.dimensions = append(p.dimensions, Dimension(field.Name))
		}
	}
	return p
}

func prepare(e filter.Expr) *Predicate {
	p := &Predicate{expr: e, text: e.String()}
	switch e := e.(type) {
	case filter.And:
		p.parts = prepareAll(e)
	case filter.Or:
		p.parts = prepareAll(e)
	case filter.Not:
		p.parts = prepareAll([]filter.Expr{e.Expr})
	}
	return p
}

func prepareAll(list []filter.Expr) []*Predicate {
	prepared := make([]*Predicate, len(list))
	for i, e := range list {
		prepared[i] = prepare(e)
	}
	return prepared
}

// String returns the text form of the predicate.
func (p *Predicate) String() string { return p.text }

// Dimensions returns the dimensions that evaluating the predicate needs, beside the sets of its filter.Computed, its
// filter.Assigned and the leaves that look at filter.Visitor, which are to be known.
func (p *Predicate) Dimensions() []Dimension { return slices.Clip(p.dimensions) }

// conjuncts returns the parts of which a session must match each.
func (p *Predicate) conjuncts() []*Predicate {
	switch e := p.expr.(type) {
	case filter.And:
		return p.parts
	case filter.Bool:
		if e {
			return nil
		}
	}
	return []*Predicate{p}
}

// bare returns the predicate without a Not around it, and whether there was one.
func (p *Predicate) bare() (bare *Predicate, not bool) {
	if _, not = p.expr.(filter.Not); not {
		return p.parts[0], true
	}
	return p, false
}

// Known keeps the sets of predicates, by their text, for one state of the columns.
// They may hold ordinals that count nowhere, too, and are not to be changed.
type Known interface {
	Get(e filter.Expr, text string) (Set, bool)
	Put(e filter.Expr, text string, set Set)
}

// Memo is a Known that keeps all.
type Memo map[string]Set

// Get returns the set of a text.
func (m Memo) Get(_ filter.Expr, text string) (Set, bool) {
	set, found := m[text]
	return set, found
}

// Put keeps the set of a text.
func (m Memo) Put(_ filter.Expr, text string, set Set) { m[text] = set }

// Match returns the sessions that match the predicate, ordinals that count
// nowhere not among them. known has the sets of parts of it that have been made,
// and is given those that are.
func (s *Sessions) Match(where *Predicate, known Known) (Set, error) {
	c, err := s.conjunction(where.conjuncts(), known)
	if err != nil {
		return nil, err
	}
	return c.set(), nil
}

// Count returns how many sessions Match would return. No set of them is made.
func (s *Sessions) Count(where *Predicate, known Known) (int, error) {
	c, err := s.conjunction(where.conjuncts(), known)
	if err != nil {
		return 0, err
	}
	return c.count(), nil
}

// set returns the set of a predicate.
func (s *Sessions) set(p *Predicate, known Known) (Set, error) {
	if set, found := known.Get(p.expr, p.text); found {
		return set, nil
	}
	return s.evaluate(p, known)
}

// evaluate makes the set of a predicate, which is not known, and has it known.
func (s *Sessions) evaluate(p *Predicate, known Known) (set Set, err error) {
	switch e := p.expr.(type) {
	case filter.Bool:
		if set = bitset.New(uint(s.n)); e {
			set = set.Complement()
		}
	case filter.And:
		var c *conjunction
		if c, err = s.conjunction(p.parts, known); err == nil {
			set = c.set()
		}
	case filter.Or:
		set, err = s.union(p.parts, known)
	case filter.Not:
		if set, err = s.set(p.parts[0], known); err == nil {
			set = set.Complement()
		}
	default:
		set, err = s.leaf(e)
	}
	if err == nil {
		known.Put(p.expr, p.text, set)
	}
	return set, err
}

func (s *Sessions) union(parts []*Predicate, known Known) (Set, error) {
	union := bitset.New(uint(s.n))
	for _, part := range parts {
		set, err := s.set(part, known)
		if err != nil {
			return nil, err
		}
		union.InPlaceUnion(set)
	}
	return union, nil
}
