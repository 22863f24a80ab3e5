package count

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/bits"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// assigned are the visitors that an experiment has, each with the standing assignment.
// They have places: those of all partitions but the newest come first, since they mostly
// stay as they are, and behind them those that the newest partition adds.
type assigned struct {
	// partitions are those that have assignments, the oldest first, as they were.
	partitions []store.Partition
	older, own *visitors
	// changed are those of older of which the newest partition says something else, in the
	// order of their places.
	changed []changedAssignee
	// above are, of each of own, how many of older have smaller numbers.
	above []int32

	roster *roster
}

type changedAssignee struct {
	place int
	assignee
}

// visitors are some with their standing assignments, in the order of their numbers. They
// do not change.
type visitors struct {
	list []assignee
	// starts and shift find a visitor: the one of number n lies at starts[(n-base)>>shift]
	// or behind it, before starts[that+1].
	starts []int32
	base   int64
	shift  int
}

// assignee is a visitor with the standing assignment.
type assignee struct {
	visitor int64
	// at is when the assignment was, other when the first one to another variant, and end
	// when the session ended.
	at, other, end model.Millis
	high, low      uint64 // of the message's id
	ordinal        int32
	partition      int32 // place of the session's partition
	variant        int16 // place in the experiment's list
	// first tells that no assignment in the session is earlier.
	first bool
}

func (a *assignee) compare(b *assignee) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

// count returns how many there are.
func (a *assigned) count() int { return len(a.older.list) + len(a.own.list) }

// at returns the one at a place.
func (a *assigned) at(place int) *assignee {
	if behind := place - len(a.older.list); behind >= 0 {
		return &a.own.list[behind]
	}
	if i, found := slices.BinarySearchFunc(a.changed, place, func(c changedAssignee, place int) int { return c.place - place }); found {
		return &a.changed[i].assignee
	}
	return &a.older.list[place]
}

// all are all of them, by their places.
func (a *assigned) all() iter.Seq2[int, *assignee] {
	return func(yield func(int, *assignee) bool) {
		changed := a.changed
		for place := range a.older.list {
			one := &a.older.list[place]
			if len(changed) > 0 && changed[0].place == place {
				one, changed = &changed[0].assignee, changed[1:]
			}
			if !yield(place, one) {
				return
			}
		}
		for i := range a.own.list {
			if !yield(len(a.older.list)+i, &a.own.list[i]) {
				return
			}
		}
	}
}

// inOrder are the places in the order of the visitors' numbers. What is added up in it does
// not depend on which partition is the newest.
func (a *assigned) inOrder() iter.Seq[int] {
	return func(yield func(int) bool) {
		place := 0
		for i, above := range a.above {
			for ; place < int(above); place++ {
				if !yield(place) {
					return
				}
			}
			if !yield(len(a.older.list) + i) {
				return
			}
		}
		for ; place < len(a.older.list); place++ {
			if !yield(place) {
				return
			}
		}
	}
}

// fresh are those whose assignments are no longer, or never were, what older says.
func (a *assigned) fresh() iter.Seq2[int, *assignee] {
	return func(yield func(int, *assignee) bool) {
		for i := range a.changed {
			c := &a.changed[i]
			if int(c.partition) == len(a.partitions)-1 && !yield(c.place, &c.assignee) {
				return
			}
		}
		for i := range a.own.list {
			if !yield(len(a.older.list)+i, &a.own.list[i]) {
				return
			}
		}
	}
}

// find returns the place of a visitor, -1 where there is none.
func (a *assigned) find(visitor int64) int {
	if place := a.older.find(visitor); place >= 0 {
		return place
	}
	if place := a.own.find(visitor); place >= 0 {
		return len(a.older.list) + place
	}
	return -1
}

func (a *assigned) bytes() uint64 {
	return a.own.bytes() + uint64((assigneeBytes+8)*len(a.changed)+4*len(a.above)+100*len(a.partitions))
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

// of is a roster's.
func (a *assigned) of(visitor int64, session model.SessionID, start model.Millis) int {
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

// assign returns the roster of an experiment; above are the keys of those whose
// audiences need it.
func (e *Columns) assign(ctx context.Context, x *Experiment, above []string) (*roster, error) {
	if _, ok := column.Prepare(x.Audience).Dimensions(); !ok {
		return e.scan.assignOneByOne(ctx, x, above)
	}
	a, err := e.assignees(ctx, x, above)
	if err != nil {
		return nil, err
	}
	return a.roster, nil
}

// assignees returns who is assigned to an experiment. The audience is one that columns
// can say.
func (e *Columns) assignees(ctx context.Context, x *Experiment, above []string) (*assigned, error) {
	if x.Run.From >= x.Run.To {
		return newAssigned(x, nil, newVisitors(nil), nil), nil
	}
	others, err := rostersFor(ctx, x.Site, []filter.Expr{x.Audience}, append(slices.Clip(above), x.Key), e.assign, e.scan.definitions)
	if err != nil {
		return nil, err
	}
	_, last := x.Run.Days()
	partitions, err := e.store.PartitionsAssigned(ctx, x.Site, x.Key, last)
	if err != nil {
		return nil, err
	}
	for _, key := range filter.Computations(x.Audience) {
		if err := e.computing.ready(ctx, key, partitions); err != nil {
			return nil, err
		}
	}
	if len(others) > 0 { // it depends on more than these partitions
		return e.gatherAssignees(ctx, x, partitions, others)
	}
	key := askedOf(x.text(), revisionsOf(partitions))
	if a, found := kept[*assigned](e.results, key); found {
		e.results.assignedLayer.hits.Add(1)
		return a, nil
	}
	e.results.assignedLayer.misses.Add(1)
	return once(ctx, &e.results.same, "assigned "+string(key[:]), func() (*assigned, error) {
		a, err := e.gatherAssignees(ctx, x, partitions, nil)
		if err == nil {
			e.results.kept.Set(key, a)
		}
		return a, err
	})
}

// text tells the definition from others.
func (x *Experiment) text() string {
	return fmt.Sprintf("%d %q %d %d %q %s", x.Site, x.Key, x.Run.From, x.Run.To, x.Variants, x.Audience)
}

// revisionsOf tells the partitions as they are from what they were and will be.
func revisionsOf(partitions []store.Partition) string {
	var text strings.Builder
	for i := range partitions {
		fmt.Fprintf(&text, "%d %d %d ", partitions[i].ID, partitions[i].Revision, partitions[i].WrittenAt)
	}
	return text.String()
}

// gatherAssignees gathers all assignments that qualify. Those of all partitions but the
// newest are kept: mostly it is the newest alone that changes.
func (e *Columns) gatherAssignees(ctx context.Context, x *Experiment, partitions []store.Partition, others rosters) (*assigned, error) {
	newest := len(partitions) - 1
	if newest < 0 {
		return newAssigned(x, nil, newVisitors(nil), nil), nil
	}
	key := askedOf(x.text(), "older", revisionsOf(partitions[:newest]))
	older, found := kept[*visitors](e.results, key)
	if !found || others != nil {
		lists := make([][]assignee, newest)
		group, within := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for place := range lists {
			group.Go(func() (err error) {
				lists[place], err = e.assigneesIn(within, x, partitions[place], int32(place), others)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		older = newVisitors(standingOf(lists))
		if others == nil {
			e.results.kept.Set(key, older)
		}
	}
	list, err := e.assigneesIn(ctx, x, partitions[newest], int32(newest), others)
	if err != nil {
		return nil, err
	}
	return newAssigned(x, partitions, older, list), ctx.Err()
}

// newAssigned adds what the newest partition says to what the others do.
func newAssigned(x *Experiment, partitions []store.Partition, older *visitors, newest []assignee) *assigned {
	a := &assigned{partitions: partitions, older: older}
	own := make([]assignee, 0, len(newest))
	for i := range newest {
		place := older.find(newest[i].visitor)
		if place < 0 {
			own, a.above = append(own, newest[i]), append(a.above, int32(older.above(newest[i].visitor)))
		} else if standing := earlier(older.list[place], newest[i]); standing != older.list[place] {
			a.changed = append(a.changed, changedAssignee{place, standing})
		}
	}
	a.own = newVisitors(own)
	a.roster = &roster{variants: x.Variants, of: a.of}
	return a
}

// assigneesIn returns the assignments that qualify in a partition, of each visitor the one
// that would stand if there were no other partitions, in the order of the visitors.
func (e *Columns) assigneesIn(ctx context.Context, x *Experiment, partition store.Partition, place int32, others rosters) ([]assignee, error) {
	audience := column.Set(nil)
	if x.Audience != filter.Expr(filter.Bool(true)) {
		var err error
		if audience, err = e.wholeSet(ctx, partition, x.Audience, others); err != nil {
			return nil, err
		}
	}
	var list []assignee
	err := e.exposures.read(ctx, partition, x.Key, nil, func(exposed *exposed) error {
		variants := placesOf(exposed.variants, x.Variants)
		list = make([]assignee, 0, len(exposed.rows))
		for i := range exposed.rows {
			row := &exposed.rows[i]
			variant := variants[row.Variant]
			if variant < 0 || !x.Run.Contains(row.At) || audience != nil && !audience.Test(uint(row.Ordinal)) {
				continue
			}
			list = append(list, assignee{
				visitor: row.Visitor, at: row.At, other: model.Open, end: row.End, high: uint64(row.IDHigh), low: uint64(row.IDLow),
				ordinal: row.Ordinal, partition: place, variant: variant, first: row.First,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return standOut(list), nil
}

// placesOf returns where each variant is in the experiment's list, -1 where it is not.
func placesOf(variants, among []string) []int16 {
	places := make([]int16, len(variants))
	for i, variant := range variants {
		places[i] = int16(slices.Index(among, variant))
	}
	return places
}

// standOut leaves of each visitor's assignments, which are next to each other, the
// earliest one.
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

// earlier returns the earlier one of two assignments of a visitor, with what it is to
// know of the other one.
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

// standingOf merges lists that are ordered by visitor, of each visitor one assignment.
// Neighbours are merged in pairs, pair after pair.
func standingOf(lists [][]assignee) []assignee {
	for len(lists) > 1 {
		merged := make([][]assignee, (len(lists)+1)/2)
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i := range merged {
			if 2*i+1 == len(lists) {
				merged[i] = lists[2*i]
				continue
			}
			group.Go(func() error {
				merged[i] = merge(lists[2*i], lists[2*i+1])
				return nil
			})
		}
		group.Wait() // it has no errors
		lists = merged
	}
	if len(lists) == 0 {
		return nil
	}
	return lists[0]
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

// wholeSet returns the sessions of a partition that match a predicate that columns can say.
func (e *Columns) wholeSet(ctx context.Context, stored store.Partition, where filter.Expr, assigned rosters) (set column.Set, err error) {
	prepared := column.Prepare(where)
	dimensions, _ := prepared.Dimensions()
	err = e.readComputed(ctx, stored, filter.Computations(where), assigned, dimensions, func(b *partition, known column.Known) error {
		set, err = b.sessions.Match(prepared, known)
		return err
	})
	return set, err
}
