package count

import (
	"context"
	"maps"
	"slices"
	"sort"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Scan is the Engine that reads every session of the buckets in question and
// evaluates it. Buckets are streamed, some at a time, so that its memory does
// not grow with the range: what it keeps are counters, and a compressed bitmap
// of visitors where they are asked for.
type Scan struct {
	store     *store.Store
	gathering gathering
}

// NewScan returns a Scan over a store.
func NewScan(st *store.Store) *Scan {
	e := &Scan{store: st}
	e.gathering = gathering{store: st, count: e.countBucket}
	return e
}

var _ Engine = (*Scan)(nil)

// Count answers questions together: each bucket is read once for all of them.
func (e *Scan) Count(ctx context.Context, questions []Question) ([]Answer, error) {
	return e.gathering.answer(ctx, questions)
}

func (e *Scan) countBucket(ctx context.Context, bucket store.Bucket, parts []*part) error {
	withKeys := slices.ContainsFunc(parts, func(p *part) bool { return filter.Uses(p.Where, filter.Visitor) })
	shared := slices.Collect(maps.Values(sharing(parts)))
	return e.store.EachSession(ctx, bucket.ID, withKeys, func(session *model.Session) error {
		for _, same := range shared {
			if !same[0].Where.Match(session) {
				continue
			}
			for _, p := range same {
				p.add(session)
			}
		}
		return nil
	})
}

func (p *part) add(session *model.Session) {
	if !p.In.Contains(session.Start) {
		return
	}
	p.sessions++
	if p.visitors != nil {
		p.visitors.Add(uint64(session.Visitor))
	}
	if p.Value != "" {
		event, _ := session.Event(p.Value)
		p.value += event.Sum
	}
	if len(p.steps) > 0 {
		behind := sort.Search(len(p.Steps), func(i int) bool { return p.Steps[i] > session.Start })
		if 0 < behind && behind < len(p.Steps) {
			p.steps[behind-1]++
		}
	}
}

// Sessions reads the buckets from the newest on until the page is full.
func (e *Scan) Sessions(ctx context.Context, q SessionQuery) ([]model.Session, error) {
	return listSessions(ctx, e.store, q, func(bucket store.Bucket, in model.Range, limit int) ([]model.Session, error) {
		var found []model.Session
		err := e.store.EachSession(ctx, bucket.ID, true, func(session *model.Session) error {
			if !in.Contains(session.Start) || q.After != nil && newestFirst(PositionOf(session), *q.After) <= 0 || !q.Where.Match(session) {
				return nil
			}
			if found = append(found, *session); len(found) >= 2*limit {
				found = newest(found, limit)
			}
			return nil
		})
		return found, err
	})
}

// Values counts the values of all sessions.
func (e *Scan) Values(ctx context.Context, q ValueQuery) ([]Value, error) {
	return listValues(ctx, e.store, q, func(ctx context.Context, bucket store.Bucket, add func(text string, sessions int)) error {
		return e.store.EachSession(ctx, bucket.ID, q.Field == filter.Visitor, func(session *model.Session) error {
			texts := q.Field.Texts(session)
			for _, text := range texts {
				add(text, 1)
			}
			if len(texts) == 0 {
				add("", 1)
			}
			return nil
		})
	})
}
