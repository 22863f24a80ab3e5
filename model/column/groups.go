package column

import (
	mathbits "math/bits"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Name names a group by the values of its sessions: one, or two where Cross has made it. Others are empty.
type Name [2]string

// Groups divide the sessions of columns by their values. A session may be in several groups, and is then counted in each.
// They are of the columns as they are, and do not outlast them.
type Groups struct {
	ordinals int
	n        int
	name     func(group int) Name
	// of is the group of each ordinal, dropped for none, where it has one at most.
	of []uint32
	// lists are the ordinals of each group, where an ordinal may be in several.
	lists [][]uint32
}

// dropped is the group of ordinals that are in none.
const dropped = 1<<32 - 1

// Len returns how many groups there are. Some may have no session.
func (g *Groups) Len() int { return g.n }

// Bytes is about what the groups take beside the columns.
func (g *Groups) Bytes() int { return 4*len(g.of) + 24*len(g.lists) }

// Name returns the name of a group.
func (g *Groups) Name(group int) Name { return g.name(group) }

// names returns what names the groups of one grouping.
func names(values []string) func(group int) Name {
	return func(group int) Name { return Name{values[group]} }
}

// Whole returns one group without a name, of all sessions.
func (s *Sessions) Whole() *Groups {
	return &Groups{ordinals: s.n, n: 1, name: names([]string{""}), of: make([]uint32, s.n)}
}

// GroupsOf returns the groups by the values of a text field, the empty one for none. It needs the field.
func (s *Sessions) GroupsOf(field filter.Field) *Groups {
	if values, place, isClock := field.Clock(); isClock {
		return s.GroupsByStart(values, place)
	}
	switch column := s.columns[Dimension(field.Name)].(type) {
	case *dictionaryColumn:
		return column.groups(s.n)
	case *invertedColumn:
		return column.groups(s.n, s.counting())
	case *keyedColumn[*dictionaryColumn]:
		if member := column.members[field.Key]; member != nil {
			return member.groups(s.n)
		}
	}
	return s.Whole()
}

// ValuesOf returns the values of a text field that a session has one of, and of each ordinal the place of its own among them: those
// of ordinals without one are empty. They may outlast the columns. It needs the field.
func (s *Sessions) ValuesOf(field filter.Field) (values []string, of []uint32) {
	groups := s.GroupsOf(field)
	values = make([]string, groups.Len())
	for group := range values {
		values[group] = groups.Name(group)[0]
	}
	return values, groups.of
}

func (c *dictionaryColumn) groups(n int) *Groups {
	of := make([]uint32, n)
	switch v := c.codes; {
	case v.w8 != nil:
		widen(of, v.w8)
	case v.w16 != nil:
		widen(of, v.w16)
	case v.w32 != nil:
		widen(of, v.w32)
	}
	return &Groups{ordinals: n, n: len(c.values), name: names(c.values), of: of}
}

func widen[N unsigned](to []uint32, from []N) {
	for i, number := range from[:min(len(from), len(to))] {
		to[i] = uint32(number)
	}
}

func (c *invertedColumn) groups(n int, counting Set) *Groups {
	lists := make([][]uint32, len(c.values), len(c.values)+1)
	copy(lists, c.postings)
	var none []uint32
	without := c.without(n)
	without.InPlaceIntersection(counting)
	for i, ok := without.NextSet(0); ok; i, ok = without.NextSet(i + 1) {
		none = append(none, uint32(i))
	}
	values := c.values
	name := func(group int) Name {
		if group == len(values) {
			return Name{}
		}
		return Name{values[group]}
	}
	return &Groups{ordinals: n, n: len(values) + 1, name: name, lists: append(lists, none)}
}

// GroupsByStart returns the groups that a function finds by the sessions' starts; -1 is none. It needs the field Start.
func (s *Sessions) GroupsByStart(values []string, find func(start model.Millis) int) *Groups {
	starts := get[*integerColumn](s, Dimension(filter.Start.Name))
	of := make([]uint32, s.n)
	for i := range of {
		of[i] = uint32(find(model.Millis(starts.at(i))))
	}
	return &Groups{ordinals: s.n, n: len(values), name: names(values), of: of}
}

// GroupsOfSets returns the groups of sets: a session is in that of the first that it is in, and in a last one, which has
// no value, where it is in none.
func (s *Sessions) GroupsOfSets(values []string, sets []Set) *Groups {
	of := make([]uint32, s.n)
	for i := range of {
		of[i] = uint32(len(sets))
	}
	for group := len(sets) - 1; group >= 0; group-- {
		for i, ok := sets[group].NextSet(0); ok && i < uint(s.n); i, ok = sets[group].NextSet(i + 1) {
			of[i] = uint32(group)
		}
	}
	return &Groups{ordinals: s.n, n: len(sets) + 1, name: names(append(values[:len(sets):len(sets)], "")), of: of}
}

// pairBytes and memberBytes are about what Cross takes for each pair of groups, and for each session in one.
const pairBytes, memberBytes = 64, 8

// Cross returns the groups of those of some sessions that are in one of a and in one of b: of each pair that has some. It
// takes the bytes that it needs while they grow, and ends with the error of that.
func Cross(a, b *Groups, among Set, take func(bytes int) error) (*Groups, error) {
	if a.lists == nil && b.lists != nil {
		turned, err := Cross(b, a, among, take)
		if err != nil {
			return nil, err
		}
		name := turned.name
		turned.name = func(group int) Name { pair := name(group); return Name{pair[1], pair[0]} }
		return turned, nil
	}
	pairs := newPairs(a.n, b.n)
	crossed := &Groups{ordinals: a.ordinals}
	var err error
	if a.lists == nil {
		crossed.of, err = pairs.cross(a.of, b.of, among, take)
	} else if err = take(b.membersBytes()); err == nil {
		crossed.lists, err = pairs.crossLists(a.lists, b.members(), among, take)
	}
	if err != nil {
		return nil, err
	}
	crossed.n = len(pairs.found)
	crossed.name = func(group int) Name {
		pair := pairs.found[group]
		return Name{a.name(int(pair[0]))[0], b.name(int(pair[1]))[0]}
	}
	return crossed, nil
}

// cross returns the pair of each ordinal.
func (p *pairs) cross(a, b []uint32, among Set, take func(bytes int) error) ([]uint32, error) {
	of := make([]uint32, len(a))
	for i := range of {
		of[i] = dropped
	}
	known := 0
	for w, word := range among.Words() {
		for ; word != 0; word &= word - 1 {
			i := w*64 + mathbits.TrailingZeros64(word)
			if first, second := a[i], b[i]; first != dropped && second != dropped {
				of[i] = p.group(first, second)
			}
		}
		if more := len(p.found) - known; more >= 1024 {
			if err := take(more * pairBytes); err != nil {
				return nil, err
			}
			known = len(p.found)
		}
	}
	return of, take((len(p.found)-known)*pairBytes + 4*len(of))
}

// crossLists returns the ordinals of each pair.
func (p *pairs) crossLists(a [][]uint32, groupsOf func(ordinal uint32) []uint32, among Set, take func(bytes int) error) ([][]uint32, error) {
	lists, members, known, words := [][]uint32{}, 0, 0, among.Words()
	for first, list := range a {
		for _, ordinal := range list {
			if words[ordinal/64]>>(ordinal%64)&1 == 0 {
				continue
			}
			for _, second := range groupsOf(ordinal) {
				group := int(p.group(uint32(first), second))
				if group == len(lists) {
					lists = append(lists, nil)
				}
				lists[group] = append(lists[group], ordinal)
				members++
			}
			if more := len(lists) - known; more+members >= 1024 {
				if err := take(more*pairBytes + members*memberBytes); err != nil {
					return nil, err
				}
				members, known = 0, len(lists)
			}
		}
	}
	return lists, take((len(lists)-known)*pairBytes + members*memberBytes)
}

// pairs numbers the pairs of groups that occur.
type pairs struct {
	second  int
	table   []uint32 // the number plus one, where there are few pairs
	numbers map[[2]uint32]uint32
	found   [][2]uint32
}

func newPairs(first, second int) *pairs {
	const few = 1 << 20
	if first*second <= few {
		return &pairs{second: second, table: make([]uint32, first*second)}
	}
	return &pairs{second: second, numbers: map[[2]uint32]uint32{}}
}

func (p *pairs) group(first, second uint32) uint32 {
	if p.table == nil {
		group, known := p.numbers[[2]uint32{first, second}]
		if !known {
			group = uint32(len(p.found))
			p.numbers[[2]uint32{first, second}] = group
			p.found = append(p.found, [2]uint32{first, second})
		}
		return group
	}
	at := &p.table[int(first)*p.second+int(second)]
	if *at == 0 {
		p.found = append(p.found, [2]uint32{first, second})
		*at = uint32(len(p.found))
	}
	return *at - 1
}

// membersBytes is what members takes.
func (g *Groups) membersBytes() int {
	if g.lists == nil {
		return 0
	}
	bytes := 8 * g.ordinals
	for _, list := range g.lists {
		bytes += 4 * len(list)
	}
	return bytes
}

// members returns what tells the groups of an ordinal.
func (g *Groups) members() func(ordinal uint32) []uint32 {
	if g.lists == nil {
		return func(ordinal uint32) []uint32 {
			if g.of[ordinal] == dropped {
				return nil
			}
			return g.of[ordinal : ordinal+1]
		}
	}
	ends := make([]uint32, g.ordinals+1)
	for _, list := range g.lists {
		for _, ordinal := range list {
			ends[ordinal+1]++
		}
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	all, next := make([]uint32, ends[g.ordinals]), append([]uint32(nil), ends...)
	for group, list := range g.lists {
		for _, ordinal := range list {
			all[next[ordinal]] = uint32(group)
			next[ordinal]++
		}
	}
	return func(ordinal uint32) []uint32 { return all[ends[ordinal]:ends[ordinal+1]] }
}

// Keep returns the groups of some names, in the places that they have there.
func (g *Groups) Keep(places map[Name]int) *Groups {
	found := make([]Name, len(places))
	for name, place := range places {
		found[place] = name
	}
	to := make([]uint32, g.n)
	for group := range to {
		to[group] = dropped
		if place, isKept := places[g.name(group)]; isKept {
			to[group] = uint32(place)
		}
	}
	return g.moved(to, len(places), func(group int) Name { return found[group] })
}

// Occupied returns the groups that have some of the sessions, in their order.
func (g *Groups) Occupied(of Set) *Groups {
	sizes := make([]int64, g.n)
	g.Count(of, sizes)
	var occupied []int
	to := make([]uint32, g.n)
	for group, size := range sizes {
		to[group] = dropped
		if size > 0 {
			to[group] = uint32(len(occupied))
			occupied = append(occupied, group)
		}
	}
	return g.moved(to, len(occupied), func(group int) Name { return g.name(occupied[group]) })
}

// moved returns n groups with names, to each of which the sessions of some group are moved, or of none.
func (g *Groups) moved(to []uint32, n int, name func(group int) Name) *Groups {
	moved := &Groups{ordinals: g.ordinals, n: n, name: name}
	if g.lists != nil {
		moved.lists = make([][]uint32, n)
		for group, place := range to {
			if place != dropped {
				moved.lists[place] = g.lists[group]
			}
		}
		return moved
	}
	moved.of = make([]uint32, len(g.of))
	for i, group := range g.of {
		moved.of[i] = dropped
		if group != dropped {
			moved.of[i] = to[group]
		}
	}
	return moved
}

// Count adds to counts how many of the sessions are in each group.
func (g *Groups) Count(of Set, counts []int64) {
	words := of.Words()
	for group, list := range g.lists {
		var n uint64
		for _, ordinal := range list {
			n += words[ordinal/64] >> (ordinal % 64) & 1
		}
		counts[group] += int64(n)
	}
	if g.lists == nil {
		g.each(of, func(group, _ uint32) { counts[group]++ })
	}
}

// each calls do with the group and the ordinal of each of the sessions, for each group that it is in.
func (g *Groups) each(of Set, do func(group, ordinal uint32)) {
	if g.lists == nil {
		for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
			if group := g.of[i]; group != dropped {
				do(group, uint32(i))
			}
		}
		return
	}
	words := of.Words()
	for group, list := range g.lists {
		for _, ordinal := range list {
			if words[ordinal/64]>>(ordinal%64)&1 == 1 {
				do(uint32(group), ordinal)
			}
		}
	}
}

// AddNumbers adds to sums the numbers that the sessions of each group have in a field. It needs the field.
func (s *Sessions) AddNumbers(g *Groups, of Set, field filter.Field, sums []int64) {
	numbers := get[*integerColumn](s, Dimension(field.Name))
	g.each(of, func(group, ordinal uint32) { sums[group] += numbers.at(int(ordinal)) })
}

// AddValues adds to sums the sums of an event's values over the sessions of each group. It needs Values.
func (s *Sessions) AddValues(g *Groups, of Set, event string, sums []model.Sum) {
	column := get[*keyedColumn[*sparseColumn]](s, Values).members[event]
	if column == nil {
		return
	}
	having, places := bitset.New(uint(s.n)), make([]uint32, s.n)
	for place, ordinal := range column.ordinals {
		if of.Test(uint(ordinal)) {
			having.Set(uint(ordinal))
			places[ordinal] = uint32(place)
		}
	}
	g.each(having, func(group, ordinal uint32) { sums[group] = sums[group].Add(column.at(int(places[ordinal]))) })
}

// listed returns the ordinals of the sessions by their groups.
func (g *Groups) listed(of Set) [][]uint32 {
	counts := make([]int64, g.n)
	g.Count(of, counts)
	lists := make([][]uint32, g.n)
	for group, n := range counts {
		lists[group] = make([]uint32, 0, n)
	}
	g.each(of, func(group, ordinal uint32) { lists[group] = append(lists[group], ordinal) })
	return lists
}

// LengthsOfGroups calls do with the lengths, in milliseconds, of the sessions of each group that has some. The lists are
// the caller's own. It needs the field Length.
func (s *Sessions) LengthsOfGroups(g *Groups, of Set, do func(group int, lengths []uint32)) {
	numbers := get[*integerColumn](s, Dimension(filter.Length.Name))
	for group, list := range g.listed(of) {
		for i, ordinal := range list {
			list[i] = uint32(numbers.at(int(ordinal)))
		}
		if len(list) > 0 {
			do(group, list)
		}
	}
}
