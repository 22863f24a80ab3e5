// Package column holds the sessions of a bucket as columns, in which a predicate
// is evaluated for all of them at once.
//
// For each field there is one number an ordinal: the code of a value in the
// field's dictionary, or the number itself. Fields of any number of values have,
// for each value, the ordinals that carry it. A leaf of a predicate first asks the
// dictionary, which has some thousand values, and then scans the codes into a set
// of ordinals, one bit each; And, Or and Not work on the words of those sets.
//
// Columns grow and change in place: a session that was written again replaces
// itself. They are not safe for concurrent use while they change.
package column

import (
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Sessions are the sessions of one bucket.
type Sessions struct {
	n      int            // ordinals
	counts *bitset.BitSet // those whose session counts

	texts      map[string]*text // by the field's name
	properties map[string]*text // by the property's key
	many       map[string]*many
	numbers    map[string]whole
	values     map[string]*sums // by the event's name
	visitors   []int64
}

// singles are the text fields of one value that are columns. The visitor's key is
// none: there are as many as visitors, and hardly anyone asks.
var singles = []filter.Field{
	filter.IP, filter.Country, filter.Referrer, filter.EntryPage, filter.ExitPage, filter.Browser, filter.OS, filter.Device, filter.Language,
	filter.UTMSource, filter.UTMMedium, filter.UTMCampaign, filter.UTMTerm, filter.UTMContent, filter.VisitorKind,
}

var (
	sets    = []filter.Field{filter.Pages, filter.Tags, filter.Events}
	numbers = []filter.Field{filter.Length, filter.PageViews, filter.Start}
)

// New returns the columns of no sessions.
func New() *Sessions {
	s := &Sessions{
		counts: bitset.New(0), texts: map[string]*text{}, properties: map[string]*text{}, many: map[string]*many{},
		numbers: map[string]whole{}, values: map[string]*sums{},
	}
	for _, field := range singles {
		s.texts[field.Name] = newText()
	}
	for _, field := range sets {
		s.many[field.Name] = newMany()
	}
	return s
}

// Put takes in a session at its ordinal, in place of the one that was there.
func (s *Sessions) Put(session *model.Session) {
	ordinal := int(session.ID.Ordinal)
	s.grow(ordinal)
	s.counts.Set(uint(ordinal))
	s.visitors[ordinal] = session.Visitor
	for _, field := range singles {
		s.texts[field.Name].set(ordinal, field.Text(session))
	}
	for _, field := range sets {
		s.many[field.Name].set(ordinal, field.Texts(session))
	}
	for _, field := range numbers {
		number, _ := field.Number(session)
		s.numbers[field.Name][ordinal] = int64(number)
	}
	for key, value := range session.Properties {
		if s.properties[key] == nil {
			s.properties[key] = newText()
		}
		s.properties[key].set(ordinal, value)
	}
	for _, event := range session.Events {
		if event.Values == 0 {
			continue
		}
		if s.values[event.Name] == nil {
			s.values[event.Name] = &sums{}
		}
		s.values[event.Name].set(ordinal, event.Sum)
	}
}

// Drop takes the session of an ordinal out: it was given up.
func (s *Sessions) Drop(ordinal int32) {
	s.grow(int(ordinal))
	s.counts.Clear(uint(ordinal))
}

func (s *Sessions) grow(ordinal int) {
	s.n = max(s.n, ordinal+1)
	s.visitors = put(s.visitors, s.n-1, at(s.visitors, s.n-1))
	for _, field := range numbers {
		column := s.numbers[field.Name]
		s.numbers[field.Name] = put(column, s.n-1, at(column, s.n-1))
	}
}

// Set is a set of a bucket's sessions.
type Set = *bitset.BitSet

// Match returns the sessions that match the predicate, ordinals that count
// nowhere not among them. known are sets of parts of it that have been made, by
// their text; it is added to. The sets are not to be changed.
func (s *Sessions) Match(where filter.Expr, known map[string]Set) (Set, error) {
	matched, err := s.match(where, known)
	if err != nil {
		return nil, err
	}
	return matched.Intersection(s.all()), nil
}

// all returns the sessions that count.
func (s *Sessions) all() Set {
	all := bitset.New(uint(s.n))
	all.InPlaceUnion(s.counts)
	return all
}

func (s *Sessions) match(e filter.Expr, known map[string]Set) (Set, error) {
	text := e.String()
	if set, found := known[text]; found {
		return set, nil
	}
	set, err := s.evaluate(e, known)
	if err == nil {
		known[text] = set
	}
	return set, err
}

func (s *Sessions) evaluate(e filter.Expr, known map[string]Set) (Set, error) {
	switch e := e.(type) {
	case filter.Bool:
		if none := bitset.New(uint(s.n)); !bool(e) {
			return none, nil
		} else {
			return none.Complement(), nil
		}
	case filter.And:
		return s.combine(e, known, filter.Bool(true), (*bitset.BitSet).InPlaceIntersection)
	case filter.Or:
		return s.combine(e, known, filter.Bool(false), (*bitset.BitSet).InPlaceUnion)
	case filter.Not:
		set, err := s.match(e.Expr, known)
		if err != nil {
			return nil, err
		}
		return set.Complement(), nil
	case filter.In:
		return s.in(e)
	case filter.Glob:
		return s.texted(e.Field, func(value string) bool { return value != "" && filter.MatchGlob(e.Pattern, value) })
	case filter.Within:
		return s.texted(e.Field, e.Contains)
	case filter.Range:
		return s.between(e), nil
	default:
		return nil, fmt.Errorf("columns: a predicate of type %T", e)
	}
}

func (s *Sessions) combine(parts []filter.Expr, known map[string]Set, start filter.Bool, with func(a, b Set)) (Set, error) {
	if len(parts) == 0 {
		return s.evaluate(start, known)
	}
	first, err := s.match(parts[0], known)
	if err != nil {
		return nil, err
	}
	combined := first.Clone()
	for _, part := range parts[1:] {
		set, err := s.match(part, known)
		if err != nil {
			return nil, err
		}
		with(combined, set)
	}
	return combined, nil
}

func (s *Sessions) in(e filter.In) (Set, error) {
	wanted := make(map[string]bool, len(e.Values))
	for _, value := range e.Values {
		wanted[value] = true
	}
	set, err := s.texted(e.Field, func(value string) bool { return wanted[value] })
	if column := s.many[e.Field.Name]; err == nil && column != nil && wanted[""] {
		set.InPlaceUnion(column.without(s.n))
	}
	return set, err
}

// texted returns the ordinals with a value of a text field that is wanted. A
// missing value of a field of one value is the empty one.
func (s *Sessions) texted(field filter.Field, want func(value string) bool) (Set, error) {
	switch {
	case field.Name == "property":
		if column := s.properties[field.Key]; column != nil {
			return column.match(s.n, want), nil
		}
		return s.evaluate(filter.Bool(want("")), nil)
	case s.texts[field.Name] != nil:
		return s.texts[field.Name].match(s.n, want), nil
	case s.many[field.Name] != nil:
		return s.many[field.Name].match(s.n, want), nil
	}
	return nil, fmt.Errorf("columns: %s is none", field)
}

func (s *Sessions) between(e filter.Range) Set {
	if e.Field.Name != "value" {
		return s.numbers[e.Field.Name].match(s.n, e.Min, e.Max)
	}
	if column := s.values[e.Field.Key]; column != nil {
		return column.match(s.n, e.Min, e.Max)
	}
	return bitset.New(uint(s.n))
}

// Visitors adds the visitors of the sessions.
func (s *Sessions) Visitors(of Set, to *roaring64.Bitmap) {
	visitors := make([]uint64, 0, of.Count())
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		visitors = append(visitors, uint64(s.visitors[i]))
	}
	slices.Sort(visitors)
	to.AddMany(visitors)
}

// Value returns the sum of the event's values over the sessions, added in the
// order of ordinals.
func (s *Sessions) Value(of Set, event string) float64 {
	if column := s.values[event]; column != nil {
		return column.total(of)
	}
	return 0
}

// CountSteps adds to counts how many of the sessions started between each two
// neighbours of steps, the earlier one included.
func (s *Sessions) CountSteps(of Set, steps []model.Millis, counts []int) {
	instants := make([]int64, len(steps))
	for i, step := range steps {
		instants[i] = int64(step)
	}
	s.numbers[filter.Start.Name].countSteps(of, instants, counts)
}

// EachStart calls do with the ordinal and the start of each of the sessions.
func (s *Sessions) EachStart(of Set, do func(ordinal int32, start model.Millis)) {
	starts := s.numbers[filter.Start.Name]
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		do(int32(i), model.Millis(starts[i]))
	}
}

// EachValue calls do with each value of a text field and how many sessions have
// it, the empty value standing for none.
func (s *Sessions) EachValue(field filter.Field, do func(value string, sessions int)) {
	all := s.all()
	if column := s.many[field.Name]; column != nil {
		for code, value := range column.dictionary.values {
			n := 0
			for _, ordinal := range column.ordinals[code] {
				if all.Test(uint(ordinal)) {
					n++
				}
			}
			if n > 0 {
				do(value, n)
			}
		}
		if n := int(column.without(s.n).IntersectionCardinality(all)); n > 0 {
			do("", n)
		}
		return
	}
	column := s.texts[field.Name]
	if field.Name == "property" {
		column = s.properties[field.Key]
	}
	if column == nil {
		do("", int(all.Count()))
		return
	}
	counts := make([]int, len(column.values))
	column.counts(all, counts)
	for code, n := range counts {
		if n > 0 {
			do(column.values[code], n)
		}
	}
}

// Bytes returns about how much memory the columns take.
func (s *Sessions) Bytes() uint64 {
	bytes := 1000 + 4*8*s.n
	for _, column := range s.texts {
		bytes += column.bytes()
	}
	for _, column := range s.properties {
		bytes += column.bytes()
	}
	for _, column := range s.many {
		bytes += column.bytes()
	}
	for _, column := range s.values {
		bytes += 12*cap(column.ordinals) + 100
	}
	return uint64(bytes)
}
