package count

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// visitorKeys are the Leaves that look at filter.Visitor. There is no column of the keys: they are as many as the
// visitors, and hardly anybody asks. The columns have the visitors' numbers.
type visitorKeys struct{ store *store.Store }

var _ Leaves = visitorKeys{}

func (v visitorKeys) Resolve(ctx context.Context, _ *Matcher, site int64, where filter.Expr) (Resolution, error) {
	if !filter.Uses(where, filter.Visitor) {
		return nil, nil
	}
	numbers := map[string]*roaring64.Bitmap{} // of the visitors, by the leaf's text
	filter.EachLeaf(where, func(leaf filter.Expr) {
		if filter.Uses(leaf, filter.Visitor) {
			numbers[leaf.String()] = roaring64.New()
		}
	})
	err := v.store.EachVisitor(ctx, site, keysOf(where), func(number int64, key string) error {
		session := model.Session{VisitorKey: key}
		filter.EachLeaf(where, func(leaf filter.Expr) {
			if set := numbers[leaf.String()]; set != nil && leaf.Match(&session) {
				set.Add(uint64(number))
			}
		})
		return nil
	})
	// They are not local: a visitor may be given a key after a partition was written.
	return Resolution{{Dimensions: visitorDimensions, Set: func(leaf filter.Expr, view *partition.View) (column.Set, bool) {
		chosen := numbers[leaf.String()]
		if chosen == nil {
			return nil, false
		}
		set := bitset.New(uint(view.Ordinals()))
		view.EachVisitor(view.Counting(), func(ordinal int32, visitor int64, _ model.Millis) {
			if chosen.Contains(uint64(visitor)) {
				set.Set(uint(ordinal))
			}
		})
		return set, true
	}}}, err
}

// keysOf returns the keys of the only visitors that leaves of a predicate choose; nil if a leaf may choose others.
func keysOf(where filter.Expr) []string {
	keys, isOpen := []string{}, false
	filter.EachLeaf(where, func(leaf filter.Expr) {
		if !filter.Uses(leaf, filter.Visitor) {
			return
		}
		if in, ok := leaf.(filter.In); ok {
			keys = append(keys, in.Values...)
		} else {
			isOpen = true
		}
	})
	if isOpen {
		return nil
	}
	return keys
}

// visitorDimensions are what View.EachVisitor needs.
var visitorDimensions = []column.Dimension{column.Visitors, startDimension}

// startDimension is the column of the sessions' starts.
var startDimension = column.Dimension(filter.Start.Name)
