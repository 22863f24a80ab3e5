//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// setting returns a number of the environment, or another one where it is not set.
func setting(tb testing.TB, name string, otherwise int) int {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("%s: %q is no number from 1 on", name, text)
	}
	return n
}

// audience is viewers of a site's cards, and ticks: messages that they are to be told of.
type audience struct {
	*testing.T
	// slack is by how much figures may be missed where other tests run beside this one.
	slack     time.Duration
	key       string
	tick      string // the event
	questions []cardsQuestion
	viewers   []*viewer
	dial      *http.Client

	ctx          context.Context
	leave        func()
	watching     sync.WaitGroup
	acknowledged []time.Time // of each tick
}

var idIn = regexp.MustCompile(`"id":("[^"]+")`)

// newAudience makes segments, and a goal that counts ticks, of which no others know. There
// are so many questions.
func newAudience(t *testing.T, s *server, key string, questions, days int, slack time.Duration) *audience {
	t.Helper()
	a := &audience{T: t, slack: slack, key: key, tick: t.Name(), dial: &http.Client{}}
	a.ctx, a.leave = context.WithCancel(context.Background())
	t.Cleanup(func() {
		a.leave()
		a.watching.Wait()
	})
	site := s.siteID(t)
	id := func(query string) string { return idIn.FindStringSubmatch(s.mustAsk(t, query))[1] }
	goal := func(key string) string {
		return id(fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: %q, name: "Goal", description: %q }) { goal { id } } }`, site, key, strings.Repeat("long ", 900)))
	}
	goals, all := goal(a.tick)+", "+goal("event-1 of "+a.tick), id(fmt.Sprintf(`{ site(id: %q) { segments(first: 1) { nodes { id } } } }`, site))
	var segments []string
	for _, filters := range []string{`{ country: { is: ["RO"] } }`, `{ country: { isNot: ["RO"] } }`, `{ pages: { all: ["/page-0"] } }`, `{ pages: { all: ["/page-1*"] } }`,
		`{ pages: { all: ["/p/1*"] } }`, `{ pageViews: { min: 2 } }`, `{ sessionLength: { min: 10 } }`, `{ browser: { is: ["Chrome"] } }`,
		`{ events: { all: ["event-1"] } }`, `{ referrer: { is: ["site1*"] } }, { entryPage: { is: ["/p/*"] } }`} {
		segments = append(segments, all+", "+id(fmt.Sprintf(`mutation { createSegment(input: { siteId: %q, name: "Some", filters: [%s] }) { segment { id } } }`, site, filters)))
	}
	for n := range questions {
		from := model.Day(20_000 + n/len(segments)*days/5).Start().Time().Format(time.RFC3339)
		a.questions = append(a.questions, cardsQuestion{site: site, segments: segments[n%len(segments)], goals: goals, from: from})
	}
	for n := range 28 { // as many aliases as an operation may have, about
		a.questions[0].wide += fmt.Sprintf("a%d: description ", n)
	}
	return a
}

// join has so many more viewers watch, by the first of the nodes at first, and returns when they have their first answer.
func (a *audience) join(n int, nodes ...*server) {
	a.Helper()
	var joining errgroup.Group
	joining.SetLimit(50)
	for range n {
		v := &viewer{nodes: nodes}
		if n := len(a.viewers); n > 0 { // one has the wide answers
			v.asks = a.questions[1+n%(len(a.questions)-1)]
		} else {
			v.asks = a.questions[0]
		}
		a.viewers = append(a.viewers, v)
		joining.Go(func() error {
			conn, err := v.connect(a.ctx, nodes[0], a.dial)
			if err == nil {
				a.watching.Go(func() { v.watch(a.ctx, conn, a.dial) })
			}
			return err
		})
	}
	if err := joining.Wait(); err != nil {
		a.Fatal(err)
	}
}

// run sends ticks through a node one after another, says how long after the acknowledgements viewers were told of them, and
// holds the longest but a hundredth against a bound.
func (a *audience) run(name string, node *server, ticks int, bound time.Duration) (p99 time.Duration) {
	a.Helper()
	before := len(a.acknowledged)
	for range ticks {
		a.send(node)
		<-time.After(time.Second + rand.N(400*time.Millisecond)) // at any time of the second in which a question is not answered again
	}
	a.awaitTold(name)
	var latencies []time.Duration
	a.all(func(v *viewer) bool {
		for n, acknowledged := range a.acknowledged[before:] {
			latencies = append(latencies, max(0, v.told[before+n].Sub(acknowledged)))
		}
		return true
	})
	slices.Sort(latencies)
	p99 = latencies[len(latencies)*99/100]
	a.Logf("%s: %d ticks, %d viewers: told after p50 %v, p99 %v, at the most %v", name, ticks, len(a.viewers), latencies[len(latencies)/2].Round(time.Millisecond),
		p99.Round(time.Millisecond), latencies[len(latencies)-1].Round(time.Millisecond))
	if p99 > bound*a.slack {
		a.Errorf("%s: p99 is %v, want %v", name, p99, bound*a.slack)
	}
	return p99
}

// send sends a tick.
func (a *audience) send(node *server) {
	a.Helper()
	id := fmt.Sprint(a.tick, " ", len(a.acknowledged))
	answer := node.mustTrack(a, a.key, "/v1/track", fmt.Appendf(nil, `{"type":"track","event":%q,"anonymousId":%q,"messageId":%q}`, a.tick, id, id))
	if answer.status != http.StatusOK {
		a.Fatalf("%+v", answer)
	}
	a.acknowledged = append(a.acknowledged, time.Now())
}

// all tells whether something holds of all viewers.
func (a *audience) all(holds func(v *viewer) bool) bool {
	for _, v := range a.viewers {
		v.mu.Lock()
		held := holds(v)
		v.mu.Unlock()
		if !held {
			return false
		}
	}
	return true
}

func (a *audience) awaitTold(when string) {
	a.Helper()
	await(a, when+": all are told of every tick", func() bool {
		return a.all(func(v *viewer) bool {
			if v.problem != nil {
				a.Fatal(v.problem)
			}
			return len(v.told) >= len(a.acknowledged)
		})
	})
}

// mustBeRight waits until each viewer was last told what the node answers when it is
// asked now, when nothing is written any longer.
func (a *audience) mustBeRight(when string, node *server, connections int) {
	a.Helper()
	a.awaitTold(when)
	fresh := map[cardsQuestion][32]byte{}
	for _, q := range a.questions {
		answer := []byte(node.mustAsk(a, q.query()))
		if ticks, err := ticksIn(answer); err != nil || ticks != len(a.acknowledged) {
			a.Errorf("%s: %.300s counts not %d ticks", when, answer, len(a.acknowledged))
		}
		fresh[q] = digest(answer)
	}
	await(a, when+": all have the newest state", func() bool {
		return a.all(func(v *viewer) bool { return v.last == fresh[v.asks] })
	})
	if !a.all(func(v *viewer) bool { return v.connections == connections && len(v.told) == len(a.acknowledged) }) {
		a.Errorf("%s: a viewer did not connect %d times, or is told of more ticks than %d", when, connections, len(a.acknowledged))
	}
	a.Logf("%s: all %d viewers have what %d fresh queries answer", when, len(a.viewers), len(a.questions))
}

// traffic sends so many messages a second to a node until stop is called, which returns
// how many there were.
func (a *audience) traffic(node *server, rate int) (stop func() (perSecond float64)) {
	ctx, cancel := context.WithCancel(a.ctx)
	const senders = 4
	var sending sync.WaitGroup
	var sent atomic.Int64
	begin, pause := time.Now(), senders*batchMessages*time.Second/time.Duration(rate)
	for sender := range senders {
		sending.Go(func() {
			t := newTraffic(uint64(sender), fmt.Sprint("audience", sender))
			for next := begin.Add(pause * time.Duration(sender) / senders); ; next = next.Add(pause) {
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Until(next)):
				}
				answer, err := node.track(a.key, "/v1/batch", t.batch(), "Content-Type", "application/json")
				if err != nil || answer.status != http.StatusOK {
					a.Errorf("%v %+v", err, answer)
					return
				}
				sent.Add(batchMessages)
			}
		})
	}
	return func() float64 {
		cancel()
		took := time.Since(begin)
		sending.Wait()
		return float64(sent.Load()) / took.Seconds()
	}
}

// TestAudience has viewers watch a big site that much is written to, and measures how long
// after its acknowledgement they are told of a message. It has GOALGRAPH_SUBSCRIBERS, the
// site GOALGRAPH_LIVE_SESSIONS, and GOALGRAPH_LIVE_RATE messages a second come in: few by
// default, and the figures' bounds wide; make soak-live has many, and narrow ones.
func TestAudience(t *testing.T) {
	t.Parallel()
	isSoak := os.Getenv("GOALGRAPH_SUBSCRIBERS") != ""
	subscribers, sessions, rate := setting(t, "GOALGRAPH_SUBSCRIBERS", 60), setting(t, "GOALGRAPH_LIVE_SESSIONS", 2000), setting(t, "GOALGRAPH_LIVE_RATE", 200)
	days, questions, ticks, slack := 10, 10, 1, time.Duration(4)
	if isSoak {
		days, questions, ticks, slack = 90, 50, 40, 1
	}
	database := storetest.PostgreSQL(t)
	begin := time.Now()
	st, site := mustFillDays(t, database, sessions/days, days)
	engine, err := engine.New(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.SealBehind(t.Context(), site, model.Open); err != nil { // as they are when days are over
		t.Fatal(err)
	}
	key := mustKey(t, database)
	t.Logf("the site has %d sessions after %v", sessions/days*days, time.Since(begin).Round(time.Second))

	t.Run("one node", func(t *testing.T) {
		s := mustServe(t, "--database", database)
		a := newAudience(t, s, key, questions, days, slack)
		for _, q := range a.questions {
			s.mustAsk(t, q.query())
		}
		client.CloseIdleConnections()
		goroutines := s.figure(t, "go_goroutines")
		a.join(questions, s) // what questions take is not what viewers take
		rss := residentBytes(s.Process.Pid)
		a.join(subscribers-questions, s)
		t.Logf("the server has %d MiB, and %d KiB more for each of %d further viewers", rss>>20, (residentBytes(s.Process.Pid)-rss)/int64(subscribers-questions)>>10, subscribers-questions)

		stop := a.traffic(s, rate)
		computations, begin := s.figure(t, "goalgraph_live_computations_total"), time.Now()
		alone := a.run("all read", s, ticks, 1500*time.Millisecond)
		// Between so many computations of a question there is one second less.
		perSecond := (s.figure(t, "goalgraph_live_computations_total") - computations - float64(questions)) / time.Since(begin).Seconds()
		rss = residentBytes(s.Process.Pid)
		t.Logf("%.1f computations a second; the server has %d MiB", perSecond, rss>>20)
		if perSecond > float64(questions) {
			t.Errorf("want %d", questions)
		}
		stalling, end := context.WithCancel(a.ctx)
		a.watching.Go(func() { a.stall(stalling, s) })
		beside := a.run("some do not read", s, ticks, 1500*time.Millisecond)
		more := residentBytes(s.Process.Pid) - rss
		end()
		t.Logf("beside readers that stop the p99 is %.2f times what it was, and the server has %d MiB more; %v were closed, %v answers were dropped",
			float64(beside)/float64(alone), more>>20, s.figure(t, `goalgraph_live_closed_total{reason="stalled"}`), s.figure(t, "goalgraph_live_dropped_total"))
		if isSoak && float64(beside) > 1.2*float64(alone) || more > 128<<20 {
			t.Error("readers that stop are a burden")
		}
		sent := stop()
		t.Logf("%.0f messages a second came in", sent)
		if isSoak && sent < 0.95*float64(rate) {
			t.Errorf("want %d", rate)
		}
		a.mustBeRight("one node", s, 1)

		a.leave()
		a.watching.Wait()
		await(t, "nothing is left of them", func() bool {
			client.CloseIdleConnections()
			return s.figure(t, "goalgraph_live_connections")+s.figure(t, "goalgraph_live_questions") == 0 && s.figure(t, "go_goroutines") <= goroutines+10
		})
		t.Logf("%v goroutines, %v before", s.figure(t, "go_goroutines"), goroutines)
		s.mustStop(t)
	})

	t.Run("two nodes", func(t *testing.T) {
		redis := storetest.RedisServer(t)
		here, there := mustServe(t, "--database", database, "--redis", redis.URL), mustServe(t, "--database", database, "--redis", redis.URL)
		arrives := func(times int) {
			t.Helper()
			for _, s := range []*server{here, there} {
				await(t, "changes arrive by Redis", func() bool { return strings.Count(s.stderr.String(), "arrive by Redis") == times })
			}
		}
		a := newAudience(t, here, key, questions, days, slack)
		arrives(1)
		a.join(max(subscribers/5, questions), there, here)
		// Little is written meanwhile: a question that is answered again without a pause is so once a second.
		a.run("through Redis", here, ticks/4+1, time.Second)
		if err := redis.Stop(); err != nil {
			t.Fatal(err)
		}
		a.run("Redis is stopped", here, ticks/4+1, 2500*time.Millisecond)
		storetest.RedisAgain(t, redis)
		arrives(2)
		a.run("Redis is back", here, ticks/4+1, time.Second)
		a.mustBeRight("two nodes", here, 1)

		if err := there.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for range 10 { // they come while viewers are nowhere
			a.send(here)
		}
		a.mustBeRight("one node was killed", here, 2)
		t.Logf("all are right %v after the kill", time.Since(begin).Round(time.Millisecond))
	})
}

// stall has clients subscribe to the wide answers and read none of them: one more every
// second, since the server closes them after a while.
func (a *audience) stall(ctx context.Context, node *server) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		conn, err := openSubscription(ctx, node, a.questions[0], stalledClient())
		if err != nil {
			if ctx.Err() == nil {
				a.Error(err)
			}
			return
		}
		defer conn.CloseNow()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
