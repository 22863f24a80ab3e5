package column

import (
	"slices"

	"github.com/bits-and-blooms/bitset"
)

// many is a field of any number of values: for each value the ordinals that have
// it, and for each ordinal its values, by which a changed session is compared.
type many struct {
	dictionary
	ordinals [][]uint32
	values   [][]uint32
	some     *bitset.BitSet // the ordinals that have a value
}

func newMany() *many { return &many{dictionary: newDictionary(), some: bitset.New(0)} }

// set gives the ordinal its values. A session's values are only ever added to: an
// ordinal whose session is gone counts nowhere, and is not used again.
func (m *many) set(ordinal int, values []string) {
	if len(values) == 0 {
		return
	}
	m.values = put(m.values, ordinal, at(m.values, ordinal))
	for _, value := range values {
		code := m.dictionary.add(value)
		if slices.Contains(m.values[ordinal], code) {
			continue
		}
		m.values[ordinal] = append(m.values[ordinal], code)
		m.ordinals = put(m.ordinals, int(code), append(at(m.ordinals, int(code)), uint32(ordinal)))
	}
	m.some.Set(uint(ordinal))
}

// at returns the element at i, the zero value beyond the end.
func at[T any](list []T, i int) (value T) {
	if i < len(list) {
		value = list[i]
	}
	return value
}

// match returns the ordinals below n that have one of the wanted values.
func (m *many) match(n int, want func(value string) bool) *bitset.BitSet {
	bits := bitset.New(uint(n))
	for code, value := range m.dictionary.values {
		if !want(value) {
			continue
		}
		for _, ordinal := range m.ordinals[code] {
			bits.Set(uint(ordinal))
		}
	}
	return bits
}

// without returns the ordinals below n that have no value.
func (m *many) without(n int) *bitset.BitSet {
	bits := bitset.New(uint(n))
	bits.InPlaceUnion(m.some)
	return bits.Complement()
}

func (m *many) bytes() int {
	bytes := m.dictionary.bytes() + 24*(cap(m.ordinals)+cap(m.values))
	for _, list := range m.ordinals {
		bytes += 4 * cap(list)
	}
	for _, list := range m.values {
		bytes += 4 * cap(list)
	}
	return bytes
}
