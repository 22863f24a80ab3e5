package partition

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Trace is what Meters counted for the questions of one context.
type Trace struct {
	outer    *Trace // of the context that the trace's was made from; nil for none
	mu       sync.Mutex
	readings []Reading
}

type traceKey struct{}

// WithTrace returns a context whose questions are traced. A trace of the context goes on.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	trace := &Trace{}
	trace.outer, _ = ctx.Value(traceKey{}).(*Trace)
	return context.WithValue(ctx, traceKey{}, trace), trace
}

func (t *Trace) add(name string, hits, misses int, took time.Duration) {
	if t.outer != nil {
		t.outer.add(name, hits, misses, took)
	}
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
