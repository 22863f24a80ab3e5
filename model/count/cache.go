package count

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Key names what a question gathers in a bucket: the bucket, its revision and what
// is asked. It names content, so an entry is never out of date, and nothing needs
// to be invalidated.
type Key struct {
	Bucket, Revision int64
	// Asked is 128 bits of a hash of the predicate, of the part of the bucket's day
	// that the range leaves, and of what is summed.
	Asked [16]byte
}

// Entry is what a question gathers in a bucket.
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

// keyOf returns the key of what a part gathers in a bucket. ok is false where that
// is more than an entry says: distinct visitors, or several steps of one day.
func keyOf(p *part, bucket store.Bucket) (key Key, ok bool) {
	if p.visitors != nil || p.splits(bucket.Day) {
		return Key{}, false
	}
	hash := sha256.New()
	hash.Write([]byte(p.text))
	var rest [16]byte
	if !p.In.Covers(bucket.Day) {
		from, to := max(p.In.From, bucket.Day.Start()), min(p.In.To, (bucket.Day+1).Start())
		binary.LittleEndian.PutUint64(rest[:8], uint64(from))
		binary.LittleEndian.PutUint64(rest[8:], uint64(to))
	}
	hash.Write(rest[:])
	hash.Write([]byte(p.Value))
	key = Key{Bucket: bucket.ID, Revision: bucket.Revision}
	copy(key.Asked[:], hash.Sum(nil))
	return key, true
}

// splits tells whether the day's sessions are of more than one step.
func (p *part) splits(day model.Day) bool {
	for _, step := range p.Steps {
		if day.Start() < step && step < (day+1).Start() {
			return true
		}
	}
	return false
}

// entry returns what the part has gathered.
func (p *part) entry() Entry { return Entry{Sessions: int64(p.sessions), Value: p.value} }

// take is what the part gathers where it is known.
func (p *part) take(entry Entry, day model.Day) {
	p.sessions, p.value = int(entry.Sessions), entry.Value
	if step := p.step(day); step >= 0 {
		p.steps[step] += p.sessions
	}
}

// step returns the step that holds the whole day, -1 where none does.
func (p *part) step(day model.Day) int {
	for i := 1; i < len(p.Steps); i++ {
		if p.Steps[i-1] <= day.Start() && (day+1).Start() <= p.Steps[i] {
			return i - 1
		}
	}
	return -1
}

// isCancellation tells whether an error is that of a context that is done.
func isCancellation(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// The form of an entry in Redis: the sessions and the value's bits, 8 bytes each.
const packedEntry = 16

func (e Entry) pack() []byte {
	packed := binary.LittleEndian.AppendUint64(make([]byte, 0, packedEntry), uint64(e.Sessions))
	return binary.LittleEndian.AppendUint64(packed, math.Float64bits(e.Value))
}

func unpack(packed string) (e Entry, ok bool) {
	if len(packed) != packedEntry {
		return Entry{}, false
	}
	e.Sessions = int64(binary.LittleEndian.Uint64([]byte(packed[:8])))
	e.Value = math.Float64frombits(binary.LittleEndian.Uint64([]byte(packed[8:])))
	return e, e.Sessions >= 0
}
