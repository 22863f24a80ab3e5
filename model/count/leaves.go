package count

import (
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
)

// leafKey names the set of a leaf: like a Key it names content, so a set is never
// out of date.
type leafKey struct {
	bucket, revision int64
	text             string
}

func newLeaves(bytes uint64) (*otter.Cache[leafKey, column.Set], error) {
	return otter.New(&otter.Options[leafKey, column.Set]{
		MaximumWeight: bytes,
		Weigher:       func(key leafKey, set column.Set) uint32 { return uint32(200 + len(key.text) + 8*len(set.Words())) },
	})
}

// knownSets keeps all sets while a bucket is asked, and those of leaves for longer:
// they are what predicates have in common.
type knownSets struct {
	column.Memo
	engine           *Columns
	bucket, revision int64
}

// known returns the sets that are known of a bucket, which is locked.
func (e *Columns) known(id int64, b *bucket) column.Known {
	return &knownSets{Memo: column.Memo{}, engine: e, bucket: id, revision: b.revision}
}

// Get returns the set of a predicate.
func (k *knownSets) Get(e filter.Expr, text string) (column.Set, bool) {
	if set, found := k.Memo[text]; found || !isLeaf(e) {
		return set, found
	}
	begin := time.Now()
	set, found := k.engine.leaves.GetIfPresent(leafKey{k.bucket, k.revision, text})
	if found {
		k.Memo[text] = set
		k.engine.leafLayer.add(1, 0, begin)
	} else {
		k.engine.leafLayer.add(0, 1, begin)
	}
	return set, found
}

// Put keeps the set of a predicate.
func (k *knownSets) Put(e filter.Expr, text string, set column.Set) {
	k.Memo[text] = set
	if isLeaf(e) {
		k.engine.leaves.Set(leafKey{k.bucket, k.revision, text}, set)
	}
}

func isLeaf(e filter.Expr) bool {
	switch e.(type) {
	case filter.In, filter.Glob, filter.Within, filter.Range:
		return true
	}
	return false
}
