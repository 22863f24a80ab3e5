package column

import (
	"slices"
	"unique"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Predicate is a predicate that is asked of many partitions: what is the same in each is
// found once. It does not change.
type Predicate struct {
	expr  filter.Expr
	text  unique.Handle[string] // found faster in a map than a string
	parts []*Predicate          // of an And, an Or and a Not
	// field and values are those of a leaf about text. Other predicates have no values.
	field  filter.Field
	values *valuePredicate
	// dimensions are those that the whole predicate needs.
	dimensions []Dimension
}

// Prepare makes a predicate ready to be asked.
func Prepare(where filter.Expr) *Predicate {
	p := prepare(where)
	for _, field := range filter.Fields(where) {
		p.dimensions = append(p.dimensions, DimensionsOf(field)...)
	}
	return p
}

// DimensionsOf returns the dimensions whose columns have a field: mostly one, and none for filter.Visitor.
func DimensionsOf(field filter.Field) (dimensions []Dimension) {
	d := dimension.Named(field.Name)
	switch {
	case d == nil:
	case !d.Unindexed:
		return []Dimension{Dimension(field.Name)}
	default:
		for _, name := range d.From {
			dimensions = append(dimensions, Dimension(name))
		}
	}
	return dimensions
}

func prepare(e filter.Expr) *Predicate {
	p := &Predicate{expr: e, text: unique.Make(e.String())}
	p.field, p.values = valuePredicateOf(e)
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

// Expr returns the expression of the predicate.
func (p *Predicate) Expr() filter.Expr { return p.expr }

// Text returns the text form of the predicate. Predicates with the same text are equivalent.
func (p *Predicate) Text() unique.Handle[string] { return p.text }

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

// Known keeps the sets of predicates for one state of the columns. They may hold ordinals that count nowhere, too, and
// are not to be changed.
type Known interface {
	Get(p *Predicate) (Set, bool)
	Put(p *Predicate, set Set)
	// Err returns why no more sets are to be made; nil where they are.
	Err() error
}

// Memo is a Known that keeps all sets, by the text of their predicates.
type Memo map[unique.Handle[string]]Set

// Get returns the set of a predicate.
func (m Memo) Get(p *Predicate) (Set, bool) {
	set, found := m[p.text]
	return set, found
}

// Put keeps the set of a predicate.
func (m Memo) Put(p *Predicate, set Set) { m[p.text] = set }

// Err returns nil.
func (m Memo) Err() error { return nil }

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
	if set, found := known.Get(p); found {
		return set, nil
	}
	return s.evaluate(p, known)
}

// evaluate makes the set of a predicate, which is not known, and has it known.
func (s *Sessions) evaluate(p *Predicate, known Known) (set Set, err error) {
	if err := known.Err(); err != nil {
		return nil, err
	}
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
		set, err = s.leaf(p)
	}
	if err == nil {
		known.Put(p, set)
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
