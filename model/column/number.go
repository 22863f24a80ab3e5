package column

import (
	"math"
	"slices"
	"sort"

	"github.com/bits-and-blooms/bitset"
)

// whole is a number field that every session has, in whole numbers.
type whole []int64

// match returns the ordinals below n whose number lies between the ends.
func (w whole) match(n int, low, high float64) *bitset.BitSet {
	from, to := wholeEnds(low, high)
	words := make([]uint64, (n+63)/64)
	for i := range words {
		part := w[min(i*64, len(w)):min(i*64+64, len(w))]
		var word uint64
		for bit, number := range part {
			if from <= number && number <= to {
				word |= 1 << bit
			}
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

// sums is a number field that few sessions have: the sums of one event's values,
// in the order of the ordinals.
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

// countSteps adds to counts how many of the ordinals have a number between each
// two neighbours of steps, the lower one included.
func (w whole) countSteps(of *bitset.BitSet, steps []int64, counts []int) {
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		behind := sort.Search(len(steps), func(n int) bool { return steps[n] > w[i] })
		if 0 < behind && behind < len(steps) {
			counts[behind-1]++
		}
	}
}
