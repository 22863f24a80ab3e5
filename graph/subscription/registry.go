package subscription

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

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
)

// Options are the parts of a Registry. Log and Begin must be given, and Timeout and Most be positive.
type Options struct {
	// Bus tells of changes at once. Without one, they are noticed a second later.
	Bus live.Bus
	Log *slog.Logger
	// Timeout bounds the computing of an answer.
	Timeout time.Duration
	// Most is how many distinct subscriptions there may be at once, and MostEach how many that one caller began.
	Most, MostEach int
	// CallerOf names the caller of a context.
	CallerOf func(context.Context) string
	// Begin waits until an answer may be computed, and returns what is to be called when it is. Whose it is, the context
	// tells.
	Begin func(ctx context.Context, source *graph.Source) (end func())
	// Metrics takes the figures of subscriptions; none by default.
	Metrics prometheus.Registerer
}

// Registry holds the subscriptions of a process.
type Registry struct {
	graph   *graph.Graph
	log     *slog.Logger
	timeout time.Duration
	most    int
	each    int
	caller  func(context.Context) string
	admit   func(ctx context.Context, source *graph.Source) (end func())
	metrics metrics

	// ctx is that of the computations and watches, and running is all of these.
	ctx         context.Context
	cancel      context.CancelFunc
	unsubscribe func()
	running     sync.WaitGroup
	// turns has a place for each computation that may run at once.
	turns chan struct{}

	mu      sync.Mutex
	feeds   map[graph.SourceKey]*feed
	watches map[int64]*watch
	// begun are how many feeds each caller began.
	begun map[string]int
}

// New returns a Registry of subscriptions to a graph. Close ends it.
func New(g *graph.Graph, o Options) *Registry {
	r := &Registry{
		graph: g, log: o.Log, timeout: o.Timeout, most: o.Most, each: o.MostEach, caller: o.CallerOf, admit: o.Begin, begun: map[string]int{}, metrics: newMetrics(o.Metrics),
		turns: make(chan struct{}, 16*runtime.GOMAXPROCS(0)), feeds: map[graph.SourceKey]*feed{}, watches: map[int64]*watch{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.unsubscribe = func() {}
	if o.Bus != nil {
		r.unsubscribe = o.Bus.Subscribe(r.hear)
	}
	return r
}

// Close ends what is computed and watched. Subscribers are told nothing any longer.
func (r *Registry) Close() {
	r.unsubscribe()
	r.cancel()
	r.running.Wait()
}

// hear has a site looked at that has changed, where a feed follows it.
func (r *Registry) hear(change live.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.watches[change.Site]; w != nil {
		w.poke()
	}
}

// Subscribe has a subscriber given the answers of a source, from now on until leave is called or it is ended. It looks for
// the site that the answers follow from as the context's actor. The source is no longer the caller's of Subscribe. The
// problems are those of the subscriber's rights, or RESOURCE_EXHAUSTED where there are too many distinct subscriptions.
func (r *Registry) Subscribe(ctx context.Context, source *graph.Source, s Subscriber) (leave func(), problems gqlerror.List) {
	key, err := source.Key()
	if err != nil {
		source.Release()
		return nil, r.graph.Present(ctx, err)
	}
	c := r.graph.Computations()()
	if problems := r.seek(ctx, key, source, s, c); problems != nil {
		source.Release()
		return nil, problems
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := source.Check(s.Principal(), c.Site, time.Now()); err != nil {
		source.Release()
		return nil, r.graph.Present(ctx, err)
	}
	f, caller := r.feeds[key], r.caller(ctx)
	switch {
	case f != nil:
		source.Release() // the feed has its own
	case r.begun[caller] >= r.each:
		source.Release()
		return nil, r.graph.Present(ctx, model.Errorf(model.ResourceExhausted,
			"you have begun %d distinct subscriptions, and may have no more: close some, or reuse one that is open", r.each))
	case len(r.feeds) >= r.most:
		source.Release()
		return nil, r.graph.Present(ctx, model.Errorf(model.ResourceExhausted,
			"this server is at its limit of %d distinct subscriptions: close some, or reuse one that is open", r.most))
	default:
		f = &feed{key: key, source: source, site: c.Site, caller: caller, subscribers: map[Subscriber]bool{}}
		r.feeds[key] = f
		r.begun[caller]++
		r.metrics.feeds.Inc()
		r.begin(f, c, time.Now())
	}
	f.subscribers[s] = true
	r.metrics.subscriptions.Inc()
	if f.answer != nil {
		s.Next(f.answer)
	}
	return func() { r.leave(f, s) }, nil
}

// seek finds the site of a source, unless it is known and the subscriber's.
func (r *Registry) seek(ctx context.Context, key graph.SourceKey, source *graph.Source, s Subscriber, c *graph.Computation) gqlerror.List {
	r.mu.Lock()
	f := r.feeds[key]
	r.mu.Unlock()
	if f != nil && source.Check(s.Principal(), f.site, time.Now()) == nil {
		c.Site = f.site
		return nil
	}
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return r.graph.Present(ctx, ctx.Err())
	}
	return source.Seek(ctx, c)
}

// give gives a subscriber the newest answer, if it still may have it. Otherwise it ends.
func (r *Registry) give(f *feed, s Subscriber) {
	if err := f.source.Check(s.Principal(), f.site, time.Now()); err != nil {
		r.dismiss(f, s, err)
		return
	}
	s.Next(f.answer)
}

// dismiss ends the subscription of one of a feed's subscribers.
func (r *Registry) dismiss(f *feed, s Subscriber, err error) {
	delete(f.subscribers, s)
	r.metrics.subscriptions.Dec()
	s.End(r.graph.Present(r.ctx, err))
}

// Check ends the subscriptions of who may have them no longer.
func (r *Registry) Check() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, f := range r.feeds {
		for s := range f.subscribers {
			if err := f.source.Check(s.Principal(), f.site, now); err != nil {
				r.dismiss(f, s, err)
			}
		}
		if len(f.subscribers) == 0 {
			r.drop(f)
		}
	}
}

func (r *Registry) leave(f *feed, s Subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !f.subscribers[s] {
		return // it was ended
	}
	delete(f.subscribers, s)
	r.metrics.subscriptions.Dec()
	if len(f.subscribers) == 0 {
		r.drop(f)
	}
}

// drop forgets a feed. Its plugins are let go when nothing needs them any longer.
func (r *Registry) drop(f *feed) {
	delete(r.feeds, f.key)
	if r.begun[f.caller]--; r.begun[f.caller] == 0 {
		delete(r.begun, f.caller)
	}
	r.metrics.feeds.Dec()
	if w := f.watch; w != nil {
		if delete(w.feeds, f); len(w.feeds) == 0 {
			w.end()
			delete(r.watches, w.site)
		}
	}
	if !f.computing {
		f.source.Release()
	}
}

// begin has a feed compute. The lock is held.
func (r *Registry) begin(f *feed, c *graph.Computation, now time.Time) {
	f.computing, f.beganAt = true, now
	r.running.Go(func() {
		// It ends with the server and not with who subscribed first: others share it.
		ctx := model.WithActor(graph.WithRequestID(r.ctx, rand.Text()[:16]), model.Actor{Principal: f.source.Principal(f.site)})
		ctx, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		// Who waits to be admitted takes no turn of others.
		defer r.admit(ctx, f.source)()
		select {
		case r.turns <- struct{}{}:
			defer func() { <-r.turns }()
		case <-ctx.Done(): // the computation finds out by itself
		}
		r.metrics.computations.Inc()
		begin := time.Now()
		response := f.source.Compute(ctx, c)
		r.settle(f, c, response, time.Since(begin))
	})
}

// settle tells the subscribers what has come of a computation, which took a while.
func (r *Registry) settle(f *feed, c *graph.Computation, response *graphql.Response, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.computing, f.took, f.hasErrors = false, took, len(response.Errors) > 0
	if len(f.subscribers) == 0 || r.ctx.Err() != nil {
		f.source.Release()
		return
	}
	f.seen, f.lasts = graph.SiteState{}, c.Lasts
	noAnswer := response.Data == nil
	if noAnswer && (f.answer == nil || !isPassing(response.Errors)) {
		r.end(f, response.Errors)
		return
	}
	if !noAnswer {
		if len(response.Errors) == 0 {
			f.seen = c.State
		}
		isNew, err := f.put(c, response)
		if err != nil {
			r.log.ErrorContext(r.ctx, "an answer cannot be encoded", "error", err)
		}
		if isNew {
			for s := range f.subscribers {
				r.give(f, s)
			}
		}
	}
	if len(f.subscribers) == 0 {
		r.drop(f)
		return
	}
	r.attach(f)
}

// attach has a feed compute again when its site changes.
func (r *Registry) attach(f *feed) {
	if f.watch == nil {
		w := r.watches[f.site]
		if w == nil {
			ctx, end := context.WithCancel(r.ctx)
			w = &watch{site: f.site, hint: make(chan struct{}, 1), end: end, feeds: map[*feed]bool{}}
			r.watches[f.site] = w
			r.running.Go(func() { r.look(ctx, w) })
		}
		w.feeds[f] = true
		f.watch = w
	}
	f.watch.poke()
}

// end ends the subscriptions of a feed.
func (r *Registry) end(f *feed, problems gqlerror.List) {
	for s := range f.subscribers {
		s.End(problems)
	}
	r.metrics.subscriptions.Sub(float64(len(f.subscribers)))
	clear(f.subscribers)
	r.drop(f)
}

// metrics count what subscriptions do.
type metrics struct {
	subscriptions, feeds prometheus.Gauge
	looks, computations  prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) metrics {
	m := promauto.With(registry)
	return metrics{
		subscriptions: m.NewGauge(prometheus.GaugeOpts{Name: "goalgraph_live_subscriptions", Help: "Open subscriptions."}),
		feeds: m.NewGauge(prometheus.GaugeOpts{
			Name: "goalgraph_live_questions", Help: "Distinct subscriptions: equal ones share their answers.",
		}),
		looks: m.NewCounter(prometheus.CounterOpts{Name: "goalgraph_live_looks_total", Help: "Times that the state of a site was read for its subscriptions."}),
		computations: m.NewCounter(prometheus.CounterOpts{
			Name: "goalgraph_live_computations_total", Help: "Times that the answer of a distinct subscription was computed.",
		}),
	}
}
