package app

import (
	"cmp"
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
	"github.com/goalgraph/goalgraph/model/live"
)

// redisLimit is the time limit for Redis, which may only make things faster.
const redisLimit = 100 * time.Millisecond

// openRedis returns a client for a Redis address. The server need not be reachable.
func openRedis(address string) (*redis.Client, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		// The library's own error quotes the address, password and all.
		return nil, model.Invalid("--redis", "is not a Redis address; write it like redis://localhost:6379/0")
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = redisLimit, redisLimit, redisLimit, redisLimit
	options.ContextTimeoutEnabled = true
	options.MaxRetries, options.DialerRetries = -1, 1
	// They are for hosted clusters that move, and cost a command a connection.
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	logging.Disable() // the library's own logger, which is global; errors are returned as well
	return redis.NewClient(options), nil
}

func pingRedis(ctx context.Context, client *redis.Client) error {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	return client.Ping(ctx).Err()
}

// pointsAhead is for how many seconds a caller may save points.
const pointsAhead = 10

// newPoints returns what callers have for their queries: through Redis if there is one, otherwise in the process; nil
// where that has no bound.
func (a *App) newPoints(ctx context.Context) (allowance.Allowance, error) {
	points := a.options.Points
	if points == 0 && a.options.Auth == AuthNone {
		return nil, nil
	}
	points = cmp.Or(points, DefaultPoints)
	rate := allowance.Rate{PerSecond: points, Burst: max(pointsAhead*points, graph.MaxCost)}
	if a.redis == nil {
		return allowance.NewMemory(rate)
	}
	instance, err := a.store.Instance(ctx)
	if err != nil {
		return nil, err
	}
	return allowance.NewRedis(a.redis, "goalgraph:"+instance+":points:", rate)
}

// newBus returns the bus for changes: through Redis if there is one, otherwise within
// the process.
func (a *App) newBus(ctx context.Context) (live.Bus, error) {
	if a.redis == nil {
		return live.NewMemory(), nil
	}
	instance, err := a.store.Instance(ctx)
	if err != nil {
		return nil, err
	}
	bus := live.NewRedis(a.redis, instance, a.options.Log)
	a.onStop("bus", func(context.Context) error {
		bus.Close()
		return nil
	})
	return bus, nil
}
