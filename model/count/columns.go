package count

import (
	"context"
	"slices"
	"sort"
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Columns is the Engine that keeps buckets in memory as columns. A bucket is read
// once; afterwards, what was written since is read, by revision, before each
// answer. So the answers include every write that was committed before the
// question, on whatever node.
//
// What the columns cannot say, which is the key of a visitor, it leaves to Scan.
type Columns struct {
	store   *store.Store
	scan    *Scan
	buckets *otter.Cache[int64, *bucket]
}

// bucket is a bucket in memory.
type bucket struct {
	mu       sync.RWMutex
	revision int64
	sessions *column.Sessions
}

// DefaultColumnBytes is a bound for columns that suits a small machine.
const DefaultColumnBytes = 512 << 20

// NewColumns returns a Columns over a store that keeps about as many bytes of
// columns at most. Beyond it the buckets that were asked about least are let go,
// and read again when they are needed.
func NewColumns(st *store.Store, bytes uint64) (*Columns, error) {
	buckets, err := otter.New(&otter.Options[int64, *bucket]{
		MaximumWeight: bytes,
		Weigher: func(_ int64, b *bucket) uint32 {
			b.mu.RLock()
			defer b.mu.RUnlock()
			return uint32(min(b.sessions.Bytes(), 1<<32-1))
		},
	})
	if err != nil {
		return nil, err
	}
	return &Columns{store: st, scan: NewScan(st), buckets: buckets}, nil
}

var _ Engine = (*Columns)(nil)

// at returns the bucket's columns as they are at its revision, or newer.
func (e *Columns) at(ctx context.Context, stored store.Bucket) (*bucket, error) {
	b, _ := e.buckets.ComputeIfAbsent(stored.ID, func() (*bucket, bool) {
		return &bucket{sessions: column.New()}, false
	})
	b.mu.RLock()
	current := b.revision >= stored.Revision
	b.mu.RUnlock()
	if current {
		return b, nil
	}
	if err := e.forward(ctx, b, stored); err != nil {
		return nil, err
	}
	e.buckets.Set(stored.ID, b) // it has another weight now
	return b, nil
}

// forward reads what was written to the bucket since. Where that is cut off, it is
// read again the next time: the revision moves last.
func (e *Columns) forward(ctx context.Context, b *bucket, stored store.Bucket) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.revision >= stored.Revision {
		return nil
	}
	err := e.store.EachChange(ctx, stored.ID, b.revision, func(ordinal int32, session *model.Session) error {
		if session == nil {
			b.sessions.Drop(ordinal)
		} else {
			b.sessions.Put(session)
		}
		return nil
	})
	if err == nil {
		b.revision = stored.Revision
	}
	return err
}

// Count answers questions together: in each bucket every part of their predicates
// is evaluated once.
func (e *Columns) Count(ctx context.Context, questions []Question) ([]Answer, error) {
	return gather(ctx, e.store, questions, e.countBucket)
}

func (e *Columns) countBucket(ctx context.Context, stored store.Bucket, parts []*part) error {
	inColumns := parts[:0:0]
	var others []*part
	for _, p := range parts {
		if filter.Uses(p.Where, filter.Visitor) {
			others = append(others, p)
		} else {
			inColumns = append(inColumns, p)
		}
	}
	if len(others) > 0 {
		if err := e.scan.countBucket(ctx, stored, others); err != nil {
			return err
		}
	}
	if len(inColumns) == 0 {
		return nil
	}
	b, err := e.at(ctx, stored)
	if err != nil {
		return err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	known := map[string]column.Set{}
	for _, p := range inColumns {
		if err := ctx.Err(); err != nil {
			return err
		}
		matched, err := b.sessions.Match(within(p.Where, p.In, stored.Day), known)
		if err != nil {
			return err
		}
		p.count(b.sessions, matched, stored.Day)
	}
	return nil
}

// within returns the predicate for the sessions of the day that started in the
// range.
func within(where filter.Expr, in model.Range, day model.Day) filter.Expr {
	if in.Covers(day) {
		return where
	}
	// A range of numbers includes its end.
	return filter.And{where, filter.Range{Field: filter.Start, Min: float64(in.From), Max: float64(in.To - 1)}}
}

func (p *part) count(sessions *column.Sessions, matched column.Set, day model.Day) {
	p.sessions = int(matched.Count())
	if p.visitors != nil {
		sessions.Visitors(matched, p.visitors)
	}
	if p.Value != "" {
		p.value = sessions.Value(matched, p.Value)
	}
	if len(p.steps) == 0 {
		return
	}
	first := sort.Search(len(p.Steps), func(i int) bool { return p.Steps[i] > day.Start() })
	if first == len(p.Steps) {
		return
	}
	if first > 0 && (day+1).Start() <= p.Steps[first] { // the whole day is in one step
		p.steps[first-1] += p.sessions
		return
	}
	sessions.CountSteps(matched, p.Steps, p.steps)
}

// Sessions takes the newest of the matching sessions from the columns, and reads
// them alone.
func (e *Columns) Sessions(ctx context.Context, q SessionQuery) ([]model.Session, error) {
	if filter.Uses(q.Where, filter.Visitor) {
		return e.scan.Sessions(ctx, q)
	}
	return listSessions(ctx, e.store, q, func(stored store.Bucket, in model.Range, limit int) ([]model.Session, error) {
		b, err := e.at(ctx, stored)
		if err != nil {
			return nil, err
		}
		b.mu.RLock()
		matched, err := b.sessions.Match(within(q.Where, in, stored.Day), map[string]column.Set{})
		var found []Position
		if err == nil {
			b.sessions.EachStart(matched, func(ordinal int32, start model.Millis) {
				position := Position{Start: start, ID: model.SessionID{Bucket: stored.ID, Ordinal: ordinal}}
				if q.After == nil || newestFirst(position, *q.After) > 0 {
					found = append(found, position)
				}
			})
		}
		b.mu.RUnlock()
		if err != nil {
			return nil, err
		}
		slices.SortFunc(found, newestFirst)
		ordinals := make([]int32, 0, limit)
		for _, position := range found[:min(len(found), limit)] {
			ordinals = append(ordinals, position.ID.Ordinal)
		}
		return e.store.SessionsAt(ctx, stored.ID, ordinals)
	})
}

// Values counts the codes of the field's column.
func (e *Columns) Values(ctx context.Context, q ValueQuery) ([]Value, error) {
	if q.Field == filter.Visitor {
		return e.scan.Values(ctx, q)
	}
	return listValues(ctx, e.store, q, func(ctx context.Context, stored store.Bucket, add func(text string, sessions int)) error {
		b, err := e.at(ctx, stored)
		if err != nil {
			return err
		}
		b.mu.RLock()
		defer b.mu.RUnlock()
		b.sessions.EachValue(q.Field, add)
		return nil
	})
}
