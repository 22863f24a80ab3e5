package count

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model/store"
)

// share is what the questions ask of one bucket.
type share struct {
	at     int // the bucket's place among the buckets
	bucket store.Bucket
	// parts are the tallies' in this bucket.
	tallies []*tally
	parts   []*part
	// keys name those parts that an entry of a cache can say, by their index; unknown
	// are the parts that no cache has.
	keys    map[int]Key
	unknown []int
	// counted are the entries of the parts that were counted.
	counted map[Key]Entry
}

func newShare(at int, bucket store.Bucket, tallies []*tally) *share {
	s := &share{at: at, bucket: bucket, keys: map[int]Key{}}
	for _, t := range tallies {
		p := t.part(bucket.Day)
		if p == nil {
			continue
		}
		if key, ok := keyOf(p, bucket); ok {
			s.keys[len(s.parts)] = key
		}
		s.unknown = append(s.unknown, len(s.parts))
		s.tallies, s.parts = append(s.tallies, t), append(s.parts, p)
	}
	return s
}

// recall asks the caches for the parts, for all buckets at once. What a farther one
// knows the nearer ones are told.
func (g *gathering) recall(ctx context.Context, shares []*share) {
	for n, cache := range g.caches {
		var keys []Key
		for _, s := range shares {
			for _, i := range s.unknown {
				if key, ok := s.keys[i]; ok {
					keys = append(keys, key)
				}
			}
		}
		if len(keys) == 0 {
			return
		}
		begin := time.Now()
		found := cache.Get(ctx, keys)
		g.layers[n].add(len(found), len(keys)-len(found), begin)
		if len(found) == 0 {
			continue
		}
		for _, nearer := range g.caches[:n] {
			nearer.Set(ctx, found)
		}
		for _, s := range shares {
			s.take(found)
		}
	}
}

// take takes the entries that were found for parts.
func (s *share) take(found map[Key]Entry) {
	unknown := s.unknown[:0]
	for _, i := range s.unknown {
		if entry, ok := found[s.keys[i]]; ok && s.keys[i] != (Key{}) {
			s.parts[i].take(entry, s.bucket.Day)
		} else {
			unknown = append(unknown, i)
		}
	}
	s.unknown = unknown
}

// countShare counts the unknown parts. Where others ask exactly the same of the
// bucket at this moment, it is counted once.
func (g *gathering) countShare(ctx context.Context, s *share) error {
	var parts []*part
	var name strings.Builder
	cacheable := len(g.caches) > 0
	for _, i := range s.unknown {
		parts = append(parts, s.parts[i])
		key, ok := s.keys[i]
		cacheable = cacheable && ok
		fmt.Fprintf(&name, "%d %d %x ", key.Bucket, key.Revision, key.Asked)
	}
	if !cacheable {
		if err := g.count(ctx, s.bucket, parts); err != nil {
			return err
		}
		s.note(parts)
		return nil
	}
	counted, err, _ := g.same.Do(name.String(), func() (any, error) {
		if err := g.count(ctx, s.bucket, parts); err != nil {
			return nil, err
		}
		entries := make([]Entry, len(parts))
		for n, p := range parts {
			entries[n] = p.entry()
		}
		return entries, nil
	})
	if err != nil {
		if ctx.Err() == nil && isCancellation(err) {
			// The one that counted for all was cancelled, and this one was not.
			err = g.count(ctx, s.bucket, parts)
			s.note(parts)
		}
		return err
	}
	for n, entry := range counted.([]Entry) {
		parts[n].sessions, parts[n].value = 0, 0
		clear(parts[n].steps)
		parts[n].take(entry, s.bucket.Day)
	}
	s.note(parts)
	return nil
}

// note keeps what was counted for the caches.
func (s *share) note(parts []*part) {
	s.counted = make(map[Key]Entry, len(parts))
	for n, i := range s.unknown {
		if key, ok := s.keys[i]; ok {
			s.counted[key] = parts[n].entry()
		}
	}
}

// hand hands the parts to their tallies, one share at a time.
func (s *share) hand() {
	for i, t := range s.tallies {
		t.add(s.at, s.parts[i])
	}
}
