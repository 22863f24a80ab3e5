package count

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// ColumnEngine is the Engine that counts from columns. Its answers include every write that was committed before the
// question, on whatever node.
type ColumnEngine struct {
	store   *store.Store
	columns *partition.Columns
	matcher *Matcher
	log     *slog.Logger

	answers    *answers
	breakdowns *breakdowns
	// visitorBytes, listedLengths and tableBytes are those of the Options.
	visitorBytes              uint64
	listedLengths, tableBytes int
	// room is of the breakdowns and the lists of values that are being made, by what each may take.
	room   *semaphore.Weighted
	caches []Cache
	// flights make equal scans one that are asked for at the same time.
	flights singleflight.Group

	planning, scanning partition.Meter
	looking            []*partition.Meter // of the caches

	// Prefetching lasts as long as the engine.
	lifetime context.Context
	end      context.CancelFunc
	running  sync.WaitGroup
	// prefetching are the sites that are being prefetched. The value tells that it is to be done again: more was written
	// meanwhile.
	mu          sync.Mutex
	prefetching map[int64]bool
}

// Options are the parts of a ColumnEngine beside its columns.
type Options struct {
	// Caches keep partial aggregates, the nearest first.
	Caches []Cache
	// AnswerBytes bounds the answers in memory, about.
	AnswerBytes uint64
	// VisitorBytes bounds the visitors that one call of Count gathers at a time, about. A question's take a bit for each visitor
	// of the site at most. Those of at least one question are gathered in any case.
	VisitorBytes uint64
	// BreakdownBytes bounds the breakdowns in memory, and their tables, about.
	BreakdownBytes uint64
	// TableBytes bounds what one breakdown, or list of values, takes while it is made, about: questions that take more are
	// ResourceExhausted. Those that are made at the same time take twice as much together, at most; others wait.
	TableBytes int
	// ListedLengths is how many lengths of sessions are listed to find their median. More are counted, which takes less
	// memory and another look at the sessions.
	ListedLengths int
	// Leaves answer what columns cannot, beside the keys of visitors. Leaves that nobody answers are errors of their questions.
	Leaves []Leaves
	// Log takes what goes wrong without being an answer's error.
	Log *slog.Logger
}

// tablesAtOnce is how many times TableBytes the breakdowns and lists of values that are made at a time may take.
const tablesAtOnce = 2

// NewColumnEngine returns an engine over a store's columns. It is to be closed.
func NewColumnEngine(st *store.Store, columns *partition.Columns, o Options) *ColumnEngine {
	e := &ColumnEngine{
		store: st, columns: columns, log: o.Log, answers: newAnswers(o.AnswerBytes), visitorBytes: o.VisitorBytes, caches: o.Caches,
		listedLengths: o.ListedLengths, tableBytes: o.TableBytes, breakdowns: newBreakdowns(o.BreakdownBytes), room: semaphore.NewWeighted(tablesAtOnce * int64(o.TableBytes)),
		matcher:  &Matcher{columns: columns, leaves: append([]Leaves{visitorKeys{st}}, o.Leaves...)},
		planning: partition.Meter{Name: planName}, scanning: partition.Meter{Name: scanName}, prefetching: map[int64]bool{},
	}
	for _, cache := range o.Caches {
		e.looking = append(e.looking, &partition.Meter{Name: cache.Name()})
	}
	e.lifetime, e.end = context.WithCancel(context.Background())
	return e
}

var _ Engine = (*ColumnEngine)(nil)

// Close ends what the engine does ahead of questions.
func (e *ColumnEngine) Close() {
	e.mu.Lock()
	e.end()
	e.mu.Unlock()
	e.running.Wait()
}

// Matcher finds the sessions of single partitions.
func (e *ColumnEngine) Matcher() *Matcher { return e.matcher }

// Columns are what the engine counts from.
func (e *ColumnEngine) Columns() *partition.Columns { return e.columns }

// Meters count what the engine's layers had, in the order of a question's way.
func (e *ColumnEngine) Meters() []*partition.Meter {
	meters := append([]*partition.Meter{&e.planning, &e.answers.meter, &e.breakdowns.meter}, e.looking...)
	return append(append(meters, &e.scanning), e.columns.Meters()...)
}

// maxPrefetch bounds how long a prefetch takes.
const maxPrefetch = 10 * time.Second

// Prefetch brings the head of a site forward.
func (e *ColumnEngine) Prefetch(site int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, isRunning := e.prefetching[site]
	e.prefetching[site] = isRunning
	if !isRunning && e.lifetime.Err() == nil {
		e.running.Go(func() { e.prefetch(site) })
	}
}

func (e *ColumnEngine) prefetch(site int64) {
	for isAgain := true; isAgain; {
		ctx, cancel := context.WithTimeout(e.lifetime, maxPrefetch)
		e.columns.Prefetch(ctx, site)
		cancel()
		e.mu.Lock()
		if isAgain = e.prefetching[site] && e.lifetime.Err() == nil; isAgain {
			e.prefetching[site] = false
		} else {
			delete(e.prefetching, site)
		}
		e.mu.Unlock()
	}
}

// QueryStats tell what answering the questions of one context took.
type QueryStats struct {
	// Partitions were looked at. Of their partial aggregates, FromMemory and FromRedis were known; Scanned partitions had
	// some that were not.
	Partitions, FromMemory, FromRedis, Scanned int64
	// Stages are what the layers of counting did, in the order in which they were met first. Stages that run side by side
	// add up to more than the time that passes.
	Stages []partition.Reading
}

// WithStats returns a context whose questions are watched, and what returns their stats so far.
func WithStats(ctx context.Context) (context.Context, func() QueryStats) {
	ctx, trace := partition.WithTrace(ctx)
	return ctx, func() QueryStats {
		stats := QueryStats{Stages: trace.Readings()}
		for _, stage := range stats.Stages {
			switch stage.Name {
			case planName:
				stats.Partitions += stage.Hits
			case memoryName:
				stats.FromMemory += stage.Hits
			case redisName:
				stats.FromRedis += stage.Hits
			case scanName:
				stats.Scanned += stage.Hits
			}
		}
		return stats
	}
}

// The names of the layers that QueryStats count by.
const (
	planName   = "plan"
	memoryName = "memory"
	redisName  = "redis"
	scanName   = "scan"
)

// LogValue writes the stats as attributes, with the milliseconds of each stage.
func (s QueryStats) LogValue() slog.Value {
	attributes := []slog.Attr{
		slog.Int64("partitions", s.Partitions), slog.Int64("memory", s.FromMemory), slog.Int64("redis", s.FromRedis), slog.Int64("scanned", s.Scanned),
	}
	for _, stage := range s.Stages {
		attributes = append(attributes, slog.Float64(stage.Name+"_ms", stage.Milliseconds()))
	}
	return slog.GroupValue(attributes...)
}
