package column

import (
	"encoding/binary"

	"github.com/bits-and-blooms/bitset"
)

// text is a field of at most one value: for each ordinal the code of its value.
// Code 0 is the empty string, which stands for none.
type text struct {
	dictionary
	codes vector
}

func newText() *text { return &text{dictionary: newDictionary(""), codes: newVector()} }

// set gives the ordinal its value, and ordinals before it that have none yet the
// empty one.
func (t *text) set(ordinal int, value string) {
	code := uint32(0) // of the empty value, which is by far the most frequent of many fields
	if value != "" {
		code = t.add(value)
	}
	t.codes.set(ordinal, uint64(code))
}

// match returns the ordinals below n whose value is wanted.
func (t *text) match(n int, w wanting) *bitset.BitSet { return t.codes.oneOf(n, t.wanted(w)) }

// tester returns what tells whether an ordinal's value is wanted. Each value that
// occurs is tested once.
func (t *text) tester(w wanting) func(ordinal int) bool {
	const yes, no = 1, 2
	known := make([]uint8, len(t.values)) // by code
	return func(ordinal int) bool {
		code := t.codes.at(ordinal)
		if known[code] == 0 {
			known[code] = no
			if w.test(t.values[code]) {
				known[code] = yes
			}
		}
		return known[code] == yes
	}
}

func (t *text) bytes() int { return t.dictionary.bytes() + t.codes.bytes() }

// append writes the dictionary, the number of codes, and the codes, whose width
// follows from the dictionary's length.
func (t *text) append(b []byte) []byte {
	b = t.dictionary.append(b)
	b = binary.AppendUvarint(b, uint64(t.codes.len()))
	b = append(b, t.codes.w8...)
	for _, code := range t.codes.w16 {
		b = binary.LittleEndian.AppendUint16(b, code)
	}
	for _, code := range t.codes.w32 {
		b = binary.LittleEndian.AppendUint32(b, code)
	}
	return b
}

func readText(r *reader) *text {
	t := &text{dictionary: readDictionary(r), codes: newVector()}
	if len(t.values) == 0 || t.values[0] != "" {
		r.fail("a dictionary that does not begin with the empty value")
		return t
	}
	t.codes.fit(uint64(len(t.values) - 1))
	n := r.length()
	switch {
	case t.codes.w8 != nil:
		t.codes.w8 = append(t.codes.w8, r.take(n)...)
	case t.codes.w16 != nil:
		part := r.take(2 * n)
		t.codes.w16 = make([]uint16, 0, len(part)/2)
		for i := 0; i < len(part); i += 2 {
			t.codes.w16 = append(t.codes.w16, binary.LittleEndian.Uint16(part[i:]))
		}
	default:
		part := r.take(4 * n)
		t.codes.w32 = make([]uint32, 0, len(part)/4)
		for i := 0; i < len(part); i += 4 {
			t.codes.w32 = append(t.codes.w32, binary.LittleEndian.Uint32(part[i:]))
		}
	}
	if t.codes.largest() >= uint64(len(t.values)) {
		r.fail("a code beyond the dictionary")
	}
	return t
}
