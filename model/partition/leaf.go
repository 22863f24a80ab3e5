package partition

import (
	"sync"
	"time"
	"unique"

	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// leafSets are the sets of leaves that were evaluated on the columns of a partition, by their text: they are what
// predicates have in common.
type leafSets struct {
	mu    sync.Mutex
	known map[unique.Handle[string]]leafSet
}

// leafSet is the set of a leaf as it was at a revision of its partition.
type leafSet struct {
	revision store.Revision
	set      column.Set
}

const (
	// maxLeaves bounds the sets that are kept of one partition. Beyond it, any one of them makes room.
	maxLeaves = 64
	// maxText bounds the text of a leaf whose set is kept.
	maxText = 1024
	// minOrdinals is from how many ordinals on sets are kept: sets of fewer take longer to find than to make.
	minOrdinals = store.MinColumns
)

func newLeafSets() *leafSets { return &leafSets{known: map[unique.Handle[string]]leafSet{}} }

func (l *leafSets) get(text unique.Handle[string]) (leafSet, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	leaf, found := l.known[text]
	return leaf, found
}

func (l *leafSets) put(text unique.Handle[string], leaf leafSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, found := l.known[text]; !found && len(l.known) >= maxLeaves {
		for any := range l.known {
			delete(l.known, any)
			break
		}
	}
	l.known[text] = leaf
}

// leafBytes is about how many bytes the sets of leaves of a partition with so many ordinals take at most.
func leafBytes(ordinals int) uint64 {
	if ordinals < minOrdinals {
		return 0
	}
	return maxLeaves * uint64(ordinals/8+200)
}

// Known returns the sets that are known of the view. others knows the sets of leaves that no column has; it may be nil.
func (v *View) Known(others func(leaf filter.Expr) (column.Set, bool)) column.Known {
	return &known{Memo: column.Memo{}, watch: NewStopwatch(v.ctx), view: v, others: others}
}

// known keeps all sets while a view is read, and those of leaves for longer.
type known struct {
	column.Memo
	watch  *Stopwatch
	view   *View
	others func(leaf filter.Expr) (column.Set, bool)
}

// Err returns why the sets that are not known yet are not to be made.
func (k *known) Err() error { return k.watch.Err() }

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
	if k.view.Ordinals() < minOrdinals || !isLeaf(p) {
		return nil, false
	}
	begin := time.Now()
	leaf, found := k.view.leaves.get(p.Text())
	set := leaf.set
	if found && leaf.revision != k.view.Revision {
		if set, found = k.catchUp(p, leaf); found {
			k.Put(p, set)
		}
	}
	if !found {
		k.view.meter.Add(k.view.ctx, 0, 1, begin)
		return nil, false
	}
	k.view.meter.Add(k.view.ctx, 1, 0, begin)
	k.Memo.Put(p, set)
	return set, true
}

// catchUp returns the set of a leaf as it is at the view's revision.
func (k *known) catchUp(p *column.Predicate, leaf leafSet) (column.Set, bool) {
	written, ok := k.view.changes.after(leaf.revision)
	if !ok {
		return nil, false
	}
	return k.view.Forward(p, leaf.set, written)
}

// Put keeps the set of a predicate.
func (k *known) Put(p *column.Predicate, set column.Set) {
	k.Memo.Put(p, set)
	if isLeaf(p) && len(p.Text().Value()) <= maxText && k.view.Ordinals() >= minOrdinals {
		k.view.leaves.put(p.Text(), leafSet{k.view.Revision, set})
	}
}

// isLeaf tells whether a predicate is one that others have too. Of the ends of sessions, it is asked who is there now, and
// the next time of another now.
func isLeaf(p *column.Predicate) bool {
	switch e := p.Expr().(type) {
	case filter.In, filter.Glob, filter.Within:
		return true
	case filter.Range:
		return e.Field != filter.End
	}
	return false
}
