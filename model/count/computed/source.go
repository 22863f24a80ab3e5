package computed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bits-and-blooms/bitset"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// batchesAtOnce is how many batches of one partition a Computer is asked about at the same time.
const batchesAtOnce = 2

// setSource is the Source of the set of a partition and a computation. A set does not change: a newer one takes its place.
type setSource struct {
	sets        *Sets
	computation store.Computation
	partition   store.Partition
	// most is how many sessions are asked about at most.
	most int
}

var _ partition.Source[column.Set] = (*setSource)(nil)

// errTooMany says that more sessions are to be asked about than the caller wants to.
var errTooMany = errors.New("too many sessions to compute at once")

// recordName names the one record.
const recordName = "set"

func recordOf(set store.ComputedSet) store.Record {
	return store.Record{Name: recordName, Revision: set.Revision, Data: set.Data}
}

func (s *setSource) key() setKey { return keyOf(s.computation, s.partition.ID) }

func (s *setSource) Place() partition.Place {
	return partition.Place{Kind: "computed", Partition: s.partition.ID, Of: s.computation.Hash}
}

func (*setSource) Empty() column.Set { return nil }

func (*setSource) Copy(set column.Set) column.Set { return set }

func (*setSource) Missing(set column.Set, _ bool) []string {
	if set == nil {
		return []string{recordName}
	}
	return nil
}

func (s *setSource) Stored(ctx context.Context, _ []string, _ store.Origin) (records store.Stored, err error) {
	stored, err := s.sets.store.ComputedSets(ctx, s.computation, []int64{s.partition.ID})
	for _, set := range stored {
		records.Records = append(records.Records, recordOf(set))
	}
	return records, err
}

func (*setSource) Decode(_ column.Set, _ string, plain []byte) (column.Set, error) {
	return column.DecodeSet(plain)
}

// buildTries bounds how often a set is built because the database has lost what it was built from meanwhile.
const buildTries = 10

// Build computes the set for all sessions of the partition. Sessions that are written meanwhile may be taken in as they
// were later: follow puts that right.
func (s *setSource) Build(ctx context.Context) (set column.Set, revision store.Revision, err error) {
	condition, err := s.sets.condition(ctx, s.computation.Key)
	if err != nil {
		return nil, revision, err
	}
	at := s.partition
	for range buildTries {
		if set, revision, err = s.build(ctx, &at, condition); !errors.Is(err, store.ErrLost) {
			return set, revision, err
		}
		// Columns of the revision that was lost are not to be asked again.
		if at.Revision, err = s.sets.store.RevisionOf(ctx, at.SiteID, at.ID); err != nil {
			return nil, revision, err
		}
		if at.ReadAt = time.Now(); at.Revision.IsZero() {
			return bitset.New(0), at.Revision, nil
		}
	}
	return nil, revision, err
}

func (s *setSource) build(ctx context.Context, at *store.Partition, condition filter.Expr) (column.Set, store.Revision, error) {
	ordinals, revision, err := s.sets.candidates(ctx, at, condition)
	if err != nil {
		return nil, store.Revision{}, err
	}
	if len(ordinals) > s.most {
		return nil, store.Revision{}, errTooMany
	}
	set := bitset.New(uint(s.partition.Sessions))
	read, err := s.choose(ctx, ordinals, set)
	if err != nil {
		return nil, store.Revision{}, err
	}
	return s.follow(ctx, condition, set, revision, read)
}

func (s *setSource) CatchUp(ctx context.Context, set column.Set, revision store.Revision, apply func(func(column.Set) column.Set)) (store.Revision, error) {
	condition, err := s.sets.condition(ctx, s.computation.Key)
	if err != nil {
		return store.Revision{}, err
	}
	newer, newest, err := s.follow(ctx, condition, set, revision, nil)
	if err == nil && newer != set {
		apply(func(column.Set) column.Set { return newer })
	}
	return newest, err
}

// follow computes what was written since a revision, until nothing more was: hits are read after the sessions, and may be
// newer than they. read are the revisions that hits were read at. The error is store.ErrLost if one of them was lost: the
// set would have what the database has not.
func (s *setSource) follow(ctx context.Context, condition filter.Expr, set column.Set, revision store.Revision, read []store.Revision) (column.Set, store.Revision, error) {
	for {
		var changed, asked []int32
		newest, err := s.sets.store.EachChange(ctx, s.partition.SiteID, s.partition.ID, revision, func(ordinal int32, session *model.Session) error {
			changed = append(changed, ordinal)
			if session != nil && condition.Match(session) {
				asked = append(asked, ordinal)
			}
			if len(asked) > s.most {
				return errTooMany
			}
			return nil
		})
		if err != nil {
			return nil, store.Revision{}, err
		}
		if len(changed) == 0 {
			return set, revision, s.sets.store.Confirm(ctx, s.partition.SiteID, s.partition.ID, revision, read)
		}
		next := set.Clone()
		for _, ordinal := range changed {
			next.Clear(uint(ordinal))
		}
		more, err := s.choose(ctx, asked, next)
		if err != nil {
			return nil, store.Revision{}, err
		}
		set, revision, read = next, newest, append(read, more...)
	}
}

// choose asks about the sessions at the ordinals, and adds those that are chosen to a set. It returns the revisions that
// the partition was at when they were read.
func (s *setSource) choose(ctx context.Context, ordinals []int32, to column.Set) (read []store.Revision, err error) {
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(batchesAtOnce)
	for batch := range slices.Chunk(ordinals, count.ComputeBatch) {
		if within.Err() != nil {
			break
		}
		group.Go(func() error {
			var visits []model.Visit
			var revision store.Revision
			err := s.sets.store.AtOneMoment(within, func(st *store.Store) (err error) {
				if visits, err = st.VisitsAt(within, s.partition.SiteID, s.partition.ID, batch); err == nil {
					revision, err = st.RevisionOf(within, s.partition.SiteID, s.partition.ID)
				}
				return err
			})
			if err != nil {
				return err
			}
			mu.Lock()
			if !slices.Contains(read, revision) {
				read = append(read, revision)
			}
			mu.Unlock()
			if len(visits) == 0 {
				return nil
			}
			matches, err := s.sets.Ask(within, s.computation.Key, visits)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for i, match := range matches {
				if match {
					to.Set(uint(visits[i].Session.ID.Ordinal))
				}
			}
			return nil
		})
	}
	return read, group.Wait()
}

// Ask asks the Computer about a batch of visits, which have page views and events alone.
func (s *Sets) Ask(ctx context.Context, key string, visits []model.Visit) ([]bool, error) {
	if s.computer == nil {
		return nil, noComputer(key)
	}
	begin := time.Now()
	matches, err := s.computer.Compute(ctx, key, visits)
	if err == nil && len(matches) != len(visits) {
		err = fmt.Errorf("the filter %s: %d answers about %d sessions", nameOf(key), len(matches), len(visits))
	}
	s.counters.add(len(visits), begin, err)
	return matches, err
}

func (*setSource) Encode(set column.Set) (map[string][]byte, error) {
	data, err := column.EncodeSet(set)
	return map[string][]byte{recordName: data}, err
}

func (s *setSource) Save(ctx context.Context, revision store.Revision, sealed map[string][]byte) error {
	return s.sets.store.SaveComputed(ctx, store.ComputedSet{SiteID: s.computation.SiteID, PartitionID: s.partition.ID, ComputationID: s.computation.ID, Revision: revision, Data: sealed[recordName]})
}

func (s *setSource) Forget(ctx context.Context) error {
	return s.sets.store.ForgetComputed(ctx, s.computation, s.partition.ID)
}

func (*setSource) Bytes(set column.Set) uint64 {
	if set == nil {
		return 0
	}
	return 8 * uint64(len(set.Words()))
}

// Figures say how computations have done so far.
type Figures struct {
	// Sessions were asked about, in Batches, of which Failed had no answer.
	Sessions, Batches, Failed int64
	// Time is what the answers took altogether.
	Time time.Duration
	// Running is how many computations are being filled in at the moment.
	Running int
	// Bytes is about how much memory the sets take.
	Bytes uint64
}

type counters struct{ sessions, batches, failed, time atomic.Int64 }

func (c *counters) add(sessions int, since time.Time, err error) {
	c.batches.Add(1)
	c.time.Add(int64(time.Since(since)))
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.sessions.Add(int64(sessions))
}

// Figures returns the figures so far.
func (s *Sets) Figures() Figures {
	c := &s.counters
	return Figures{
		Sessions: c.sessions.Load(), Batches: c.batches.Load(), Failed: c.failed.Load(),
		Time: time.Duration(c.time.Load()), Running: s.countRunning(), Bytes: s.cache.Bytes(),
	}
}

// Meters count the sets that were loaded, built and brought forward.
func (s *Sets) Meters() []*partition.Meter { return s.cache.Meters() }
