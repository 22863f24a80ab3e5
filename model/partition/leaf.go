package partition

import (
	"time"
	"unique"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
)

// leafSets keeps the sets of leaves: they are what predicates have in common.
type leafSets struct {
	known *otter.Cache[leafKey, leafSet]
	meter Meter
}

type leafKey struct {
	partition int64
	text      unique.Handle[string]
}

// leafSet is the set of a leaf as it was at a revision of its partition.
type leafSet struct {
	revision int64
	set      column.Set
}

// maxText bounds the text of a leaf whose set is kept.
const maxText = 1024

func newLeafSets(bytes uint64) *leafSets {
	return &leafSets{meter: Meter{Name: "leaves"}, known: Bounded(bytes, func(key leafKey, leaf leafSet) uint64 {
		const fixed = 200
		return uint64(fixed + len(key.text.Value()) + 8*len(leaf.set.Words()))
	})}
}

// Known returns the sets that are known of the view. others knows the sets of leaves that no column has; it may be nil.
func (v *View) Known(others func(leaf filter.Expr) (column.Set, bool)) column.Known {
	return &known{Memo: column.Memo{}, view: v, others: others}
}

// known keeps all sets while a view is read, and those of leaves for longer.
type known struct {
	column.Memo
	view   *View
	others func(leaf filter.Expr) (column.Set, bool)
}

// Get returns the set of a predicate.
func (k *known) Get(p *column.Predicate) (column.Set, bool) {
	if set, found := k.Memo.Get(p); found {
		return set, true
	}
	if k.others != nil {
		if set, found := k.others(p.Expr()); found {
			k.Memo.Put(p, set)
			return set, true
		}
	}
	if !isLeaf(p) {
		return nil, false
	}
	begin, leaves := time.Now(), k.view.leaves
	leaf, found := leaves.known.GetIfPresent(leafKey{k.view.Partition, p.Text()})
	set := leaf.set
	if found && leaf.revision != k.view.Revision {
		if set, found = k.catchUp(p, leaf); found {
			k.Put(p, set)
		}
	}
	if !found {
		leaves.meter.Add(k.view.ctx, 0, 1, begin)
		return nil, false
	}
	leaves.meter.Add(k.view.ctx, 1, 0, begin)
	k.Memo.Put(p, set)
	return set, true
}

// catchUp returns the set of a leaf as it is at the view's revision.
func (k *known) catchUp(p *column.Predicate, leaf leafSet) (column.Set, bool) {
	if leaf.revision > k.view.Revision { // it was made for a question that looked later
		return nil, false
	}
	written, ok := k.view.changes.after(leaf.revision)
	if !ok {
		return nil, false
	}
	return k.view.Forward(p, leaf.set, written)
}

// Put keeps the set of a predicate.
func (k *known) Put(p *column.Predicate, set column.Set) {
	k.Memo.Put(p, set)
	if isLeaf(p) && len(p.Text().Value()) <= maxText {
		k.view.leaves.known.Set(leafKey{k.view.Partition, p.Text()}, leafSet{k.view.Revision, set})
	}
}

func isLeaf(p *column.Predicate) bool {
	switch p.Expr().(type) {
	case filter.In, filter.Glob, filter.Within, filter.Range:
		return true
	}
	return false
}
