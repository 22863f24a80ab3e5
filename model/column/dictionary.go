package column

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"

	"github.com/bits-and-blooms/bitset"
)

// dictionary numbers the values of a column from 0.
type dictionary struct {
	values []string
	length int // of all values, about
	// codes is made when a value is added to more than some: columns that are only read
	// need it not.
	codes map[string]uint32
	// hashBytes are a byte of each value's hash, where codes was not made yet: a value is
	// found without a look at all others.
	hashBytes []uint8
	// last is the code that add returned last: values come in runs.
	last uint32
}

func newDictionary(values ...string) dictionary {
	d := dictionary{}
	for _, value := range values {
		d.add(value)
	}
	return d
}

// add returns the value's code, a new one where it is new.
func (d *dictionary) add(value string) uint32 {
	const some = 8
	if d.codes == nil && len(d.values) >= some {
		d.codes = make(map[string]uint32, len(d.values))
		for code, value := range d.values {
			d.codes[value] = uint32(code)
		}
		d.hashBytes = nil
	}
	if int(d.last) < len(d.values) && d.values[d.last] == value {
		return d.last
	}
	code, found := d.find(value)
	if found {
		d.last = code
		return code
	}
	code = uint32(len(d.values))
	// The value may be part of a longer text that would be kept with it.
	value = string([]byte(value))
	d.values = append(d.values, value)
	d.length += len(value)
	if d.last = code; d.codes != nil {
		d.codes[value] = code
	} else {
		d.hashBytes = append(d.hashBytes, hashByteOf(value))
	}
	return code
}

var hashSeed = maphash.MakeSeed()

func hashByteOf(value string) uint8 { return uint8(maphash.String(hashSeed, value)) }

// find returns the value's code.
func (d *dictionary) find(value string) (code uint32, found bool) {
	if d.codes != nil {
		code, found = d.codes[value]
		return code, found
	}
	hash := hashByteOf(value)
	for at := 0; ; at++ {
		next := bytes.IndexByte(d.hashBytes[at:], hash)
		if next < 0 {
			return 0, false
		}
		if at += next; d.values[at] == value {
			return uint32(at), true
		}
	}
}

// valuePredicate is a leaf as a predicate over single values: it matches the values that it
// names, or those of which matches is true. The empty value stands for none.
type valuePredicate struct {
	names       []string // none where only matches tells
	matches     func(value string) bool
	matchesNone bool
}

// matching returns the codes of the values that match, in their order.
func (d *dictionary) matching(want *valuePredicate) (codes []uint32) {
	const few = 64 // for more names than that, a look at all values is faster
	if 0 < len(want.names) && len(want.names) <= few {
		for _, name := range want.names {
			if code, found := d.find(name); found {
				codes = append(codes, code)
			}
		}
		slices.Sort(codes)
		return slices.Compact(codes)
	}
	for code, value := range d.values {
		if want.matches(value) {
			codes = append(codes, uint32(code))
		}
	}
	return codes
}

// bytes counts a value's text, its entry in the list and, where there is one, in
// the map.
func (d *dictionary) bytes() int {
	return 48*len(d.codes) + 16*cap(d.values) + d.length + cap(d.hashBytes)
}

// append writes the number of values, and each with its length before it.
func (d *dictionary) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(d.values)))
	for _, value := range d.values {
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	return b
}

// readDictionary keeps the values as parts of one text: they are looked at one after the
// other.
func readDictionary(r *reader) dictionary {
	n := r.length()
	begin := r.at
	for range n {
		r.next(r.length())
	}
	if r.err != nil {
		return dictionary{}
	}
	d := dictionary{values: make([]string, n), length: r.at - begin, hashBytes: make([]uint8, n)}
	text := string(r.data[begin:r.at])
	r.at = begin
	for i := range d.values {
		length := r.length()
		d.values[i] = text[r.at-begin:][:length]
		d.hashBytes[i] = hashByteOf(d.values[i])
		r.next(length)
	}
	return d
}

// dictionaryColumn holds at most one text for each ordinal: the code of its value.
// Code 0 is the empty string, which stands for none.
type dictionaryColumn struct {
	dictionary
	codes vector
}

func newDictionaryColumn() *dictionaryColumn {
	return &dictionaryColumn{dictionary: newDictionary(""), codes: newVector()}
}

// set gives the ordinal its value, and ordinals before it that have none yet the
// empty one.
func (c *dictionaryColumn) set(ordinal int, value string) {
	code := uint32(0) // of the empty value, which is by far the most frequent of many fields
	if value != "" {
		code = c.add(value)
	}
	c.codes.set(ordinal, uint64(code))
}

// clear takes the ordinal its value.
func (c *dictionaryColumn) clear(ordinal int) {
	if c.codes.at(ordinal) != 0 {
		c.codes.set(ordinal, 0)
	}
}

// match returns the ordinals below n whose value matches.
func (c *dictionaryColumn) match(n int, want *valuePredicate) *bitset.BitSet {
	return c.codes.oneOf(n, c.matching(want))
}

// tester returns what tells whether an ordinal's value matches. Each value that
// occurs is tested once.
func (c *dictionaryColumn) tester(want *valuePredicate) func(ordinal int) bool {
	const yes, no = 1, 2
	known := make([]uint8, len(c.values)) // by code
	return func(ordinal int) bool {
		code := c.codes.at(ordinal)
		if known[code] == 0 {
			known[code] = no
			if want.matches(c.values[code]) {
				known[code] = yes
			}
		}
		return known[code] == yes
	}
}

func (c *dictionaryColumn) bytes() int { return c.dictionary.bytes() + c.codes.bytes() }

// append writes the dictionary, the number of codes, and the codes, whose width
// follows from the dictionary's length.
func (c *dictionaryColumn) append(b []byte) []byte {
	b = c.dictionary.append(b)
	b = binary.AppendUvarint(b, uint64(c.codes.len()))
	b = append(b, c.codes.w8...)
	for _, code := range c.codes.w16 {
		b = binary.LittleEndian.AppendUint16(b, code)
	}
	for _, code := range c.codes.w32 {
		b = binary.LittleEndian.AppendUint32(b, code)
	}
	return b
}

func readDictionaryColumn(r *reader) *dictionaryColumn {
	c := &dictionaryColumn{dictionary: readDictionary(r), codes: newVector()}
	if len(c.values) == 0 || c.values[0] != "" {
		r.fail("a dictionary that does not begin with the empty value")
		return c
	}
	c.codes.fit(uint64(len(c.values) - 1))
	n := r.length()
	switch {
	case c.codes.w8 != nil:
		c.codes.w8 = append(c.codes.w8, r.next(n)...)
	case c.codes.w16 != nil:
		part := r.next(2 * n)
		c.codes.w16 = make([]uint16, 0, len(part)/2)
		for i := 0; i < len(part); i += 2 {
			c.codes.w16 = append(c.codes.w16, binary.LittleEndian.Uint16(part[i:]))
		}
	default:
		part := r.next(4 * n)
		c.codes.w32 = make([]uint32, 0, len(part)/4)
		for i := 0; i < len(part); i += 4 {
			c.codes.w32 = append(c.codes.w32, binary.LittleEndian.Uint32(part[i:]))
		}
	}
	if c.codes.largest() >= uint64(len(c.values)) {
		r.fail("a code beyond the dictionary")
	}
	return c
}

// eachValue calls do with each value and how many of the sessions have it.
func (c *dictionaryColumn) eachValue(of Set, do func(value string, sessions int)) {
	counts := make([]int, len(c.values))
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		counts[c.codes.at(int(i))]++
	}
	for code, n := range counts {
		if n > 0 {
			do(c.values[code], n)
		}
	}
}
