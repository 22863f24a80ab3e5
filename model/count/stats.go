package count

import (
	"sync/atomic"
	"time"
)

// LayerStats say how a layer between a question and the sessions has done so far.
type LayerStats struct {
	// Name is answers for whole answers, memory or redis for caches of counts, leaves for the sets of leaves;
	// stored or made for columns that were loaded or made, and forward for those that
	// were brought forward.
	Name string
	// Hits are what it had, Misses what it was asked for and did not have.
	Hits, Misses int64
	// Time is what it took altogether.
	Time time.Duration
}

// Stats are the engine's figures so far.
type Stats struct {
	Layers []LayerStats
	// ColumnBytes is about how much memory the columns take, of Buckets.
	ColumnBytes uint64
	Buckets     int
}

// layer counts for LayerStats.
type layer struct {
	name               string
	hits, misses, time atomic.Int64
}

func (l *layer) add(hits, misses int, since time.Time) {
	l.hits.Add(int64(hits))
	l.misses.Add(int64(misses))
	l.time.Add(int64(time.Since(since)))
}

func (l *layer) stats() LayerStats {
	return LayerStats{Name: l.name, Hits: l.hits.Load(), Misses: l.misses.Load(), Time: time.Duration(l.time.Load())}
}

// Stats returns the engine's figures so far.
func (e *Columns) Stats() Stats {
	stats := Stats{ColumnBytes: e.buckets.WeightedSize(), Buckets: e.buckets.EstimatedSize()}
	stats.Layers = append(stats.Layers, e.gathering.answers.layer.stats())
	for _, l := range e.gathering.layers {
		stats.Layers = append(stats.Layers, l.stats())
	}
	for _, l := range []*layer{&e.leafLayer, &e.loaded, &e.made, &e.forwarded} {
		stats.Layers = append(stats.Layers, l.stats())
	}
	return stats
}
