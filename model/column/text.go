package column

import (
	"math"

	"github.com/bits-and-blooms/bitset"
)

// code is a value's number in a dictionary. Codes are kept as narrow as the
// dictionary allows: most have less than 256 values.
type code interface{ ~uint8 | ~uint16 | ~uint32 }

// dictionary numbers the values of a column.
type dictionary struct {
	values []string
	codes  map[string]uint32
}

func newDictionary(values ...string) dictionary {
	d := dictionary{codes: map[string]uint32{}}
	for _, value := range values {
		d.add(value)
	}
	return d
}

// add returns the value's code, a new one where it is new.
func (d *dictionary) add(value string) uint32 {
	if code, found := d.codes[value]; found {
		return code
	}
	code := uint32(len(d.values))
	// The value may be part of a longer text that would be kept with it.
	value = string([]byte(value))
	d.values = append(d.values, value)
	d.codes[value] = code
	return code
}

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
	switch {
	case t.narrow != nil && code > math.MaxUint8:
		t.medium, t.narrow = widen[uint16](t.narrow), nil
	case t.medium != nil && code > math.MaxUint16:
		t.wide, t.medium = widen[uint32](t.medium), nil
	}
	switch {
	case t.narrow != nil:
		t.narrow = put(t.narrow, ordinal, uint8(code))
	case t.medium != nil:
		t.medium = put(t.medium, ordinal, uint16(code))
	default:
		t.wide = put(t.wide, ordinal, code)
	}
}

func widen[to, from code](codes []from) []to {
	wider := make([]to, len(codes))
	for i, code := range codes {
		wider[i] = to(code)
	}
	return wider
}

// put sets the element at i of a list that grows as needed.
func put[T any](list []T, i int, value T) []T {
	for len(list) <= i {
		var zero T
		list = append(list, zero)
	}
	list[i] = value
	return list
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
	// Ordinals beyond the column have the value none.
	bits := bitset.FromWithLength(uint(n), words)
	if wanted[0] == 1 {
		for i := len(codes); i < n; i++ {
			bits.Set(uint(i))
		}
	}
	return bits
}

// counts adds one to the count of each ordinal's value where the bit is set.
func (t *text) counts(of *bitset.BitSet, counts []int) {
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		counts[t.code(int(i))]++
	}
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

func (t *text) bytes() int {
	return t.dictionary.bytes() + cap(t.narrow) + 2*cap(t.medium) + 4*cap(t.wide)
}

// bytes counts a value's text, and its entries in the list and in the map.
func (d *dictionary) bytes() int {
	bytes := 0
	for _, value := range d.values {
		bytes += len(value) + 64
	}
	return bytes
}
