package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/store"
)

// Writer writes batches of messages, counts what became of them, and tells watchers once they are committed.
type Writer struct {
	store   *store.Store
	bus     live.Bus
	unknown *unknownVariants

	duplicates prometheus.Counter
	truncated  prometheus.Counter
	overflows  *prometheus.CounterVec
	seconds    prometheus.Histogram
}

// NewWriter returns a writer to a store, whose metrics are registered.
func NewWriter(st *store.Store, bus live.Bus, registry prometheus.Registerer, log *slog.Logger) *Writer {
	metrics := promauto.With(registry)
	return &Writer{
		store: st, bus: bus, unknown: newUnknownVariants(st, registry, log),
		duplicates: metrics.NewCounter(prometheus.CounterOpts{
			Name: "goalgraph_tracking_duplicates_total", Help: "Messages that had arrived before and changed nothing.",
		}),
		truncated: metrics.NewCounter(prometheus.CounterOpts{
			Name: "goalgraph_sessions_truncated_total",
			Help: "Sessions that ended at a bound, 24 hours or 10,000 hits. Many of them mean that a program sends one anonymousId for everybody.",
		}),
		overflows: metrics.NewCounterVec(prometheus.CounterOpts{
			Name: "goalgraph_tracking_overflow_values_total",
			Help: "Values stored as (other), by dimension, because the site had reached its maximum number of distinct values (--max-values).",
		}, []string{"dimension"}),
		seconds: metrics.NewHistogram(prometheus.HistogramOpts{
			Name:    "goalgraph_tracking_commit_seconds",
			Help:    "Duration of a transaction that writes messages.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
}

// Write writes a site's messages in one transaction.
func (w *Writer) Write(ctx context.Context, site int64, batch []model.Message) error {
	begin := time.Now()
	written, err := w.store.Write(ctx, site, batch)
	if err != nil {
		return err
	}
	w.seconds.Observe(time.Since(begin).Seconds())
	w.duplicates.Add(float64(written.Duplicates))
	w.truncated.Add(float64(written.Truncated))
	for dimension, n := range written.Overflows {
		w.overflows.WithLabelValues(dimension).Add(float64(n))
	}
	w.unknown.watch(site, batch)
	w.bus.Publish(live.Change{Site: site})
	return nil
}

// ReloadExperiments loads the running experiments, by which assignments to unknown variants are counted. It is called now
// and then.
func (w *Writer) ReloadExperiments(ctx context.Context) { w.unknown.reload(ctx) }
