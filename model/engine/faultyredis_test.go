package engine_test

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

// What a faultyRedis does to its connections.
const (
	working int32 = iota
	slow          // every packet comes after 50 to 250 ms
	hanging       // nothing comes until this ends
	refusing
)

// faultyRedis is a Redis behind a proxy that spoils it.
type faultyRedis struct {
	listener net.Listener
	server   atomic.Pointer[servers.Server] // nil while it is down
	mode     atomic.Int32
	// changed is closed when the mode changes.
	mu      sync.Mutex
	changed chan struct{}
	running sync.WaitGroup
	done    chan struct{}
}

func newFaultyRedis(t *testing.T) *faultyRedis {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &faultyRedis{listener: listener, changed: make(chan struct{}), done: make(chan struct{})}
	p.mustStart(t)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		close(p.done)
		p.listener.Close()
		p.running.Wait()
		p.mustStop(t)
	})
	return p
}

func (p *faultyRedis) mustStart(t *testing.T) {
	server, err := servers.Redis()
	if err != nil {
		t.Error(err)
		return
	}
	p.server.Store(server)
}

func (p *faultyRedis) mustStop(t *testing.T) {
	if server := p.server.Swap(nil); server != nil {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func (p *faultyRedis) set(mode int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode.Store(mode)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *faultyRedis) change() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *faultyRedis) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		server := p.server.Load()
		if server == nil || p.mode.Load() == refusing {
			conn.Close()
			continue
		}
		u, err := url.Parse(server.URL)
		if err != nil {
			conn.Close()
			continue
		}
		far, err := net.Dial("tcp", u.Host)
		if err != nil {
			conn.Close()
			continue
		}
		ended := make(chan struct{})
		for _, ends := range [][2]net.Conn{{conn, far}, {far, conn}} {
			p.running.Go(func() {
				defer ends[0].Close()
				defer ends[1].Close()
				p.forward(ends[0], ends[1], ended)
			})
		}
		p.running.Go(func() {
			select {
			case <-p.done:
			case <-ended:
			}
			conn.Close()
			far.Close()
		})
	}
}

// forward copies what comes, as the mode has it.
func (p *faultyRedis) forward(from, to net.Conn, ended chan struct{}) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case <-ended:
		default:
			close(ended)
		}
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		for changed := p.change(); p.mode.Load() == hanging; changed = p.change() {
			select {
			case <-changed:
			case <-p.done:
				return
			}
		}
		if p.mode.Load() == slow {
			select {
			case <-time.After(time.Duration(50+mathrand.IntN(200)) * time.Millisecond):
			case <-p.done:
				return
			}
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// client returns a client as the server makes it, through the proxy.
func (p *faultyRedis) client(t *testing.T) *redis.Client {
	const limit = 100 * time.Millisecond
	client := redis.NewClient(&redis.Options{
		Addr: p.listener.Addr().String(),
		CredentialsProvider: func() (string, string) { // each server has its own
			server := p.server.Load()
			if server == nil {
				return "", ""
			}
			u, err := url.Parse(server.URL)
			if err != nil {
				return "", ""
			}
			password, _ := u.User.Password()
			return u.User.Username(), password
		},
		DialTimeout: limit, ReadTimeout: limit, WriteTimeout: limit, PoolTimeout: limit,
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { client.Close() })
	return client
}

// direct calls do with a client of the server itself, while there is one.
func (p *faultyRedis) direct(do func(*redis.Client) error) error {
	server := p.server.Load()
	if server == nil {
		return nil
	}
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		return err
	}
	client := redis.NewClient(options)
	defer client.Close()
	return do(client)
}

// spoil overwrites all entries with garbage, of the length of an entry every now
// and then.
func spoil(ctx context.Context, client *redis.Client) error {
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		return err
	}
	pipeline := client.Pipeline()
	for i, key := range keys {
		garbage := make([]byte, []int{0, 16, 23, 24, 24, 24, 40}[i%7])
		if i%3 > 0 {
			rand.Read(garbage)
		}
		pipeline.Set(ctx, key, garbage, time.Minute)
	}
	if len(keys) == 0 {
		return nil
	}
	_, err = pipeline.Exec(ctx)
	return err
}
