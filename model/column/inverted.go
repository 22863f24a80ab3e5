package column

import (
	"encoding/binary"
	"slices"

	"github.com/bits-and-blooms/bitset"
)

// invertedColumn holds any number of texts for each ordinal: for each value its postings,
// the ordinals that have it.
type invertedColumn struct {
	dictionary
	n        int        // ordinals that were set
	postings [][]uint32 // by code
	entries  int        // of all postings
	// forward is the forward index, the codes of each ordinal: a session that is written
	// again is compared with what it was. It is nil until that is first needed.
	forward [][]uint32
	// codes is where set notes the codes of the ordinal that it sets.
	codes []uint32
}

func newInvertedColumn() *invertedColumn { return &invertedColumn{} }

// set gives the ordinal its values, in place of those that it had.
func (c *invertedColumn) set(ordinal int, values []string) {
	again := ordinal < c.n
	c.n = max(c.n, ordinal+1)
	if len(values) == 0 && (!again || c.entries == 0) {
		return
	}
	if again {
		c.makeForward()
	}
	codes := c.codes[:0]
	for _, value := range values {
		if code := c.dictionary.add(value); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	c.codes = codes
	had := at(c.forward, ordinal)
	for _, code := range had {
		if !slices.Contains(codes, code) {
			i := slices.Index(c.postings[code], uint32(ordinal))
			c.postings[code] = slices.Delete(c.postings[code], i, i+1)
			c.entries--
		}
	}
	for _, code := range codes {
		if !slices.Contains(had, code) {
			c.postings = put(c.postings, int(code), append(at(c.postings, int(code)), uint32(ordinal)))
			c.entries++
		}
	}
	if c.forward != nil && len(had)+len(codes) > 0 {
		c.forward = put(c.forward, ordinal, append(had[:0], codes...))
	}
}

// at returns the values of an ordinal.
func (c *invertedColumn) at(ordinal int) (values []string) {
	c.makeForward()
	for _, code := range at(c.forward, ordinal) {
		values = append(values, c.values[code])
	}
	return values
}

// makeForward makes the forward index: the list of each ordinal's codes.
func (c *invertedColumn) makeForward() {
	if c.forward != nil {
		return
	}
	c.forward = make([][]uint32, c.n)
	for code, ordinals := range c.postings {
		for _, ordinal := range ordinals {
			c.forward[ordinal] = append(c.forward[ordinal], uint32(code))
		}
	}
}

// match returns the ordinals below n that have a value that matches.
func (c *invertedColumn) match(n int, want *valuePredicate) *bitset.BitSet {
	words := make([]uint64, (n+63)/64)
	for _, code := range c.matching(want) {
		for _, ordinal := range c.postings[code] {
			words[ordinal/64] |= 1 << (ordinal % 64)
		}
	}
	return bitset.FromWithLength(uint(n), words)
}

// tester returns what tells whether an ordinal has a value that matches, or has none and
// the empty one does. ok is false without a forward index.
func (c *invertedColumn) tester(want *valuePredicate) (tests func(ordinal int) bool, ok bool) {
	if c.forward == nil {
		return nil, false
	}
	return func(ordinal int) bool {
		codes := at(c.forward, ordinal)
		if len(codes) == 0 {
			return want.matchesNone
		}
		return slices.ContainsFunc(codes, func(code uint32) bool { return want.matches(c.values[code]) })
	}, true
}

// without returns the ordinals below n that have no value.
func (c *invertedColumn) without(n int) *bitset.BitSet {
	return c.match(n, &valuePredicate{matches: func(string) bool { return true }}).Complement()
}

func (c *invertedColumn) bytes() int {
	bytes := c.dictionary.bytes() + 24*(cap(c.postings)+cap(c.forward)) + 5*c.entries // lists are not full
	if c.forward != nil {
		bytes += 8 * c.entries // in lists that are short
	}
	return bytes
}

// append writes the dictionary, the number of ordinals, and for each value its
// ordinals, each as its distance to the one before.
func (c *invertedColumn) append(b []byte) []byte {
	b = c.dictionary.append(b)
	b = binary.AppendUvarint(b, uint64(c.n))
	for _, ordinals := range c.postings {
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

func readInvertedColumn(r *reader) *invertedColumn {
	c := &invertedColumn{dictionary: readDictionary(r)}
	c.n = r.count()
	c.postings = make([][]uint32, 0, len(c.values))
	var room []uint32 // most lists are short: some hundred of them are parts of one
	for range c.values {
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
			if ordinal += r.number(); ordinal >= uint64(c.n) {
				r.fail("an ordinal beyond the partition")
				return c
			}
			room = append(room, uint32(ordinal))
		}
		c.postings = append(c.postings, room[begin:len(room):len(room)])
		c.entries += n
	}
	return c
}

// eachValue calls do with each value and how many of the sessions, which are below n, have
// it, the empty value standing for none.
func (c *invertedColumn) eachValue(n int, of Set, do func(value string, sessions int)) {
	for code, value := range c.values {
		sessions := 0
		for _, ordinal := range c.postings[code] {
			if of.Test(uint(ordinal)) {
				sessions++
			}
		}
		if sessions > 0 {
			do(value, sessions)
		}
	}
	if without := int(c.without(n).IntersectionCardinality(of)); without > 0 {
		do("", without)
	}
}
