package column

import (
	"encoding/binary"
	"math"

	"github.com/bits-and-blooms/bitset"
)

// code is a value's number in a dictionary. Codes are kept as narrow as the
// dictionary allows: most have less than 256 values.
type code interface{ ~uint8 | ~uint16 | ~uint32 }

// text is a field of at most one value: for each ordinal the code of its value.
// Code 0 is the empty string, which stands for none. One of the slices is used.
type text struct {
	dictionary
	narrow []uint8
	medium []uint16
	wide   []uint32
}

func newText() *text { return &text{dictionary: newDictionary(""), narrow: []uint8{}} }

// set gives the ordinal its value, and ordinals before it that have none yet the
// empty one.
func (t *text) set(ordinal int, value string) {
	code := t.add(value)
	t.fit(code)
	switch {
	case t.narrow != nil:
		t.narrow = put(t.narrow, ordinal, uint8(code))
	case t.medium != nil:
		t.medium = put(t.medium, ordinal, uint16(code))
	default:
		t.wide = put(t.wide, ordinal, code)
	}
}

// fit makes the codes wide enough.
func (t *text) fit(code uint32) {
	if t.narrow != nil && code > math.MaxUint8 {
		t.medium, t.narrow = widen[uint16](t.narrow), nil
	}
	if t.medium != nil && code > math.MaxUint16 {
		t.wide, t.medium = widen[uint32](t.medium), nil
	}
}

func widen[to, from code](codes []from) []to {
	wider := make([]to, len(codes))
	for i, code := range codes {
		wider[i] = to(code)
	}
	return wider
}

// match returns the ordinals below n whose value is wanted. want is asked once for
// each value of the dictionary.
func (t *text) match(n int, want func(value string) bool) *bitset.BitSet {
	wanted := make([]uint64, len(t.values)) // 0 or 1, by code
	found := 0
	for code, value := range t.values {
		if want(value) {
			wanted[code] = 1
			found++
		}
	}
	switch {
	case found == 0:
		return bitset.New(uint(n))
	case t.narrow != nil:
		return scanCodes(t.narrow, wanted, n)
	case t.medium != nil:
		return scanCodes(t.medium, wanted, n)
	default:
		return scanCodes(t.wide, wanted, n)
	}
}

func scanCodes[C code](codes []C, wanted []uint64, n int) *bitset.BitSet {
	words := make([]uint64, (n+63)/64)
	for w := range words {
		part := codes[min(w*64, len(codes)):min(w*64+64, len(codes))]
		var word uint64
		for i, code := range part {
			word |= wanted[code] << i
		}
		words[w] = word
	}
	bits := bitset.FromWithLength(uint(n), words)
	if wanted[0] == 1 { // ordinals beyond the column have no value
		for i := len(codes); i < n; i++ {
			bits.Set(uint(i))
		}
	}
	return bits
}

func (t *text) code(i int) uint32 {
	switch {
	case t.narrow != nil && i < len(t.narrow):
		return uint32(t.narrow[i])
	case t.medium != nil && i < len(t.medium):
		return uint32(t.medium[i])
	case t.wide != nil && i < len(t.wide):
		return t.wide[i]
	}
	return 0
}

func (t *text) len() int { return len(t.narrow) + len(t.medium) + len(t.wide) }

func (t *text) bytes() int {
	return t.dictionary.bytes() + cap(t.narrow) + 2*cap(t.medium) + 4*cap(t.wide)
}

// append writes the dictionary, the number of codes, and the codes, whose width
// follows from the dictionary's length.
func (t *text) append(b []byte) []byte {
	b = t.dictionary.append(b)
	b = binary.AppendUvarint(b, uint64(t.len()))
	b = append(b, t.narrow...)
	for _, code := range t.medium {
		b = binary.LittleEndian.AppendUint16(b, code)
	}
	for _, code := range t.wide {
		b = binary.LittleEndian.AppendUint32(b, code)
	}
	return b
}

func readText(r *reader) *text {
	t := &text{dictionary: readDictionary(r), narrow: []uint8{}}
	if len(t.values) == 0 || t.values[0] != "" {
		r.fail("a dictionary that does not begin with the empty value")
		return t
	}
	t.fit(uint32(len(t.values) - 1))
	n := r.length()
	switch {
	case t.narrow != nil:
		t.narrow = append(t.narrow, r.take(n)...)
	case t.medium != nil:
		part := r.take(2 * n)
		for i := 0; i < len(part); i += 2 {
			t.medium = append(t.medium, binary.LittleEndian.Uint16(part[i:]))
		}
	default:
		part := r.take(4 * n)
		for i := 0; i < len(part); i += 4 {
			t.wide = append(t.wide, binary.LittleEndian.Uint32(part[i:]))
		}
	}
	for i := range t.len() {
		if t.code(i) >= uint32(len(t.values)) {
			r.fail("a code beyond the dictionary")
			break
		}
	}
	return t
}
