package count

import (
	"sync/atomic"
	"time"
)

// LayerStats say how a layer between a question and the sessions has done so far.
type LayerStats struct {
	// Name is answers for whole answers, memory or redis for caches of counts, leaves for the sets of leaves;
	// stored or made for columns that were loaded or made, and forward for those that
	// were brought forward. Of experiments, results for whole answers, assigned for who
	// is assigned, and exposed stored, exposed made and exposed forward for the columns of
	// sessions from their assignments on.
	Name string
	// Hits are what it had, Misses what it was asked for and did not have.
	Hits, Misses int64
	// Time is what it took altogether.
	Time time.Duration
}

// Stats are the engine's figures so far.
type Stats struct {
	Layers []LayerStats
	// ColumnBytes is about how much memory the columns of Partitions take, with sets of
	// leaves.
	ColumnBytes uint64
	Partitions  int
	Computed    ComputedStats
	// ExperimentBytes is about how much memory takes what is kept of experiments.
	ExperimentBytes uint64
}

// ComputedStats say how computations have done so far.
type ComputedStats struct {
	// Sessions were asked about, in Batches, of which Failed had no answer.
	Sessions, Batches, Failed int64
	// Time is what the answers took altogether.
	Time time.Duration
	// Filling is how many computations are being filled at the moment.
	Filling int
	// Bytes is about how much memory the sets take.
	Bytes uint64
}

// computedCounters count for ComputedStats.
type computedCounters struct{ sessions, batches, failed, time atomic.Int64 }

func (c *computedCounters) add(sessions int, since time.Time, err error) {
	c.batches.Add(1)
	c.time.Add(int64(time.Since(since)))
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.sessions.Add(int64(sessions))
}

func (c *computing) figures() ComputedStats {
	c.fillMu.Lock()
	filling := len(c.running)
	c.fillMu.Unlock()
	return ComputedStats{
		Sessions: c.stats.sessions.Load(), Batches: c.stats.batches.Load(), Failed: c.stats.failed.Load(),
		Time: time.Duration(c.stats.time.Load()), Filling: filling, Bytes: c.sets.WeightedSize(),
	}
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
	stats := Stats{ColumnBytes: e.partitions.WeightedSize(), Partitions: e.partitions.EstimatedSize(), Computed: e.computing.figures(),
		ExperimentBytes: e.exposures.known.WeightedSize() + e.results.kept.WeightedSize() + e.results.answers.WeightedSize()}
	stats.Layers = append(stats.Layers, e.gathering.answers.layer.stats())
	for _, l := range e.gathering.layers {
		stats.Layers = append(stats.Layers, l.stats())
	}
	for _, l := range []*layer{&e.leafLayer, &e.loaded, &e.made, &e.forwarded,
		&e.results.answerLayer, &e.results.assignedLayer, &e.results.measuredLayer, &e.exposures.loaded, &e.exposures.made, &e.exposures.forwarded} {
		stats.Layers = append(stats.Layers, l.stats())
	}
	return stats
}
