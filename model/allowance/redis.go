package allowance

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"
)

const (
	// patience is how long a request waits for Redis, and pause is how long Redis is left alone when it fails.
	patience = 100 * time.Millisecond
	pause    = time.Second
	// ahead is the part of a bucket that a process takes at once.
	ahead = 50
)

// Redis is an Allowance that processes share.
type Redis struct {
	limiter *redis_rate.Limiter
	limit   redis_rate.Limit
	prefix  string
	timeout time.Duration
	// alone are the buckets while Redis is away.
	alone    *Memory
	reserves *otter.Cache[string, *reserve]

	pausedUntil atomic.Int64 // Unix nanoseconds
	failures    atomic.Int64
}

// reserve is what a process has taken of a bucket ahead of its use.
type reserve struct {
	mu     sync.Mutex
	tokens int
}

// NewRedis returns an Allowance whose buckets have names with the prefix.
func NewRedis(client *redis.Client, prefix string, r Rate) (*Redis, error) {
	alone, err := NewMemory(r)
	if err != nil {
		return nil, err
	}
	reserves, err := otter.New(&otter.Options[string, *reserve]{MaximumSize: most})
	return &Redis{
		limiter: redis_rate.NewLimiter(client), limit: redis_rate.Limit{Rate: r.PerSecond, Burst: r.Burst, Period: time.Second},
		prefix: prefix, timeout: patience, alone: alone, reserves: reserves,
	}, err
}

var _ Allowance = (*Redis)(nil)

// Failures is how often Redis failed.
func (r *Redis) Failures() int64 { return r.failures.Load() }

func (r *Redis) reserve(who string) *reserve {
	if known, found := r.reserves.GetIfPresent(who); found {
		return known
	}
	own, _ := r.reserves.SetIfAbsent(who, &reserve{})
	return own
}

// Take takes n tokens, or none.
func (r *Redis) Take(ctx context.Context, who string, n int) (wait time.Duration, ok bool) {
	if n > r.limit.Burst {
		return -1, false
	}
	own := r.reserve(who)
	own.mu.Lock()
	defer own.mu.Unlock()
	if own.tokens >= n {
		own.tokens -= n
		return 0, true
	}
	missing := min(n-own.tokens, r.limit.Burst)
	for _, more := range []int{max(missing, r.limit.Burst/ahead), missing} {
		allowed, wait, err := r.ask(ctx, who, more)
		if err != nil {
			return r.alone.Take(ctx, who, n)
		}
		if !allowed {
			if more == missing {
				return wait, false
			}
			continue // there may be as many as are needed
		}
		if own.tokens += more; own.tokens >= n {
			own.tokens -= n
			return 0, true
		}
		return time.Duration(n-own.tokens) * time.Second / time.Duration(r.limit.Rate), false
	}
	return 0, false
}

// ask takes tokens of the shared bucket.
func (r *Redis) ask(ctx context.Context, who string, n int) (allowed bool, wait time.Duration, err error) {
	if now := time.Now().UnixNano(); now < r.pausedUntil.Load() {
		return false, 0, errPaused
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeout)
	defer cancel()
	result, err := r.limiter.AllowN(ctx, r.prefix+who, r.limit, n)
	if err != nil {
		r.failures.Add(1)
		r.pausedUntil.Store(time.Now().Add(pause).UnixNano())
		return false, 0, err
	}
	return result.Allowed > 0, max(result.RetryAfter, time.Millisecond), nil
}

// Settle takes n more tokens of what the process has, or gives back -n.
func (r *Redis) Settle(ctx context.Context, who string, n int) {
	own := r.reserve(who)
	own.mu.Lock()
	defer own.mu.Unlock()
	// What is given back stays in the process, no more than it may take at once: the bucket fills by itself.
	if own.tokens -= n; own.tokens < -r.limit.Burst {
		own.tokens = -r.limit.Burst
	}
	own.tokens = min(own.tokens, r.limit.Burst/ahead)
}

var errPaused = errors.New("Redis failed a moment ago")
