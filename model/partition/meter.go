package partition

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Meter counts how a layer between a question and the rows does. It is safe for concurrent use.
type Meter struct {
	// Name names the layer in figures.
	Name               string
	hits, misses, time atomic.Int64
}

// Reading is what a Meter has counted so far.
type Reading struct {
	Name string
	// Hits are what the layer had, or made; Misses what it was asked for and did not have.
	Hits, Misses int64
	// Time is what it took altogether.
	Time time.Duration
}

// Add counts hits and misses, and the time since an instant; it tells the Trace of the context, too.
func (m *Meter) Add(ctx context.Context, hits, misses int, since time.Time) {
	took := time.Since(since)
	m.hits.Add(int64(hits))
	m.misses.Add(int64(misses))
	m.time.Add(int64(took))
	if trace, ok := ctx.Value(traceKey{}).(*Trace); ok {
		trace.add(m.Name, hits, misses, took)
	}
}

// Read returns the figures so far.
func (m *Meter) Read() Reading {
	return Reading{Name: m.Name, Hits: m.hits.Load(), Misses: m.misses.Load(), Time: time.Duration(m.time.Load())}
}

// Milliseconds is the time in milliseconds.
func (r Reading) Milliseconds() float64 { return float64(r.Time.Microseconds()) / 1000 }

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
