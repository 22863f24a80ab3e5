package column

import (
	"math"
	mathbits "math/bits"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/bits-and-blooms/bitset"
)

const (
	// container is how many numbers a container of a roaring bitmap is for.
	container = 1 << 16
	// sparse is how far apart numbers are that are sorted faster than marked.
	sparse = 64
)

// marks are for VisitorsOf, all zero: a site's visitors may take megabytes, which are new for each partition otherwise.
var marks = sync.Pool{New: func() any { return new([]uint64) }}

// VisitorsOf returns the visitors of the sessions. It needs Visitors.
//
// The numbers are marked in words of bits, and whole words become the set: adding them one by one takes five times as long.
func (s *Sessions) VisitorsOf(of Set) *roaring64.Bitmap {
	column, count := get[*integerColumn](s, Visitors), uint64(of.Count())
	least, most := column.ends()
	if isSparse(least, most, count) {
		return column.setOf(of, count)
	}
	return column.denseSetOf(of, least, most)
}

// VisitorsOfGroups calls do with the visitors of the sessions of each group that has some, and ends with its first error. It
// needs Visitors.
func (s *Sessions) VisitorsOfGroups(g *Groups, of Set, do func(group int, visitors *roaring64.Bitmap) error) error {
	column := get[*integerColumn](s, Visitors)
	least, most := column.ends()
	set, numbers := bitset.New(uint(s.n)), []uint64(nil)
	for group, list := range g.listed(of) {
		if len(list) == 0 {
			continue
		}
		var visitors *roaring64.Bitmap
		if isSparse(least, most, uint64(len(list))) {
			numbers = numbers[:0]
			for _, ordinal := range list {
				numbers = append(numbers, uint64(column.at(int(ordinal))))
			}
			visitors = setOf(numbers)
		} else {
			for _, ordinal := range list {
				set.Set(uint(ordinal))
			}
			visitors = column.denseSetOf(set, least, most)
			set.ClearAll()
		}
		if err := do(group, visitors); err != nil {
			return err
		}
	}
	return nil
}

// isSparse tells whether so many numbers between two ends are sorted faster than marked.
func isSparse(least, most, count uint64) bool {
	return count == 0 || most > math.MaxUint32 || most-(least-least%container) > sparse*count
}

// denseSetOf returns the numbers of some ordinals, which are between two ends, by marking them.
func (c *integerColumn) denseSetOf(of Set, least, most uint64) *roaring64.Bitmap {
	low := least - least%container
	pooled := marks.Get().(*[]uint64)
	n := int(most-low)/64 + 1
	*pooled = slices.Grow(*pooled, n)
	words := (*pooled)[:n]
	offset := uint64(c.base) - low
	switch v := c.distances; {
	case v.w8 != nil:
		mark(words, v.w8, of.Words(), offset)
	case v.w16 != nil:
		mark(words, v.w16, of.Words(), offset)
	default:
		mark(words, v.w32, of.Words(), offset)
	}
	set := roaring.FromDense(words, true)
	clear(words)
	marks.Put(pooled)
	if low > 0 {
		set = roaring.AddOffset64(set, int64(low))
	}
	return roaring64.Roaring32AsRoaring64(set)
}

// mark sets the bits of the elements of the places, each moved by the offset.
func mark[N unsigned](bits []uint64, list []N, places []uint64, offset uint64) {
	for w, word := range places {
		for ; word != 0; word &= word - 1 {
			number := uint64(list[w*64+mathbits.TrailingZeros64(word)]) + offset
			bits[number/64] |= 1 << (number % 64)
		}
	}
}

// ends returns the least and the largest number.
func (c *integerColumn) ends() (least, most uint64) {
	base := uint64(c.base)
	switch v := c.distances; {
	case c.len() == 0:
		return 0, 0
	case v.w8 != nil:
		return base + uint64(slices.Min(v.w8)), base + uint64(slices.Max(v.w8))
	case v.w16 != nil:
		return base + uint64(slices.Min(v.w16)), base + uint64(slices.Max(v.w16))
	case v.w32 != nil:
		return base + uint64(slices.Min(v.w32)), base + uint64(slices.Max(v.w32))
	}
	return 0, math.MaxUint64 // some may have wrapped around
}

// setOf returns the numbers of some ordinals.
func (c *integerColumn) setOf(of Set, count uint64) *roaring64.Bitmap {
	numbers := make([]uint64, 0, count)
	for i, ok := of.NextSet(0); ok; i, ok = of.NextSet(i + 1) {
		numbers = append(numbers, uint64(c.at(int(i))))
	}
	return setOf(numbers)
}

// setOf returns the set of numbers, which it sorts.
func setOf(numbers []uint64) *roaring64.Bitmap {
	slices.Sort(numbers)
	set := roaring64.New()
	set.AddMany(numbers)
	return set
}
