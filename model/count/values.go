package count

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// values is a list of values on its way.
type values struct {
	*ValueQuery
	engine     *ColumnEngine
	partitions []store.Partition
	resolution Resolution
	memory     *memory
}

// Values counts the sessions of each value in the columns, some partitions at a time.
func (e *ColumnEngine) Values(ctx context.Context, q ValueQuery) ([]Value, error) {
	v := &values{ValueQuery: &q, engine: e, memory: &memory{most: e.tableBytes, refuse: errTooManyValues}}
	var err error
	if v.partitions, err = e.store.Partitions(ctx, q.Site, q.In); err != nil {
		return nil, err
	}
	if v.resolution, err = e.matcher.Resolve(ctx, q.Site, q.Where); err != nil {
		return nil, err
	}
	if err := v.resolution.Ready(ctx, v.partitions); err != nil {
		return nil, err
	}
	leave, err := e.enter(ctx, e.mayTake(v.partitions, valuesBytes))
	if err != nil {
		return nil, err
	}
	defer leave()
	if q.Field == filter.Visitor {
		return v.visitors(ctx)
	}
	return v.texts(ctx)
}

// each calls do with the sessions of each partition that match, some partitions at a time.
func (v *values) each(ctx context.Context, dimensions []column.Dimension, do func(view *partition.View, matched column.Set, known column.Known) error) error {
	whole := column.Prepare(v.Where)
	dimensions = append(append(whole.Dimensions(), startDimension), dimensions...)
	return v.engine.eachPartition(ctx, v.partitions, dimensions, func(ctx context.Context, p *store.Partition) error {
		where := whole
		if !v.In.Covers(p.Day) {
			where = column.Prepare(within(v.Where, v.In, p.Day))
		}
		return v.engine.matcher.Read(ctx, p, v.resolution, dimensions, func(view *partition.View, known column.Known) error {
			matched, err := view.Match(where, known)
			if err != nil {
				return err
			}
			if err := do(view, matched, known); err != nil {
				return err
			}
			return known.Err()
		})
	})
}

// valueBytes is about what a value takes beside its text, and textsAtOnce how many are looked at between two looks at the
// budget.
const valueBytes, textsAtOnce = 64, 1024

// texts lists the values that columns have.
func (v *values) texts(ctx context.Context) ([]Value, error) {
	wants, counts, taken := v.wants(), map[string]int{}, v.memory.lend()
	var mu sync.Mutex
	err := v.each(ctx, column.DimensionsOf(v.Field), func(view *partition.View, matched column.Set, known column.Known) (err error) {
		own, borrowed, seen := []Value(nil), v.memory.lend(), 0
		defer borrowed.end()
		view.EachValue(matched, v.Field, func(value string, sessions int) {
			if seen++; err == nil && seen%textsAtOnce == 0 {
				err = known.Err()
			}
			if err == nil && wants(value) {
				own = append(own, Value{value, sessions})
				err = borrowed.take(valueBytes)
			}
		})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, value := range own {
			if _, found := counts[value.Text]; !found {
				value.Text = strings.Clone(value.Text) // which would keep the partition's other texts in memory
				if err := taken.take(valueBytes + len(value.Text)); err != nil {
					return err
				}
			}
			counts[value.Text] += value.Sessions
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	page := valuePage{limit: v.Limit, found: []Value{}}
	for text, sessions := range counts {
		page.add(Value{text, sessions})
	}
	return page.sorted(), nil
}

// keyed is a visitor whose key is asked for, and keyedBytes about what it takes beside its key.
type keyed struct {
	key      string
	sessions atomic.Int64
}

const keyedBytes = 96

// visitors lists the keys of visitors. The columns have their numbers: those of the sessions that match are found first, and
// only their keys are read.
func (v *values) visitors(ctx context.Context) ([]Value, error) {
	numbers, taken := new(column.VisitorSet), v.memory.lend()
	var mu sync.Mutex
	err := v.each(ctx, visitorDimensions, func(view *partition.View, matched column.Set, _ column.Known) error {
		mu.Lock()
		defer mu.Unlock()
		before := numbers.Bytes()
		view.AddVisitors(numbers, matched)
		return taken.take(int(numbers.Bytes()) - int(before))
	})
	if err != nil {
		return nil, err
	}
	numbers.Seal()
	if v.Search == "" && numbers.Len()*keyedBytes > v.memory.most {
		return nil, errTooManyValues(v.memory.most)
	}
	chosen, err := v.keysOf(ctx, numbers, taken)
	if err != nil {
		return nil, err
	}
	err = v.each(ctx, visitorDimensions, func(view *partition.View, matched column.Set, _ column.Known) error {
		view.EachVisitor(matched, func(_ int32, visitor int64, _ model.Millis) {
			if one := chosen[visitor]; one != nil {
				one.sessions.Add(1)
			}
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	page := valuePage{limit: v.Limit, found: []Value{}}
	for _, one := range chosen {
		if sessions := int(one.sessions.Load()); sessions > 0 {
			page.add(Value{one.key, sessions})
		}
	}
	return page.sorted(), nil
}

// keysOf reads the keys of visitors that are asked for.
func (v *values) keysOf(ctx context.Context, numbers *column.VisitorSet, taken *loan) (map[int64]*keyed, error) {
	wants, watch, chosen := v.wants(), partition.NewStopwatch(ctx), map[int64]*keyed{}
	var some []visitorKey
	var asked []int64
	read := func() error {
		some = some[:0]
		if err := v.engine.store.EachVisitorOf(ctx, v.Site, asked, func(number int64, key string) error {
			some = append(some, visitorKey{number, key})
			return nil
		}); err != nil {
			return err
		}
		asked = asked[:0]
		watch.Restart()
		for _, visitor := range some {
			if !wants(visitor.key) {
				continue
			}
			chosen[visitor.number] = &keyed{key: visitor.key}
			if err := taken.take(keyedBytes + len(visitor.key)); err != nil {
				return err
			}
		}
		return watch.Err()
	}
	var err error
	numbers.Each(func(number uint64) {
		if err != nil {
			return
		}
		if asked = append(asked, int64(number)); len(asked) == visitorsAtOnce {
			err = read()
		}
	})
	if err == nil {
		err = read()
	}
	return chosen, err
}

// wants returns what tells whether a value is asked for; empty stands for none.
func (q *ValueQuery) wants() func(value string) bool {
	search := strings.ToLower(q.Search)
	return func(value string) bool {
		if value == "" {
			return q.None
		}
		return search == "" || strings.Contains(strings.ToLower(value), search)
	}
}

// valuePage keeps the first of many values in their order: the most frequent ones.
type valuePage struct {
	limit int
	found []Value
}

func (p *valuePage) add(value Value) {
	if p.found = append(p.found, value); len(p.found) >= 2*p.limit+textsAtOnce {
		p.sorted()
	}
}

// sorted returns the page, in its order, of the values so far.
func (p *valuePage) sorted() []Value {
	slices.SortFunc(p.found, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), strings.Compare(a.Text, b.Text))
	})
	p.found = p.found[:min(len(p.found), p.limit)]
	return p.found
}

// eachPartition calls do with each of a site's partitions, some at a time. Small ones are brought to memory together, with
// the dimensions.
func (e *ColumnEngine) eachPartition(ctx context.Context, partitions []store.Partition, dimensions []column.Dimension, do func(context.Context, *store.Partition) error) error {
	all := make([]*store.Partition, len(partitions))
	for i := range partitions {
		all[i] = &partitions[i]
	}
	groups := partition.Groups(all, func(p *store.Partition) *store.Partition { return p })
	return AtOnce(ctx, groups, func(ctx context.Context, _ int, group []*store.Partition) error {
		if err := e.columns.Recall(ctx, group, dimensions); err != nil {
			return err
		}
		for _, p := range group {
			if err := do(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}
