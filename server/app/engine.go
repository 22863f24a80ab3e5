package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
)

const (
	// countCacheBytes bounds the counts that are kept in the process.
	countCacheBytes = 48 << 20
	// A partition that was not written to for quiet has its columns stored; pass is how
	// often that is looked for.
	quiet = 30 * time.Second
	pass  = 10 * time.Second
)

// newEngine returns the engine over the store, with a cache in the process and,
// where there is one, in Redis.
func (a *App) newEngine(ctx context.Context, registry prometheus.Registerer) (*engine.Engine, error) {
	memory, err := count.NewMemory(countCacheBytes)
	if err != nil {
		return nil, err
	}
	caches := []count.Cache{memory}
	if a.redis != nil {
		instance, err := a.store.Instance(ctx)
		if err != nil {
			return nil, err
		}
		redis := count.NewRedis(a.redis, instance)
		promauto.With(registry).NewCounterFunc(prometheus.CounterOpts{
			Name: "goalgraph_count_redis_failures_total", Help: "Requests to Redis that failed or timed out. Each pauses the use of Redis for a second.",
		}, func() float64 { return float64(redis.Failures()) })
		caches = append(caches, redis)
	}
	definitions := graph.NewDefinitions(a.store, a.host)
	return engine.New(a.store, engine.Options{
		ColumnBytes: uint64(a.options.ColumnMemory) << 20,
		Caches:      caches, Computer: a.host, Defined: definitions.Computations, Definitions: definitions, Log: a.options.Log,
	})
}

// sealPartitions stores the columns of partitions that fall quiet, until the context is done. Without them counts are the
// same, and a new process takes longer.
func (a *App) sealPartitions(ctx context.Context, e *engine.Engine) {
	ticks := time.NewTicker(pass)
	defer ticks.Stop()
	for {
		sealed, err := e.SealBehind(ctx, count.AllSites, model.MillisOf(time.Now().Add(-quiet)))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.options.Log.WarnContext(ctx, "cannot store columns; trying again later", "error", err)
		case sealed > 0:
			a.logBehind(ctx, sealed)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

func (a *App) logBehind(ctx context.Context, sealed int) {
	behind, err := a.store.CountBehind(ctx, column.Format)
	if err != nil {
		a.options.Log.WarnContext(ctx, "cannot tell how far stored columns are behind", "error", err)
		return
	}
	a.options.Log.InfoContext(ctx, "stored columns", "partitions", sealed, "partitions behind", behind.Partitions, "sessions behind", behind.Sessions)
}

// engineMetrics tells how counting does.
type engineMetrics struct {
	app    *App
	engine *engine.Engine
}

var (
	layerHits = prometheus.NewDesc("goalgraph_count_hits_total",
		"Lookups that a layer of counting answered: counts in memory or Redis, sets of leaves, columns stored, built or brought forward.", []string{"layer"}, nil)
	layerMisses      = prometheus.NewDesc("goalgraph_count_misses_total", "Lookups that a layer of counting could not answer.", []string{"layer"}, nil)
	layerSeconds     = prometheus.NewDesc("goalgraph_count_seconds_total", "Time spent in a layer of counting.", []string{"layer"}, nil)
	columnBytes      = prometheus.NewDesc("goalgraph_columns_bytes", "Approximate memory used by columns and sets of leaves.", nil, nil)
	columnLoaded     = prometheus.NewDesc("goalgraph_columns_loaded_bytes_total", "Bytes of stored columns read from the database and from its replica.", []string{"from"}, nil)
	columnPartitions = prometheus.NewDesc("goalgraph_columns_partitions", "Partitions with columns in memory.", nil, nil)
	behindPartitions = prometheus.NewDesc("goalgraph_columns_behind_partitions", "Partitions whose stored columns are missing or behind.", nil, nil)
	experimentBytes  = prometheus.NewDesc("goalgraph_experiment_bytes", "Approximate memory used by cached experiment data.", nil, nil)
	computedSessions = prometheus.NewDesc("goalgraph_computed_sessions_total", "Sessions for which plugins computed filters.", nil, nil)
	computedBatches  = prometheus.NewDesc("goalgraph_computed_batches_total", "Batches of sessions sent to plugins.", nil, nil)
	computedFailed   = prometheus.NewDesc("goalgraph_computed_failures_total", "Batches of sessions that plugins failed to answer.", nil, nil)
	computedSeconds  = prometheus.NewDesc("goalgraph_computed_seconds_total", "Time plugins spent on computed filters.", nil, nil)
	computedFilling  = prometheus.NewDesc("goalgraph_computed_filling", "Computed filters that are catching up.", nil, nil)
	computedBytes    = prometheus.NewDesc("goalgraph_computed_bytes", "Approximate memory used by computed filters.", nil, nil)
	behindCount      = prometheus.NewDesc("goalgraph_columns_behind_sessions", "Sessions in partitions whose stored columns are missing or behind.", nil, nil)
)

// Describe says which metrics there are.
func (m engineMetrics) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{layerHits, layerMisses, layerSeconds, columnBytes, columnLoaded, columnPartitions, behindPartitions, behindCount,
		computedSessions, computedBatches, computedFailed, computedSeconds, computedFilling, computedBytes, experimentBytes} {
		descriptions <- description
	}
}

// Collect reads them.
func (m engineMetrics) Collect(metrics chan<- prometheus.Metric) {
	send := func(description *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(description, kind, value, labels...)
	}
	stats := m.engine.Stats()
	for _, layer := range stats.Layers {
		send(layerHits, prometheus.CounterValue, float64(layer.Hits), layer.Name)
		send(layerMisses, prometheus.CounterValue, float64(layer.Misses), layer.Name)
		send(layerSeconds, prometheus.CounterValue, layer.Time.Seconds(), layer.Name)
	}
	send(columnBytes, prometheus.GaugeValue, float64(stats.ColumnBytes))
	loaded := m.app.store.Loaded()
	send(columnLoaded, prometheus.CounterValue, float64(loaded.Database), "database")
	send(columnLoaded, prometheus.CounterValue, float64(loaded.Replica), "replica")
	send(columnPartitions, prometheus.GaugeValue, float64(stats.Partitions))
	send(computedSessions, prometheus.CounterValue, float64(stats.Computed.Sessions))
	send(computedBatches, prometheus.CounterValue, float64(stats.Computed.Batches))
	send(computedFailed, prometheus.CounterValue, float64(stats.Computed.Failed))
	send(computedSeconds, prometheus.CounterValue, stats.Computed.Time.Seconds())
	send(computedFilling, prometheus.GaugeValue, float64(stats.Computed.Running))
	send(computedBytes, prometheus.GaugeValue, float64(stats.Computed.Bytes))
	send(experimentBytes, prometheus.GaugeValue, float64(stats.ExperimentBytes))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	behind, err := m.app.store.CountBehind(ctx, column.Format)
	if err != nil {
		return // the other metrics are wanted most when the database is down
	}
	send(behindPartitions, prometheus.GaugeValue, float64(behind.Partitions))
	send(behindCount, prometheus.GaugeValue, float64(behind.Sessions))
}
