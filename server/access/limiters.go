package access

import (
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// maxLimiters is how many limiters are kept.
const maxLimiters = 10_000

// Limiters are token buckets, one for each key. Of those, the ones used last are kept; a new one is full.
type Limiters[K comparable] struct {
	buckets   *otter.Cache[K, *rate.Limiter]
	perSecond rate.Limit
	burst     int
}

// NewLimiters returns limiters that each take so many events per second, and a burst at once.
func NewLimiters[K comparable](perSecond float64, burst int) (*Limiters[K], error) {
	buckets, err := otter.New(&otter.Options[K, *rate.Limiter]{
		MaximumSize: maxLimiters,
		// A bucket that nobody takes from for so long is full again.
		ExpiryCalculator: otter.ExpiryAccessing[K, *rate.Limiter](max(time.Minute, time.Duration(float64(burst)/perSecond*float64(time.Second)))),
	})
	return &Limiters[K]{buckets, rate.Limit(perSecond), burst}, err
}

// Of returns the limiter of a key.
func (l *Limiters[K]) Of(key K) *rate.Limiter {
	limiter, _ := l.buckets.ComputeIfAbsent(key, func() (*rate.Limiter, bool) { return rate.NewLimiter(l.perSecond, l.burst), false })
	return limiter
}
