package graph

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
)

// LiveLimits bound what subscriptions take of a node. Those that are zero have the
// defaults.
type LiveLimits struct {
	// Connections is how many there may be at once; 20,000 by default.
	Connections int
	// Operations is how many may run on one connection; 100 by default.
	Operations int
	// Questions is how many distinct ones may be followed; 2,000 by default.
	Questions int
	// Init is how long a WebSocket may take to send connection_init; 5 s by default.
	Init time.Duration
	// Write is how long a client may take to take in a message, and to answer a ping;
	// 10 s by default.
	Write time.Duration
	// Ping is the pause between pings; 25 s by default, which is shorter than proxies'
	// time-outs.
	Ping time.Duration
}

func (l *LiveLimits) setDefaults() {
	for _, d := range []struct {
		limit *int
		value int
	}{{&l.Connections, 20_000}, {&l.Operations, 100}, {&l.Questions, 2000}} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
	for _, d := range []struct {
		limit *time.Duration
		value time.Duration
	}{{&l.Init, 5 * time.Second}, {&l.Write, 10 * time.Second}, {&l.Ping, 25 * time.Second}} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
}

// subscriptions are those of a node. Equal ones share a question (question.go), and
// questions about a site are answered together (follow.go). What they are sent over
// stands in websocket.go and events.go.
type subscriptions struct {
	resolver *Resolver // of no generation, for what all have in common
	timeout  time.Duration
	limits   LiveLimits
	log      *slog.Logger
	metrics  liveMetrics

	// ctx is that of the computations and connections, stopping is closed when these are
	// to say goodbye, and running is all that runs.
	ctx      context.Context
	cancel   context.CancelFunc
	stop     func()
	stopping chan struct{}
	running  sync.WaitGroup
	// turns has a place for each computation that may run at once.
	turns chan struct{}

	mu          sync.Mutex
	connections int
	questions   map[questionKey]*question
	sites       map[int64]*followedSite
}

func newSubscriptions(o Options) *subscriptions {
	s := &subscriptions{
		resolver: &Resolver{store: o.Store, engine: o.Engine, now: o.Now}, timeout: o.Timeout, limits: o.Live, log: o.Log,
		metrics:  newLiveMetrics(o.Metrics),
		stopping: make(chan struct{}), turns: make(chan struct{}, 16*runtime.GOMAXPROCS(0)),
		questions: map[questionKey]*question{}, sites: map[int64]*followedSite{},
	}
	s.limits.setDefaults()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	unsubscribe := func() {}
	if o.Bus != nil {
		unsubscribe = o.Bus.Subscribe(s.hear)
	}
	s.stop = sync.OnceFunc(func() {
		unsubscribe()
		close(s.stopping)
	})
	return s
}

// hear has a site looked at that has changed, where it is followed.
func (s *subscriptions) hear(change live.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if site := s.sites[change.Site]; site != nil {
		site.poke()
	}
}

// subscribe has a follower told the answers to what an operation asks, from now on
// until leave is called. The operation is no longer the caller's.
func (s *subscriptions) subscribe(b begun, operation *graphql.OperationContext, f follower) (leave func(), err error) {
	key, err := keyOf(b, operation)
	if err != nil {
		b.release()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.questions[key]
	switch {
	case q != nil:
		b.release() // the question has its own
	case len(s.questions) >= s.limits.Questions:
		b.release()
		return nil, model.Errorf(model.ResourceExhausted, "this server follows %d distinct subscriptions, the most that it does; end some, ask what others ask, or try again later", len(s.questions))
	default:
		q = newQuestion(key, b, operation)
		s.questions[key] = q
		s.metrics.questions.Inc()
		s.begin(q, new(computation), newCollection(s.resolver), time.Now())
	}
	q.followers[f] = true
	s.metrics.subscriptions.Inc()
	if q.answer != nil {
		f.next(q.answer)
	}
	return func() { s.leave(q, f) }, nil
}

func (s *subscriptions) leave(q *question, f follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !q.followers[f] {
		return // it was ended
	}
	delete(q.followers, f)
	s.metrics.subscriptions.Dec()
	if len(q.followers) == 0 {
		s.drop(q)
	}
}

// drop forgets a question. Its plugins are let go when nothing needs them any longer.
func (s *subscriptions) drop(q *question) {
	delete(s.questions, q.key)
	s.metrics.questions.Dec()
	if site := q.site; site != nil {
		if delete(site.questions, q); len(site.questions) == 0 {
			site.end()
			delete(s.sites, site.id)
		}
	}
	if !q.computing {
		q.release()
	}
}

// begin has a question answered. The lock is held.
func (s *subscriptions) begin(q *question, c *computation, together *collection, now time.Time) {
	q.computing, q.beganAt = true, now
	s.running.Go(func() {
		select {
		case s.turns <- struct{}{}:
			defer func() { <-s.turns }()
		case <-s.ctx.Done():
		}
		// It ends with the server and not with who asked first: others share it.
		ctx, cancel := context.WithTimeout(WithRequestID(s.ctx, rand.Text()[:16]), s.timeout)
		defer cancel()
		s.metrics.computations.Inc()
		s.settle(q, c, q.carryOut(shareCollection(withComputation(ctx, c), together)))
	})
}

// settle tells the followers what has come of a computation.
func (s *subscriptions) settle(q *question, c *computation, response *graphql.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.computing = false
	if len(q.followers) == 0 || s.ctx.Err() != nil {
		q.release()
		return
	}
	q.seen = siteState{}
	noAnswer := response.Data == nil
	if noAnswer && (q.answer == nil || !isPassing(response.Errors)) {
		s.end(q, response.Errors)
		return
	}
	if !noAnswer {
		if len(response.Errors) == 0 {
			q.seen = c.state
		}
		isNew, err := q.take(response, s.resolver.now())
		if err != nil {
			s.log.ErrorContext(s.ctx, "an answer cannot be encoded", "error", err)
		}
		if isNew {
			for f := range q.followers {
				f.next(q.answer)
			}
		}
	}
	s.attach(q, c.site)
}

// attach has a question answered again when its site changes.
func (s *subscriptions) attach(q *question, id int64) {
	if q.site == nil {
		site := s.sites[id]
		if site == nil {
			ctx, end := context.WithCancel(s.ctx)
			site = &followedSite{id: id, hint: make(chan struct{}, 1), end: end, questions: map[*question]bool{}}
			s.sites[id] = site
			s.running.Go(func() { s.watch(ctx, site) })
		}
		site.questions[q] = true
		q.site = site
	}
	q.site.poke()
}

// end ends the subscriptions of a question.
func (s *subscriptions) end(q *question, problems gqlerror.List) {
	for f := range q.followers {
		f.end(problems)
	}
	s.metrics.subscriptions.Sub(float64(len(q.followers)))
	clear(q.followers)
	s.drop(q)
}

// admit takes in a connection, until dismiss is called. ok is false where there are
// too many, or the server stops.
func (s *subscriptions) admit() (dismiss func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stopping:
		return nil, false
	default:
	}
	if s.connections >= s.limits.Connections {
		return nil, false
	}
	s.connections++
	s.metrics.connections.Inc()
	s.running.Add(1)
	return func() {
		s.mu.Lock()
		s.connections--
		s.mu.Unlock()
		s.metrics.connections.Dec()
		s.running.Done()
	}, true
}

// drain is how long connections have to say goodbye when the server stops.
const drain = 3 * time.Second

// close ends all connections, and returns when they are gone. Those that have not ended
// after a while are cut off.
func (s *subscriptions) close(ctx context.Context) {
	s.stop()
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	defer context.AfterFunc(ctx, s.cancel)()
	s.running.Wait()
	s.cancel()
}

// liveMetrics count what subscriptions do.
type liveMetrics struct {
	connections, subscriptions, questions prometheus.Gauge
	looks, computations, sent, dropped    prometheus.Counter
	closed                                *prometheus.CounterVec
}

func newLiveMetrics(registry prometheus.Registerer) liveMetrics {
	metrics := promauto.With(registry)
	gauge := func(name, help string) prometheus.Gauge {
		return metrics.NewGauge(prometheus.GaugeOpts{Name: "goalgraph_live_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return metrics.NewCounter(prometheus.CounterOpts{Name: "goalgraph_live_" + name, Help: help})
	}
	return liveMetrics{
		connections:   gauge("connections", "Open WebSockets and event streams."),
		subscriptions: gauge("subscriptions", "Open subscriptions."),
		questions:     gauge("questions", "Distinct ones among the open subscriptions: equal ones are answered together."),
		looks:         counter("looks_total", "How often the state of a site was looked at."),
		computations:  counter("computations_total", "How often a question was answered, or answered again."),
		sent:          counter("sent_total", "Answers sent to subscribers."),
		dropped:       counter("dropped_total", "Answers that a slow reader was not sent, because a newer one took their place."),
		closed: metrics.NewCounterVec(prometheus.CounterOpts{
			Name: "goalgraph_live_closed_total", Help: "Connections that have ended, by who or what ended them.",
		}, []string{"reason"}),
	}
}
