package column

import (
	mathbits "math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// VisitorSet is a set of visitors that grows by those of the sessions of many partitions. Visitors are numbered as they
// come, so that those of many sessions are close to each other: they are marked in pages of bits. Those of a few are a list.
// The zero value is empty.
//
// A set takes about the least of 8 bytes for each session that was added and a bit for each visitor of the site. It is not
// safe for concurrent use until it is sealed, and does not change from then on.
type VisitorSet struct {
	// list has visitors in the order in which they were added, some more than once, until it is sealed. It is nil once there
	// are pages.
	list []uint32
	// checkAt is the length of the list at which it may be worth to have pages.
	checkAt int
	pages   []*page // by the numbers' bits above pageBits; nil where there are none
	made    int     // pages that are not nil
	// far are numbers of more than 32 bits; nil where there are none.
	far *roaring64.Bitmap
}

// page marks the numbers that have the same bits above pageBits.
type page [1 << pageBits / 64]uint64

const (
	pageBits  = 16
	pageBytes = 1 << pageBits / 8
	// listed is how many numbers of a list take as many bytes as a page.
	listed = pageBytes / 4
	// leastCheck is the length of a list that is never worth to have pages.
	leastCheck = 1024
)

// AddVisitors adds the visitors of the sessions to a set. It needs Visitors.
func (s *Sessions) AddVisitors(to *VisitorSet, of Set) {
	column := get[*integerColumn](s, Visitors)
	switch v, base := column.distances, uint64(column.base); {
	case v.w8 != nil:
		addAll(to, v.w8, of.Words(), base)
	case v.w16 != nil:
		addAll(to, v.w16, of.Words(), base)
	case v.w32 != nil:
		addAll(to, v.w32, of.Words(), base)
	default:
		addAll(to, v.w64, of.Words(), base)
	}
}

// addAll adds the elements of the places, each moved by the base.
func addAll[N unsigned](to *VisitorSet, list []N, places []uint64, base uint64) {
	for w, word := range places {
		for ; word != 0; word &= word - 1 {
			number := uint64(list[w*64+mathbits.TrailingZeros64(word)]) + base
			if at := number >> pageBits; at < uint64(len(to.pages)) && to.pages[at] != nil {
				to.pages[at][number%(1<<pageBits)/64] |= 1 << (number % 64)
			} else {
				to.add(number)
			}
		}
	}
}

// add adds a number for which there is no page.
func (v *VisitorSet) add(number uint64) {
	switch {
	case number>>32 > 0:
		if v.far == nil {
			v.far = roaring64.New()
		}
		v.far.Add(number)
	case v.pages != nil:
		v.mark(uint32(number))
	default:
		v.list = append(v.list, uint32(number))
		if len(v.list) >= max(v.checkAt, leastCheck) {
			v.check()
		}
	}
}

// mark marks a number in its page, which is made where it is missing.
func (v *VisitorSet) mark(number uint32) {
	at := int(number >> pageBits)
	if at >= len(v.pages) {
		v.pages = append(v.pages, make([]*page, at+1-len(v.pages))...)
	}
	if v.pages[at] == nil {
		v.pages[at] = new(page)
		v.made++
	}
	v.pages[at][number%(1<<pageBits)/64] |= 1 << (number % 64)
}

// check makes pages of the list where these take no more memory.
func (v *VisitorSet) check() {
	var seen [1 << (32 - pageBits) / 64]uint64
	distinct := 0
	for _, number := range v.list {
		at := number >> pageBits
		if bit := uint64(1) << (at % 64); seen[at/64]&bit == 0 {
			seen[at/64] |= bit
			distinct++
		}
	}
	if len(v.list) < listed*distinct {
		v.checkAt = 2 * len(v.list)
		return
	}
	list := v.list
	v.list = nil
	for _, number := range list {
		v.mark(number)
	}
}

// Seal makes the set ready to be counted. It is to be called once, after all visitors were added.
func (v *VisitorSet) Seal() {
	v.list = slices.Clip(distinct(v.list))
}

// distinct sorts a list, and leaves each number in it once.
func distinct(list []uint32) []uint32 {
	if len(list) < leastCheck || uint64(slices.Max(list)-slices.Min(list)) > sparse*uint64(len(list)) {
		slices.Sort(list)
		return slices.Compact(list)
	}
	least := slices.Min(list) &^ 63
	pooled := marks.Get().(*[]uint64)
	n := int(slices.Max(list)-least)/64 + 1
	*pooled = slices.Grow(*pooled, n)
	words := (*pooled)[:n]
	for _, number := range list {
		words[(number-least)/64] |= 1 << (number % 64)
	}
	list = list[:0]
	for w, word := range words {
		for ; word != 0; word &= word - 1 {
			list = append(list, least+uint32(w*64+mathbits.TrailingZeros64(word)))
		}
	}
	clear(words)
	marks.Put(pooled)
	return list
}

// Bytes returns about how much memory the set takes.
func (v *VisitorSet) Bytes() uint64 {
	bytes := 100 + 4*cap(v.list) + 8*len(v.pages) + pageBytes*v.made
	if v.far != nil {
		return uint64(bytes) + v.far.GetSizeInBytes()
	}
	return uint64(bytes)
}

// Len returns how many visitors a sealed set has.
func (v *VisitorSet) Len() int {
	n := len(v.list)
	for _, page := range v.pages {
		n += page.len()
	}
	if v.far != nil {
		n += int(v.far.GetCardinality())
	}
	return n
}

func (p *page) len() (n int) {
	if p != nil {
		for _, word := range p {
			n += mathbits.OnesCount64(word)
		}
	}
	return n
}

// Has tells whether a visitor is in a sealed set.
func (v *VisitorSet) Has(number uint64) bool {
	if number>>32 > 0 {
		return v.far != nil && v.far.Contains(number)
	}
	if at := number >> pageBits; at < uint64(len(v.pages)) && v.pages[at] != nil {
		return v.pages[at][number%(1<<pageBits)/64]>>(number%64)&1 > 0
	}
	_, found := slices.BinarySearch(v.list, uint32(number))
	return found
}

// Each calls do with each visitor of a sealed set.
func (v *VisitorSet) Each(do func(number uint64)) {
	for _, number := range v.list {
		do(uint64(number))
	}
	for at, page := range v.pages {
		if page == nil {
			continue
		}
		for w, word := range page {
			for ; word != 0; word &= word - 1 {
				do(uint64(at)<<pageBits + uint64(w*64+mathbits.TrailingZeros64(word)))
			}
		}
	}
	if v.far != nil {
		for numbers := v.far.Iterator(); numbers.HasNext(); {
			do(numbers.Next())
		}
	}
}

// LenUnion returns how many visitors are in one of two sealed sets, or in both.
func (v *VisitorSet) LenUnion(other *VisitorSet) int {
	n := other.Len()
	if v.pages == nil || other.pages == nil || v.far != nil {
		v.Each(func(number uint64) {
			if !other.Has(number) {
				n++
			}
		})
		return n
	}
	for at, page := range v.pages {
		switch {
		case page == nil:
		case at >= len(other.pages) || other.pages[at] == nil:
			n += page.len()
		default:
			for w, word := range page {
				n += mathbits.OnesCount64(word &^ other.pages[at][w])
			}
		}
	}
	return n
}
