package engine_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// mustRedisClient returns a client that obeys the contexts of its calls.
func mustRedisClient(t *testing.T) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(storetest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled = true
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}

// cached is a database whose counts a Redis keeps.
type cached struct {
	store     *store.Store
	site      int64
	client    *redis.Client
	questions []count.Question
}

func newCached(t *testing.T, address string, client *redis.Client, r *rand.Rand, now func() time.Time) *cached {
	t.Helper()
	st, err := store.Open(t.Context(), address, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	c := &cached{store: st, site: site.ID, client: client, questions: make([]count.Question, 30)}
	for i := range c.questions {
		c.questions[i] = count.Question{Site: site.ID, In: model.Range{From: 0, To: model.Open}, Where: filtertest.RandomLeaf(r), Value: []string{"", "purchase"}[i%2]}
	}
	return c
}

func (c *cached) write(t *testing.T, r *rand.Rand) {
	t.Helper()
	var batch []model.Message
	for range 80 {
		late := model.Millis(r.IntN(200)) * 15 * 60 * 1000
		for _, hit := range filtertest.RandomVisit(r) {
			hit.At += late
			batch = append(batch, model.Message{AnonymousID: hit.Visitor, Hit: hit})
		}
	}
	if _, err := c.store.Write(t.Context(), c.site, batch); err != nil {
		t.Fatal(err)
	}
}

// ask asks a new engine and compares its answers; hits is what Redis knew.
func (c *cached) ask(t *testing.T) (hits int64) {
	t.Helper()
	subject := mustEngine(t, c.store, engine.Options{Caches: []count.Cache{count.NewRedis(c.client, "a")}})
	got, err := subject.Count(t.Context(), c.questions)
	if err != nil {
		t.Fatal(err)
	}
	want, err := naive.New(c.store, nil, nil).Count(t.Context(), c.questions)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i].Sessions != want[i].Sessions || got[i].Value != want[i].Value {
			t.Errorf("%v: %v, want %v", c.questions[i].Where, got[i], want[i])
		}
	}
	return readingOf(t, subject, "redis").Hits
}

// askKnown asks until Redis knows something: it has 100 ms, which are little on a
// loaded machine.
func (c *cached) askKnown(t *testing.T) {
	t.Helper()
	for range 20 {
		if c.ask(t) > 0 {
			return
		}
	}
	t.Error("Redis knew nothing: this says little")
}

// Whatever Redis holds, and from whenever, answers are the same.
func TestRedisOfBefore(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, address string) {
		ctx := t.Context()
		r := rand.New(rand.NewPCG(33, 33))
		client := mustRedisClient(t)
		c := newCached(t, address, client, r, nil)
		var copies []map[string]string
		for range 5 {
			c.write(t, r)
			c.askKnown(t)
			names, err := client.Keys(ctx, "*").Result()
			if err != nil {
				t.Fatal(err)
			}
			old := map[string]string{}
			for _, name := range names {
				if old[name], err = client.Get(ctx, name).Result(); err != nil {
					t.Fatal(err)
				}
			}
			copies = append(copies, old)
		}
		for i, old := range copies {
			if err := client.FlushDB(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			for name, value := range old {
				if err := client.Set(ctx, name, value, time.Minute).Err(); err != nil {
					t.Fatal(err)
				}
			}
			c.ask(t)
			if i%2 == 0 {
				c.write(t, r)
				c.ask(t)
			}
		}
	})
}

// A database that was restored from a backup has the name and the partitions of the one
// that Redis knows, and comes to the same revisions with other sessions.
func TestRedisOfARestoredDatabase(t *testing.T) {
	client := mustRedisClient(t)
	for i := range 2 {
		c := newCached(t, storetest.SQLite(t), client, rand.New(rand.NewPCG(34, 34)), func() time.Time { return time.Unix(1_000_000+int64(i), 0) })
		for n := range 3 {
			c.write(t, rand.New(rand.NewPCG(uint64(i), uint64(n))))
		}
		if hits := c.ask(t); hits != 0 {
			t.Errorf("Redis knew %d counts of sessions that are no more", hits)
		}
		c.askKnown(t)
	}
}
