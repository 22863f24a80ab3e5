package count

import (
	"context"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/model/store"
)

// lookup asks the caches for one partial aggregate.
type lookup struct {
	*aggregate
	at  int // the partition's place
	key Key // zero where an Entry cannot have it
}

// isCached tells whether caches have the partial aggregates of a partition: those of few sessions take longer to find
// than to make.
func isCached(p *store.Partition) bool { return p.Sessions >= store.MinColumns }

// lookUp asks the caches for all partial aggregates of the partitions between two places at once, and returns scan tasks
// for those that they have not. What a farther cache has the nearer ones are told.
func (e *ColumnEngine) lookUp(ctx context.Context, partitions []store.Partition, from, to int, aggregates []*aggregate) []*scanTask {
	tasks := make([]*scanTask, to-from) // by the partition's place
	scan := func(l lookup) {
		task := tasks[l.at-from]
		if task == nil {
			task = &scanTask{at: l.at, partition: &partitions[l.at], partials: make([]*partial, 0, len(aggregates))}
			tasks[l.at-from] = task
		}
		task.partials = append(task.partials, l.partial(task.partition.Day))
	}
	var unknown []lookup
	for at := from; at < to; at++ {
		for _, a := range aggregates {
			if !a.asks(at, partitions[at].Day) {
				continue
			}
			if key, ok := a.key(&partitions[at]); ok && len(e.caches) > 0 && isCached(&partitions[at]) {
				unknown = append(unknown, lookup{a, at, key})
			} else {
				scan(lookup{a, at, key})
			}
		}
	}
	for n, cache := range e.caches {
		if len(unknown) == 0 {
			break
		}
		begin, asked := time.Now(), len(unknown)
		unknown = lookUpIn(ctx, cache, e.caches[:n], partitions, unknown)
		e.looking[n].Add(ctx, asked-len(unknown), len(unknown), begin)
	}
	for _, l := range unknown {
		scan(l)
	}
	return slices.DeleteFunc(tasks, func(task *scanTask) bool { return task == nil })
}

// lookUpIn asks one cache, and returns what it has not.
func lookUpIn(ctx context.Context, cache Cache, nearer []Cache, partitions []store.Partition, asked []lookup) (unknown []lookup) {
	var get func(Key) (Entry, bool)
	if memory, ok := cache.(*Memory); ok { // the nearest, without a list and a map between
		get = memory.entries.GetIfPresent
	} else {
		keys := make([]Key, len(asked))
		for i, l := range asked {
			keys[i] = l.key
		}
		found := cache.Get(ctx, keys)
		for _, near := range nearer {
			near.Set(ctx, found)
		}
		get = func(key Key) (entry Entry, ok bool) {
			entry, ok = found[key]
			return entry, ok
		}
	}
	unknown = asked[:0]
	for _, l := range asked {
		if entry, ok := get(l.key); ok {
			l.add(l.at, partitions[l.at].Day, entry)
		} else {
			unknown = append(unknown, l)
		}
	}
	return unknown
}
