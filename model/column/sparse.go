package column

import (
	"encoding/binary"
	"math"
	mathbits "math/bits"
	"slices"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
)

// sparseColumn holds a sum for few ordinals, such as those of one event's values: the
// ordinals that have one, in their order, and their sums in micro-units.
type sparseColumn struct {
	ordinals []uint32
	numbers  []int64
	// wide are the sums that take more than 64 bits, by ordinal; their numbers are 0. There
	// is hardly ever one: most columns have no map.
	wide map[uint32]model.Sum
}

// set gives the ordinal its sum.
func (c *sparseColumn) set(ordinal int, sum model.Sum) {
	i, found := slices.BinarySearch(c.ordinals, uint32(ordinal))
	if !found {
		c.ordinals = slices.Insert(c.ordinals, i, uint32(ordinal))
		c.numbers = slices.Insert(c.numbers, i, 0)
	}
	number, fits := sum.Decimal()
	if fits {
		delete(c.wide, uint32(ordinal))
		c.numbers[i] = int64(number)
		return
	}
	if c.wide == nil {
		c.wide = map[uint32]model.Sum{}
	}
	c.wide[uint32(ordinal)], c.numbers[i] = sum, 0
}

// clear takes the ordinal its sum.
func (c *sparseColumn) clear(ordinal int) {
	if i, found := slices.BinarySearch(c.ordinals, uint32(ordinal)); found {
		c.ordinals, c.numbers = slices.Delete(c.ordinals, i, i+1), slices.Delete(c.numbers, i, i+1)
		delete(c.wide, uint32(ordinal))
	}
}

// at returns the i-th sum.
func (c *sparseColumn) at(i int) model.Sum {
	if c.wide != nil {
		if sum, found := c.wide[c.ordinals[i]]; found {
			return sum
		}
	}
	return model.Decimal(c.numbers[i]).Sum()
}

// match returns the ordinals below n whose sum lies between the ends.
func (c *sparseColumn) match(n int, low, high model.Sum) *bitset.BitSet {
	bits := bitset.New(uint(n))
	if from, to, some := within(low, high); some {
		for i, number := range c.numbers {
			if from <= number && number <= to {
				bits.Set(uint(c.ordinals[i]))
			}
		}
	}
	for ordinal, sum := range c.wide {
		bits.SetTo(uint(ordinal), low.Cmp(sum) <= 0 && sum.Cmp(high) <= 0)
	}
	return bits
}

// within returns the numbers of 64 bits that lie between two sums; some is false where
// there are none.
func within(low, high model.Sum) (from, to int64, some bool) {
	first, last := model.Decimal(math.MinInt64).Sum(), model.Decimal(math.MaxInt64).Sum()
	if low.Cmp(high) > 0 || low.Cmp(last) > 0 || high.Cmp(first) < 0 {
		return 0, 0, false
	}
	from, to = math.MinInt64, math.MaxInt64
	if d, fits := low.Decimal(); fits {
		from = int64(d)
	}
	if d, fits := high.Decimal(); fits {
		to = int64(d)
	}
	return from, to, true
}

// matches tells whether the ordinal has a sum between the ends.
func (c *sparseColumn) matches(ordinal int, low, high model.Sum) bool {
	i, found := slices.BinarySearch(c.ordinals, uint32(ordinal))
	if !found {
		return false
	}
	sum := c.at(i)
	return low.Cmp(sum) <= 0 && sum.Cmp(high) <= 0
}

// total adds the sums of the ordinals whose bit is set.
func (c *sparseColumn) total(of *bitset.BitSet) model.Sum {
	var high int64
	var low, carry uint64
	for i, ordinal := range c.ordinals {
		if of.Test(uint(ordinal)) {
			low, carry = mathbits.Add64(low, uint64(c.numbers[i]), 0)
			high += c.numbers[i]>>63 + int64(carry)
		}
	}
	total := model.SumOfWords(high, low)
	for ordinal, sum := range c.wide {
		if of.Test(uint(ordinal)) {
			total = total.Add(sum)
		}
	}
	return total
}

func (c *sparseColumn) bytes() int { return 100 + 12*cap(c.ordinals) + 40*len(c.wide) }

// Money mostly has two digits behind the point, so that numbers in micro-units end in zeros.
var powersOfTen = [...]int64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}

// zeros returns how many zeros all of the numbers end in, six at most.
func zeros(numbers []int64) int {
	n := len(powersOfTen) - 1
	for _, number := range numbers {
		for number%powersOfTen[n] != 0 {
			n--
		}
	}
	return n
}

// append writes the ordinals as distances, the numbers as an integer column without the
// zeros that all of them end in, and the wide sums, each behind its ordinal.
func (c *sparseColumn) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.ordinals)))
	before := uint32(0)
	for _, ordinal := range c.ordinals {
		b = binary.AppendUvarint(b, uint64(ordinal-before))
		before = ordinal
	}
	dropped := zeros(c.numbers)
	short := make([]int64, len(c.numbers))
	for i, number := range c.numbers {
		short[i] = number / powersOfTen[dropped]
	}
	numbers := newIntegerColumn()
	numbers.setAll(short)
	b = numbers.append(binary.AppendUvarint(b, uint64(dropped)))
	b = binary.AppendUvarint(b, uint64(len(c.wide)))
	for _, ordinal := range c.ordinals {
		if sum, found := c.wide[ordinal]; found {
			high, low := sum.Words()
			b = binary.AppendUvarint(b, uint64(ordinal))
			b = binary.LittleEndian.AppendUint64(b, uint64(high))
			b = binary.LittleEndian.AppendUint64(b, low)
		}
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
	dropped := r.number()
	numbers := readIntegerColumn(r)
	if dropped >= uint64(len(powersOfTen)) || numbers.len() != n {
		r.fail("other sums than ordinals")
		return &sparseColumn{}
	}
	c.numbers = make([]int64, n)
	for i := range c.numbers {
		c.numbers[i] = numbers.at(i) * powersOfTen[dropped]
	}
	for wide := r.length(); wide > 0; wide-- {
		ordinal, words := r.number(), r.next(16)
		if words == nil || !c.has(ordinal) {
			r.fail("a wide sum of no ordinal")
			return c
		}
		c.set(int(ordinal), model.SumOfWords(int64(binary.LittleEndian.Uint64(words)), binary.LittleEndian.Uint64(words[8:])))
	}
	return c
}

func (c *sparseColumn) has(ordinal uint64) bool {
	_, found := slices.BinarySearch(c.ordinals, uint32(ordinal))
	return found && ordinal <= math.MaxInt32
}
