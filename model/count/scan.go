package count

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// scanTask is what is to be counted in one partition.
type scanTask struct {
	at        int // the partition's place
	partition *store.Partition
	partials  []*partial
}

// partial is the partial aggregate of one question in one partition.
type partial struct {
	lookup
	where *column.Predicate // for the sessions of the day that are asked about
	among *column.Predicate // for those of the visitors that are asked about; nil where these are all

	// revision is the one that was counted.
	revision store.Revision
	Entry
	steps []int // nil where the day is not split
	// err says why the partition is not counted for the question, while it is for others.
	err error
}

// partial returns what is to be counted in a partition.
func (l lookup) partial(day model.Day) *partial {
	if l.where == nil {
		l.where = column.Prepare(l.question.Where)
	}
	if l.aggregate.among == nil && l.question.Visitors && l.question.Among != nil {
		l.aggregate.among = column.Prepare(l.question.Among)
	}
	p := &partial{lookup: l, where: l.where, among: l.aggregate.among}
	if !l.question.In.Covers(day) {
		p.where = column.Prepare(within(l.question.Where, l.question.In, day))
		if p.among != nil {
			p.among = column.Prepare(within(l.question.Among, l.question.In, day))
		}
	}
	if l.question.splits(day) {
		p.steps = make([]int, len(l.answer.Steps))
	}
	return p
}

// deliver adds the partial aggregates to their aggregates, and notes them for the caches.
func (t *scanTask) deliver(counted map[Key]Entry) {
	for _, p := range t.partials {
		if p.err != nil {
			p.aggregate.err = p.err
			continue
		}
		p.add(t.at, t.partition.Day, p.Entry)
		sum, _ := p.sum(t.at)
		for i, n := range p.steps {
			sum.Steps[i] += n
		}
		if p.revision != t.partition.Revision {
			p.aggregate.hasMoved = true
		}
		if key := p.key; key != (Key{}) && isCached(t.partition) {
			key.Revision = p.revision
			counted[key] = p.Entry
		}
	}
}

// scanAll scans the partitions of tasks, some at a time, and delivers each. Identical tasks that are asked for at the same
// time are scanned once.
func (e *ColumnEngine) scanAll(ctx context.Context, tasks []*scanTask, deliver func(*scanTask)) error {
	name, ok := nameOf(tasks)
	if !ok {
		var mu sync.Mutex
		return e.scanEach(ctx, tasks, func(t *scanTask) {
			mu.Lock()
			defer mu.Unlock()
			deliver(t)
			t.partials = nil
		})
	}
	scanned, err := Once(ctx, &e.flights, name, func() ([]*scanTask, error) {
		return tasks, e.scanEach(ctx, tasks, func(*scanTask) {})
	})
	if err != nil {
		return err
	}
	for i, t := range tasks {
		for n, p := range scanned[i].partials {
			if own := t.partials[n]; own != p { // another call's, which are not to be changed
				own.Entry, own.revision, own.err = p.Entry, p.revision, p.err
			}
		}
		deliver(t)
	}
	return nil
}

// scanEach scans the partitions of tasks, some at a time, and calls done behind each. Small partitions are brought to
// memory together.
func (e *ColumnEngine) scanEach(ctx context.Context, tasks []*scanTask, done func(*scanTask)) error {
	groups := partition.Groups(tasks, func(t *scanTask) *store.Partition { return t.partition })
	return AtOnce(ctx, groups, func(ctx context.Context, _ int, group []*scanTask) error {
		partitions := make([]*store.Partition, len(group))
		for i, t := range group {
			partitions[i] = t.partition
		}
		dimensions := dimensionsOf(group)
		if err := e.columns.Recall(ctx, partitions, dimensions); err != nil {
			return err
		}
		for _, t := range group {
			if err := e.scan(ctx, t.partition, t.partials, dimensions); err != nil {
				return err
			}
			done(t)
		}
		return nil
	})
}

// dimensionsOf returns what the partial aggregates of tasks need, each once.
func dimensionsOf(tasks []*scanTask) (dimensions []column.Dimension) {
	seen := map[*column.Predicate]bool{}
	for _, t := range tasks {
		for _, p := range t.partials {
			if seen[p.where] && p.steps == nil {
				continue
			}
			seen[p.where] = true
			for _, dimension := range p.dimensions() {
				if !slices.Contains(dimensions, dimension) {
					dimensions = append(dimensions, dimension)
				}
			}
		}
	}
	return dimensions
}

// nameOf tells tasks from others. ok is false if an Entry does not say all that a partial aggregate is.
func nameOf(tasks []*scanTask) (name string, ok bool) {
	hash := sha256.New()
	key := make([]byte, 0, 40)
	for _, t := range tasks {
		for _, p := range t.partials {
			if p.key == (Key{}) {
				return "", false
			}
			key = key[:0]
			for _, n := range [...]int64{p.key.Partition, p.key.Revision.Number, p.key.Revision.Write} {
				key = binary.LittleEndian.AppendUint64(key, uint64(n))
			}
			hash.Write(append(key, p.key.Fingerprint[:]...))
		}
	}
	return string(hash.Sum(nil)), true
}

// scan makes partial aggregates from a partition's columns. In each partition every part of their predicates is
// evaluated once; those that need the same beside columns are scanned together.
func (e *ColumnEngine) scan(ctx context.Context, p *store.Partition, partials []*partial, dimensions []column.Dimension) error {
	begin := time.Now()
	byNeed := map[*need][]*partial{}
	for _, one := range partials {
		byNeed[one.need] = append(byNeed[one.need], one)
	}
	for need, some := range byNeed {
		err := e.scanTogether(ctx, p, need, some, dimensions)
		switch {
		case err == nil:
		case need == nil || ctx.Err() != nil:
			return err
		default:
			for _, one := range some {
				one.err = err
			}
		}
	}
	e.scanning.Add(ctx, 1, 0, begin)
	return nil
}

func (e *ColumnEngine) scanTogether(ctx context.Context, p *store.Partition, need *need, partials []*partial, dimensions []column.Dimension) error {
	var resolution Resolution
	if need != nil {
		resolution = need.Resolution
	}
	return e.matcher.Read(ctx, p, resolution, dimensions, func(view *partition.View, known column.Known) error {
		for _, one := range partials {
			if err := ctx.Err(); err != nil {
				return err
			}
			one.revision = view.Revision
			if err := one.count(view, known); err != nil {
				return err
			}
		}
		return nil
	})
}

// dimensions returns what the question needs.
func (p *partial) dimensions() []column.Dimension {
	dimensions := p.where.Dimensions()
	if p.question.Visitors {
		dimensions = append(dimensions, column.Visitors)
	}
	if p.among != nil {
		dimensions = append(dimensions, p.among.Dimensions()...)
	}
	if p.question.Value != "" {
		dimensions = append(dimensions, column.Values)
	}
	if p.steps != nil {
		dimensions = append(dimensions, startDimension)
	}
	return dimensions
}

// within returns the predicate for the sessions of the day that started in the range.
func within(where filter.Expr, in model.Range, day model.Day) filter.Expr {
	if in.Covers(day) {
		return where
	}
	// A range of numbers includes its end.
	return filter.And{where, filter.Range{Field: filter.Start, Min: float64(in.From), Max: float64(in.To - 1)}}
}

// count makes the partial aggregate, unless that of its aggregate is made later.
func (p *partial) count(view *partition.View, known column.Known) error {
	if p.question.Visitors && p.gathering.puts(p.aggregate) {
		return nil
	}
	if !p.question.Visitors && p.question.Value == "" && p.steps == nil { // no need for the set itself
		sessions, err := view.Count(p.where, known)
		p.Sessions = int64(sessions)
		return err
	}
	matched, err := view.Match(p.where, known)
	if err != nil {
		return err
	}
	p.Sessions = int64(matched.Count())
	if p.question.Visitors {
		if err := p.gather(view, matched, known); err != nil {
			return err
		}
	}
	if p.question.Value != "" {
		p.Value = view.Value(matched, p.question.Value)
	}
	if p.steps != nil {
		view.CountSteps(matched, p.question.Steps, p.steps)
	}
	return nil
}

// Once calls do. If a call of the same name is in flight, Once waits for it and shares its result. What ended that call
// alone, because it was cancelled or its budget was spent, is nobody else's result: one of those that waited calls do then.
func Once[T any](ctx context.Context, flights *singleflight.Group, name string, do func() (T, error)) (result T, err error) {
	isOwn := false
	done := flights.DoChan(name, func() (any, error) {
		isOwn = true
		result, err := Safely(do)
		if err != nil && ctx.Err() != nil {
			// Drivers report cancellation in many ways; this normalises them.
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return result, err
	})
	select {
	case <-ctx.Done():
		return result, ctx.Err()
	case shared := <-done:
		if !isOwn && ctx.Err() == nil && (isCancellation(shared.Err) || partition.IsOverBudget(shared.Err)) {
			return Once(ctx, flights, name, do)
		}
		return shared.Val.(T), shared.Err
	}
}

// isCancellation tells whether an error is that of a context that is done.
func isCancellation(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// AtOnce calls do with each of a list and its place, as many at a time as there are processors. It returns the first error,
// which cancels the others.
func AtOnce[T any](ctx context.Context, list []T, do func(ctx context.Context, place int, one T) error) error {
	group, within := errgroup.WithContext(ctx)
	var taken atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		group.Go(func() error {
			for place := int(taken.Add(1)) - 1; place < len(list); place = int(taken.Add(1)) - 1 {
				if err := within.Err(); err != nil {
					return err
				}
				_, err := Safely(func() (bool, error) { return true, do(within, place, list[place]) })
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// Safely calls do, and makes a panic an error: in a goroutine of its own, it would end the process.
func Safely[T any](do func() (T, error)) (result T, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
	}()
	return do()
}
