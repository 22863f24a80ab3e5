package count

import (
	"context"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Key names the partial aggregate of a question in a partition: the partition, the revision that was counted and what is
// asked. It names content, so an entry is never out of date, and nothing needs to be invalidated.
type Key struct {
	Partition int64
	Revision  store.Revision
	// Fingerprint is of the predicate, of the part of the partition's day that the range leaves, and of what is summed.
	Fingerprint Fingerprint
}

// Entry is a partial aggregate.
type Entry struct {
	Sessions int64
	Value    model.Sum
}

// Cache keeps entries. It may only make counting faster: what it does not have, or cannot say in time, is counted.
// There are two: in the process, and in Redis, which processes share. It is safe for concurrent use.
type Cache interface {
	// Name names the cache in figures.
	Name() string
	// Get returns the entries of the keys that it has.
	Get(ctx context.Context, keys []Key) map[Key]Entry
	// Set keeps entries for a while.
	Set(ctx context.Context, entries map[Key]Entry)
}

// Memory is a Cache in the process.
type Memory struct{ entries *otter.Cache[Key, Entry] }

// entryBytes is about what an entry takes in memory.
const entryBytes = 170

// NewMemory returns a Memory of about as many bytes at most.
func NewMemory(bytes int) (*Memory, error) {
	entries, err := otter.New(&otter.Options[Key, Entry]{MaximumSize: max(1, bytes/entryBytes)})
	return &Memory{entries}, err
}

// Name names the cache in figures.
func (m *Memory) Name() string { return memoryName }

// Get returns the entries of the keys that it has.
func (m *Memory) Get(_ context.Context, keys []Key) map[Key]Entry {
	found := make(map[Key]Entry, len(keys))
	for _, key := range keys {
		if entry, ok := m.entries.GetIfPresent(key); ok {
			found[key] = entry
		}
	}
	return found
}

// Set keeps entries.
func (m *Memory) Set(_ context.Context, entries map[Key]Entry) {
	for key, entry := range entries {
		m.entries.Set(key, entry)
	}
}
