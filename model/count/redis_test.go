package count

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

func mustRedisClient(t *testing.T, address string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	o.DialTimeout = redisTimeout // the contexts of calls bound the rest
	o.ContextTimeoutEnabled, o.MaxRetries, o.DialerRetries = true, -1, 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}

// neverPaused has a Redis asked again at once after a failure: 100 ms are little on
// a loaded machine.
func neverPaused(r *Redis) *Redis {
	now := time.Unix(1_000_000, 0)
	r.now = func() time.Time {
		now = now.Add(2 * redisPause)
		return now
	}
	return r
}

func randomKey(r *rand.Rand) (key Key) {
	key.Partition, key.Revision = r.Int64N(100), store.Revision{Number: r.Int64N(100), Write: r.Int64N(100)}
	for i := range key.Fingerprint {
		key.Fingerprint[i] = byte(r.Uint32())
	}
	return key
}

func equalEntries(t *testing.T, got, want map[Key]Entry) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%d entries, want %d: %.300s, want %.300s", len(got), len(want), fmt.Sprint(got), fmt.Sprint(want))
	}
}

// A cache gives what it was given, and nothing else.
func TestCache(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) Cache{
		"memory": func(t *testing.T) Cache {
			memory, err := NewMemory(10 << 20)
			if err != nil {
				t.Fatal(err)
			}
			return memory
		},
		"redis": func(t *testing.T) Cache {
			return neverPaused(NewRedis(mustRedisClient(t, storetest.Redis(t)), "a"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			cache := open(t)
			if cache.Name() != name {
				t.Errorf("its name is %s", cache.Name())
			}
			r := rand.New(rand.NewPCG(31, 31))
			ctx := t.Context()
			cache.Set(ctx, nil)
			equalEntries(t, cache.Get(ctx, nil), map[Key]Entry{})
			unknown := []Key{{}, randomKey(r), randomKey(r)}
			equalEntries(t, cache.Get(ctx, unknown), map[Key]Entry{})

			special := map[Key]Entry{
				{Partition: 1, Revision: store.Revision{Number: 2}}:                           {},
				{Partition: 2, Revision: store.Revision{Number: 1}}:                           {Sessions: 1, Value: model.SumOf(-0.1)},
				{Partition: 1, Revision: store.Revision{Number: 2}, Fingerprint: [16]byte{1}}: {Sessions: math.MaxInt64, Value: model.SumOf(math.MaxFloat64)},
				{Partition: math.MaxInt64, Revision: store.Revision{Number: 1<<62 + 12}}:      {Sessions: 7, Value: model.SumOfWords(math.MinInt64, 1)},
			}
			cache.Set(ctx, special)
			for key, entry := range special {
				equalEntries(t, cache.Get(ctx, append([]Key{key}, unknown...)), map[Key]Entry{key: entry})
			}
			many := map[Key]Entry{}
			for i := range 3000 {
				many[randomKey(r)] = Entry{Sessions: int64(i), Value: model.SumOfWords(int64(r.Uint64()), r.Uint64())}
			}
			cache.Set(ctx, many)
			for key, entry := range many {
				many[key] = Entry{Sessions: entry.Sessions + 1}
				break
			}
			var keys []Key
			for key := range many {
				keys = append(keys, key)
			}
			var got map[Key]Entry
			for try := 0; try < 10 && !maps.Equal(got, many); try++ {
				cache.Set(ctx, many)
				got = cache.Get(ctx, append(slices.Clone(keys), unknown[1:]...))
			}
			equalEntries(t, got, many)
			equalEntries(t, cache.Get(ctx, slices.Collect(maps.Keys(special))), special)
		})
	}
}

// Memory keeps to its bound, about.
func TestMemoryCacheIsBounded(t *testing.T) {
	memory, err := NewMemory(100 * entryBytes)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(32, 32))
	for range 5000 {
		memory.Set(t.Context(), map[Key]Entry{randomKey(r): {Sessions: 1}})
	}
	memory.entries.CleanUp()
	if n := memory.entries.EstimatedSize(); n > 100 {
		t.Errorf("%d entries", n)
	}
}

func TestRedisEntries(t *testing.T) {
	client := mustRedisClient(t, storetest.Redis(t))
	ctx := t.Context()
	cache, other := neverPaused(NewRedis(client, "a")), neverPaused(NewRedis(client, "b"))
	key, entry := Key{Partition: 1, Revision: store.Revision{Number: 2}, Fingerprint: [16]byte{3}}, Entry{Sessions: 5, Value: model.SumOf(6)}
	found := func(want bool) {
		t.Helper()
		got := cache.Get(ctx, []Key{key})
		for try := 0; try < 10 && want && len(got) == 0; try++ {
			cache.Set(ctx, map[Key]Entry{key: entry})
			got = cache.Get(ctx, []Key{key})
		}
		if _, is := got[key]; is != want || want && got[key] != entry {
			t.Errorf("found %v", got)
		}
	}
	cache.Set(ctx, map[Key]Entry{key: entry})
	found(true)
	equalEntries(t, other.Get(ctx, []Key{key}), map[Key]Entry{})
	if left, err := client.TTL(ctx, cache.name(key)).Result(); err != nil || left <= 0 || left > redisKept {
		t.Errorf("it is kept for %v; %v", left, err)
	}
	whole, err := client.Get(ctx, cache.name(key)).Result()
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, value := range []string{whole[:i], whole[:i] + string(whole[i]^1) + whole[i+1:], whole[:i] + strings.Repeat("x", len(whole)-i)} {
			if err := client.Set(ctx, cache.name(key), value, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			found(false)
		}
	}
	// One that is of another question, and one that is no text.
	strayed := Key{Partition: 1, Revision: store.Revision{Number: 3}, Fingerprint: key.Fingerprint}
	cache.Set(ctx, map[Key]Entry{strayed: {Sessions: 9}})
	value, err := client.Get(ctx, cache.name(strayed)).Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Set(ctx, cache.name(key), value, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	found(false)
	if err := client.Del(ctx, cache.name(key)).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.LPush(ctx, cache.name(key), "a", "b").Err(); err != nil {
		t.Fatal(err)
	}
	found(false)
	cache.Set(ctx, map[Key]Entry{key: entry})
	found(true)
}

// A Redis that never answers costs 100 ms, and then nothing for a second.
func TestRedisThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var connections atomic.Int64
	go func() {
		var kept []net.Conn // half open: they take everything and say nothing
		for {
			conn, err := listener.Accept()
			if err != nil {
				for _, conn := range kept {
					conn.Close()
				}
				return
			}
			kept = append(kept, conn)
		}
	}()
	o := *mustRedisClient(t, "redis://"+listener.Addr().String()).Options()
	o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		connections.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	client := redis.NewClient(&o)
	defer client.Close()
	cache := NewRedis(client, "a")
	now := time.Unix(1_000_000, 0)
	cache.now = func() time.Time { return now }
	ctx := t.Context()
	key := Key{Partition: 1}
	// A loaded machine is late by itself.
	const most = redisTimeout + 400*time.Millisecond
	took := func(do func()) time.Duration {
		begin := time.Now()
		do()
		return time.Since(begin)
	}
	get := func() { cache.Get(ctx, []Key{key}) }
	set := func() { cache.Set(ctx, map[Key]Entry{key: {}}) }
	for i, do := range []func(){get, set, get} {
		first := took(do)
		if first > most || first < redisTimeout/2 || cache.Failures() != int64(i+1) {
			t.Errorf("%d: it took %v; %d failures", i, first, cache.Failures())
		}
		before := connections.Load()
		now = now.Add(redisPause - time.Millisecond)
		paused := took(func() {
			for range 1000 {
				get()
				set()
			}
		})
		if paused > redisTimeout || connections.Load() != before || cache.Failures() != int64(i+1) {
			t.Errorf("%d: 2,000 calls while it is left alone took %v, %d connections", i, paused, connections.Load()-before)
		}
		t.Logf("the first call took %v, 2,000 more %v", first, paused)
		now = now.Add(time.Millisecond)
	}
}

// A Redis that is there again is asked again.
func TestRedisThatComesBack(t *testing.T) {
	address := storetest.Redis(t)
	server, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	var down atomic.Bool
	o := *mustRedisClient(t, address).Options()
	o.Dialer = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if down.Load() {
			return nil, fmt.Errorf("nobody listens")
		}
		return new(net.Dialer).DialContext(ctx, network, server.Addr)
	}
	client := redis.NewClient(&o)
	defer client.Close()
	cache := NewRedis(client, "a")
	now := time.Unix(1_000_000, 0)
	cache.now = func() time.Time { return now }
	entries := map[Key]Entry{{Partition: 1}: {Sessions: 4}}
	down.Store(true)
	cache.Set(t.Context(), entries)
	if cache.Failures() != 1 {
		t.Errorf("%d failures", cache.Failures())
	}
	down.Store(false)
	cache.Set(t.Context(), entries) // it is left alone
	now = now.Add(redisPause)
	equalEntries(t, cache.Get(t.Context(), []Key{{Partition: 1}}), map[Key]Entry{})
	cache.Set(t.Context(), entries)
	equalEntries(t, cache.Get(t.Context(), []Key{{Partition: 1}}), entries)
}

// That an asker goes away says nothing about Redis.
func TestRedisOfACancelledQuestion(t *testing.T) {
	cache := NewRedis(mustRedisClient(t, storetest.Redis(t)), "a")
	entries := map[Key]Entry{{Partition: 1}: {Sessions: 4}}
	cache.Set(t.Context(), entries)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cache.Get(ctx, []Key{{Partition: 1}})
	cache.Set(ctx, entries)
	if cache.Failures() != 0 || cache.paused() {
		t.Errorf("%d failures", cache.Failures())
	}
	equalEntries(t, cache.Get(t.Context(), []Key{{Partition: 1}}), entries)
}
