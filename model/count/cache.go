package count

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"strconv"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Key names what a question gathers in a partition: the partition, its revision and what
// is asked. It names content, so an entry is never out of date, and nothing needs
// to be invalidated.
type Key struct {
	Partition, Revision int64
	// WrittenAt is when the partition came to the revision: a database that was restored
	// from a backup comes to revisions again, with other sessions.
	WrittenAt model.Millis
	// Asked is 128 bits of a hash of the predicate, of the part of the partition's day
	// that the range leaves, and of what is summed.
	Asked [16]byte
}

// Entry is what a question gathers in a partition.
type Entry struct {
	Sessions int64
	Value    float64
}

// Cache keeps entries. It may only make counting faster: what it does not have,
// or cannot say in time, is counted. There are two: in the process, and in Redis,
// which processes share. It is safe for concurrent use.
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
const entryBytes = 160

// NewMemory returns a Memory of about as many bytes at most.
func NewMemory(bytes int) (*Memory, error) {
	entries, err := otter.New(&otter.Options[Key, Entry]{MaximumSize: max(1, bytes/entryBytes)})
	return &Memory{entries}, err
}

// Name names the cache in figures.
func (m *Memory) Name() string { return "memory" }

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

// askedOf is the hash of what is asked of a partition whose whole day is in the range.
func askedOf(parts ...string) (asked [16]byte) {
	hash := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	copy(asked[:], hash.Sum(nil))
	return asked
}

// key returns the key of what the question gathers in a partition. ok is false where
// that is more than an entry says, distinct visitors or several steps of one day, or
// depends on more than the partition.
func (t *tally) key(partition *store.Partition) (key Key, ok bool) {
	if t.question.Visitors || t.question.splits(partition.Day) || t.assigned != nil {
		return Key{}, false
	}
	key = Key{Partition: partition.ID, Revision: partition.Revision, WrittenAt: partition.WrittenAt, Asked: t.asked}
	if in := t.question.In; !in.Covers(partition.Day) {
		from, to := max(in.From, partition.Day.Start()), min(in.To, (partition.Day+1).Start())
		key.Asked = askedOf(t.text, t.question.Value, strconv.FormatInt(int64(from), 10), strconv.FormatInt(int64(to), 10))
	}
	return key, true
}

// isCancellation tells whether an error is that of a context that is done.
func isCancellation(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// The form of an entry in Redis: the sessions, the value's bits, and a sum of both
// and of the name that they are kept under, 8 bytes each. What others have written
// there is not taken for an entry.
const packedEntry = 24

func (e Entry) pack(name string) []byte {
	packed := binary.LittleEndian.AppendUint64(make([]byte, 0, packedEntry), uint64(e.Sessions))
	packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(e.Value))
	return binary.LittleEndian.AppendUint64(packed, checksum(name, packed))
}

func unpack(name, text string) (e Entry, ok bool) {
	packed := []byte(text)
	if len(packed) != packedEntry || checksum(name, packed[:16]) != binary.LittleEndian.Uint64(packed[16:]) {
		return Entry{}, false
	}
	e.Sessions = int64(binary.LittleEndian.Uint64(packed[:8]))
	e.Value = math.Float64frombits(binary.LittleEndian.Uint64(packed[8:16]))
	return e, true
}

func checksum(name string, packed []byte) uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	hash.Write(packed)
	return hash.Sum64()
}
