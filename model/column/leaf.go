package column

import (
	"fmt"
	"slices"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// leaf evaluates a predicate that looks at one field, for all ordinals.
func (s *Sessions) leaf(p *Predicate) (Set, error) {
	if e, ok := p.expr.(filter.Range); ok {
		return s.between(e)
	}
	field, want := p.field, p.values
	if want == nil {
		return nil, fmt.Errorf("columns: a predicate of type %T", p.expr)
	}
	if shows := s.clock(field, want); shows != nil {
		return s.where(shows), nil
	}
	switch column := s.columns[Dimension(field.Name)].(type) {
	case *dictionaryColumn:
		return column.match(s.n, want), nil
	case *invertedColumn:
		set := column.match(s.n, want)
		if want.matchesNone {
			set.InPlaceUnion(column.without(s.n))
		}
		return set, nil
	case *keyedColumn[*dictionaryColumn]:
		if member := column.members[field.Key]; member != nil {
			return member.match(s.n, want), nil
		}
		none := bitset.New(uint(s.n))
		if want.matchesNone {
			return none.Complement(), nil
		}
		return none, nil
	}
	return nil, fmt.Errorf("columns: %s is not loaded", field)
}

// valuePredicateOf returns the text field of a leaf, and the leaf as a predicate over its
// values: nil where the leaf is not one about text.
func valuePredicateOf(e filter.Expr) (field filter.Field, want *valuePredicate) {
	switch e := e.(type) {
	case filter.In:
		field, want = e.Field, &valuePredicate{names: e.Values, matches: among(e.Values)}
	case filter.Glob:
		matches := filter.Matcher(e.Pattern)
		field, want = e.Field, &valuePredicate{matches: func(value string) bool { return value != "" && matches(value) }}
	case filter.Within:
		field, want = e.Field, &valuePredicate{matches: e.Contains}
	default:
		return field, nil
	}
	want.matchesNone = want.matches("")
	return field, want
}

func among(values []string) func(value string) bool {
	const some = 8
	if len(values) <= some {
		return func(value string) bool { return slices.Contains(values, value) }
	}
	set := make(map[string]bool, len(values))
	for _, value := range values {
		set[value] = true
	}
	return func(value string) bool { return set[value] }
}

// where returns the ordinals of which a function is true.
func (s *Sessions) where(is func(ordinal int) bool) Set {
	set := bitset.New(uint(s.n))
	for ordinal := range s.n {
		if is(ordinal) {
			set.Set(uint(ordinal))
		}
	}
	return set
}

// clock returns what tells whether the clock of a field shows a value that matches when a session starts; nil for a field
// about no clock. It needs the field Start, and is not for concurrent use.
func (s *Sessions) clock(field filter.Field, want *valuePredicate) func(ordinal int) bool {
	values, place, isClock := field.Clock()
	if !isClock {
		return nil
	}
	matches := make([]bool, len(values))
	for i, value := range values {
		matches[i] = want.matches(value)
	}
	starts := get[*integerColumn](s, Dimension(filter.Start.Name))
	return func(ordinal int) bool { return matches[place(model.Millis(starts.at(ordinal)))] }
}

// ended returns what tells whether a session's end lies between two ends. It needs the fields Start and Length.
func (s *Sessions) ended(e filter.Range) func(ordinal int) bool {
	starts, lengths := get[*integerColumn](s, Dimension(filter.Start.Name)), get[*integerColumn](s, Dimension(filter.Length.Name))
	from, to := integerEnds(e.Min, e.Max)
	return func(ordinal int) bool {
		end := starts.at(ordinal) + lengths.at(ordinal)
		return from <= end && end <= to
	}
}

func (s *Sessions) between(e filter.Range) (Set, error) {
	if e.Field == filter.End {
		return s.where(s.ended(e)), nil
	}
	switch column := s.columns[Dimension(e.Field.Name)].(type) {
	case *integerColumn:
		return column.match(s.n, e.Min, e.Max), nil
	case *keyedColumn[*sparseColumn]:
		if member := column.members[e.Field.Key]; member != nil {
			low, high := e.Sums()
			return member.match(s.n, low, high), nil
		}
		return bitset.New(uint(s.n)), nil
	}
	return nil, fmt.Errorf("columns: %s is not loaded", e.Field)
}

// tester returns what tells of a single ordinal whether a leaf, or a leaf's
// opposite, matches it. ok is false where that is no faster than to look at all.
func (s *Sessions) tester(p *Predicate) (tests func(ordinal int) bool, ok bool) {
	switch e := p.expr.(type) {
	case filter.Not:
		opposite, ok := s.tester(p.parts[0])
		return func(ordinal int) bool { return !opposite(ordinal) }, ok
	case filter.Range:
		if e.Field == filter.End {
			return s.ended(e), true
		}
		switch column := s.columns[Dimension(e.Field.Name)].(type) {
		case *integerColumn:
			from, to := integerEnds(e.Min, e.Max)
			return func(ordinal int) bool { number := column.at(ordinal); return from <= number && number <= to }, true
		case *keyedColumn[*sparseColumn]:
			if member := column.members[e.Field.Key]; member != nil {
				low, high := e.Sums()
				return func(ordinal int) bool { return member.matches(ordinal, low, high) }, true
			}
			return func(int) bool { return false }, true
		}
		return nil, false
	}
	field, want := p.field, p.values
	if want == nil {
		return nil, false
	}
	if shows := s.clock(field, want); shows != nil {
		return shows, true
	}
	switch column := s.columns[Dimension(field.Name)].(type) {
	case *dictionaryColumn:
		return column.tester(want), true
	case *invertedColumn:
		return column.tester(want)
	case *keyedColumn[*dictionaryColumn]:
		if member := column.members[field.Key]; member != nil {
			return member.tester(want), true
		}
		return func(int) bool { return want.matchesNone }, true
	}
	return nil, false
}

// KeepForwardIndex makes the forward index of the inverted columns, which Forward reads,
// and keeps it from now on. All dimensions must be loaded.
func (s *Sessions) KeepForwardIndex() {
	for _, list := range s.findPlaces().lists {
		list.column.makeForward()
	}
}

// Forward returns the set of a leaf from what it was before some ordinals were
// written, of which each was written again or is new. ok is false where it is to be
// evaluated for all.
func (s *Sessions) Forward(p *Predicate, before Set, written []uint32) (after Set, ok bool) {
	tests, ok := s.tester(p)
	if !ok {
		return nil, false
	}
	words := make([]uint64, (s.n+63)/64)
	copy(words, before.Words())
	after = bitset.FromWithLength(uint(s.n), words)
	for _, ordinal := range written {
		after.SetTo(uint(ordinal), tests(int(ordinal)))
	}
	return after, true
}
