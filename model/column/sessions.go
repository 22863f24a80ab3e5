package column

import (
	"slices"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Sessions are the sessions of one partition.
type Sessions struct {
	n       int // ordinals
	columns map[Dimension]column
	// places are where Put puts things. They are found when they are first needed, and
	// again after a column was loaded.
	places *places
}

// places are the columns of the dimensions by their kinds, each with its accessor:
// looking each one up by its name for each session would take longer than setting it.
type places struct {
	counting   bitmapColumn
	visitors   *integerColumn // nil in Of without them
	origins    []place[*dictionaryColumn, func(*model.Origin) *string]
	texts      []place[*dictionaryColumn, func(*model.Session) string]
	lists      []place[*invertedColumn, func(*model.Session) []string]
	numbers    []place[*integerColumn, func(*model.Session) int64]
	keyedTexts []place[map[string]*dictionaryColumn, func(*model.Session) map[string]string]
	keyedSums  []place[map[string]*sparseColumn, func(*model.Session) []model.EventSum]
	events     *invertedColumn // nil in Of without them
}

// place is a column and what it holds of a session.
type place[C, A any] struct {
	column C
	of     A
}

func placeOf[C, A any](column C, of A) place[C, A] { return place[C, A]{column, of} }

// New returns the columns, of all dimensions, of no sessions.
func New() *Sessions { return newOf(Dimensions()) }

// newOf returns the columns of some dimensions, of no sessions. Counting must be one of them.
func newOf(dimensions []Dimension) *Sessions {
	s := &Sessions{columns: make(map[Dimension]column, min(len(dimensions), len(indexed)+2))}
	for _, d := range dimensions {
		switch {
		case s.columns[d] != nil:
		case d == Counting:
			s.columns[d] = bitmapColumn{bitset.New(0)}
		case d == Visitors:
			s.columns[d] = newIntegerColumn()
		default:
			s.columns[d] = newColumn(dimension.Named(string(d)).Kind)
		}
	}
	return s
}

// Of returns the columns of some dimensions of few sessions, which are in the places of their ordinals: nil counts nowhere.
// Counting must be one of the dimensions.
func Of(sessions []*model.Session, dimensions []Dimension) *Sessions {
	s := newOf(dimensions)
	for ordinal, session := range sessions {
		if session == nil {
			s.Drop(int32(ordinal))
		} else {
			s.Put(session)
		}
	}
	return s
}

// get returns a column that the caller knows to be there, and of the type: a
// question's dimensions are loaded before it is asked.
func get[C column](s *Sessions, dimension Dimension) C { return s.columns[dimension].(C) }

// findPlaces returns where Put puts things.
func (s *Sessions) findPlaces() *places {
	if s.places != nil {
		return s.places
	}
	p := &places{counting: get[bitmapColumn](s, Counting)}
	p.visitors, _ = s.columns[Visitors].(*integerColumn)
	p.events, _ = s.columns[Dimension(filter.Events.Name)].(*invertedColumn)
	for _, d := range indexed {
		switch column := s.columns[Dimension(d.Name)].(type) {
		case *dictionaryColumn:
			if d.Origin != nil {
				p.origins = append(p.origins, placeOf(column, d.Origin))
			} else {
				p.texts = append(p.texts, placeOf(column, d.Text))
			}
		case *invertedColumn:
			p.lists = append(p.lists, placeOf(column, d.Texts))
		case *integerColumn:
			p.numbers = append(p.numbers, placeOf(column, d.Number))
		case *keyedColumn[*dictionaryColumn]:
			p.keyedTexts = append(p.keyedTexts, placeOf(column.members, d.KeyedTexts))
		case *keyedColumn[*sparseColumn]:
			p.keyedSums = append(p.keyedSums, placeOf(column.members, d.Sums))
		}
	}
	s.places = p
	return p
}

// Put takes in a session at its ordinal, in place of the one that was there, which may have had what this one lacks. All
// dimensions must be loaded.
func (s *Sessions) Put(session *model.Session) {
	ordinal := int(session.ID.Ordinal)
	to := s.findPlaces()
	if ordinal < s.n {
		to.clearKeyed(ordinal, session)
	}
	s.grow(ordinal)
	to.counting.Set(uint(ordinal))
	if to.visitors != nil {
		to.visitors.set(ordinal, session.Visitor)
	}
	for _, to := range to.origins {
		to.column.set(ordinal, *to.of(&session.Origin))
	}
	for _, to := range to.texts {
		to.column.set(ordinal, to.of(session))
	}
	for _, to := range to.lists {
		to.column.set(ordinal, to.of(session))
	}
	for _, to := range to.numbers {
		to.column.set(ordinal, to.of(session))
	}
	for _, to := range to.keyedTexts {
		for key, value := range to.of(session) {
			if to.column[key] == nil {
				to.column[key] = newDictionaryColumn()
			}
			to.column[key].set(ordinal, value)
		}
	}
	for _, to := range to.keyedSums {
		for _, event := range to.of(session) {
			if event.Values == 0 {
				continue
			}
			if to.column[event.Name] == nil {
				to.column[event.Name] = &sparseColumn{}
			}
			to.column[event.Name].set(ordinal, event.Sum)
		}
	}
}

// clearKeyed takes an ordinal what it has under keys and the session has not. There are only sums of events that it has.
func (p *places) clearKeyed(ordinal int, session *model.Session) {
	for _, from := range p.keyedTexts {
		texts := from.of(session)
		for key, column := range from.column {
			if _, found := texts[key]; !found {
				column.clear(ordinal)
			}
		}
	}
	if p.events == nil {
		return
	}
	for _, from := range p.keyedSums {
		if len(from.column) == 0 {
			continue
		}
		sums := from.of(session)
		for _, event := range p.events.at(ordinal) {
			column := from.column[event]
			if column != nil && !slices.ContainsFunc(sums, func(e model.EventSum) bool { return e.Name == event && e.Values > 0 }) {
				column.clear(ordinal)
			}
		}
	}
}

// Drop takes the session of an ordinal out: it counts nowhere. All dimensions must
// be loaded.
func (s *Sessions) Drop(ordinal int32) {
	s.grow(int(ordinal))
	s.findPlaces().counting.Clear(uint(ordinal))
}

// grow makes room for the ordinal in the columns that have something for each one;
// the others take a missing one for none.
func (s *Sessions) grow(ordinal int) {
	if ordinal < s.n {
		return
	}
	s.n = ordinal + 1
	to := s.findPlaces()
	to.counting.Set(uint(ordinal)).Clear(uint(ordinal))
	if to.visitors != nil {
		to.visitors.fill(s.n)
	}
	for _, number := range to.numbers {
		number.column.fill(s.n)
	}
}

// Ordinals returns how many ordinals there are.
func (s *Sessions) Ordinals() int { return s.n }

// Bytes returns about how much memory the columns take.
func (s *Sessions) Bytes() uint64 {
	bytes := 1000
	for _, c := range s.columns {
		bytes += c.bytes()
	}
	return uint64(bytes)
}

// Fit returns a copy of a set that has as many ordinals as the columns: those that
// are missing are not in it.
func (s *Sessions) Fit(set Set) Set {
	words := make([]uint64, (s.n+63)/64)
	copy(words, set.Words())
	if rest := s.n % 64; rest > 0 {
		words[len(words)-1] &= 1<<rest - 1
	}
	return bitset.FromWithLength(uint(s.n), words)
}

// counting returns the sessions that count.
func (s *Sessions) counting() Set {
	if set := get[bitmapColumn](s, Counting).BitSet; set.Len() == uint(s.n) {
		return set
	}
	counting := bitset.New(uint(s.n))
	counting.InPlaceUnion(get[bitmapColumn](s, Counting).BitSet)
	return counting
}

// Value returns the sum of the event's values over the sessions. It needs Values.
func (s *Sessions) Value(of Set, event string) model.Sum {
	if column := get[*keyedColumn[*sparseColumn]](s, Values).members[event]; column != nil {
		return column.total(of)
	}
	return model.Sum{}
}

// CountSteps adds to counts how many of the sessions started between each two
// neighbours of steps, the earlier one included. It needs the field Start.
func (s *Sessions) CountSteps(of Set, steps []model.Millis, counts []int) {
	instants := make([]int64, len(steps))
	for i, step := range steps {
		instants[i] = int64(step)
	}
	get[*integerColumn](s, Dimension(filter.Start.Name)).countSteps(of, instants, counts)
}

// EachStart calls do with the ordinal and the start of each of the sessions. It
// needs the field Start.
func (s *Sessions) EachStart(of Set, do func(ordinal int32, start model.Millis)) {
	starts := get[*integerColumn](s, Dimension(filter.Start.Name))
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		do(int32(i), model.Millis(starts.at(int(i))))
	}
}

// EachValue calls do with each value of a text field, or of filter.PropertyKeys, and how many of the sessions have
// it, the empty value standing for none. It needs the field.
func (s *Sessions) EachValue(of Set, field filter.Field, do func(value string, sessions int)) {
	if values, place, isClock := field.Clock(); isClock {
		s.eachShown(of, values, place, do)
		return
	}
	switch column := s.columns[Dimension(field.Name)].(type) {
	case *dictionaryColumn:
		column.eachValue(of, do)
	case *invertedColumn:
		column.eachValue(s.n, of, do)
	case *keyedColumn[*dictionaryColumn]:
		if field == filter.PropertyKeys {
			s.eachKey(column, of, do)
		} else if member := column.members[field.Key]; member != nil {
			member.eachValue(of, do)
		} else if n := int(of.Count()); n > 0 {
			do("", n)
		}
	}
}

// eachShown is EachValue of a field about a clock.
func (s *Sessions) eachShown(of Set, values []string, place func(start model.Millis) int, do func(value string, sessions int)) {
	counts := make([]int, len(values))
	s.EachStart(of, func(_ int32, start model.Millis) { counts[place(start)]++ })
	for i, n := range counts {
		if n > 0 {
			do(values[i], n)
		}
	}
}

// eachKey is EachValue of filter.PropertyKeys.
func (s *Sessions) eachKey(column *keyedColumn[*dictionaryColumn], of Set, do func(value string, sessions int)) {
	without := of.Clone()
	none := &valuePredicate{names: []string{""}, matches: among([]string{""}), matchesNone: true}
	for key, member := range column.members {
		lacks := member.match(s.n, none)
		if n := int(of.DifferenceCardinality(lacks)); n > 0 {
			do(key, n)
		}
		without.InPlaceIntersection(lacks)
	}
	if n := int(without.Count()); n > 0 {
		do("", n)
	}
}

// EachVisitor calls do with the ordinal, the visitor and the start of each of the
// sessions. It needs Visitors and the field Start.
func (s *Sessions) EachVisitor(of Set, do func(ordinal int32, visitor int64, start model.Millis)) {
	visitors, starts := get[*integerColumn](s, Visitors), get[*integerColumn](s, Dimension(filter.Start.Name))
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		do(int32(i), visitors.at(int(i)), model.Millis(starts.at(int(i))))
	}
}

// EachSpan calls do with the visitor, the start and the end of each session that counts and has a length, in the order of
// ordinals. It needs Visitors, and the fields Start and Length.
func (s *Sessions) EachSpan(do func(ordinal int32, visitor int64, start, end model.Millis)) {
	visitors, counting := get[*integerColumn](s, Visitors), s.counting()
	starts, lengths := get[*integerColumn](s, Dimension(filter.Start.Name)), get[*integerColumn](s, Dimension(filter.Length.Name))
	for i := range s.n {
		if length := lengths.at(i); length > 0 && counting.Test(uint(i)) {
			start := model.Millis(starts.at(i))
			do(int32(i), visitors.at(i), start, start+model.Millis(length))
		}
	}
}

// EachVisit calls do with the visitor, the start and the end of each of the sessions, in the order of ordinals. It needs
// Visitors, and the fields Start and Length.
func (s *Sessions) EachVisit(of Set, do func(ordinal int32, visitor int64, start, end model.Millis)) {
	lengths := get[*integerColumn](s, Dimension(filter.Length.Name))
	s.EachVisitor(of, func(ordinal int32, visitor int64, start model.Millis) {
		do(ordinal, visitor, start, start+model.Millis(lengths.at(int(ordinal))))
	})
}

// Counting returns the sessions that count. It is not to be changed.
func (s *Sessions) Counting() Set { return s.counting() }

// Sum is the sum of an event's values in a session.
type Sum struct {
	Ordinal uint32
	Sum     model.Sum
}

// Sums returns the sums of the event's values of those of the sessions that have one,
// in the order of ordinals. It needs Values.
func (s *Sessions) Sums(of Set, event string) (found []Sum) {
	column := get[*keyedColumn[*sparseColumn]](s, Values).members[event]
	if column == nil {
		return nil
	}
	for i, ordinal := range column.ordinals {
		if of.Test(uint(ordinal)) {
			found = append(found, Sum{ordinal, column.at(i)})
		}
	}
	return found
}
