package column

import (
	"encoding/binary"
	"math"
	mathbits "math/bits"
	"slices"
	"sort"

	"github.com/bits-and-blooms/bitset"
)

// whole is a field of one whole number for each ordinal, kept as its distance from
// a base. A number below the base wraps around, which is right and takes 8 bytes.
type whole struct {
	based     bool // the first number has chosen the base
	base      int64
	distances vector
}

func newWhole() *whole { return &whole{distances: newVector()} }

// margin is what numbers that are large, such as times, may lie below the first.
const margin = 1 << 27

func (w *whole) set(ordinal int, number int64) {
	if !w.based {
		w.based = true
		if number > math.MaxUint32 {
			w.base = number - margin
		}
	}
	w.fill(ordinal)
	w.distances.set(ordinal, uint64(number)-uint64(w.base))
}

// take takes the numbers in place of those that are there.
func (w *whole) take(numbers []int64) {
	if len(numbers) == 0 {
		return
	}
	w.based, w.base = true, 0
	if numbers[0] > math.MaxUint32 {
		w.base = numbers[0] - margin
	}
	distances := make([]uint64, len(numbers))
	for i, number := range numbers {
		distances[i] = uint64(number) - uint64(w.base)
	}
	w.distances = vectorOf(distances)
}

// fill gives ordinals below n that have no number yet some number: they do not
// count.
func (w *whole) fill(n int) {
	for w.len() < n {
		w.distances.set(w.len(), 0)
	}
}

func (w *whole) at(ordinal int) int64 { return int64(w.distances.at(ordinal) + uint64(w.base)) }

func (w *whole) len() int { return w.distances.len() }

// match returns the ordinals below n whose number lies between the ends.
func (w *whole) match(n int, low, high float64) *bitset.BitSet {
	from, to := wholeEnds(low, high)
	if w.distances.w64 != nil { // numbers may have wrapped around
		bits := bitset.New(uint(n))
		for i := range w.distances.w64 {
			if number := w.at(i); from <= number && number <= to {
				bits.Set(uint(i))
			}
		}
		return bits
	}
	if from > to || to < w.base {
		return bitset.New(uint(n))
	}
	return w.distances.between(n, uint64(max(from, w.base))-uint64(w.base), uint64(to)-uint64(w.base))
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
		behind := sort.Search(len(steps), func(n int) bool { return steps[n] > w.at(int(i)) })
		if 0 < behind && behind < len(steps) {
			counts[behind-1]++
		}
	}
}

func (w *whole) bytes() int { return w.distances.bytes() }

// The two ways to write numbers: each as its distance to the one before, which is
// short for those that rise, such as times; or the distances from the base byte by
// byte, all the lowest ones first, which is short for those in no order.
const (
	inSteps = iota
	inPlanes
)

// append writes the way, how many numbers there are, and the numbers in the way
// that is shorter.
func (w *whole) append(b []byte) []byte {
	before := int64(0)
	var steps []byte
	for i := range w.len() {
		number := w.at(i)
		steps = binary.AppendVarint(steps, number-before)
		before = number
	}
	planes := max(1, (mathbits.Len64(w.distances.largest())+7)/8)
	if len(steps) <= planes*w.len() {
		b = binary.AppendUvarint(append(b, inSteps), uint64(w.len()))
		return append(b, steps...)
	}
	b = binary.AppendUvarint(append(b, inPlanes), uint64(w.len()))
	b = binary.AppendVarint(b, w.base)
	b = binary.AppendUvarint(b, uint64(planes))
	for plane := range planes {
		for i := range w.len() {
			b = append(b, byte(w.distances.at(i)>>(8*plane)))
		}
	}
	return b
}

func readWhole(r *reader) *whole {
	w := newWhole()
	way := r.number()
	n := r.length()
	switch way {
	case inSteps:
		numbers := make([]int64, n)
		number := int64(0)
		for i := range numbers {
			number += r.signed()
			numbers[i] = number
		}
		w.take(numbers)
	case inPlanes:
		w.based, w.base = true, r.signed()
		planes := r.number()
		if planes == 0 || planes > 8 {
			r.fail("numbers of another width")
			return w
		}
		distances := make([]uint64, n)
		for plane := range planes {
			for i, part := range r.take(n) {
				distances[i] |= uint64(part) << (8 * plane)
			}
		}
		w.distances = vectorOf(distances)
	default:
		r.fail("numbers written in an unknown way")
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

// matches tells whether the ordinal has a sum between the ends.
func (s *sums) matches(ordinal int, low, high float64) bool {
	i, found := slices.BinarySearch(s.ordinals, uint32(ordinal))
	return found && low <= s.sums[i] && s.sums[i] <= high
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
