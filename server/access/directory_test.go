package access

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// clock is a time that tests set.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time                  { return time.Unix(0, c.at.Load()) }
func (c *clock) forward(by time.Duration)        { c.at.Add(int64(by)) }
func (c *clock) in(d time.Duration) model.Millis { return model.MillisOf(c.now().Add(d)) }

func newTestStore(t *testing.T, database string, c *clock) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), database, store.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

func newTestDirectory(t *testing.T, st *store.Store, c *clock) *Directory {
	t.Helper()
	d, err := NewDirectory(t.Context(), st, DirectoryOptions{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// mustKey creates a key of all sites, and returns it with its secret.
func mustKey(t *testing.T, st *store.Store, key model.Key) (model.Key, string) {
	t.Helper()
	if key.Scope == "" {
		key.Scope = model.ReadScope
	}
	key.Name, key.AllSites = "key", true
	secret := key.NewSecret()
	if err := st.CreateKey(t.Context(), &key); err != nil {
		t.Fatal(err)
	}
	return key, secret
}

// wantRefused checks that an error has the code, and says so much.
func wantRefused(t *testing.T, err error, code model.Code, says string) {
	t.Helper()
	if model.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Errorf("%v: %v; want %s with %q", model.CodeOf(err), err, code, says)
	}
}

func onEach(t *testing.T, test func(t *testing.T, st *store.Store, c *clock)) {
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		c := newClock()
		test(t, newTestStore(t, database, c), c)
	})
}

func TestKeysAreFoundUntilRevoked(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, st *store.Store, c *clock) {
		d, other := newTestDirectory(t, st, c), newTestDirectory(t, st, c) // of two servers
		key, secret := mustKey(t, st, model.Key{})
		told := 0
		stop := other.Watch(func() { told++ })
		var principals []*model.Principal
		for _, d := range []*Directory{d, d, other} {
			p, err := d.Bearer(t.Context(), secret)
			if err != nil || p.ID != key.ID || p.Kind != model.KeyPrincipal || !p.May(model.ReadScope, 7) || p.May(model.EditScope, 7) {
				t.Fatalf("%+v, %v", p, err)
			}
			principals = append(principals, p)
		}
		if principals[0] != principals[1] {
			t.Error("it is looked up twice")
		}
		if again, err := other.Again(t.Context(), principals[2]); err != nil || again.ID != key.ID {
			t.Errorf("%+v, %v", again, err)
		}
		other.poll(t.Context())
		if told != 0 {
			t.Errorf("told %d times of nothing", told)
		}
		if _, err := st.RevokeKey(t.Context(), key.ID, func(*model.Key) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, d := range []*Directory{d, other} {
			d.poll(t.Context())
			_, err := d.Bearer(t.Context(), secret)
			wantRefused(t, err, model.Unauthenticated, "the key was revoked")
			_, err = d.Again(t.Context(), principals[0])
			wantRefused(t, err, model.Unauthenticated, "the key was revoked")
		}
		if told != 1 {
			t.Errorf("told %d times of a revocation", told)
		}
		stop()
		second, _ := mustKey(t, st, model.Key{})
		if _, err := st.RevokeKey(t.Context(), second.ID, func(*model.Key) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if other.poll(t.Context()); told != 1 {
			t.Error("told after it stopped to watch")
		}
	})
}

// What is looked up while a key is revoked does not outlast the next reading of the epoch.
func TestAnOldLookupDoesNotHold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, st *store.Store, c *clock) {
		d := newTestDirectory(t, st, c)
		key, secret := mustKey(t, st, model.Key{})
		hash := model.HashOf(secret)
		slow := func() (*model.Principal, error) {
			found, err := d.keyOfHash(hash)(t.Context())
			if _, err := st.RevokeKey(t.Context(), key.ID, func(*model.Key) error { return nil }); err != nil {
				t.Error(err)
			}
			d.poll(t.Context())
			return found, err
		}
		if _, err := d.find(t.Context(), hash, func(ctx context.Context) (*model.Principal, error) { return slow() }); err != nil {
			t.Fatal(err)
		}
		_, err := d.Bearer(t.Context(), secret)
		wantRefused(t, err, model.Unauthenticated, "the key was revoked")
	})
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, st *store.Store, c *clock) {
		d := newTestDirectory(t, st, c)
		_, secret := mustKey(t, st, model.Key{ExpiresAt: c.in(time.Second)})
		p, err := d.Bearer(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		c.forward(time.Second)
		_, err = d.Bearer(t.Context(), secret)
		wantRefused(t, err, model.Unauthenticated, "the key has expired")
		_, err = d.Again(t.Context(), p)
		wantRefused(t, err, model.Unauthenticated, "the key has expired")
	})
}

// Without the database, what was found holds for half a minute, and what is no key needs no database.
func TestDirectoryWithoutDatabase(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, st *store.Store, c *clock) {
		d := newTestDirectory(t, st, c)
		_, known := mustKey(t, st, model.Key{})
		_, unknown := mustKey(t, st, model.Key{})
		p, err := d.Bearer(t.Context(), known)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		d.Watch(func() { told++ })
		st.Close()
		c.forward(holds - time.Second)
		d.poll(t.Context())
		if _, err := d.Bearer(t.Context(), known); err != nil || told != 0 {
			t.Errorf("%v; told %d times", err, told)
		}
		_, err = d.Bearer(t.Context(), unknown)
		wantRefused(t, err, model.Unavailable, "try again")
		for _, mistyped := range []string{known[:len(known)-1], known + "A", strings.ToLower(known), "gg_r_", "gg_"} {
			_, err := d.Bearer(t.Context(), mistyped)
			wantRefused(t, err, model.Unauthenticated, "mistyped or cut off")
		}
		_, err = d.Bearer(t.Context(), strings.Repeat("k", maxSecret+1))
		wantRefused(t, err, model.Unauthenticated, "unknown")
		_, err = d.Bearer(t.Context(), "")
		wantRefused(t, err, model.Unauthenticated, "empty")
		c.forward(time.Second)
		d.poll(t.Context())
		d.poll(t.Context())
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		_, err = d.Bearer(t.Context(), known)
		wantRefused(t, err, model.Unavailable, "try again")
		_, err = d.Again(t.Context(), p)
		wantRefused(t, err, model.Unavailable, "try again")
	})
}

func TestUseOfKeysIsNoted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, st *store.Store, c *clock) {
		d := newTestDirectory(t, st, c)
		key, secret := mustKey(t, st, model.Key{})
		lastUsed := func() model.Millis {
			found, err := st.Key(t.Context(), key.ID)
			if err != nil {
				t.Fatal(err)
			}
			return found.LastUsedAt
		}
		for range 3 {
			if _, err := d.Bearer(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
		want := model.MillisOf(c.now().Truncate(time.Minute))
		if d.touch(t.Context()); lastUsed() != want {
			t.Errorf("last used at %v, want %v", lastUsed(), want)
		}
		if len(d.used) != 0 {
			t.Errorf("still to note: %v", d.used)
		}
		c.forward(2 * time.Minute)
		if _, err := d.Bearer(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if d.touch(t.Context()); lastUsed() != want+model.Millis(2*time.Minute/time.Millisecond) {
			t.Errorf("last used at %v, two minutes after %v", lastUsed(), want)
		}
	})
}

func TestUsersAreFoundAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, st *store.Store, c *clock) {
		d := newTestDirectory(t, st, c)
		user := model.User{Name: "Ann", Roles: []model.SiteRole{{Site: model.AllSites, Role: model.Editor}}}
		if err := st.CreateUser(t.Context(), &user); err != nil {
			t.Fatal(err)
		}
		login := store.Login{Hash: model.HashOf("cookie"), UserID: user.ID, Data: []byte{}, ExpiresAt: c.in(time.Hour)}
		if err := st.CreateLogin(t.Context(), &login, ""); err != nil {
			t.Fatal(err)
		}
		asked := &model.Principal{Kind: model.UserPrincipal, ID: user.ID, Login: login.Hash}
		p, err := d.Again(t.Context(), asked)
		if err != nil || p.Name != "Ann" || !p.May(model.EditScope, 1) || p.Login != login.Hash || p.Expires != login.ExpiresAt {
			t.Fatalf("%+v, %v", p, err)
		}
		change := func(apply func(*model.User) error) {
			t.Helper()
			if _, err := st.UpdateUser(t.Context(), user.ID, apply); err != nil {
				t.Fatal(err)
			}
			d.poll(t.Context())
		}
		change(func(u *model.User) error { u.Roles[0].Role = model.Viewer; return nil })
		if p, err := d.Again(t.Context(), p); err != nil || p.May(model.EditScope, 1) || !p.May(model.ReadScope, 1) {
			t.Errorf("with a smaller role: %+v, %v", p, err)
		}
		// Its use makes a login hold longer, which moves no epoch.
		if err := st.TouchLogin(t.Context(), login.Hash, c.in(0), 2*time.Hour, 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		used := c.in(2 * time.Hour)
		c.forward(time.Hour)
		d.poll(t.Context())
		if p, err := d.Again(t.Context(), p); err != nil || p.Expires != used {
			t.Errorf("a login that was used: %+v, %v", p, err)
		}
		if err := st.EndLogin(t.Context(), login.Hash); err != nil {
			t.Fatal(err)
		}
		d.poll(t.Context())
		_, err = d.Again(t.Context(), p)
		wantRefused(t, err, model.Unauthenticated, "has ended")
	})
}

func TestEveryoneStays(t *testing.T) {
	t.Parallel()
	c := newClock()
	d := newTestDirectory(t, newTestStore(t, storetest.SQLite(t), c), c)
	everyone := model.Everyone()
	if p, err := d.Again(t.Context(), everyone); p != everyone || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

// Who guesses is told to wait. A right key from the same address is let in all the while, also one that is new.
func TestGuesses(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, st *store.Store, c *clock) {
		d := newTestDirectory(t, st, c)
		attacker := model.WithActor(t.Context(), model.Actor{Principal: &model.Principal{}, Address: "2001:db8::1"})
		neighbour := model.WithActor(t.Context(), model.Actor{Principal: &model.Principal{}, Address: "2001:db8::2"})
		elsewhere := model.WithActor(t.Context(), model.Actor{Principal: &model.Principal{}, Address: "2001:db9::1"})
		guess := func() string { return (&model.Key{Scope: model.ReadScope}).NewSecret() }
		codes := map[model.Code]int{}
		var mu sync.Mutex
		var guessing sync.WaitGroup
		for range 4 {
			guessing.Go(func() {
				for range 50 {
					_, err := d.Bearer(attacker, guess())
					mu.Lock()
					codes[model.CodeOf(err)]++
					mu.Unlock()
				}
			})
		}
		for range 10 {
			_, secret := mustKey(t, st, model.Key{})
			if _, err := d.Bearer(attacker, secret); err != nil {
				t.Errorf("a right key: %v", err)
			}
		}
		guessing.Wait()
		if codes[model.Unauthenticated] != wrongAtOnce || codes[model.ResourceExhausted] != 200-wrongAtOnce {
			t.Errorf("guesses end as %v", codes)
		}
		_, err := d.Bearer(neighbour, guess())
		wantRefused(t, err, model.ResourceExhausted, "wait")
		_, err = d.Bearer(elsewhere, guess())
		wantRefused(t, err, model.Unauthenticated, "unknown")
		// What is wrong again and again needs no second look.
		wrong := guess()
		for range 3 * wrongAtOnce {
			_, err = d.Bearer(elsewhere, wrong)
			wantRefused(t, err, model.Unauthenticated, "unknown")
		}
		if size := d.unknown.EstimatedSize(); size > 210 {
			t.Errorf("%d unknown secrets are kept", size)
		}
	})
}

// Run reads the epoch twice a second, and writes the use of keys when it ends.
func TestRun(t *testing.T) {
	t.Parallel()
	c := newClock()
	st := newTestStore(t, storetest.SQLite(t), c)
	d := newTestDirectory(t, st, c)
	key, secret := mustKey(t, st, model.Key{})
	if _, err := d.Bearer(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	changed := make(chan struct{}, 1)
	d.Watch(func() { changed <- struct{}{} })
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	if _, err := st.RevokeKey(t.Context(), key.ID, func(*model.Key) error { return nil }); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	<-changed
	t.Logf("a revocation takes %v", time.Since(begin))
	cancel()
	running.Wait()
	if found, err := st.Key(t.Context(), key.ID); err != nil || found.LastUsedAt == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}
