package column

import (
	"encoding/binary"
	"slices"

	"github.com/bits-and-blooms/bitset"
)

// many is a field of any number of values: for each value the ordinals that have
// it.
type many struct {
	dictionary
	n        int        // ordinals that were set
	ordinals [][]uint32 // by code
	entries  int        // of all those lists
	// codes are the values of each ordinal, by which a session that is written
	// again is compared with what it was. They are made when the first one is.
	codesOf [][]uint32
	// had is where set notes the codes of the ordinal that it sets.
	had []uint32
}

func newMany() *many { return &many{} }

// set gives the ordinal its values. A session's values are only ever added to, and
// an ordinal whose session is gone is not used again.
func (m *many) set(ordinal int, values []string) {
	again := ordinal < m.n
	m.n = max(m.n, ordinal+1)
	if len(values) == 0 {
		return
	}
	if again {
		m.index()
	}
	had := m.had[:0]
	if m.codesOf != nil {
		had = at(m.codesOf, ordinal)
	}
	for _, value := range values {
		code := m.dictionary.add(value)
		if slices.Contains(had, code) {
			continue
		}
		had = append(had, code)
		m.ordinals = put(m.ordinals, int(code), append(at(m.ordinals, int(code)), uint32(ordinal)))
		m.entries++
	}
	if m.codesOf != nil {
		m.codesOf = put(m.codesOf, ordinal, had)
	} else {
		m.had = had
	}
}

// index makes the list of each ordinal's values.
func (m *many) index() {
	if m.codesOf != nil {
		return
	}
	m.codesOf = make([][]uint32, m.n)
	for code, ordinals := range m.ordinals {
		for _, ordinal := range ordinals {
			m.codesOf[ordinal] = append(m.codesOf[ordinal], uint32(code))
		}
	}
}

// match returns the ordinals below n that have one of the wanted values.
func (m *many) match(n int, w wanting) *bitset.BitSet {
	words := make([]uint64, (n+63)/64)
	for _, code := range m.wanted(w) {
		for _, ordinal := range m.ordinals[code] {
			words[ordinal/64] |= 1 << (ordinal % 64)
		}
	}
	return bitset.FromWithLength(uint(n), words)
}

// tester returns what tells whether an ordinal has a wanted value, or has none and
// the empty one is wanted. ok is false where the values of an ordinal are not at
// hand.
func (m *many) tester(w wanting) (tests func(ordinal int) bool, ok bool) {
	if m.codesOf == nil {
		return nil, false
	}
	return func(ordinal int) bool {
		codes := at(m.codesOf, ordinal)
		if len(codes) == 0 {
			return w.test("")
		}
		return slices.ContainsFunc(codes, func(code uint32) bool { return w.test(m.values[code]) })
	}, true
}

// without returns the ordinals below n that have no value.
func (m *many) without(n int) *bitset.BitSet {
	return m.match(n, wanting{test: func(string) bool { return true }}).Complement()
}

func (m *many) bytes() int {
	bytes := m.dictionary.bytes() + 24*(cap(m.ordinals)+cap(m.codesOf)) + 5*m.entries // lists are not full
	if m.codesOf != nil {
		bytes += 8 * m.entries // in lists that are short
	}
	return bytes
}

// append writes the dictionary, the number of ordinals, and for each value its
// ordinals, each as its distance to the one before.
func (m *many) append(b []byte) []byte {
	b = m.dictionary.append(b)
	b = binary.AppendUvarint(b, uint64(m.n))
	for _, ordinals := range m.ordinals {
		// A session that was written again comes late in the lists of its new values.
		sorted := ordinals
		if !slices.IsSorted(sorted) {
			sorted = slices.Sorted(slices.Values(ordinals))
		}
		b = binary.AppendUvarint(b, uint64(len(sorted)))
		before := uint32(0)
		for _, ordinal := range sorted {
			b = binary.AppendUvarint(b, uint64(ordinal-before))
			before = ordinal
		}
	}
	return b
}

func readMany(r *reader) *many {
	m := &many{dictionary: readDictionary(r)}
	m.n = r.count()
	m.ordinals = make([][]uint32, 0, len(m.values))
	var room []uint32 // most lists are short: some hundred of them are parts of one
	for range m.values {
		n := r.length()
		if r.err != nil {
			break
		}
		if n > cap(room)-len(room) {
			room = make([]uint32, 0, max(n, 4096))
		}
		begin := len(room)
		ordinal := uint64(0)
		for range n {
			if ordinal += r.number(); ordinal >= uint64(m.n) {
				r.fail("an ordinal beyond the partition")
				return m
			}
			room = append(room, uint32(ordinal))
		}
		m.ordinals = append(m.ordinals, room[begin:len(room):len(room)])
		m.entries += n
	}
	return m
}
