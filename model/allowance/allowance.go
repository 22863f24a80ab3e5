// Package allowance bounds how much each of many may take in time: each has a bucket of tokens, which fills at a rate.
//
// Memory keeps the buckets of one process. Redis shares them between processes: each takes tokens ahead, some at a time,
// so that a request seldom waits for Redis, and where Redis is away the process goes on with buckets of its own.
package allowance

import (
	"context"
	"math"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// Rate is how fast a bucket fills, in tokens a second, and how many tokens it holds.
type Rate struct{ PerSecond, Burst int }

// Allowance holds the buckets of everyone.
type Allowance interface {
	// Take takes n tokens, or none where there are fewer. wait is then how long it takes until they are there, and
	// negative where the bucket never holds so many.
	Take(ctx context.Context, who string, n int) (wait time.Duration, ok bool)
	// Settle takes n more tokens, as far as that is possible, or gives back -n.
	Settle(ctx context.Context, who string, n int)
}

// most is how many buckets a process keeps: those that were used last.
const most = 100_000

// Memory is an Allowance of one process.
type Memory struct {
	rate    Rate
	buckets *otter.Cache[string, *rate.Limiter]
}

// NewMemory returns an Allowance of full buckets.
func NewMemory(r Rate) (*Memory, error) {
	// A bucket that was not used until it is full is like a new one.
	full := time.Duration(float64(r.Burst)/float64(r.PerSecond)*float64(time.Second)) + time.Second
	buckets, err := otter.New(&otter.Options[string, *rate.Limiter]{MaximumSize: most, ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](full)})
	return &Memory{r, buckets}, err
}

var _ Allowance = (*Memory)(nil)

func (m *Memory) bucket(who string) *rate.Limiter {
	if bucket, found := m.buckets.GetIfPresent(who); found {
		return bucket
	}
	bucket, _ := m.buckets.SetIfAbsent(who, rate.NewLimiter(rate.Limit(m.rate.PerSecond), m.rate.Burst))
	return bucket
}

// Take takes n tokens, or none.
func (m *Memory) Take(_ context.Context, who string, n int) (wait time.Duration, ok bool) {
	if n > m.rate.Burst {
		return -1, false
	}
	bucket := m.bucket(who)
	if bucket.AllowN(time.Now(), n) {
		return 0, true
	}
	missing := float64(n) - bucket.Tokens()
	return time.Duration(math.Ceil(max(missing, 1) / float64(m.rate.PerSecond) * float64(time.Second))), false
}

// Settle takes n more tokens, or gives back -n.
func (m *Memory) Settle(_ context.Context, who string, n int) {
	// A reservation takes tokens that are not there yet, and a negative one gives some back.
	m.bucket(who).ReserveN(time.Now(), min(n, m.rate.Burst))
}
