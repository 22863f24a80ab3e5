package experiment

import (
	"cmp"
	"context"
	"iter"
	"math/bits"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store"
)

// index is the assignment index of an experiment: its visitors, each with the standing assignment. They have places:
// those of the sealed partitions come first, since they mostly stay as they are, and behind them those that the head adds.
type index struct {
	// fingerprint is of what the index was made from, and sealedState of the sealed partitions. fingerprint is zero where
	// that is more than its partitions.
	fingerprint, sealedState count.Fingerprint
	variants                 []string
	// units say which visitors are one.
	units *units
	// partitions are those that have assignments, the oldest first, as they were.
	partitions  []store.Partition
	sealed, own *visitors
	// changed are those of the sealed partitions of which the head says something else, in the order of their places.
	changed []changedAssignee
	// above are, of each of own, how many of sealed have smaller numbers.
	above []int32
}

type changedAssignee struct {
	place int
	assignee
}

// visitors are some with their standing assignments, in the order of their numbers. They do not change.
type visitors struct {
	list []assignee
	// starts and shift find a visitor: the one of number n lies at starts[(n-base)>>shift]
	// or behind it, before starts[that+1].
	starts []int32
	base   int64
	shift  int
	// serial tells the visitors of sealed partitions from those of others, and of the same ones at another moment: what was
	// measured of them is known by their places.
	serial int64
}

// assignee is a visitor with the standing assignment.
type assignee struct {
	// visitor is the number of the visitor or, where users are assigned, of the unit.
	visitor int64
	// at is when the assignment was, other when the first one to another variant, and end when the session ended.
	at, other, end model.Millis
	high, low      uint64 // of the message's id
	place          int32  // among the hits of the moment
	ordinal        int32
	partition      int32 // place of the session's partition
	variant        int16 // place in the experiment's list
	// first tells that no assignment in the session is earlier.
	first bool
}

func (a *assignee) compare(b *assignee) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.place, b.place), cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

// over returns the index with its partitions as they were just read, at the same revisions. When a partition was read
// says which contents are new enough for it: a database that lost writes is at a revision of before again, and what was
// read of the lost writes is newer than the index.
func (a *index) over(partitions []store.Partition) *index {
	now := *a
	now.partitions = partitions
	return &now
}

// count returns how many there are.
func (a *index) count() int { return len(a.sealed.list) + len(a.own.list) }

// at returns the one at a place.
func (a *index) at(place int) *assignee {
	if behind := place - len(a.sealed.list); behind >= 0 {
		return &a.own.list[behind]
	}
	if i, found := slices.BinarySearchFunc(a.changed, place, func(c changedAssignee, place int) int { return c.place - place }); found {
		return &a.changed[i].assignee
	}
	return &a.sealed.list[place]
}

// all are all of them, in the order of the visitors' numbers: what is added up in it does not depend on which partition
// is the newest.
func (a *index) all() iter.Seq2[int, *assignee] {
	return func(yield func(int, *assignee) bool) {
		place, changed := 0, a.changed
		yieldSealed := func(end int) bool {
			for ; place < end; place++ {
				one := &a.sealed.list[place]
				if len(changed) > 0 && changed[0].place == place {
					one, changed = &changed[0].assignee, changed[1:]
				}
				if !yield(place, one) {
					return false
				}
			}
			return true
		}
		for i, above := range a.above {
			if !yieldSealed(int(above)) || !yield(len(a.sealed.list)+i, &a.own.list[i]) {
				return
			}
		}
		yieldSealed(len(a.sealed.list))
	}
}

// fresh are those whose assignments are no longer, or never were, what the sealed partitions say.
func (a *index) fresh() iter.Seq2[int, *assignee] {
	return func(yield func(int, *assignee) bool) {
		for i := range a.changed {
			c := &a.changed[i]
			if int(c.partition) == len(a.partitions)-1 && !yield(c.place, &c.assignee) {
				return
			}
		}
		for i := range a.own.list {
			if !yield(len(a.sealed.list)+i, &a.own.list[i]) {
				return
			}
		}
	}
}

// find returns the place of a visitor, or of its user, -1 where there is none.
func (a *index) find(visitor int64) int {
	unit := a.units.of(visitor)
	if place := a.sealed.find(unit); place >= 0 {
		return place
	}
	if place := a.own.find(unit); place >= 0 {
		return len(a.sealed.list) + place
	}
	return -1
}

func (a *index) bytes() uint64 {
	return a.sealed.bytes() + a.own.bytes() + uint64((assigneeBytes+8)*len(a.changed)+4*len(a.above)+100*len(a.partitions))
}

const assigneeBytes = 64

func (v *visitors) bytes() uint64 { return uint64(1000 + assigneeBytes*len(v.list) + 4*len(v.starts)) }

// find returns the place of a visitor, -1 where there is none.
func (v *visitors) find(visitor int64) int {
	if i := v.above(visitor); i < len(v.list) && v.list[i].visitor == visitor {
		return i
	}
	return -1
}

// above returns how many have smaller numbers.
func (v *visitors) above(visitor int64) int {
	if visitor < v.base {
		return 0
	}
	slot := uint64(visitor-v.base) >> v.shift
	if slot >= uint64(len(v.starts)-1) {
		return len(v.list)
	}
	low, high := int(v.starts[slot]), int(v.starts[slot+1])
	for high-low > 8 {
		if middle := (low + high) / 2; v.list[middle].visitor < visitor {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for low < high && v.list[low].visitor < visitor {
		low++
	}
	return low
}

// newVisitors makes visitors of a list that is ordered.
func newVisitors(list []assignee) *visitors {
	v := &visitors{list: list, starts: []int32{0}}
	if len(v.list) == 0 {
		return v
	}
	v.base = v.list[0].visitor
	span := uint64(v.list[len(v.list)-1].visitor-v.base) + 1
	v.shift = max(0, bits.Len64(span)-bits.Len(uint(len(v.list))))
	v.starts = make([]int32, (span-1)>>v.shift+2)
	slot := 0
	for i := range v.list {
		for s := int(uint64(v.list[i].visitor-v.base) >> v.shift); slot < s; {
			slot++
			v.starts[slot] = int32(i)
		}
	}
	for slot++; slot < len(v.starts); slot++ {
		v.starts[slot] = int32(len(v.list))
	}
	return v
}

// variantOf returns the place of the variant that a session's visitor is assigned to when the session happens; -1 where
// there is none.
func (a *index) variantOf(visitor int64, session model.SessionID, start model.Millis) int {
	i := a.find(visitor)
	if i < 0 {
		return -1
	}
	found := a.at(i)
	if found.at < start || found.ordinal == session.Ordinal && a.partitions[found.partition].ID == session.Partition {
		return int(found.variant)
	}
	return -1
}

// newIndex adds what the head says to what the sealed partitions do.
func newIndex(d *Definition, units *units, partitions []store.Partition, sealed *visitors, head []assignee) *index {
	a := &index{variants: d.Variants, units: units, partitions: partitions, sealed: sealed}
	own := make([]assignee, 0, len(head))
	for i := range head {
		place := sealed.find(head[i].visitor)
		if place < 0 {
			own, a.above = append(own, head[i]), append(a.above, int32(sealed.above(head[i].visitor)))
		} else if standing := earlier(sealed.list[place], head[i]); standing != sealed.list[place] {
			a.changed = append(a.changed, changedAssignee{place, standing})
		}
	}
	a.own = newVisitors(own)
	return a
}

// holdsFor tells whether what the sealed partitions say of visitors, and what these did before a day, is the same for newer units:
// no visitor that is another's now was one of theirs, or became one that had been there before the day.
func (a *index) holdsFor(newer *units, day model.Day) bool {
	changes, known := newer.since(a.units)
	return known && !slices.ContainsFunc(changes, func(c unitChange) bool {
		return a.sealed.find(c.before) >= 0 || c.firstAt < day.Start() && a.sealed.find(c.now) >= 0
	})
}

// standOut leaves of each visitor's assignments, which are next to each other, the earliest one.
func standOut(list []assignee) []assignee {
	kept := list[:0]
	for i := range list {
		if top := len(kept) - 1; top >= 0 && kept[top].visitor == list[i].visitor {
			kept[top] = earlier(kept[top], list[i])
		} else {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// earlier returns the earlier one of two assignments of a visitor, with what it is to know of the other one.
func earlier(a, b assignee) assignee {
	if b.compare(&a) < 0 {
		a, b = b, a
	}
	if a.variant != b.variant {
		a.other = min(a.other, b.at)
	} else {
		a.other = min(a.other, b.other)
	}
	return a
}

// standingOf merges lists that are ordered by visitor, of each visitor one assignment: neighbours in pairs, pair after pair.
func standingOf(ctx context.Context, lists [][]assignee) (standing []assignee, err error) {
	for len(lists) > 1 && err == nil {
		pairs := slices.Collect(slices.Chunk(lists, 2))
		lists = make([][]assignee, len(pairs))
		err = count.AtOnce(ctx, pairs, func(ctx context.Context, i int, pair [][]assignee) error {
			if lists[i] = pair[0]; len(pair) == 2 {
				lists[i] = merge(pair[0], pair[1])
			}
			return ctx.Err()
		})
	}
	if len(lists) == 0 {
		return nil, err
	}
	return lists[0], err
}

func merge(a, b []assignee) []assignee {
	merged := make([]assignee, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].visitor < b[0].visitor:
			merged, a = append(merged, a[0]), a[1:]
		case a[0].visitor > b[0].visitor:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged, a, b = append(merged, earlier(a[0], b[0])), a[1:], b[1:]
		}
	}
	return append(append(merged, a...), b...)
}
