package count

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bits-and-blooms/bitset"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Computer computes what no predicate can say of a session: it looks at the session
// with its hits. The computation that a filter.Computed names is its key's, which
// begins with the filter type's name and a space; nothing else of it is understood
// here. Its errors, where they are a model.Error, are those of the questions that
// need the computation.
//
// The host of the plugins is one. It is an interface because a count knows nothing of
// plugins.
type Computer interface {
	// Condition returns a predicate that every session satisfies which the computation
	// can choose: only of these is it asked.
	Condition(ctx context.Context, key string) (filter.Expr, error)
	// Compute tells of each visit, of which there are at most 1,000, whether the
	// computation chooses it. That depends on the key and the visit alone.
	Compute(ctx context.Context, key string, visits []model.Visit) ([]bool, error)
}

const (
	// computeBatch is how many sessions a Computer is asked about together, and
	// batchesInFlight how many times at once for one partition.
	computeBatch    = 1000
	batchesInFlight = 2
	// atOnce is how many sessions are computed while a question waits, and patience for
	// how long. What takes more is left to KeepComputed.
	atOnce   = 20_000
	patience = 2 * time.Second
	// maxRounds bounds how often columns and computed sets are read again to be of one
	// revision. Writes that come faster than that may show in the one alone.
	maxRounds = 10
)

// computing keeps the sets of sessions that a Computer chose. There is one for each
// partition and computation, in memory and in the database, with the revision of the
// partition that it is of. It is brought forward, as columns are, by what was written
// since; so a Computer is asked once for each session and revision.
//
// No lock of a partition is held while a Computer is asked. Who needs the same set waits,
// and nobody else.
type computing struct {
	store    *store.Store
	columns  *Columns
	computer Computer // nil where there is none
	sets     *otter.Cache[setKey, *computedSet]

	mu    sync.Mutex
	known map[computationKey]noted
	filling
	stats computedCounters
}

type (
	setKey         struct{ partition, computation int64 }
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

// computedSet is what was computed for a partition.
type computedSet struct {
	// turn is held by who brings the set forward.
	turn chan struct{}
	// now is nil while nothing is known. What it points to does not change.
	now atomic.Pointer[revisedSet]
	// stored is the revision that is in the database.
	stored atomic.Int64
}

// revisedSet is the set of the sessions that were chosen among those of a revision.
type revisedSet struct {
	revision int64
	chosen   column.Set
}

func newComputing(columns *Columns, computer Computer, bytes uint64) (*computing, error) {
	sets, err := otter.New(&otter.Options[setKey, *computedSet]{
		MaximumWeight: bytes,
		Weigher: func(_ setKey, s *computedSet) uint32 {
			const fixed = 300
			if now := s.now.Load(); now != nil {
				return uint32(fixed + 8*len(now.chosen.Words()))
			}
			return fixed
		},
	})
	return &computing{
		store: columns.store, columns: columns, computer: computer, sets: sets,
		known: map[computationKey]noted{}, filling: newFilling(),
	}, err
}

// nameOf is the name of the filter type of a key.
func nameOf(key string) string {
	name, _, _ := strings.Cut(key, " ")
	return name
}

func noComputer(key string) error {
	return model.Errorf(model.Unavailable, "the filter %s is computed by a plugin, and no plugins are asked here", nameOf(key))
}

// noteEvery is how often it is noted in the database that a computation is needed.
const noteEvery = time.Hour

// computation returns the computation of a key, which from now on is kept for the
// site.
func (c *computing) computation(ctx context.Context, site int64, key string) (store.Computation, error) {
	if c.computer == nil {
		return store.Computation{}, noComputer(key)
	}
	c.mu.Lock()
	n, found := c.known[computationKey{site, key}]
	c.mu.Unlock()
	if found && time.Since(n.at) < noteEvery {
		return n.Computation, nil
	}
	return c.note(ctx, site, key)
}

func (c *computing) note(ctx context.Context, site int64, key string) (store.Computation, error) {
	computation, err := c.store.Computation(ctx, site, key)
	if err != nil {
		return computation, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) > 10*maxComputations {
		clear(c.known)
	}
	c.known[computationKey{site, key}] = noted{computation, time.Now()}
	return computation, nil
}

// ready makes sure that the computation of a key is known for some partitions of a site,
// although not of their newest revisions. The error is Unavailable, and says how far
// it is, where that takes longer than a question waits.
func (c *computing) ready(ctx context.Context, key string, partitions []store.Partition) error {
	if len(partitions) == 0 {
		return nil
	}
	computation, err := c.computation(ctx, partitions[0].SiteID, key)
	if err != nil {
		return err
	}
	missing, err := c.recall(ctx, computation, partitions)
	if err != nil || len(missing) == 0 {
		return err
	}
	few, err := c.isFew(ctx, computation, missing)
	if err != nil {
		return err
	}
	if !few {
		return c.later(ctx, computation)
	}
	return c.patiently(ctx, computation, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(fillPartitions)
		for _, partition := range slices.Backward(missing) {
			group.Go(func() error {
				_, err := c.forward(ctx, computation, partition, atOnce)
				return err
			})
		}
		return group.Wait()
	})
}

// recall loads what is stored for the partitions for which nothing is in memory, and
// returns those for which nothing is stored either.
func (c *computing) recall(ctx context.Context, computation store.Computation, partitions []store.Partition) (missing []store.Partition, err error) {
	var ids []int64
	for _, partition := range partitions {
		if s, found := c.sets.GetIfPresent(setKey{partition.ID, computation.ID}); !found || s.now.Load() == nil {
			missing, ids = append(missing, partition), append(ids, partition.ID)
		}
	}
	stored, err := c.store.ComputedSets(ctx, computation.ID, ids)
	if err != nil {
		return nil, err
	}
	for _, set := range stored {
		if c.take(ctx, set) {
			missing = slices.DeleteFunc(missing, func(b store.Partition) bool { return b.ID == set.PartitionID })
		}
	}
	return missing, nil
}

// take takes in a set that was stored. ok is false where it is damaged.
func (c *computing) take(ctx context.Context, stored store.ComputedSet) (ok bool) {
	chosen, err := unsealSet(stored)
	if err != nil {
		c.columns.log.WarnContext(ctx, "a stored set is damaged, and is computed anew", "partition", stored.PartitionID, "computation", stored.ComputationID, "error", err)
		if err := c.store.ForgetComputed(ctx, stored.ComputationID, stored.PartitionID, stored.Revision); err != nil {
			c.columns.log.WarnContext(ctx, "a stored set that is damaged stays", "partition", stored.PartitionID, "error", err)
		}
		return false
	}
	key := setKey{stored.PartitionID, stored.ComputationID}
	s := c.set(key)
	if s.now.CompareAndSwap(nil, &revisedSet{stored.Revision, chosen}) {
		s.stored.Store(stored.Revision)
		c.sets.Set(key, s) // it has another weight now
	}
	return true
}

// set returns the set of a key, which may not be known yet.
func (c *computing) set(key setKey) *computedSet {
	s, _ := c.sets.ComputeIfAbsent(key, func() (*computedSet, bool) {
		return &computedSet{turn: make(chan struct{}, 1)}, false
	})
	return s
}

// isFew tells whether the partitions' sessions that are to be asked about are few enough
// to do so at once.
func (c *computing) isFew(ctx context.Context, computation store.Computation, partitions []store.Partition) (bool, error) {
	all := 0
	for _, partition := range partitions {
		all += int(partition.Sessions)
	}
	if all <= atOnce || c.isFilling(computation.ID) {
		return all <= atOnce, nil
	}
	condition, err := c.condition(ctx, computation.Key)
	if err != nil {
		return false, err
	}
	var asked atomic.Int64
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(fillPartitions)
	for _, partition := range partitions {
		group.Go(func() error {
			if asked.Load() > atOnce {
				return nil
			}
			ordinals, _, err := c.candidates(within, partition, condition)
			asked.Add(int64(len(ordinals)))
			return err
		})
	}
	err = group.Wait()
	return asked.Load() <= atOnce, err
}

// condition is the Computer's, or true where columns cannot say it.
func (c *computing) condition(ctx context.Context, key string) (filter.Expr, error) {
	condition, err := c.computer.Condition(ctx, key)
	if err != nil {
		return nil, err
	}
	if _, ok := column.Prepare(condition).Dimensions(); !ok {
		return filter.Bool(true), nil
	}
	return condition, nil
}

// candidates returns the partition's sessions that a Computer is to be asked about, as
// they are at a revision.
func (c *computing) candidates(ctx context.Context, stored store.Partition, condition filter.Expr) (ordinals []int32, revision int64, err error) {
	where := column.Prepare(condition)
	dimensions, _ := where.Dimensions()
	err = c.columns.read(ctx, stored, dimensions, func(b *partition) error {
		matched, err := b.sessions.Match(where, c.columns.known(b))
		if err != nil {
			return err
		}
		revision = b.revision
		for i, ok := matched.NextSet(0); ok; i, ok = matched.NextSet(i + 1) {
			ordinals = append(ordinals, int32(i))
		}
		return nil
	})
	return ordinals, revision, err
}

// errTooMany says that more sessions are to be asked about than the caller wants to.
var errTooMany = errors.New("too many sessions to compute at once")

// now returns the set of a partition as it is at the partition's revision, or newer, where
// that does not take longer than a question waits.
func (c *computing) now(ctx context.Context, key string, partition store.Partition) (*revisedSet, error) {
	computation, err := c.computation(ctx, partition.SiteID, key)
	if err != nil {
		return nil, err
	}
	if s, found := c.sets.GetIfPresent(setKey{partition.ID, computation.ID}); found {
		if now := s.now.Load(); now != nil && now.revision >= partition.Revision {
			return now, nil
		}
	}
	var set *revisedSet
	err = c.patiently(ctx, computation, func(ctx context.Context) (err error) {
		set, err = c.forward(ctx, computation, partition, atOnce)
		return err
	})
	return set, err
}

// choice returns what computations choose of a partition, as it is at the partition's
// revision or newer.
func (c *computing) choice(ctx context.Context, partition store.Partition, keys []string) (*choice, error) {
	found := newChoice()
	for _, key := range keys {
		set, err := c.now(ctx, key, partition)
		if err != nil {
			found.errs[key] = err
		} else {
			found.sets[key] = set.chosen
		}
	}
	return found, ctx.Err()
}

// patiently calls do for a question. Where it takes too long the rest is left to
// KeepComputed.
func (c *computing) patiently(ctx context.Context, computation store.Computation, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := do(limited)
	if err != nil && ctx.Err() == nil && (errors.Is(err, errTooMany) || limited.Err() != nil) {
		return c.later(ctx, computation)
	}
	return err
}

// forward returns the set of a partition as it is at the partition's revision, or newer. At
// most some sessions are asked about, or the error is errTooMany.
func (c *computing) forward(ctx context.Context, computation store.Computation, partition store.Partition, most int) (*revisedSet, error) {
	key := setKey{partition.ID, computation.ID}
	s := c.set(key)
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.now.Load() == nil {
		stored, err := c.store.ComputedSets(ctx, computation.ID, []int64{partition.ID})
		if err != nil {
			return nil, err
		}
		for _, set := range stored {
			c.take(ctx, set)
		}
	}
	set := s.now.Load()
	if set != nil && set.revision >= partition.Revision {
		return set, nil
	}
	condition, err := c.condition(ctx, computation.Key)
	if err != nil {
		return nil, err
	}
	if set == nil {
		if set, err = c.begin(ctx, computation.Key, partition, condition, most); err != nil {
			return nil, err
		}
	}
	if set, err = c.follow(ctx, computation.Key, partition, condition, set, most); err != nil {
		return nil, err
	}
	s.now.Store(set)
	c.sets.Set(key, s) // it has another weight now
	return set, nil
}

// begin computes the set for all sessions of a partition. Sessions that are written
// meanwhile may be taken in as they were later: follow puts that right.
func (c *computing) begin(ctx context.Context, key string, partition store.Partition, condition filter.Expr, most int) (*revisedSet, error) {
	ordinals, revision, err := c.candidates(ctx, partition, condition)
	if err != nil {
		return nil, err
	}
	if len(ordinals) > most {
		return nil, errTooMany
	}
	set := &revisedSet{revision, bitset.New(uint(partition.Sessions))}
	return set, c.choose(ctx, key, partition.ID, ordinals, set.chosen)
}

// follow computes the set for what was written since its revision, until nothing more
// was: hits are read after the sessions, and may be newer than they.
func (c *computing) follow(ctx context.Context, key string, partition store.Partition, condition filter.Expr, set *revisedSet, most int) (*revisedSet, error) {
	for {
		var changed, asked []int32
		newest, err := c.store.EachChange(ctx, partition.ID, set.revision, func(ordinal int32, session *model.Session) error {
			changed = append(changed, ordinal)
			if session != nil && condition.Match(session) {
				asked = append(asked, ordinal)
			}
			if len(asked) > most {
				return errTooMany
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(changed) == 0 {
			return &revisedSet{max(set.revision, partition.Revision), set.chosen}, nil
		}
		next := &revisedSet{newest, set.chosen.Clone()}
		for _, ordinal := range changed {
			next.chosen.Clear(uint(ordinal))
		}
		if err := c.choose(ctx, key, partition.ID, asked, next.chosen); err != nil {
			return nil, err
		}
		set = next
	}
}

// choose asks about the sessions at the ordinals, and adds those that are chosen.
func (c *computing) choose(ctx context.Context, key string, partition int64, ordinals []int32, chosen column.Set) error {
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(batchesInFlight)
	for batch := range slices.Chunk(ordinals, computeBatch) {
		if within.Err() != nil {
			break
		}
		group.Go(func() error {
			visits, err := c.store.VisitsAt(within, partition, batch)
			if err != nil || len(visits) == 0 {
				return err
			}
			matches, err := c.ask(within, key, visits)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for i, match := range matches {
				if match {
					chosen.Set(uint(visits[i].Session.ID.Ordinal))
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// ask asks the Computer about a batch.
func (c *computing) ask(ctx context.Context, key string, visits []model.Visit) ([]bool, error) {
	begin := time.Now()
	matches, err := c.computer.Compute(ctx, key, visits)
	if err == nil && len(matches) != len(visits) {
		err = fmt.Errorf("%d answers about %d sessions", len(matches), len(visits))
	}
	c.stats.add(len(visits), begin, err)
	return matches, err
}

// sealSet returns a set as it is stored: behind what says that it is this one's.
func sealSet(computation, partition int64, set *revisedSet) (store.ComputedSet, error) {
	stored := store.ComputedSet{PartitionID: partition, ComputationID: computation, Revision: set.revision}
	data, err := column.EncodeSet(set.chosen)
	stored.Data = append(sealOfSet(stored), data...)
	return stored, err
}

func unsealSet(stored store.ComputedSet) (column.Set, error) {
	seal := sealOfSet(stored)
	if len(stored.Data) < len(seal) || !slices.Equal(stored.Data[:len(seal)], seal) {
		return nil, errors.New("it is one of another place")
	}
	return column.DecodeSet(stored.Data[len(seal):])
}

func sealOfSet(stored store.ComputedSet) []byte {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d %d %d %d", column.Format, stored.PartitionID, stored.ComputationID, stored.Revision)
	return hash.Sum(nil)
}

// readComputed is read for predicates that need computations, or rosters, too: known
// has their sets, which are of the columns' revision.
func (e *Columns) readComputed(ctx context.Context, stored store.Partition, keys []string, assigned rosters, dimensions []column.Dimension, do func(*partition, column.Known) error) error {
	if len(assigned) > 0 {
		dimensions = append(slices.Clip(dimensions), rosterDimensions...)
	}
	for round := 1; ; round++ {
		sets := make(map[string]*revisedSet, len(keys))
		for _, key := range keys {
			set, err := e.computing.now(ctx, key, stored)
			if err != nil {
				return err
			}
			sets[key] = set
		}
		for _, set := range sets {
			stored.Revision = max(stored.Revision, set.revision)
		}
		done := false
		err := e.read(ctx, stored, slices.Clone(dimensions), func(b *partition) error {
			for _, set := range sets {
				if set.revision != b.revision && round < maxRounds {
					stored.Revision = b.revision
					return nil
				}
			}
			done = true
			known := e.known(b)
			known.assigned = assigned
			for key, set := range sets {
				known.Memo[filter.Computed{Key: key}.String()] = b.sessions.Fit(set.chosen)
			}
			return do(b, known)
		})
		if err != nil || done {
			return err
		}
	}
}
