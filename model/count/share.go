package count

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// share is what is to be counted in one partition.
type share struct {
	at        int // the partition's place among the partitions
	partition store.Partition
	tallies   []*tally
	parts     []*part // of the tallies
	keys      []Key   // of the parts; zero where no cache could say the part
}

// ask is a question about a partition that a cache may know.
type ask struct {
	at    int // the partition's place among the partitions
	tally *tally
	key   Key
}

// recall asks the caches for all parts at once, and returns those that are to be
// counted. What a farther cache knows the nearer ones are told.
func (g *gathering) recall(ctx context.Context, partitions []store.Partition, tallies []*tally) []*share {
	shares := make([]*share, len(partitions)) // by the partition's place
	toCount := func(a ask) {
		s := shares[a.at]
		if s == nil {
			s = &share{at: a.at, partition: partitions[a.at]}
			shares[a.at] = s
		}
		s.tallies, s.parts, s.keys = append(s.tallies, a.tally), append(s.parts, a.tally.part()), append(s.keys, a.key)
	}
	var asks []ask
	for at := range partitions {
		for _, t := range tallies {
			if !t.asks(at, partitions[at].Day) {
				continue
			}
			if key, ok := t.key(&partitions[at]); ok && len(g.caches) > 0 {
				asks = append(asks, ask{at, t, key})
			} else {
				toCount(ask{at, t, Key{}})
			}
		}
	}
	for n, cache := range g.caches {
		if len(asks) == 0 {
			break
		}
		begin := time.Now()
		unknown := g.recallFrom(ctx, cache, g.caches[:n], partitions, asks)
		g.layers[n].add(len(asks)-len(unknown), len(unknown), begin)
		asks = unknown
	}
	for _, a := range asks {
		toCount(a)
	}
	found := shares[:0]
	for _, s := range shares {
		if s != nil {
			found = append(found, s)
		}
	}
	return found
}

// recallFrom asks one cache, and returns what it does not know.
func (g *gathering) recallFrom(ctx context.Context, cache Cache, nearer []Cache, partitions []store.Partition, asks []ask) []ask {
	unknown := asks[:0]
	if memory, ok := cache.(*Memory); ok { // the nearest, without a list and a map between
		for _, a := range asks {
			if entry, found := memory.entries.GetIfPresent(a.key); found {
				a.tally.take(entry, a.at, partitions[a.at].Day)
			} else {
				unknown = append(unknown, a)
			}
		}
		return unknown
	}
	keys := make([]Key, len(asks))
	for i, a := range asks {
		keys[i] = a.key
	}
	found := cache.Get(ctx, keys)
	for _, near := range nearer {
		near.Set(ctx, found)
	}
	for _, a := range asks {
		if entry, ok := found[a.key]; ok {
			a.tally.take(entry, a.at, partitions[a.at].Day)
		} else {
			unknown = append(unknown, a)
		}
	}
	return unknown
}

// countShare counts the parts. Where others ask exactly the same of the partition at
// this moment, it is counted once.
func (g *gathering) countShare(ctx context.Context, s *share) error {
	var name strings.Builder
	for _, key := range s.keys {
		if key == (Key{}) {
			return g.count(ctx, s.partition, s.parts)
		}
		fmt.Fprintf(&name, "%d %d %d %x ", key.Partition, key.Revision, key.WrittenAt, key.Asked)
	}
	counted, err := once(ctx, &g.same, name.String(), func() ([]countedPart, error) {
		if err := g.count(ctx, s.partition, s.parts); err != nil {
			return nil, err
		}
		counted := make([]countedPart, len(s.parts))
		for i, p := range s.parts {
			counted[i] = countedPart{p.entry(), p.err}
		}
		return counted, nil
	})
	if err != nil {
		return err
	}
	for i, known := range counted {
		s.parts[i].take(known.entry, s.partition.Day)
		s.parts[i].err = known.err
	}
	return nil
}

// once calls do. Where others of the name are at it at this moment, it takes over what
// they come to, unless they were cancelled and this one was not.
func once[T any](ctx context.Context, same *singleflight.Group, name string, do func() (T, error)) (result T, err error) {
	done := same.DoChan(name, func() (any, error) {
		result, err := do()
		if err != nil && ctx.Err() != nil {
			// What the databases say of a question that is cancelled is manifold.
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return result, err
	})
	select {
	case <-ctx.Done():
		return result, ctx.Err()
	case other := <-done:
		if other.Err != nil && ctx.Err() == nil && isCancellation(other.Err) {
			return do()
		}
		return other.Val.(T), other.Err
	}
}

// countedPart is what others take over of a part.
type countedPart struct {
	entry Entry
	err   error
}

// hand hands the parts to their tallies, and notes them for the caches.
func (s *share) hand(counted map[Key]Entry) {
	for i, t := range s.tallies {
		t.add(s.at, s.parts[i])
		if s.keys[i] != (Key{}) && s.parts[i].err == nil {
			counted[s.keys[i]] = s.parts[i].entry()
		}
	}
}

// entry returns what the part has gathered.
func (p *part) entry() Entry { return Entry{Sessions: int64(p.sessions), Value: p.value} }

// take makes the part what is known of it.
func (p *part) take(entry Entry, day model.Day) {
	p.sessions, p.value = int(entry.Sessions), entry.Value
	clear(p.steps)
	if step := p.step(day); step >= 0 {
		p.steps[step] = p.sessions
	}
}
