package live_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// limit is how long the tests wait for anything.
const limit = time.Minute

// buses runs the test on every bus: with one of who publishes, and one of who waits.
func buses(t *testing.T, test func(t *testing.T, from, to live.Bus)) {
	t.Run("memory", func(t *testing.T) {
		bus := live.NewMemory()
		test(t, bus, bus)
	})
	t.Run("redis, one process", func(t *testing.T) {
		bus := mustRedis(t, storetest.Redis(t), rand.Text())
		test(t, bus, bus)
	})
	t.Run("redis, two processes", func(t *testing.T) {
		url, instance := storetest.Redis(t), rand.Text()
		test(t, mustRedis(t, url, instance), mustRedis(t, url, instance))
	})
}

// mustRedis returns a Redis that is connected.
func mustRedis(t *testing.T, url, instance string) *live.Redis {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.ContextTimeoutEnabled, options.MaxRetries = true, -1
	options.DialTimeout, options.DialerRetries = 100*time.Millisecond, 1
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	bus := live.NewRedis(client, instance, slog.New(slog.DiscardHandler))
	t.Cleanup(bus.Close)
	await(t, bus.Up)
	return bus
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("still not after %v", limit)
		case <-tick.C:
		}
	}
}

// A subscriber that is slow is told of each site that has changed, and publishers do
// not wait for it.
func TestBus(t *testing.T) {
	buses(t, func(t *testing.T, from, to live.Bus) {
		begun, release, told := make(chan struct{}), make(chan struct{}), make(chan live.Change, 100)
		first := true
		cancel := to.Subscribe(func(change live.Change) {
			if first {
				first = false
				close(begun)
				<-release
			}
			told <- change
		})
		from.Publish(live.Change{Site: 1})
		<-begun
		from.Publish(live.Change{Site: 1})
		from.Publish(live.Change{Site: 2})
		for range 1000 {
			from.Publish(live.Change{Site: 1})
		}
		from.Publish(live.Change{Site: 3})
		close(release)
		times := map[int64]int{}
		for times[1] < 2 || times[2] == 0 || times[3] == 0 {
			times[(<-told).Site]++
		}
		// What is told of while the subscriber is slow becomes one.
		if from == to && len(told) > 0 {
			t.Errorf("%d more changes, such as %v", len(told), <-told)
		}
		cancel()
		cancel()
		ended := make(chan live.Change, 1)
		defer to.Subscribe(func(change live.Change) { ended <- change })()
		from.Publish(live.Change{Site: 4})
		<-ended
		for len(told) > 0 {
			if change := <-told; change.Site == 4 {
				t.Errorf("told of %+v after the end", change)
			}
		}
	})
}

// Without Redis a process tells itself all the same and at once, and it tells the
// others again when Redis is back.
func TestRedisIsLost(t *testing.T) {
	server, instance := storetest.RedisServer(t), rand.Text()
	here, there := mustRedis(t, server.URL, instance), mustRedis(t, server.URL, instance)
	other := mustRedis(t, server.URL, rand.Text()) // of another database
	heard := func(bus live.Bus) <-chan live.Change {
		changes := make(chan live.Change, 100)
		t.Cleanup(bus.Subscribe(func(change live.Change) { changes <- change }))
		return changes
	}
	atHome, abroad, elsewhere := heard(here), heard(there), heard(other)
	must := func(changes <-chan live.Change, site int64) {
		t.Helper()
		if change := <-changes; change.Site != site {
			t.Errorf("told of %+v, want site %d", change, site)
		}
	}
	here.Publish(live.Change{Site: 1})
	must(atHome, 1)
	must(abroad, 1)

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	here.Publish(live.Change{Site: 2})
	must(atHome, 2)
	if took := time.Since(begin); took > 50*time.Millisecond {
		t.Errorf("telling oneself took %v without Redis", took)
	}
	await(t, func() bool { return !here.Up() && !there.Up() && here.Lost() == 1 })

	storetest.RedisAgain(t, server)
	await(t, func() bool { return here.Up() && there.Up() })
	here.Publish(live.Change{Site: 3})
	must(atHome, 3)
	must(abroad, 3)
	there.Publish(live.Change{Site: 4})
	must(atHome, 4)
	must(abroad, 4)
	select {
	case change := <-elsewhere:
		t.Errorf("another database is told of %+v", change)
	case change := <-atHome:
		t.Errorf("told of %+v twice", change)
	default:
	}
}
