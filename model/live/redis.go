package live

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a Bus between processes. Changes reach the own process's subscribers as
// Memory's do, whatever becomes of Redis, and those of others through a channel. While
// the connection is lost nothing comes through; it is made again when Redis is back.
type Redis struct {
	*Memory
	client  *redis.Client
	channel string
	log     *slog.Logger
	// node tells the own messages from those of others.
	node     string
	outgoing *subscriber
	up       atomic.Bool
	lost     atomic.Int64
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// message is what goes through Redis.
type message struct {
	Node string `json:"node"`
	Change
}

const (
	// redisTimeout is how long publishing may take.
	redisTimeout = 100 * time.Millisecond
	// redisSilence is how long nothing may come until Redis is asked whether it is there.
	redisSilence = time.Second
	// redisPause is between attempts to connect.
	redisPause = 200 * time.Millisecond
)

// NewRedis returns a Redis over a client, which must obey the contexts of its calls
// (redis.Options.ContextTimeoutEnabled) and need not be connected. instance names the
// database whose changes it carries, so that several may share one Redis. log is told
// when the connection is lost and when it is back. Close ends it.
func NewRedis(client *redis.Client, instance string, log *slog.Logger) *Redis {
	ctx, stop := context.WithCancel(context.Background())
	r := &Redis{
		Memory: NewMemory(), client: client, channel: "goalgraph:live:" + instance, log: log,
		node: rand.Text(), outgoing: newSubscriber(), stop: stop,
	}
	r.running.Go(func() { r.outgoing.run(func(change Change) { r.send(ctx, change) }) })
	r.running.Go(func() { r.follow(ctx) })
	return r
}

var _ Bus = (*Redis)(nil)

// Publish tells of a change.
func (r *Redis) Publish(change Change) {
	r.Memory.Publish(change)
	r.outgoing.put(change)
}

// Up tells whether changes of other processes come through.
func (r *Redis) Up() bool { return r.up.Load() }

// Lost returns how many changes could not be published to other processes.
func (r *Redis) Lost() int64 { return r.lost.Load() }

// Close ends the connection. Nothing is published afterwards.
func (r *Redis) Close() {
	r.stop()
	r.outgoing.end()
	r.running.Wait()
}

func (r *Redis) send(ctx context.Context, change Change) {
	text, err := json.Marshal(message{r.node, change})
	if err == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, redisTimeout)
		defer cancel()
		err = r.client.Publish(ctx, r.channel, text).Err()
	}
	if err != nil {
		r.lost.Add(1)
	}
}

// follow hands on what other processes publish, until the context is done.
func (r *Redis) follow(ctx context.Context) {
	for said := ""; ; {
		connected, err := r.receive(ctx)
		r.up.Store(false)
		if ctx.Err() != nil {
			return
		}
		if connected || said != err.Error() {
			said = err.Error()
			r.log.WarnContext(ctx, "changes made through other nodes are noticed a second later while Redis is not reachable", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(redisPause):
		}
	}
}

// receive hands on what comes through one connection until it breaks, and tells
// whether there was one.
func (r *Redis) receive(ctx context.Context) (connected bool, err error) {
	channel := r.client.Subscribe(ctx, r.channel)
	defer channel.Close()
	defer context.AfterFunc(ctx, func() { channel.Close() })() // which wakes the one that reads
	for asked := false; ; {
		received, err := channel.ReceiveTimeout(ctx, redisSilence)
		silence, isNetwork := errors.AsType[net.Error](err)
		switch {
		case isNetwork && silence.Timeout() && connected && !asked:
			asked = true
			if err := channel.Ping(ctx); err != nil {
				return connected, err
			}
			continue
		case err != nil:
			return connected, err
		}
		asked = false
		switch received := received.(type) {
		case *redis.Subscription:
			connected = true
			r.up.Store(true)
			r.log.InfoContext(ctx, "changes made through other nodes arrive by Redis")
		case *redis.Message:
			r.hand(received.Payload)
		}
	}
}

// hand hands a message on.
func (r *Redis) hand(text string) {
	var m message
	// What is no message of ours is nobody's concern.
	if json.Unmarshal([]byte(text), &m) == nil && m.Node != r.node && m.Site > 0 {
		r.Memory.Publish(m.Change)
	}
}
