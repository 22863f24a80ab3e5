package column

import (
	"encoding/binary"
	"math"
	mathbits "math/bits"
	"sort"

	"github.com/bits-and-blooms/bitset"
)

// integerColumn holds one whole number for each ordinal, kept as its distance from a
// base. A number below the base wraps around, which is right and takes 8 bytes.
type integerColumn struct {
	based     bool // the first number has chosen the base
	base      int64
	distances vector
}

func newIntegerColumn() *integerColumn { return &integerColumn{distances: newVector()} }

// margin is what numbers that are large, such as times, may lie below the first.
const margin = 1 << 27

func (c *integerColumn) set(ordinal int, number int64) {
	if !c.based {
		c.based = true
		if number > math.MaxUint32 {
			c.base = number - margin
		}
	}
	c.fill(ordinal)
	c.distances.set(ordinal, uint64(number)-uint64(c.base))
}

// setAll puts the numbers in place of those that are there.
func (c *integerColumn) setAll(numbers []int64) {
	if len(numbers) == 0 {
		return
	}
	c.based, c.base = true, 0
	if numbers[0] > math.MaxUint32 {
		c.base = numbers[0] - margin
	}
	distances := make([]uint64, len(numbers))
	for i, number := range numbers {
		distances[i] = uint64(number) - uint64(c.base)
	}
	c.distances = vectorOf(distances)
}

// fill gives ordinals below n that have no number yet some number: they do not
// count.
func (c *integerColumn) fill(n int) {
	for c.len() < n {
		c.distances.set(c.len(), 0)
	}
}

func (c *integerColumn) at(ordinal int) int64 { return int64(c.distances.at(ordinal) + uint64(c.base)) }

func (c *integerColumn) len() int { return c.distances.len() }

// match returns the ordinals below n whose number lies between the ends.
func (c *integerColumn) match(n int, low, high float64) *bitset.BitSet {
	from, to := integerEnds(low, high)
	if c.distances.w64 != nil { // numbers may have wrapped around
		bits := bitset.New(uint(n))
		for i := range c.distances.w64 {
			if number := c.at(i); from <= number && number <= to {
				bits.Set(uint(i))
			}
		}
		return bits
	}
	if from > to || to < c.base {
		return bitset.New(uint(n))
	}
	return c.distances.between(n, uint64(max(from, c.base))-uint64(c.base), uint64(to)-uint64(c.base))
}

// integerEnds returns the whole numbers that lie between two ends.
func integerEnds(low, high float64) (from, to int64) {
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
func (c *integerColumn) countSteps(of *bitset.BitSet, steps []int64, counts []int) {
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		behind := sort.Search(len(steps), func(n int) bool { return steps[n] > c.at(int(i)) })
		if 0 < behind && behind < len(steps) {
			counts[behind-1]++
		}
	}
}

func (c *integerColumn) bytes() int { return c.distances.bytes() }

// Encodings of numbers. The delta encoding writes each as its distance to the one before,
// which is short for those that rise, such as times. Byte-stream-split writes the distances
// from the base byte by byte, all the lowest bytes first, which is short for those in no
// order.
const (
	deltaEncoding = iota
	byteStreamSplit
)

// append writes the encoding that is shorter, how many numbers there are, and the numbers
// in it.
func (c *integerColumn) append(b []byte) []byte {
	before := int64(0)
	var deltas []byte
	for i := range c.len() {
		number := c.at(i)
		deltas = binary.AppendVarint(deltas, number-before)
		before = number
	}
	streams := max(1, (mathbits.Len64(c.distances.largest())+7)/8)
	if len(deltas) <= streams*c.len() {
		b = binary.AppendUvarint(append(b, deltaEncoding), uint64(c.len()))
		return append(b, deltas...)
	}
	b = binary.AppendUvarint(append(b, byteStreamSplit), uint64(c.len()))
	b = binary.AppendVarint(b, c.base)
	b = binary.AppendUvarint(b, uint64(streams))
	for stream := range streams {
		for i := range c.len() {
			b = append(b, byte(c.distances.at(i)>>(8*stream)))
		}
	}
	return b
}

func readIntegerColumn(r *reader) *integerColumn {
	c := newIntegerColumn()
	encoding := r.number()
	n := r.length()
	switch encoding {
	case deltaEncoding:
		numbers := make([]int64, n)
		number := int64(0)
		for i := range numbers {
			number += r.signed()
			numbers[i] = number
		}
		c.setAll(numbers)
	case byteStreamSplit:
		c.based, c.base = true, r.signed()
		streams := r.number()
		if streams == 0 || streams > 8 {
			r.fail("numbers of another width")
			return c
		}
		distances := make([]uint64, n)
		for stream := range streams {
			for i, part := range r.next(n) {
				distances[i] |= uint64(part) << (8 * stream)
			}
		}
		c.distances = vectorOf(distances)
	default:
		r.fail("numbers in an unknown encoding")
	}
	return c
}
