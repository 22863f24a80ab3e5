package count

import (
	"context"
	"slices"

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
	choice := newVisitorChoice(ctx, where)
	if err := v.store.EachVisitor(ctx, site, keysOf(where), choice.add); err != nil {
		return nil, err
	}
	if err := choice.settle(); err != nil {
		return nil, err
	}
	// They are not local: a visitor may be given a key after a partition was written.
	return Resolution{{Dimensions: visitorDimensions, Set: func(leaf filter.Expr, view *partition.View) (column.Set, bool) {
		if !filter.Uses(leaf, filter.Visitor) {
			return nil, false
		}
		chosen := choice.numbers[leaf.String()]
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
	}}}, nil
}

// visitorChoice finds the visitors that leaves choose by their keys. It looks at some of them at a time, and takes the time
// of that, and not of reading them, from the budget of evaluation.
type visitorChoice struct {
	watch   *partition.Stopwatch
	numbers map[string]*roaring64.Bitmap // by the leaf's text
	// listed are the sets of the leaves that list a key, and patterns those that look at each.
	listed   map[string][]*roaring64.Bitmap
	patterns []visitorPattern
	waiting  []visitorKey
}

type visitorPattern struct {
	matches func(key string) bool
	numbers *roaring64.Bitmap
}

type visitorKey struct {
	number int64
	key    string
}

// visitorsAtOnce is how many visitors are looked at between two looks at the budget.
const visitorsAtOnce = 1024

func newVisitorChoice(ctx context.Context, where filter.Expr) *visitorChoice {
	c := &visitorChoice{watch: partition.NewStopwatch(ctx), numbers: map[string]*roaring64.Bitmap{}, listed: map[string][]*roaring64.Bitmap{}}
	filter.EachLeaf(where, func(leaf filter.Expr) {
		if !filter.Uses(leaf, filter.Visitor) {
			return
		}
		text := leaf.String()
		if c.numbers[text] != nil {
			return
		}
		chosen := roaring64.New()
		c.numbers[text] = chosen
		switch leaf := leaf.(type) {
		case filter.In:
			for _, key := range leaf.Values {
				c.listed[key] = append(c.listed[key], chosen)
			}
		case filter.Glob:
			c.patterns = append(c.patterns, visitorPattern{filter.Matcher(leaf.Pattern), chosen})
		default:
			c.patterns = append(c.patterns, visitorPattern{func(key string) bool { return leaf.Match(&model.Session{VisitorKey: key}) }, chosen})
		}
	})
	return c
}

func (c *visitorChoice) add(number int64, key string) error {
	if c.waiting = append(c.waiting, visitorKey{number, key}); len(c.waiting) < visitorsAtOnce {
		return nil
	}
	return c.settle()
}

// settle looks at the visitors that were added.
func (c *visitorChoice) settle() error {
	c.watch.Restart()
	for _, visitor := range c.waiting {
		for _, numbers := range c.listed[visitor.key] {
			numbers.Add(uint64(visitor.number))
		}
		for _, pattern := range c.patterns {
			if pattern.matches(visitor.key) {
				pattern.numbers.Add(uint64(visitor.number))
			}
		}
	}
	c.waiting = c.waiting[:0]
	return c.watch.Err()
}

// keysOf returns the keys of the only visitors that leaves of a predicate choose, each once; nil if a leaf may choose others.
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
	slices.Sort(keys)
	return slices.Compact(keys)
}

// visitorDimensions are what View.EachVisitor needs.
var visitorDimensions = []column.Dimension{column.Visitors, startDimension}

// startDimension is the column of the sessions' starts.
var startDimension = column.Dimension(filter.Start.Name)
