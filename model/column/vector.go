package column

import (
	"bytes"
	"encoding/binary"
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

// vectorOf returns a vector of the numbers.
func vectorOf(numbers []uint64) vector {
	switch most := largest(numbers); {
	case most <= math.MaxUint8:
		return vector{w8: convert[uint8](numbers)}
	case most <= math.MaxUint16:
		return vector{w16: convert[uint16](numbers)}
	case most <= math.MaxUint32:
		return vector{w32: convert[uint32](numbers)}
	}
	return vector{w64: numbers}
}

// unsigned is the type of a vector's elements.
type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// fit makes the elements wide enough for a number.
func (v *vector) fit(number uint64) {
	if v.w8 != nil && number > math.MaxUint8 {
		v.w16, v.w8 = convert[uint16](v.w8), nil
	}
	if v.w16 != nil && number > math.MaxUint16 {
		v.w32, v.w16 = convert[uint32](v.w16), nil
	}
	if v.w32 != nil && number > math.MaxUint32 {
		v.w64, v.w32 = convert[uint64](v.w32), nil
	}
}

func convert[to, from unsigned](list []from) []to {
	converted := make([]to, len(list))
	for i, number := range list {
		converted[i] = to(number)
	}
	return converted
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
func (v *vector) marked(n int, marks []uint8) *bitset.BitSet {
	var words []uint64
	switch {
	case v.w8 != nil:
		words = marked8(v.w8, n, marks)
	case v.w16 != nil:
		words = marked(v.w16, n, marks)
	case v.w32 != nil:
		words = marked(v.w32, n, marks)
	default:
		words = marked(v.w64, n, marks)
	}
	bits := bitset.FromWithLength(uint(n), words)
	if marks[0] == 1 {
		for i := v.len(); i < n; i++ {
			bits.Set(uint(i))
		}
	}
	return bits
}

// The loops below take 64 elements to a word at a time, as an array: what the
// compiler knows to be within bounds it does not check. Most of a count's time is
// spent here.

func marked[N unsigned](list []N, n int, marks []uint8) []uint64 {
	words := make([]uint64, (n+63)/64)
	for w := range len(list) / 64 {
		part := (*[64]N)(list[w*64:])
		var word uint64
		for i := 0; i < 64; i += 4 {
			word |= uint64(marks[part[i]])<<(i&63) | uint64(marks[part[i+1]])<<((i+1)&63) |
				uint64(marks[part[i+2]])<<((i+2)&63) | uint64(marks[part[i+3]])<<((i+3)&63)
		}
		words[w] = word
	}
	for i := len(list) &^ 63; i < len(list); i++ {
		words[i/64] |= uint64(marks[list[i]]) << (i & 63)
	}
	return words
}

// marked8 is marked for numbers of one byte, whose marks fit a small table.
func marked8(list []uint8, n int, marks []uint8) []uint64 {
	words := make([]uint64, (n+63)/64)
	if numbers := numbersOf(marks); len(numbers) <= mostCompared {
		for _, number := range numbers {
			addEqual8(words, list, number)
		}
		return words
	}
	var table [256]uint64
	for number, mark := range marks {
		table[number] = uint64(mark)
	}
	for w := range len(list) / 64 {
		part := (*[64]uint8)(list[w*64:])
		var word uint64
		for i := 0; i < 64; i += 4 {
			word |= table[part[i]]<<(i&63) | table[part[i+1]]<<((i+1)&63) | table[part[i+2]]<<((i+2)&63) | table[part[i+3]]<<((i+3)&63)
		}
		words[w] = word
	}
	for i := len(list) &^ 63; i < len(list); i++ {
		words[i/64] |= table[list[i]] << (i & 63)
	}
	return words
}

// mostCompared is how many numbers are compared with each element faster than its mark is
// looked up.
const mostCompared = 2

// numbersOf returns the numbers that have marks, but no more than is to be compared and
// one.
func numbersOf(marks []uint8) (numbers []uint8) {
	for number := 0; len(numbers) <= mostCompared; number++ {
		next := bytes.IndexByte(marks[number:], 1)
		if next < 0 {
			break
		}
		number += next
		numbers = append(numbers, uint8(number))
	}
	return numbers
}

// addEqual8 adds the places of the elements that are a number. Eight elements are lanes of
// a word: a lane that does not differ carries nothing into its highest bit, from which all
// other bits are kept away, and a multiplication brings these bits next to each other.
func addEqual8(words []uint64, list []uint8, number uint8) {
	const (
		ones = 0x0101010101010101
		rest = 0x7f * ones
	)
	lanes := ones * uint64(number)
	for w := range len(list) / 64 {
		part := (*[64]uint8)(list[w*64:])
		var word uint64
		for i := 0; i < 64; i += 8 {
			x := binary.LittleEndian.Uint64(part[i:i+8]) ^ lanes
			differ := x&rest + rest | x | rest
			word |= (^differ >> 7) * 0x0102040810204080 >> 56 << (i & 63)
		}
		words[w] |= word
	}
	for i := len(list) &^ 63; i < len(list); i++ {
		if list[i] == number {
			words[i/64] |= 1 << (i & 63)
		}
	}
}

// between returns the places below n whose element lies between the ends.
func (v *vector) between(n int, low, high uint64) *bitset.BitSet {
	var words []uint64
	switch {
	case v.w8 != nil:
		words = between(v.w8, n, low, high)
	case v.w16 != nil:
		words = between(v.w16, n, low, high)
	case v.w32 != nil:
		words = between(v.w32, n, low, high)
	default:
		words = between(v.w64, n, low, high)
	}
	return bitset.FromWithLength(uint(n), words)
}

func between[N unsigned](list []N, n int, low, high uint64) []uint64 {
	words := make([]uint64, (n+63)/64)
	most := uint64(^N(0))
	if low > high || low > most {
		return words
	}
	from, span := N(low), N(min(high, most)-low)
	in := func(number N) (bit uint64) { // without a branch, which could not be foreseen
		if number-from <= span {
			bit = 1
		}
		return bit
	}
	for w := range len(list) / 64 {
		part := (*[64]N)(list[w*64:])
		var word uint64
		for i := 0; i < 64; i += 4 {
			word |= in(part[i])<<(i&63) | in(part[i+1])<<((i+1)&63) | in(part[i+2])<<((i+2)&63) | in(part[i+3])<<((i+3)&63)
		}
		words[w] = word
	}
	for i := len(list) &^ 63; i < len(list); i++ {
		words[i/64] |= in(list[i]) << (i & 63)
	}
	return words
}
