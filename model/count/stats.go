package count

import (
	"context"
	"log/slog"

	"github.com/goalgraph/goalgraph/model/partition"
)

// QueryStats tell what answering the questions of one context took.
type QueryStats struct {
	// Partitions were looked at. Of their partial aggregates, FromMemory and FromRedis were known; Scanned partitions had
	// some that were not.
	Partitions, FromMemory, FromRedis, Scanned int64
	// Stages are what the layers of counting did, in the order in which they were met first. Stages that run side by side
	// add up to more than the time that passes.
	Stages []partition.Reading
}

// WithStats returns a context whose questions are watched, and what returns their stats so far.
func WithStats(ctx context.Context) (context.Context, func() QueryStats) {
	ctx, trace := partition.WithTrace(ctx)
	return ctx, func() QueryStats {
		stats := QueryStats{Stages: trace.Readings()}
		for _, stage := range stats.Stages {
			switch stage.Name {
			case planName:
				stats.Partitions += stage.Hits
			case memoryName:
				stats.FromMemory += stage.Hits
			case redisName:
				stats.FromRedis += stage.Hits
			case scanName:
				stats.Scanned += stage.Hits
			}
		}
		return stats
	}
}

// The names of the layers that QueryStats count by.
const (
	planName   = "plan"
	memoryName = "memory"
	redisName  = "redis"
	scanName   = "scan"
)

// LogValue writes the stats as attributes, with the milliseconds of each stage.
func (s QueryStats) LogValue() slog.Value {
	attributes := []slog.Attr{
		slog.Int64("partitions", s.Partitions), slog.Int64("memory", s.FromMemory), slog.Int64("redis", s.FromRedis), slog.Int64("scanned", s.Scanned),
	}
	for _, stage := range s.Stages {
		attributes = append(attributes, slog.Float64(stage.Name+"_ms", stage.Milliseconds()))
	}
	return slog.GroupValue(attributes...)
}
