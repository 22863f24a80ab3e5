package allowance

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// slow fills so slowly that nothing is added while a test runs.
var slow = Rate{PerSecond: 1, Burst: 1000}

func newMemory(t *testing.T, r Rate) *Memory {
	t.Helper()
	m, err := NewMemory(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newRedis(t *testing.T, r Rate, address string) *Redis {
	t.Helper()
	o, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	shared, err := NewRedis(client, t.Name()+":", r)
	if err != nil {
		t.Fatal(err)
	}
	return shared
}

// Everyone takes what his bucket has, and no more, whoever else does.
func TestTake(t *testing.T) {
	t.Parallel()
	shared := newRedis(t, slow, storetest.Redis(t))
	shared.timeout = time.Minute // for a busy machine
	for name, a := range map[string]Allowance{"memory": newMemory(t, slow), "redis": shared} {
		t.Run(name, func(t *testing.T) {
			taken := 0
			for range 30 {
				if _, ok := a.Take(t.Context(), "a", 50); ok {
					taken += 50
				}
			}
			if taken != 1000 {
				t.Errorf("%d were taken of 1000", taken)
			}
			if wait, ok := a.Take(t.Context(), "a", 50); ok || wait <= 0 || wait > time.Minute {
				t.Errorf("wait %v, %v", wait, ok)
			}
			if wait, ok := a.Take(t.Context(), "b", 1001); ok || wait >= 0 {
				t.Errorf("more than ever: %v, %v", wait, ok)
			}
			if _, ok := a.Take(t.Context(), "b", 500); !ok {
				t.Error("another one has nothing")
			}
			// What was not used may be taken again, and what was used beyond is owed.
			a.Settle(t.Context(), "a", -15)
			if _, ok := a.Take(t.Context(), "a", 15); !ok {
				t.Error("what was given back is gone")
			}
			a.Settle(t.Context(), "b", 490)
			if _, ok := a.Take(t.Context(), "b", 20); ok {
				t.Error("a debt is forgotten")
			}
		})
	}
}

// Processes share what Redis has.
func TestProcessesShare(t *testing.T) {
	t.Parallel()
	address := storetest.Redis(t)
	one, other := newRedis(t, slow, address), newRedis(t, slow, address)
	one.timeout, other.timeout = time.Minute, time.Minute // for a busy machine
	taken := 0
	for range 100 {
		for _, process := range []*Redis{one, other} {
			if _, ok := process.Take(t.Context(), "a", 10); ok {
				taken += 10
			}
		}
	}
	if taken > 1000 || taken < 1000-2*1000/ahead {
		t.Errorf("%d were taken of 1000", taken)
	}
}

// Without Redis each process goes on by itself.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	a := newRedis(t, slow, "redis://127.0.0.1:1/0")
	begin, taken := time.Now(), 0
	for range 200 {
		if _, ok := a.Take(context.Background(), "a", 10); ok {
			taken += 10
		}
	}
	if taken != 1000 || a.Failures() == 0 || time.Since(begin) > 30*time.Second {
		t.Errorf("%d were taken of 1000 in %v, with %d failures", taken, time.Since(begin), a.Failures())
	}
}
