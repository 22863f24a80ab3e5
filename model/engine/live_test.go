package engine_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// soakVariable says how many conclusive questions TestLive asks of both databases
// together; it is set by make soak.
const soakVariable = "SOAK_QUESTIONS"

// repeats returns how often a test asks random questions: a few times, and many in make soak.
func repeats(few, many int) int {
	if os.Getenv(soakVariable) != "" {
		return many
	}
	return few
}

// live is a database with two engines, each as in a process of its own, and
// everything that may happen to them.
type live struct {
	*testing.T
	redis   *faultyRedis
	clients [2]*redis.Client
	stores  [2]*store.Store
	engines [2]atomic.Pointer[engine.Engine]
	// ends end what the engines do beside.
	ends [2]func()
	// watching is a third process, that reads sessions alone.
	watching *store.Store
	scan     *naive.Engine
	instance string

	conclusive, inconclusive, matched, chosen, assigned, writes, readBack, erased, stored, renewed, hits atomic.Int64
}

// liveDefinitions are of experiments that run for two of the ten days, and for all of
// them; the first one's audience depends on the second.
var liveDefinitions = definitions{
	experimentKeys[0]: {
		Key: experimentKeys[0], Run: model.Range{From: filtertest.Day.Start(), To: (filtertest.Day + 2).Start() + 7*60*60*1000}, Variants: variantKeys[:2],
		Audience: filter.Or{filter.Assigned{Experiment: experimentKeys[1], Variants: variantKeys[1:2]}, filter.In{Field: filter.Country, Values: []string{"RO", "US"}}},
	},
	experimentKeys[1]: {Key: experimentKeys[1], Run: always, Variants: variantKeys[:3], Audience: filter.Bool(true)},
}

func newLive(t *testing.T, address string) *live {
	l := &live{T: t, redis: newFaultyRedis(t)}
	open := func() *store.Store {
		st, err := store.Open(t.Context(), address, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	l.watching = open()
	if _, err := l.watching.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.instance, err = l.watching.Instance(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.scan = naive.New(l.watching, order{}, liveDefinitions)
	for i := range l.engines {
		l.clients[i] = l.redis.client(t)
		l.stores[i] = open()
		l.renew(i, 0)
	}
	return l
}

// renew starts an engine again, with nothing in memory.
func (l *live) renew(i int, bytes uint64) {
	memory, err := count.NewMemory(20_000)
	if err != nil {
		l.Error(err)
		return
	}
	subject, err := engine.New(l.stores[i], engine.Options{
		ColumnBytes: bytes, BreakdownBytes: bytes, ListedLengths: 3,
		Computer: order{}, Definitions: liveDefinitions, ExperimentBytes: bytes,
		Caches: []count.Cache{memory, count.NewRedis(l.clients[i], l.instance)},
	})
	if err != nil {
		l.Error(err)
		return
	}
	if before := l.engines[i].Swap(subject); before != nil {
		l.hits.Add(hitsOf(before))
	}
	if l.ends[i] != nil {
		l.ends[i]()
	}
	ctx, end := context.WithCancel(l.Context())
	l.ends[i] = func() {
		end()
		subject.Close()
	}
	go subject.Backfill(ctx)
}

// hitsOf returns how often an engine's layers had what they were asked for.
func hitsOf(subject *engine.Engine) (hits int64) {
	for _, layer := range subject.Stats().Layers {
		hits += layer.Hits
	}
	return hits
}

// repeat calls do, with a random source of its own and some time between, until
// the context is done.
func (l *live) repeat(ctx context.Context, running *sync.WaitGroup, seed uint64, least, most time.Duration, do func(r *mathrand.Rand) error) {
	running.Go(func() {
		r := mathrand.New(mathrand.NewPCG(seed, 77))
		for ctx.Err() == nil && !l.Failed() {
			if err := do(r); err != nil && ctx.Err() == nil {
				l.Errorf("goroutine %d: %v", seed, err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(least + time.Duration(r.Int64N(int64(most-least)+1))):
			}
		}
	})
}

// visits are messages of some visits: on any of ten days, early and late, so that
// they begin days, and change, join and move sessions.
func visits(r *mathrand.Rand) (batch []model.Message) {
	for range 1 + r.IntN(3) {
		late := model.Millis(r.IntN(400)-200) * 15 * 60 * 1000
		for _, hit := range filtertest.RandomVisit(r) {
			hit.At += late
			if hit.Kind != model.Traits && r.IntN(6) == 0 {
				hit.Experiment, hit.Variant = experimentKeys[r.IntN(2)], variantKeys[r.IntN(4)]
			}
			batch = append(batch, model.Message{AnonymousID: hit.Visitor, Hit: hit})
		}
	}
	return batch
}

// revisions are those of the site's partitions in a range.
func (l *live) revisions(ctx context.Context, site int64, in model.Range) (revisions []byte, err error) {
	partitions, err := l.watching.Partitions(ctx, site, in)
	for _, partition := range partitions {
		revisions = fmt.Appendf(revisions, "%d at %d, ", partition.ID, partition.Revision)
	}
	return revisions, err
}

// compare asks an engine and counts one by one. Where the partitions did not change
// meanwhile the answers are the same.
func (l *live) compare(ctx context.Context, site int64, in model.Range, questions int, ask func(answering) (any, error), subject answering) error {
	before, err := l.revisions(ctx, site, in)
	if err != nil {
		return err
	}
	got, err := ask(subject)
	if err != nil {
		return err
	}
	want, err := ask(l.scan)
	if err != nil {
		return err
	}
	after, err := l.revisions(ctx, site, in)
	if err != nil {
		return err
	}
	if !slices.Equal(before, after) {
		l.inconclusive.Add(int64(questions))
		return nil
	}
	l.conclusive.Add(int64(questions))
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("wrong at revisions %s:\n%+v\nwant\n%+v", before, got, want)
	}
	return nil
}

func (l *live) ask(ctx context.Context, r *mathrand.Rand, site int64, subject answering) error {
	w := world{site: site}
	always := model.Range{From: -model.Open, To: model.Open}
	switch r.IntN(12) {
	case 11:
		q, named, in := w.breakdown(r), r.IntN(2) == 0, w.question(r).In
		return l.compare(ctx, site, always, 1, func(e answering) (any, error) {
			found, err := e.Breakdown(ctx, q)
			if err != nil || !named || len(q.By) == 0 || len(found.Rows) == 0 {
				return found, err
			}
			others, err := e.Breakdown(ctx, sameRows(q, found.Rows, in))
			return []count.Breakdown{found, others}, err
		}, subject)
	case 10: // of a site with few sessions: one by one, all hits of all who are assigned are folded again
		questions := experimentQuestions(r, site, liveDefinitions)
		return l.compare(ctx, site, always, len(questions), func(e answering) (any, error) {
			answers, err := e.Results(ctx, questions)
			for _, answer := range answers {
				for _, v := range answer.Variants {
					l.assigned.Add(int64(v.Visitors))
				}
			}
			return answers, err
		}, subject)
	case 9: // which depends on other partitions than it counts
		q := w.question(r)
		q.Where = filter.Simplify(filtertest.RandomExprOf(r, leafOf))
		return l.compare(ctx, site, always, 1, func(e answering) (any, error) { return e.Count(ctx, []count.Question{q}) }, subject)
	case 8: // of some hours, since counting one by one reads every hit for it
		q := w.question(r)
		q.Where, q.In.To = filter.Simplify(computed(r)), min(q.In.To, q.In.From+model.Millis(r.IntN(30*60*60*1000)))
		return l.compare(ctx, site, q.In, 1, func(e answering) (any, error) {
			answers, err := e.Count(ctx, []count.Question{q})
			if err == nil && answers[0].Sessions > 0 {
				l.chosen.Add(1)
			}
			return answers, err
		}, subject)
	case 0:
		q := w.question(r)
		query := count.SessionQuery{Site: site, In: q.In, Where: q.Where, Limit: 1 + r.IntN(30)}
		return l.compare(ctx, site, always, 1, func(e answering) (any, error) { return e.Sessions(ctx, query) }, subject)
	case 1:
		fields := slices.Concat(filtertest.TextFields, filtertest.SetFields)
		q := w.question(r)
		query := count.ValueQuery{Site: site, In: q.In, Where: q.Where, Field: fields[r.IntN(len(fields))], Search: []string{"", "a", "É"}[r.IntN(3)], Limit: 1 + r.IntN(20), None: r.IntN(2) == 0}
		return l.compare(ctx, site, always, 1, func(e answering) (any, error) { return e.Values(ctx, query) }, subject)
	}
	questions := make([]count.Question, 1+r.IntN(8))
	in := model.Range{From: model.Open, To: -model.Open}
	narrow := r.IntN(2) == 0 // to some hours, which writes miss more often
	for i := range questions {
		q := w.question(r)
		if narrow {
			q.In.To = min(q.In.To, q.In.From+model.Millis(r.IntN(30*60*60*1000)))
		}
		questions[i] = q
		in.From, in.To = min(in.From, q.In.From), max(in.To, q.In.To)
	}
	return l.compare(ctx, site, in, len(questions), func(e answering) (any, error) {
		answers, err := e.Count(ctx, questions)
		for _, answer := range answers {
			if answer.Sessions > 0 {
				l.matched.Add(1)
			}
		}
		return answers, err
	}, subject)
}

// trouble does something to Redis.
func (l *live) trouble(ctx context.Context, r *mathrand.Rand) error {
	switch r.IntN(8) {
	case 0:
		l.redis.set(slow)
	case 1:
		l.redis.set(hanging)
	case 2:
		l.redis.set(refusing)
	case 3:
		l.redis.mustStop(l.T)
	case 4:
		return l.redis.direct(func(c *redis.Client) error { return c.FlushAll(ctx).Err() })
	case 5:
		return l.redis.direct(func(c *redis.Client) error { return spoil(ctx, c) })
	default:
		l.redis.set(working)
		if l.redis.server.Load() == nil {
			l.redis.mustStart(l.T)
		}
	}
	return nil
}

// readYourWrites writes through one process, and at once counts in the other.
func (l *live) readYourWrites(ctx context.Context, site int64, n *int) func(*mathrand.Rand) error {
	return func(r *mathrand.Rand) error {
		*n++
		at := filtertest.Day.Start() + model.Millis(r.IntN(5*24*60))*60*1000
		hit := model.Hit{ID: model.MessageIDOf(rand.Text()), Visitor: fmt.Sprint("reader ", *n), At: at, Kind: model.PageView, Name: "/", Tags: []string{"read back"}}
		writer := r.IntN(2)
		if _, err := l.stores[writer].Write(ctx, site, []model.Message{{AnonymousID: hit.Visitor, Hit: hit}}); err != nil {
			return err
		}
		question := count.Question{Site: site, In: model.Range{From: -model.Open, To: model.Open}, Where: filter.In{Field: filter.Tags, Values: []string{"read back"}}}
		answers, err := l.engines[1-writer].Load().Count(ctx, []count.Question{question})
		if err != nil {
			return err
		}
		if answers[0].Sessions != *n {
			return fmt.Errorf("%d sessions after write %d", answers[0].Sessions, *n)
		}
		l.readBack.Add(1)
		return nil
	}
}

// maxWrites is how much is written to a site: counting one by one takes the longer the
// more there is, and the longer it takes, the more often it sees a write.
const maxWrites = 300

// round lets everything happen at once to a new site, until enough was asked or it is
// large.
func (l *live) round(seed uint64, questions int64) {
	site := &model.Site{Name: "Shop", Domains: []string{fmt.Sprintf("s%d.example", seed)}, Timezone: "UTC"}
	if err := l.stores[0].CreateSite(l.Context(), site); err != nil {
		l.Fatal(err)
	}
	first := mathrand.New(mathrand.NewPCG(seed, 78))
	for range 10 { // an empty site says little
		if _, err := l.stores[0].Write(l.Context(), site.ID, visits(first)); err != nil {
			l.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(l.Context())
	defer cancel()
	var running sync.WaitGroup
	target, mostWrites := l.conclusive.Load()+questions, l.writes.Load()+maxWrites
	for i := range l.stores {
		l.repeat(ctx, &running, seed+uint64(i), 0, 60*time.Millisecond, func(r *mathrand.Rand) error {
			l.writes.Add(1)
			_, err := l.stores[i].Write(ctx, site.ID, visits(r))
			return err
		})
		l.repeat(ctx, &running, seed+10+uint64(i), 0, 0, func(r *mathrand.Rand) error {
			if l.conclusive.Load() >= target || l.writes.Load() >= mostWrites {
				cancel()
				return nil
			}
			return l.ask(ctx, r, site.ID, l.engines[i].Load())
		})
	}
	l.repeat(ctx, &running, seed+20, 20*time.Millisecond, 200*time.Millisecond, func(r *mathrand.Rand) error {
		l.renewed.Add(1)
		l.renew(r.IntN(2), []uint64{0, 50_000, 1_000_000}[r.IntN(3)])
		return nil
	})
	for i := range uint64(2) { // both may store the same at once
		l.repeat(ctx, &running, seed+30+i, 0, 50*time.Millisecond, func(r *mathrand.Rand) error {
			before := model.MillisOf(time.Now()) - model.Millis(r.IntN(100))
			subject := l.engines[r.IntN(2)].Load()
			n, err := subject.SealBehind(ctx, count.AllSites, before)
			l.stored.Add(int64(n))
			return err
		})
	}
	l.repeat(ctx, &running, seed+40, 10*time.Millisecond, 300*time.Millisecond, func(r *mathrand.Rand) error { return l.trouble(ctx, r) })
	l.repeat(ctx, &running, seed+45, 50*time.Millisecond, 600*time.Millisecond, func(r *mathrand.Rand) error {
		n, err := l.stores[r.IntN(2)].EraseVisitor(ctx, site.ID, visits(r)[0].AnonymousID)
		l.erased.Add(int64(n))
		return err
	})
	var n int
	l.repeat(ctx, &running, seed+50, 0, 150*time.Millisecond, l.readYourWrites(ctx, site.ID, &n))
	running.Wait()
}

// Random questions are answered rightly while everything happens at once: two
// processes write messages, erase visitors, count, and store columns of one database, they start
// again, and the Redis that they share is killed, flushed, spoilt and slow.
func TestLive(t *testing.T) {
	questions, part := int64(60), int64(30)
	if text := os.Getenv(soakVariable); text != "" {
		var err error
		if questions, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", soakVariable, err)
		}
		part = 500
	}
	seed := uint64(time.Now().UnixNano())
	var asked int64
	storetest.Databases(t, func(t *testing.T, address string) {
		t.Logf("seed %d", seed)
		l := newLive(t, address)
		// It goes on until everything has happened, too.
		for (l.conclusive.Load() < (questions+1)/2 || l.readBack.Load() == 0 || l.erased.Load() == 0 || l.stored.Load() == 0 || l.matched.Load() < 100 || l.chosen.Load() == 0 || l.assigned.Load() == 0) && !t.Failed() {
			seed += 1000
			l.round(seed, max(30, min(part, (questions+1)/2-l.conclusive.Load())))
		}
		for i := range l.engines {
			l.hits.Add(hitsOf(l.engines[i].Load()))
		}
		t.Logf("%d conclusive questions (%d more saw a write), %d answers of some sessions, %d of what is computed, %d visitors of experiments; %d writes of visits, %d sessions erased, %d writes read back; %d times columns stored, %d times an engine started again",
			l.conclusive.Load(), l.inconclusive.Load(), l.matched.Load()/2, l.chosen.Load()/2, l.assigned.Load()/2, l.writes.Load(), l.erased.Load(), l.readBack.Load(), l.stored.Load(), l.renewed.Load())
		if l.readBack.Load() == 0 || l.stored.Load() == 0 || l.matched.Load() == 0 || l.hits.Load() == 0 {
			t.Error("something never happened: this says little")
		}
		asked += l.conclusive.Load()
	})
	t.Logf("%d conclusive questions together", asked)
}
