package count

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model"
)

// Redis is a Cache that processes share. A Redis that is slow or down is asked again only after a while: it gets
// redisTimeout, once, and then counting goes on without it.
type Redis struct {
	client *redis.Client
	prefix string
	// resumeAt is when it is asked again, in nanoseconds since 1970; now is the clock.
	resumeAt atomic.Int64
	now      func() time.Time
	failures atomic.Int64
}

const (
	// redisTimeout is how long one round trip may take.
	redisTimeout = 100 * time.Millisecond
	// redisPause is how long a Redis that failed is left alone.
	redisPause = time.Second
	// redisKept is how long an entry is kept.
	redisKept = 24 * time.Hour
)

// NewRedis returns a Redis over a client, which must obey the contexts of its calls
// (redis.Options.ContextTimeoutEnabled). instance names the database whose counts it
// keeps, so that several may share one Redis.
func NewRedis(client *redis.Client, instance string) *Redis {
	return &Redis{client: client, prefix: "goalgraph:count:" + instance + ":", now: time.Now}
}

// Failures returns how often it did not answer, or not in time.
func (r *Redis) Failures() int64 { return r.failures.Load() }

// name returns the key as Redis has it.
func (r *Redis) name(key Key) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(key.Partition))
	raw = binary.BigEndian.AppendUint64(raw, uint64(key.Revision.Number))
	raw = binary.BigEndian.AppendUint64(raw, uint64(key.Revision.Write))
	return r.prefix + base64.RawStdEncoding.EncodeToString(append(raw, key.Fingerprint[:]...))
}

// Name names the cache in figures.
func (r *Redis) Name() string { return redisName }

// Get returns the entries of the keys that it has, in one round trip.
func (r *Redis) Get(ctx context.Context, keys []Key) map[Key]Entry {
	found := map[Key]Entry{}
	if len(keys) == 0 || r.paused() {
		return found
	}
	limited, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = r.name(key)
	}
	values, err := r.client.MGet(limited, names...).Result()
	if err != nil {
		r.failed(ctx)
		return found
	}
	for i, value := range values {
		packed, _ := value.(string)
		if entry, ok := unpack(names[i], packed); ok {
			found[keys[i]] = entry
		}
	}
	return found
}

// Set keeps entries, in one round trip.
func (r *Redis) Set(ctx context.Context, entries map[Key]Entry) {
	if len(entries) == 0 || r.paused() {
		return
	}
	limited, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	pipeline := r.client.Pipeline()
	for key, entry := range entries {
		name := r.name(key)
		pipeline.Set(limited, name, entry.pack(name), redisKept)
	}
	if _, err := pipeline.Exec(limited); err != nil {
		r.failed(ctx)
	}
}

func (r *Redis) paused() bool { return r.now().UnixNano() < r.resumeAt.Load() }

// failed notes a failure, unless it is the asker who went away.
func (r *Redis) failed(asker context.Context) {
	if asker.Err() != nil {
		return
	}
	r.failures.Add(1)
	r.resumeAt.Store(r.now().Add(redisPause).UnixNano())
}

// The form of an entry in Redis: the sessions, the two words of the value, and a sum of them and of the name that they are
// kept under, 8 bytes each. What others have written there, older versions of the program too, is not taken for an entry.
const packedEntry = 32

func (e Entry) pack(name string) []byte {
	high, low := e.Value.Words()
	packed := binary.LittleEndian.AppendUint64(make([]byte, 0, packedEntry), uint64(e.Sessions))
	packed = binary.LittleEndian.AppendUint64(packed, uint64(high))
	packed = binary.LittleEndian.AppendUint64(packed, low)
	return binary.LittleEndian.AppendUint64(packed, checksum(name, packed))
}

func unpack(name, text string) (e Entry, ok bool) {
	packed := []byte(text)
	if len(packed) != packedEntry || checksum(name, packed[:24]) != binary.LittleEndian.Uint64(packed[24:]) {
		return Entry{}, false
	}
	e.Sessions = int64(binary.LittleEndian.Uint64(packed[:8]))
	e.Value = model.SumOfWords(int64(binary.LittleEndian.Uint64(packed[8:16])), binary.LittleEndian.Uint64(packed[16:24]))
	return e, true
}

func checksum(name string, packed []byte) uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	hash.Write(packed)
	return hash.Sum64()
}
