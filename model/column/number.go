package column

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"

	"github.com/bits-and-blooms/bitset"
)

// whole is a field of one whole number for each ordinal.
type whole struct{ numbers []int64 }

func (w *whole) set(ordinal int, number int64) { w.numbers = put(w.numbers, ordinal, number) }

// match returns the ordinals below n whose number lies between the ends.
func (w *whole) match(n int, low, high float64) *bitset.BitSet {
	from, to := wholeEnds(low, high)
	if from > to {
		return bitset.New(uint(n))
	}
	span := uint64(to) - uint64(from)
	words := make([]uint64, (n+63)/64)
	for i := range words {
		part := w.numbers[min(i*64, len(w.numbers)):min(i*64+64, len(w.numbers))]
		var word uint64
		for bit, number := range part {
			var in uint64 // without a branch, which could not be foreseen
			if uint64(number)-uint64(from) <= span {
				in = 1
			}
			word |= in << bit
		}
		words[i] = word
	}
	return bitset.FromWithLength(uint(n), words)
}

// wholeEnds returns the whole numbers that lie between two ends.
func wholeEnds(low, high float64) (from, to int64) {
	if math.IsNaN(low) || math.IsNaN(high) {
		return 1, 0
	}
	from, to = math.MinInt64, math.MaxInt64
	if low > math.MinInt64 {
		from = int64(math.Ceil(min(low, 1<<62)))
	}
	if high < math.MaxInt64 {
		to = int64(math.Floor(max(high, -1<<62)))
	}
	return from, to
}

// countSteps adds to counts how many of the ordinals have a number between each
// two neighbours of steps, the lower one included.
func (w *whole) countSteps(of *bitset.BitSet, steps []int64, counts []int) {
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		behind := sort.Search(len(steps), func(n int) bool { return steps[n] > w.numbers[i] })
		if 0 < behind && behind < len(steps) {
			counts[behind-1]++
		}
	}
}

func (w *whole) bytes() int { return 8 * cap(w.numbers) }

// append writes how many numbers there are, and each as its distance to the one
// before.
func (w *whole) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(w.numbers)))
	before := int64(0)
	for _, number := range w.numbers {
		b = binary.AppendVarint(b, number-before)
		before = number
	}
	return b
}

func readWhole(r *reader) *whole {
	n := r.length()
	w := &whole{numbers: make([]int64, 0, n)}
	number := int64(0)
	for range n {
		number += r.signed()
		w.numbers = append(w.numbers, number)
	}
	return w
}

// sums is a number that few ordinals have: the sums of one event's values, in the
// order of the ordinals.
type sums struct {
	ordinals []uint32
	sums     []float64
}

// set gives the ordinal its sum.
func (s *sums) set(ordinal int, sum float64) {
	i, found := slices.BinarySearch(s.ordinals, uint32(ordinal))
	if found {
		s.sums[i] = sum
		return
	}
	s.ordinals = slices.Insert(s.ordinals, i, uint32(ordinal))
	s.sums = slices.Insert(s.sums, i, sum)
}

// match returns the ordinals below n whose sum lies between the ends.
func (s *sums) match(n int, low, high float64) *bitset.BitSet {
	bits := bitset.New(uint(n))
	for i, sum := range s.sums {
		if low <= sum && sum <= high {
			bits.Set(uint(s.ordinals[i]))
		}
	}
	return bits
}

// total adds the sums of the ordinals whose bit is set, in their order.
func (s *sums) total(of *bitset.BitSet) (total float64) {
	for i, ordinal := range s.ordinals {
		if of.Test(uint(ordinal)) {
			total += s.sums[i]
		}
	}
	return total
}

func (s *sums) bytes() int { return 100 + 12*cap(s.ordinals) }

// append writes how many sums there are, the ordinals as distances, and the sums.
func (s *sums) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.ordinals)))
	before := uint32(0)
	for _, ordinal := range s.ordinals {
		b = binary.AppendUvarint(b, uint64(ordinal-before))
		before = ordinal
	}
	for _, sum := range s.sums {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(sum))
	}
	return b
}

func readSums(r *reader) *sums {
	s := &sums{}
	ordinal := uint64(0)
	n := r.length()
	for i := range n {
		distance := r.number()
		if ordinal += distance; ordinal > math.MaxInt32 || i > 0 && distance == 0 {
			r.fail("ordinals out of order")
			return s
		}
		s.ordinals = append(s.ordinals, uint32(ordinal))
	}
	part := r.take(8 * n)
	for i := 0; i < len(part); i += 8 {
		s.sums = append(s.sums, math.Float64frombits(binary.LittleEndian.Uint64(part[i:])))
	}
	return s
}
