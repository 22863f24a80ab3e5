package column

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/bits-and-blooms/bitset"
)

// sparseColumn holds a number for few ordinals, such as the sums of one event's values: the
// ordinals that have one, in their order, and the numbers.
type sparseColumn struct {
	ordinals []uint32
	numbers  []float64
}

// set gives the ordinal its number.
func (c *sparseColumn) set(ordinal int, number float64) {
	i, found := slices.BinarySearch(c.ordinals, uint32(ordinal))
	if found {
		c.numbers[i] = number
		return
	}
	c.ordinals = slices.Insert(c.ordinals, i, uint32(ordinal))
	c.numbers = slices.Insert(c.numbers, i, number)
}

// match returns the ordinals below n whose number lies between the ends.
func (c *sparseColumn) match(n int, low, high float64) *bitset.BitSet {
	bits := bitset.New(uint(n))
	for i, number := range c.numbers {
		if low <= number && number <= high {
			bits.Set(uint(c.ordinals[i]))
		}
	}
	return bits
}

// matches tells whether the ordinal has a number between the ends.
func (c *sparseColumn) matches(ordinal int, low, high float64) bool {
	i, found := slices.BinarySearch(c.ordinals, uint32(ordinal))
	return found && low <= c.numbers[i] && c.numbers[i] <= high
}

// total adds the numbers of the ordinals whose bit is set, in their order.
func (c *sparseColumn) total(of *bitset.BitSet) (total float64) {
	for i, ordinal := range c.ordinals {
		if of.Test(uint(ordinal)) {
			total += c.numbers[i]
		}
	}
	return total
}

func (c *sparseColumn) bytes() int { return 100 + 12*cap(c.ordinals) }

// append writes how many numbers there are, the ordinals as distances, and the numbers.
func (c *sparseColumn) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.ordinals)))
	before := uint32(0)
	for _, ordinal := range c.ordinals {
		b = binary.AppendUvarint(b, uint64(ordinal-before))
		before = ordinal
	}
	for _, number := range c.numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(number))
	}
	return b
}

func readSparseColumn(r *reader) *sparseColumn {
	c := &sparseColumn{}
	ordinal := uint64(0)
	n := r.length()
	for i := range n {
		distance := r.number()
		if ordinal += distance; ordinal > math.MaxInt32 || i > 0 && distance == 0 {
			r.fail("ordinals out of order")
			return c
		}
		c.ordinals = append(c.ordinals, uint32(ordinal))
	}
	part := r.next(8 * n)
	for i := 0; i < len(part); i += 8 {
		c.numbers = append(c.numbers, math.Float64frombits(binary.LittleEndian.Uint64(part[i:])))
	}
	return c
}
