package column

import (
	"math"

	"github.com/bits-and-blooms/bitset"
)

// vector is a list of numbers, each as wide as the largest needs. One of the
// slices is used.
type vector struct {
	w8  []uint8
	w16 []uint16
	w32 []uint32
	w64 []uint64
}

func newVector() vector { return vector{w8: []uint8{}} }

// unsigned is the type of a vector's elements.
type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// fit makes the elements wide enough for a number.
func (v *vector) fit(number uint64) {
	if v.w8 != nil && number > math.MaxUint8 {
		v.w16, v.w8 = widen[uint16](v.w8), nil
	}
	if v.w16 != nil && number > math.MaxUint16 {
		v.w32, v.w16 = widen[uint32](v.w16), nil
	}
	if v.w32 != nil && number > math.MaxUint32 {
		v.w64, v.w32 = widen[uint64](v.w32), nil
	}
}

func widen[to, from unsigned](list []from) []to {
	wider := make([]to, len(list))
	for i, number := range list {
		wider[i] = to(number)
	}
	return wider
}

// set gives the element at i a number, and elements before it that are missing 0.
func (v *vector) set(i int, number uint64) {
	v.fit(number)
	switch {
	case v.w8 != nil:
		v.w8 = put(v.w8, i, uint8(number))
	case v.w16 != nil:
		v.w16 = put(v.w16, i, uint16(number))
	case v.w32 != nil:
		v.w32 = put(v.w32, i, uint32(number))
	default:
		v.w64 = put(v.w64, i, number)
	}
}

// at returns the element at i, 0 beyond the end.
func (v *vector) at(i int) uint64 {
	switch {
	case v.w8 != nil:
		return uint64(at(v.w8, i))
	case v.w16 != nil:
		return uint64(at(v.w16, i))
	case v.w32 != nil:
		return uint64(at(v.w32, i))
	}
	return at(v.w64, i)
}

// largest returns the largest element, 0 without any.
func (v *vector) largest() uint64 {
	return max(largest(v.w8), largest(v.w16), largest(v.w32), largest(v.w64))
}

func largest[N unsigned](list []N) (most uint64) {
	for _, number := range list {
		most = max(most, uint64(number))
	}
	return most
}

func (v *vector) len() int { return len(v.w8) + len(v.w16) + len(v.w32) + len(v.w64) }

func (v *vector) bytes() int { return cap(v.w8) + 2*cap(v.w16) + 4*cap(v.w32) + 8*cap(v.w64) }

// marked returns the places below n whose element has a mark of 1; marks has one
// for each number that occurs. Places beyond the vector have the element 0.
func (v *vector) marked(n int, marks []uint64) *bitset.BitSet {
	switch {
	case v.w8 != nil:
		return marked(v.w8, n, marks)
	case v.w16 != nil:
		return marked(v.w16, n, marks)
	case v.w32 != nil:
		return marked(v.w32, n, marks)
	}
	return marked(v.w64, n, marks)
}

func marked[N unsigned](list []N, n int, marks []uint64) *bitset.BitSet {
	words := make([]uint64, (n+63)/64)
	for w := range words {
		part := list[min(w*64, len(list)):min(w*64+64, len(list))]
		var word uint64
		for i, number := range part {
			word |= marks[number] << i
		}
		words[w] = word
	}
	bits := bitset.FromWithLength(uint(n), words)
	if marks[0] == 1 {
		for i := len(list); i < n; i++ {
			bits.Set(uint(i))
		}
	}
	return bits
}

// between returns the places below n whose element lies between the ends.
func (v *vector) between(n int, low, high uint64) *bitset.BitSet {
	switch {
	case v.w8 != nil:
		return between(v.w8, n, low, high)
	case v.w16 != nil:
		return between(v.w16, n, low, high)
	case v.w32 != nil:
		return between(v.w32, n, low, high)
	}
	return between(v.w64, n, low, high)
}

func between[N unsigned](list []N, n int, low, high uint64) *bitset.BitSet {
	words := make([]uint64, (n+63)/64)
	most := uint64(^N(0))
	if low > high || low > most {
		return bitset.FromWithLength(uint(n), words)
	}
	from, span := N(low), N(min(high, most)-low)
	for w := range words {
		part := list[min(w*64, len(list)):min(w*64+64, len(list))]
		var word uint64
		for i, number := range part {
			var in uint64 // without a branch, which could not be foreseen
			if number-from <= span {
				in = 1
			}
			word |= in << i
		}
		words[w] = word
	}
	return bitset.FromWithLength(uint(n), words)
}
