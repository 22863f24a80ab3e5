package count

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// maxValues bounds the memory of Values: about a field of more distinct values one asks with a search.
const maxValues = 500_000

func errTooManyValues() error {
	return model.Errorf(model.ResourceExhausted, "more than %d distinct values match; search for a longer part of the value", maxValues)
}

// Values counts the sessions of each value in the columns, some partitions at a time.
func (e *ColumnEngine) Values(ctx context.Context, q ValueQuery) ([]Value, error) {
	partitions, err := e.store.Partitions(ctx, q.Site, q.In)
	if err != nil {
		return nil, err
	}
	resolution, err := e.matcher.Resolve(ctx, q.Site, q.Where)
	if err != nil {
		return nil, err
	}
	if err := resolution.Ready(ctx, partitions); err != nil {
		return nil, err
	}
	each, dimensions := eachValueOf(q.Field), column.DimensionsOf(q.Field)
	if q.Field == filter.Visitor {
		if each, err = e.eachVisitorKey(ctx, q); err != nil {
			return nil, err
		}
		dimensions = visitorDimensions
	}
	var mu sync.Mutex
	counts := map[string]int{}
	whole := column.Prepare(q.Where)
	if err := e.eachPartition(ctx, partitions, append(whole.Dimensions(), append(dimensions, startDimension)...), func(ctx context.Context, p *store.Partition) error {
		where := whole
		if !q.In.Covers(p.Day) {
			where = column.Prepare(within(q.Where, q.In, p.Day))
		}
		own := map[string]int{}
		if err := e.matcher.Read(ctx, p, resolution, append(where.Dimensions(), dimensions...), func(view *partition.View, known column.Known) error {
			matched, err := view.Match(where, known)
			if err != nil {
				return err
			}
			each(view, matched, func(value string, sessions int) {
				if len(own) <= maxValues && q.wants(value) {
					own[value] += sessions
				}
			})
			return nil
		}); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for value, sessions := range own {
			counts[value] += sessions
		}
		if len(counts) > maxValues {
			return errTooManyValues()
		}
		return nil
	}); err != nil {
		return nil, err
	}
	values := make([]Value, 0, len(counts))
	for text, sessions := range counts {
		values = append(values, Value{Text: text, Sessions: sessions})
	}
	slices.SortFunc(values, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), strings.Compare(a.Text, b.Text))
	})
	return values[:min(len(values), q.Limit)], nil
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

// wants tells whether a value is asked for; empty stands for none.
func (q *ValueQuery) wants(value string) bool {
	if value == "" {
		return q.None
	}
	return q.Search == "" || strings.Contains(strings.ToLower(value), strings.ToLower(q.Search))
}

// eachValue calls do with values of sessions of a partition, and how many of these have them.
type eachValue func(view *partition.View, of column.Set, do func(value string, sessions int))

func eachValueOf(field filter.Field) eachValue {
	return func(view *partition.View, of column.Set, do func(value string, sessions int)) {
		view.EachValue(of, field, do)
	}
}

// eachVisitorKey counts the sessions of the visitors whose keys are asked for: the columns have their numbers.
func (e *ColumnEngine) eachVisitorKey(ctx context.Context, q ValueQuery) (eachValue, error) {
	keys := map[int64]string{}
	err := e.store.EachVisitor(ctx, q.Site, nil, func(number int64, key string) error {
		if q.wants(key) {
			keys[number] = key
		}
		if len(keys) > maxValues {
			return errTooManyValues()
		}
		return nil
	})
	return func(view *partition.View, of column.Set, do func(value string, sessions int)) {
		view.EachVisitor(of, func(_ int32, visitor int64, _ model.Millis) {
			if key, found := keys[visitor]; found {
				do(key, 1)
			}
		})
	}, err
}
