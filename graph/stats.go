package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/model/count"
)

// statsHeader is the header of a request that asks for extensions.stats.
const statsHeader = "Goalgraph-Stats"

// queryStats is extensions.stats: what the counts of an operation took.
type queryStats struct {
	Partitions int64        `json:"partitions"`
	FromMemory int64        `json:"fromMemory"`
	FromRedis  int64        `json:"fromRedis"`
	Scanned    int64        `json:"scanned"`
	Stages     []queryStage `json:"stages"`
}

// queryStage is what one layer of counting did.
type queryStage struct {
	Name         string  `json:"name"`
	Hits         int64   `json:"hits"`
	Misses       int64   `json:"misses"`
	Milliseconds float64 `json:"milliseconds"`
}

// withStats adds extensions.stats to the answers of requests that ask for it. Subscriptions share their answers, and
// have none.
func withStats(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	operation := graphql.GetOperationContext(ctx)
	if operation.Headers.Get(statsHeader) == "" || isSubscription(operation) {
		return next(ctx)
	}
	ctx, stats := count.WithStats(ctx)
	respond := next(ctx)
	return func(ctx context.Context) *graphql.Response {
		response := respond(ctx)
		if response == nil {
			return nil
		}
		if response.Extensions == nil {
			response.Extensions = map[string]any{}
		}
		response.Extensions["stats"] = queryStatsOf(stats())
		return response
	}
}

func queryStatsOf(s count.QueryStats) queryStats {
	told := queryStats{Partitions: s.Partitions, FromMemory: s.FromMemory, FromRedis: s.FromRedis, Scanned: s.Scanned, Stages: []queryStage{}}
	for _, stage := range s.Stages {
		told.Stages = append(told.Stages, queryStage{stage.Name, stage.Hits, stage.Misses, stage.Milliseconds()})
	}
	return told
}
