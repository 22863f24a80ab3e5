package login

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fail makes an attempt that fails.
func (a *attempts) fail(name, address string) (time.Duration, rank) {
	begun, wait := a.begin(name, netip.MustParseAddr(address))
	if begun == nil {
		return wait, -1
	}
	return 0, begun.rank
}

func TestAttempts(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := newAttempts(func() time.Time { return now })
	succeed := func(name, address string) {
		t.Helper()
		begun, wait := a.begin(name, netip.MustParseAddr(address))
		if begun == nil {
			t.Fatalf("%s from %s has to wait %s", name, address, wait)
		}
		begun.succeeded()
	}
	// Whoever is right is never refused, however often.
	for range 1000 {
		succeed("ada", "192.0.2.1")
	}
	// One address has ten failures for an account, in any case of its name, and then one a minute.
	for i := range 10 {
		if wait, _ := a.fail([]string{"Ada", " aDA"}[i%2], "198.51.100.7"); wait != 0 {
			t.Fatalf("failure %d waits %s", i, wait)
		}
	}
	if wait, _ := a.fail("ada", "198.51.100.7"); wait != time.Minute {
		t.Errorf("waits %s", wait)
	}
	if wait, _ := a.fail("ada", "::ffff:198.51.100.7"); wait != time.Minute {
		t.Errorf("waits %s under another form of the address", wait)
	}
	now = now.Add(time.Minute)
	if wait, _ := a.fail("ada", "198.51.100.7"); wait != 0 {
		t.Errorf("waits %s after a minute", wait)
	}
	if wait, _ := a.fail("ada", "198.51.100.7"); wait == 0 {
		t.Error("does not wait")
	}
	// And 30 over all accounts.
	failures := 0
	for i := range 100 {
		if wait, _ := a.fail(fmt.Sprintf("user%d", i), "198.51.100.8"); wait == 0 {
			failures++
		}
	}
	if failures != 30 {
		t.Errorf("%d failures over all accounts", failures)
	}
	// A subscriber to IPv6 is one sender, whichever of the addresses it takes.
	failures = 0
	for i := range 100 {
		if wait, _ := a.fail("ada", fmt.Sprintf("2001:db8::%x", i+1)); wait == 0 {
			failures++
		}
	}
	if failures != 10 {
		t.Errorf("%d failures from one network of IPv6", failures)
	}

	// Nobody else is kept out: neither who was here before, nor who comes from a new address.
	for i := range 5000 {
		a.fail("ada", fmt.Sprintf("203.0.%d.%d", i/250, i%250))
	}
	for _, test := range []struct {
		name, address string
		want          rank
	}{
		{"ada", "192.0.2.1", known}, {"ada", "192.0.2.99", failing}, {"bob", "192.0.2.98", unknown}, {"bob", "203.0.0.1", failing},
	} {
		if wait, got := a.fail(test.name, test.address); wait != 0 || got != test.want {
			t.Errorf("%s from %s: waits %s, rank %d, not %d", test.name, test.address, wait, got, test.want)
		}
	}
	// Neither is who logged in before from the attacker's own address.
	succeed("bob", "192.0.2.40")
	for i := range 100 {
		a.fail(fmt.Sprintf("user%d", i), "192.0.2.40")
	}
	succeed("bob", "192.0.2.40")
	// To be right about one's own account takes back no failures for others.
	if wait, _ := a.fail("ada", "192.0.2.40"); wait == 0 {
		t.Error("a right password took failures back")
	}
	// An attempt that nothing came of is none.
	for range 100 {
		begun, _ := a.begin("eve", netip.MustParseAddr("192.0.2.41"))
		begun.undo()
	}

	for i := range 200 {
		if wait := a.flow(netip.Addr{}); (wait == 0) != (i < 100) {
			t.Fatalf("flow %d waits %s", i, wait)
		}
	}
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 4)
		network := func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(i), 0}), 24)
		}
		var mu sync.Mutex
		var turns []string
		enter := func(name string, rank rank, i int) {
			go func() {
				err := q.wait(t.Context(), rank, network(i))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					name += " refused"
				}
				turns = append(turns, name)
			}()
			synctest.Wait()
		}
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := fmt.Sprint(turns); got != want {
				t.Errorf("turns %s, not %s", got, want)
			}
			turns = nil
		}
		enter("first", failing, 1)
		expect("[first]")
		enter("a1", unknown, 1)
		enter("a2", unknown, 1)
		enter("a3", unknown, 1)
		enter("f", failing, 2)
		expect("[]")
		enter("b", unknown, 2) // the queue is full: it takes the place of the lowest rank
		expect("[f refused]")
		enter("c", unknown, 3) // and that of the network that has the most
		expect("[a3 refused]")
		enter("g", failing, 3)
		expect("[g refused]")
		enter("k", known, 1) // of those with as many, the last
		expect("[a2 refused]")
		for range 5 {
			q.leave()
			synctest.Wait()
		}
		expect("[k a1 b c]")
		if q.free != 1 || q.room != 4 {
			t.Errorf("%d are free, room for %d", q.free, q.room)
		}

		enter("first", unknown, 1)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() { failed <- q.wait(ctx, unknown, network(1)) }()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		q.leave()
		if q.free != 1 || q.room != 4 {
			t.Errorf("after one who left: %d are free, room for %d", q.free, q.room)
		}
	})
}

// However people come and go, no more work at once than may, and everybody has a turn or an answer.
func TestQueueConcurrent(t *testing.T) {
	q := newQueue(3, 20)
	var working, most, turns, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				if r.IntN(4) == 0 {
					go cancel()
				}
				err := q.wait(ctx, rank(r.IntN(int(ranks))), netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(r.IntN(9)), 0}), 24))
				if err == nil {
					most.Store(max(most.Load(), working.Add(1)))
					working.Add(-1)
					turns.Add(1)
					q.leave()
				} else {
					refused.Add(1)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || turns.Load()+refused.Load() != 20_000 || q.free != 3 || q.room != 20 {
		t.Errorf("%d at once, %d turns, %d refused; then %d are free, room for %d", most.Load(), turns.Load(), refused.Load(), q.free, q.room)
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, next := range []string{
		"/", "/graphiql/?query={a}#x", "//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example", "/..//evil.example",
		"/auth/login", "/auth/../auth/oidc/start", "\x00", "/%2f/evil.example", "/%5cevil.example", "?next=/", "", "/\n", "/a:b@c", "///",
	} {
		f.Add(next)
	}
	base, err := url.Parse("https://stats.example/auth/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := localPath(next)
		to, err := base.Parse(got)
		if err != nil || to.Scheme != "https" || to.Host != "stats.example" || to.User != nil || got[0] != '/' {
			t.Errorf("%q leads to %v, %v", next, to, err)
		}
	})
}

func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/graphiql/?q=1#top": "/graphiql/?q=1#top", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example/x": "/", "/auth/login": "/",
		"graphiql": "/", "/\t/evil.example": "/", "/€": "/€",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q leads to %q, not %q", next, got, want)
		}
	}
}
