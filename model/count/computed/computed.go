// Package computed keeps the sets of sessions that plugins computed.
//
// The problem: some filters look at a session's hits, which no column has. Only their plugin can tell whether a session
// matches, and asking it about millions of sessions for each question would take minutes. So it is asked once for each
// session and revision. Its answers are sets, one for each partition and computation, kept in memory and in the database
// by a partition.Cache and brought forward by what was written since.
//
// The way of one question: the count engine meets a filter.Computed and resolves it here. Sets that are known are brought
// to the partitions' revisions; up to 20,000 sessions are computed while the question waits, for two seconds at most.
// What takes longer is left to Backfill (backfill.go), the question gets an error that tells the progress, and the next
// one finds more of it done.
//
// A plugin is asked only about sessions that satisfy the computation's condition, a predicate that columns can evaluate.
// No lock of columns is held while it is asked; who needs the same set waits, and nobody else.
//
// Memory is bounded by bytes. The database keeps a computation while it is needed now and then: for each site 200 that its
// definitions need at most, and 50 others.
package computed

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// patience is for how long a question waits for what is computed. The rest is left to Backfill.
const patience = 2 * time.Second

// Sets keeps the sets that a Computer chose. It is safe for concurrent use.
type Sets struct {
	store    *store.Store
	columns  *partition.Columns
	computer count.Computer // nil where there is none
	defined  Defined        // nil where nobody knows
	// atOnce is how many sessions are computed while a question waits. The rest is left to Backfill.
	atOnce int
	log    *slog.Logger
	cache  *partition.Cache[setKey, column.Set]

	mu    sync.Mutex
	known map[computationKey]noted
	backfill
	counters counters
}

type (
	// setKey has the hash of the computation's key beside its id: a database that lost writes gives ids again.
	setKey struct {
		partition, computation int64
		hash                   string
	}
	computationKey struct {
		site int64
		key  string
	}
	// noted is a computation and when it was last noted as needed.
	noted struct {
		store.Computation
		at time.Time
	}
)

func keyOf(c store.Computation, partition int64) setKey { return setKey{partition, c.ID, c.Hash} }

// Defined returns the keys of the computations that a site's definitions need.
type Defined func(ctx context.Context, site int64) ([]string, error)

// New returns the sets of a store, of about as many bytes in memory at most. Without a computer, which is nil then,
// every question that needs one has an error. Without defined, all computations count as those of definitions. Conditions
// are evaluated on the columns.
func New(st *store.Store, columns *partition.Columns, computer count.Computer, defined Defined, atOnce int, bytes uint64, log *slog.Logger) *Sets {
	return &Sets{
		store: st, columns: columns, computer: computer, defined: defined, atOnce: atOnce, log: log, cache: partition.NewCache[setKey, column.Set]("computed", bytes, log),
		known: map[computationKey]noted{}, backfill: newBackfill(),
	}
}

var _ count.Leaves = (*Sets)(nil)

// Resolve makes ready to answer the filter.Computed of a predicate.
func (s *Sets) Resolve(_ context.Context, _ *count.Matcher, site int64, where filter.Expr) (resolution count.Resolution, err error) {
	for _, key := range filter.Computations(where) {
		if s.computer == nil {
			return nil, noComputer(key)
		}
		resolution = append(resolution, &count.Resolved{
			IsLocal: true, // a set follows from the sessions of its partition
			Ready: func(ctx context.Context, partitions []store.Partition) error {
				return s.ready(ctx, site, key, partitions)
			},
			At: func(ctx context.Context, p *store.Partition) (count.SetOf, store.Revision, error) {
				set, revision, err := s.at(ctx, key, p)
				return func(leaf filter.Expr, _ *partition.View) (column.Set, bool) {
					computed, ok := leaf.(filter.Computed)
					return set, ok && computed.Key == key
				}, revision, err
			},
		})
	}
	return resolution, nil
}

// nameOf is the name of the filter type of a key.
func nameOf(key string) string {
	name, _, _ := strings.Cut(key, " ")
	return name
}

func noComputer(key string) error {
	return model.Errorf(model.Unavailable, "the filter %s needs a plugin, but no plugins are available here", nameOf(key))
}

// noteEvery is how often it is noted in the database that a computation is needed.
const noteEvery = time.Hour

// computation returns the computation of a key, which from now on is kept for the site.
func (s *Sets) computation(ctx context.Context, site int64, key string) (store.Computation, error) {
	s.mu.Lock()
	n, found := s.known[computationKey{site, key}]
	s.mu.Unlock()
	if found && time.Since(n.at) < noteEvery {
		return n.Computation, nil
	}
	return s.note(ctx, site, key)
}

func (s *Sets) note(ctx context.Context, site int64, key string) (store.Computation, error) {
	computation, err := s.store.Computation(ctx, site, key)
	if err != nil {
		return computation, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) > 10*maxComputations {
		clear(s.known)
	}
	s.known[computationKey{site, key}] = noted{computation, time.Now()}
	return computation, nil
}

// ready makes sure that the computation of a key is known for some partitions of a site, although not of their newest
// revisions. The error is Unavailable, and tells the progress, if that takes longer than a question waits.
func (s *Sets) ready(ctx context.Context, site int64, key string, partitions []store.Partition) error {
	if len(partitions) == 0 {
		return nil
	}
	computation, err := s.computation(ctx, site, key)
	if err != nil {
		return err
	}
	missing, err := s.recall(ctx, computation, partitions)
	if err != nil || len(missing) == 0 {
		return err
	}
	few, err := s.isFew(ctx, computation, missing)
	if err != nil {
		return err
	}
	if !few {
		return s.later(ctx, computation)
	}
	return s.patiently(ctx, computation, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(partitionsAtOnce)
		for _, p := range slices.Backward(missing) {
			group.Go(func() error {
				_, _, err := s.read(ctx, computation, &p, s.atOnce)
				return err
			})
		}
		return group.Wait()
	})
}

// recall loads, by one query, what is stored for the partitions of which nothing is in memory. It returns those of which
// nothing is stored either.
func (s *Sets) recall(ctx context.Context, computation store.Computation, partitions []store.Partition) (missing []store.Partition, err error) {
	var ids []int64
	for _, p := range partitions {
		if !s.cache.Has(keyOf(computation, p.ID)) {
			missing, ids = append(missing, p), append(ids, p.ID)
		}
	}
	stored, err := s.store.ComputedSets(ctx, computation, ids)
	if err != nil {
		return nil, err
	}
	for _, set := range stored {
		source := &setSource{sets: s, computation: computation, partition: store.Partition{ID: set.PartitionID, SiteID: computation.SiteID}}
		ok, err := s.cache.Offer(ctx, source.key(), source, store.Stored{Records: []store.Record{recordOf(set)}})
		if err != nil {
			return nil, err
		}
		if ok {
			missing = slices.DeleteFunc(missing, func(p store.Partition) bool { return p.ID == set.PartitionID })
		}
	}
	return missing, nil
}

// isFew tells whether the partitions' sessions that are to be asked about are few enough to do so at once.
func (s *Sets) isFew(ctx context.Context, computation store.Computation, partitions []store.Partition) (bool, error) {
	all := 0
	for _, p := range partitions {
		all += int(p.Sessions)
	}
	isRunning := false
	s.withJob(computation.ID, func(j *job) { isRunning = j.isRunning })
	if all <= s.atOnce || isRunning {
		return all <= s.atOnce, nil
	}
	condition, err := s.condition(ctx, computation.Key)
	if err != nil {
		return false, err
	}
	var asked atomic.Int64
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(partitionsAtOnce)
	for i := range partitions {
		group.Go(func() error {
			if asked.Load() > int64(s.atOnce) {
				return nil
			}
			ordinals, _, err := s.candidates(within, &partitions[i], condition)
			asked.Add(int64(len(ordinals)))
			return err
		})
	}
	err = group.Wait()
	return asked.Load() <= int64(s.atOnce), err
}

// condition is the Computer's, or true where columns alone cannot evaluate it.
func (s *Sets) condition(ctx context.Context, key string) (filter.Expr, error) {
	condition, err := s.computer.Condition(ctx, key)
	if err != nil {
		return nil, err
	}
	// What the clocks of the site show is no part of what is computed either: its zone may change.
	if filter.Uses(condition, filter.Visitor) || filter.IsOfSite(condition) || len(filter.Computations(condition)) > 0 || len(filter.Experiments(condition)) > 0 {
		return filter.Bool(true), nil
	}
	return condition, nil
}

// candidates returns the partition's sessions that a Computer is to be asked about, as they are at a revision.
func (s *Sets) candidates(ctx context.Context, p *store.Partition, condition filter.Expr) (ordinals []int32, revision store.Revision, err error) {
	where := column.Prepare(condition)
	err = s.columns.Read(ctx, p, where.Dimensions(), func(view *partition.View) error {
		matched, err := view.Match(where, view.Known(nil))
		if err != nil {
			return err
		}
		revision = view.Revision
		for i, ok := matched.NextSet(0); ok; i, ok = matched.NextSet(i + 1) {
			ordinals = append(ordinals, int32(i))
		}
		return nil
	})
	return ordinals, revision, err
}

// at returns the set of a partition as it is at the partition's revision, or a newer one, unless that takes longer than a
// question waits.
func (s *Sets) at(ctx context.Context, key string, p *store.Partition) (set column.Set, revision store.Revision, err error) {
	computation, err := s.computation(ctx, p.SiteID, key)
	if err != nil {
		return nil, revision, err
	}
	if set, revision, ok := s.cache.Current(keyOf(computation, p.ID), p); ok {
		return set, revision, nil
	}
	err = s.patiently(ctx, computation, func(ctx context.Context) (err error) {
		set, revision, err = s.read(ctx, computation, p, s.atOnce)
		return err
	})
	return set, revision, err
}

// read returns the set of a partition as it is at the partition's revision, or a newer one. At most some sessions are
// asked about, or the error is errTooMany.
func (s *Sets) read(ctx context.Context, computation store.Computation, p *store.Partition, most int) (set column.Set, revision store.Revision, err error) {
	source := &setSource{sets: s, computation: computation, partition: *p, most: most}
	err = s.cache.Read(ctx, source.key(), p, source, func(contents column.Set, at store.Revision) error {
		set, revision = contents, at
		return nil
	})
	return set, revision, err
}

// patiently calls do for a question. If it takes too long, the rest is left to Backfill.
func (s *Sets) patiently(ctx context.Context, computation store.Computation, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := do(limited)
	if err != nil && ctx.Err() == nil && (errors.Is(err, errTooMany) || limited.Err() != nil) {
		return s.later(ctx, computation)
	}
	return err
}
