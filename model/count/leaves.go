package count

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
)

// leafSet is the set of a leaf, as it was at a revision of its partition.
type leafSet struct {
	revision int64
	set      column.Set
}

// maxLeaves is how many sets of leaves a partition keeps, those that were asked for
// last: the sets of live partitions are wanted again after each write, however many
// leaves are asked of all others.
const maxLeaves = 40

// maxText bounds the text of a leaf whose set is kept.
const maxText = 1024

// newLeaves returns the sets of leaves of a partition, by the leaf's text.
func newLeaves() *lru.Cache[string, leafSet] {
	leaves, err := lru.New[string, leafSet](maxLeaves)
	if err != nil {
		panic(err) // it has no other error than a size that is not positive
	}
	return leaves
}

// leafBytes is about how many bytes the leaves of a partition with so many ordinals
// take at most.
func leafBytes(ordinals int) uint64 { return maxLeaves * uint64(ordinals/8+maxText) }

// knownSets keeps all sets while a partition is asked, and those of leaves for longer:
// they are what predicates have in common.
type knownSets struct {
	column.Memo
	engine    *Columns
	partition *partition
	// assigned are the rosters that predicates need.
	assigned rosters
}

// known returns the sets that are known of a partition, which is locked.
func (e *Columns) known(b *partition) *knownSets {
	return &knownSets{Memo: column.Memo{}, engine: e, partition: b}
}

// Get returns the set of a predicate.
func (k *knownSets) Get(e filter.Expr, text string) (column.Set, bool) {
	if set, found := k.Memo[text]; found {
		return set, true
	}
	if assigned, ok := e.(filter.Assigned); ok {
		roster := k.assigned[assigned.Experiment]
		set := roster.choose(roster.setsOf(k.partition), assigned.Variants, k.partition.sessions.Ordinals())
		k.Memo[text] = set
		return set, true
	}
	if !isLeaf(e) {
		return nil, false
	}
	begin := time.Now()
	leaf, found := k.partition.leaves.Get(text)
	set := leaf.set
	if found && leaf.revision != k.partition.revision {
		if set, found = k.forward(e, leaf); found {
			k.Put(e, text, set)
		}
	}
	if found {
		k.Memo[text] = set
		k.engine.leafLayer.add(1, 0, begin)
	} else {
		k.engine.leafLayer.add(0, 1, begin)
	}
	return set, found
}

// forward returns the set of a leaf as it is at the partition's revision.
func (k *knownSets) forward(e filter.Expr, leaf leafSet) (column.Set, bool) {
	if leaf.revision > k.partition.revision { // it was made for a question that looked later
		return nil, false
	}
	written, ok := k.partition.changes.after(leaf.revision)
	if !ok {
		return nil, false
	}
	return k.partition.sessions.Forward(e, leaf.set, written)
}

// Put keeps the set of a predicate.
func (k *knownSets) Put(e filter.Expr, text string, set column.Set) {
	k.Memo[text] = set
	if isLeaf(e) && len(text) <= maxText {
		k.partition.leaves.Add(text, leafSet{k.partition.revision, set})
	}
}

func isLeaf(e filter.Expr) bool {
	switch e.(type) {
	case filter.In, filter.Glob, filter.Within, filter.Range:
		return true
	}
	return false
}
