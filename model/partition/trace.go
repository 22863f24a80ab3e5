package partition

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Trace is what Meters counted for the questions of one context.
type Trace struct {
	mu       sync.Mutex
	readings []Reading
}

type traceKey struct{}

// WithTrace returns a context whose questions are traced.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	trace := &Trace{}
	return context.WithValue(ctx, traceKey{}, trace), trace
}

func (t *Trace) add(name string, hits, misses int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.readings, func(r Reading) bool { return r.Name == name })
	if i < 0 {
		i, t.readings = len(t.readings), append(t.readings, Reading{Name: name})
	}
	r := &t.readings[i]
	r.Hits, r.Misses, r.Time = r.Hits+int64(hits), r.Misses+int64(misses), r.Time+took
}

// Readings returns what was counted so far, in the order in which the layers were first met.
func (t *Trace) Readings() []Reading {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.readings)
}
