package column

import (
	"math"
	"sync"

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

// oneOf returns the places below n whose element is one of the numbers, which are in
// their order. Places beyond the vector have the element 0.
func (v *vector) oneOf(n int, numbers []uint32) *bitset.BitSet {
	words := make([]uint64, (n+63)/64)
	switch {
	case len(numbers) == 0 || v.scanRuns(words, numbers):
	case v.w8 != nil:
		setMarked(words, v.w8, numbers)
	case v.w16 != nil:
		setMarked(words, v.w16, numbers)
	case v.w32 != nil:
		setMarkedWide(words, v.w32, numbers)
	default:
		setMarkedWide(words, v.w64, numbers)
	}
	bits := bitset.FromWithLength(uint(n), words)
	if len(numbers) > 0 && numbers[0] == 0 {
		for i := v.len(); i < n; i++ {
			bits.Set(uint(i))
		}
	}
	return bits
}

// scanRuns sets the bits of the elements that are one of the numbers, where a scan for
// each run of numbers is fastest. ok is false where it is not, and nothing is set.
func (v *vector) scanRuns(words []uint64, numbers []uint32) (ok bool) {
	const most = 8 // a scan takes less than an eighth of the time that setMarked takes
	if !vectorized || v.w64 != nil {
		return false
	}
	type run struct{ low, high uint32 }
	runs := make([]run, 0, most)
	for i, number := range numbers {
		if i > 0 && number == numbers[i-1]+1 {
			runs[len(runs)-1].high = number
			continue
		}
		if len(runs) == most {
			return false
		}
		runs = append(runs, run{number, number})
	}
	for _, r := range runs {
		v.setBetween(words, uint64(r.low), uint64(r.high))
	}
	return true
}

// between returns the places below n whose element lies between the ends.
func (v *vector) between(n int, low, high uint64) *bitset.BitSet {
	words := make([]uint64, (n+63)/64)
	v.setBetween(words, low, high)
	return bitset.FromWithLength(uint(n), words)
}

// setBetween sets the bits of the elements that lie between the ends.
func (v *vector) setBetween(words []uint64, low, high uint64) {
	switch {
	case v.w8 != nil:
		setBetween(words, v.w8, low, high, scan8)
	case v.w16 != nil:
		setBetween(words, v.w16, low, high, scan16)
	case v.w32 != nil:
		setBetween(words, v.w32, low, high, scan32)
	default:
		setBetweenWide(words, v.w64, low, high)
	}
}

// The loops below take 64 elements to a word at a time, as an array: what the
// compiler knows to be within bounds it does not check. Of eight elements the bits are
// shifted by what it knows, too. Most of a count's time is spent here and in
// scan_amd64.s.

// tables are for setMarked, all zero.
var tables = sync.Pool{New: func() any { return new([1 << 16]uint8) }}

// setMarked sets the bits of the elements that a table marks. No element is outside it.
func setMarked[N uint8 | uint16](words []uint64, list []N, numbers []uint32) {
	table := tables.Get().(*[1 << 16]uint8)
	for _, number := range numbers {
		table[number] = 1
	}
	for w := range len(list) / 64 {
		part := (*[64]N)(list[w*64:])
		var word uint64
		for i := 0; i < 64; i += 8 {
			word |= (uint64(table[part[i]]) | uint64(table[part[i+1]])<<1 | uint64(table[part[i+2]])<<2 | uint64(table[part[i+3]])<<3 |
				uint64(table[part[i+4]])<<4 | uint64(table[part[i+5]])<<5 | uint64(table[part[i+6]])<<6 | uint64(table[part[i+7]])<<7) << (i & 63)
		}
		words[w] = word
	}
	for i := len(list) &^ 63; i < len(list); i++ {
		words[i/64] |= uint64(table[list[i]]) << (i & 63)
	}
	for _, number := range numbers {
		table[number] = 0
	}
	tables.Put(table)
}

// setMarkedWide is setMarked for numbers of which a table would be too large.
func setMarkedWide[N uint32 | uint64](words []uint64, list []N, numbers []uint32) {
	marks := make([]uint64, numbers[len(numbers)-1]+1)
	for _, number := range numbers {
		marks[number] = 1
	}
	for i, number := range list {
		if uint64(number) < uint64(len(marks)) {
			words[i/64] |= marks[number] << (i & 63)
		}
	}
}

// setBetween leaves all elements of full words to scan, where there is one. It does not
// ask where an element lies, which could not be foreseen: what is subtracted from an
// element that lies between carries into the highest bit of a wider number.
func setBetween[N uint8 | uint16 | uint32](words []uint64, list []N, low, high uint64, scan func(words *uint64, list *N, n int, low, span N)) {
	most := uint64(^N(0))
	if low > high || low > most {
		return
	}
	from, span := N(low), min(high, most)-low
	done, full := 0, len(list)/64
	if vectorized && full > 0 {
		scan(&words[0], &list[0], full, from, N(span))
		done = full
	}
	behind := span + 1
	for w := done; w < full; w++ {
		part := (*[64]N)(list[w*64:])
		var word uint64
		for i := 0; i < 64; i += 8 {
			word |= ((uint64(part[i]-from)-behind)>>63 | (uint64(part[i+1]-from)-behind)>>63<<1 |
				(uint64(part[i+2]-from)-behind)>>63<<2 | (uint64(part[i+3]-from)-behind)>>63<<3 |
				(uint64(part[i+4]-from)-behind)>>63<<4 | (uint64(part[i+5]-from)-behind)>>63<<5 |
				(uint64(part[i+6]-from)-behind)>>63<<6 | (uint64(part[i+7]-from)-behind)>>63<<7) << (i & 63)
		}
		words[w] |= word
	}
	for i := full * 64; i < len(list); i++ {
		words[i/64] |= (uint64(list[i]-from) - behind) >> 63 << (i & 63)
	}
}

// setBetweenWide is setBetween for numbers that have no wider ones.
func setBetweenWide(words []uint64, list []uint64, low, high uint64) {
	for i, number := range list {
		if low <= number && number <= high {
			words[i/64] |= 1 << (i & 63)
		}
	}
}
