// Package engine puts the parts of counting together, and is what a server holds of them.
//
//	plan, look up, scan, aggregate    model/count
//	columns of the day partitions     model/partition
//	sets that plugins computed        model/count/computed
//	assignments, results              model/experiment
//
// Calls go down this list, and leaves of predicates are asked of the last two by an interface of the first.
//
// Every cache of them is bounded by bytes, and a lost one costs time alone. docs/architecture.md lists them all.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/computed"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// Options are the parts of an Engine that may be left out. Bounds are in bytes, about.
type Options struct {
	// ColumnBytes bounds the columns in memory, with the sets of leaves; DefaultColumnBytes by default.
	ColumnBytes uint64
	// AnswerBytes bounds the answers in memory; 16 MiB by default.
	AnswerBytes uint64
	// VisitorBytes bounds the visitors that questions asked together gather at a time; 32 MiB by default, in which 43 questions
	// about six million visitors have room.
	VisitorBytes uint64
	// BreakdownBytes bounds the breakdowns in memory, with what is known of sealed partitions; 32 MiB by default.
	BreakdownBytes uint64
	// TableBytes bounds what one breakdown, or list of values, takes while it is made; 64 MiB by default. Those that are made
	// at a time take twice as much at most.
	TableBytes int
	// ListedLengths is how many lengths of sessions are listed to find their median; 4,096 by default.
	ListedLengths int
	// ComputedAtOnce is how many sessions are computed while a question waits; 20,000 by default.
	ComputedAtOnce int
	// ComputedBytes bounds the computed sets in memory; 32 MiB by default.
	ComputedBytes uint64
	// ExperimentBytes bounds what is kept of experiments in memory; 272 MiB by default.
	ExperimentBytes uint64
	// Caches keep partial aggregates, the nearest first; none by default.
	Caches []count.Cache
	// Computer is asked for what predicates cannot say. Without one, questions that need it have errors.
	Computer count.Computer
	// Defined returns the keys of the computations that a site's definitions need, which are kept longer than others. Without
	// it all are.
	Defined computed.Defined
	// Definitions are those of the experiments that predicates name. Without them, questions that name one have errors.
	Definitions experiment.Definitions
	// Log takes what is damaged and built anew; none by default.
	Log *slog.Logger
}

// DefaultColumnBytes bounds the columns in memory where nobody says how many there may be.
const DefaultColumnBytes = 608 << 20

func (o *Options) setDefaults() {
	for bound, fallback := range map[*uint64]uint64{
		&o.ColumnBytes: DefaultColumnBytes, &o.AnswerBytes: 16 << 20, &o.VisitorBytes: 32 << 20, &o.BreakdownBytes: 32 << 20,
		&o.ComputedBytes: 32 << 20, &o.ExperimentBytes: 272 << 20,
	} {
		if *bound == 0 {
			*bound = fallback
		}
	}
	for bound, fallback := range map[*int]int{&o.ComputedAtOnce: 20_000, &o.ListedLengths: 4096, &o.TableBytes: 64 << 20} {
		if *bound == 0 {
			*bound = fallback
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Engine answers questions about sessions and about experiments. It is safe for concurrent use.
type Engine struct {
	*count.ColumnEngine
	store *store.Store
	// holder is who takes leases.
	holder      string
	experiments *experiment.ColumnEngine
	assignments *experiment.Assignments
	computed    *computed.Sets
}

var (
	_ count.Engine      = (*Engine)(nil)
	_ experiment.Engine = (*Engine)(nil)
)

// New returns an engine over a store. It is to be closed.
func New(st *store.Store, o Options) (*Engine, error) {
	o.setDefaults()
	columns := partition.NewColumns(st, o.ColumnBytes, o.Log)
	sets := computed.New(st, columns, o.Computer, o.Defined, o.ComputedAtOnce, o.ComputedBytes, o.Log)
	assignments := experiment.NewAssignments(st, o.Definitions, o.ExperimentBytes*11/17, o.Log)
	sessions := count.NewColumnEngine(st, columns, count.Options{
		Caches: o.Caches, AnswerBytes: o.AnswerBytes, VisitorBytes: o.VisitorBytes, BreakdownBytes: o.BreakdownBytes, TableBytes: o.TableBytes,
		ListedLengths: o.ListedLengths, Leaves: []count.Leaves{sets, assignments}, Log: o.Log,
	})
	experiments := experiment.NewColumnEngine(st, sessions.Matcher(), assignments, sets.Ask, o.ExperimentBytes*6/17)
	return &Engine{store: st, holder: rand.Text(), ColumnEngine: sessions, experiments: experiments, assignments: assignments, computed: sets}, nil
}

// Results answers questions about experiments.
func (e *Engine) Results(ctx context.Context, questions []experiment.Question) ([]experiment.Answer, error) {
	return e.experiments.Results(ctx, questions)
}

// Totals are what a site holds altogether.
type Totals struct{ Visitors, Sessions int }

// Totals counts a site's visitors, those with a session that counts, and its sessions.
func (e *Engine) Totals(ctx context.Context, site int64) (Totals, error) {
	all := count.Question{Site: site, In: model.Range{From: -model.Open, To: model.Open}, Where: filter.Bool(true), Visitors: true}
	answers, err := e.Count(ctx, []count.Question{all})
	if err != nil {
		return Totals{}, err
	}
	return Totals{Visitors: answers[0].Visitors, Sessions: answers[0].Sessions}, answers[0].Err
}

// SealBehind stores the columns and the exposures of a site's partitions, or those of count.AllSites, that were last
// written to before an instant, where they are not stored as they are. It returns how many it stored. Processes take
// turns: a site that another one is at is left to that one.
func (e *Engine) SealBehind(ctx context.Context, site int64, before model.Millis) (sealed int, err error) {
	sites := []int64{site}
	if site == count.AllSites {
		if sites, err = e.store.SitesBehind(ctx, column.Format, before); err != nil {
			return 0, err
		}
	}
	for _, site := range sites {
		n, err := e.sealSite(ctx, site, before)
		sealed += n
		if err != nil {
			return sealed, err
		}
	}
	return sealed, nil
}

// sealLease names the lease of who stores what is behind of a site, and leaseFor is its length: much longer than
// storing one partition takes.
const (
	sealLease = "seal"
	leaseFor  = time.Minute
)

func (e *Engine) sealSite(ctx context.Context, site int64, before model.Millis) (sealed int, err error) {
	isOurs, err := e.store.Lease(ctx, site, sealLease, e.holder, leaseFor)
	if err != nil || !isOurs {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, e.store.EndLease(context.WithoutCancel(ctx), site, sealLease, e.holder))
	}()
	partitions, err := e.store.PartitionsBehind(ctx, site, column.Format, before)
	if err != nil {
		return 0, err
	}
	exposures, err := e.store.ExposuresBehind(ctx, site, before)
	if err != nil {
		return 0, err
	}
	for leased := time.Now(); sealed < len(partitions)+len(exposures); sealed++ {
		if time.Since(leased) > leaseFor/4 {
			leased = time.Now()
			if isOurs, err := e.store.Lease(ctx, site, sealLease, e.holder, leaseFor); err != nil || !isOurs {
				return sealed, err
			}
		}
		if sealed < len(partitions) {
			err = e.Columns().Seal(ctx, &partitions[sealed])
		} else {
			err = e.assignments.Seal(ctx, &exposures[sealed-len(partitions)])
		}
		if err != nil {
			return sealed, err
		}
	}
	return sealed, nil
}

// Backfill computes, until the context is done, what questions do not wait for.
func (e *Engine) Backfill(ctx context.Context) { e.computed.Backfill(ctx) }

// Stats are the engine's figures so far.
type Stats struct {
	// Layers are in the order of a question's way.
	Layers []partition.Reading
	// ColumnBytes is about how much memory the columns of Partitions take, with the sets of leaves.
	ColumnBytes uint64
	Partitions  int
	Computed    computed.Figures
	// ExperimentBytes is about how much memory cached experiment data takes.
	ExperimentBytes uint64
}

// Stats returns the engine's figures so far.
func (e *Engine) Stats() Stats {
	columns := e.Columns()
	stats := Stats{
		ColumnBytes: columns.Bytes(), Partitions: columns.Len(), Computed: e.computed.Figures(),
		ExperimentBytes: e.assignments.Bytes() + e.experiments.Bytes(),
	}
	for _, meters := range [][]*partition.Meter{e.ColumnEngine.Meters(), e.computed.Meters(), e.experiments.Meters(), e.assignments.Meters()} {
		for _, meter := range meters {
			stats.Layers = append(stats.Layers, meter.Read())
		}
	}
	return stats
}
