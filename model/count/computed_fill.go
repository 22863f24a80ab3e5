package count

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

const (
	// fillPartitions is how many partitions are computed at once for one computation. maxFills
	// is how many computations are filled at once that questions wait for, and how many
	// others.
	fillPartitions = 2
	maxFills       = 4
	// fillEvery is how often it is looked for what is behind.
	fillEvery = 10 * time.Second
	// fillQuiet is how long a partition was not written to that is brought forward ahead of
	// the questions.
	fillQuiet = 30 * time.Second
	// Computations that were needed within keepReady are brought forward ahead of the
	// questions. Those that were not within keepComputed are forgotten, and of a site's
	// more than maxComputations those that were longest not.
	keepReady       = 24 * time.Hour
	keepComputed    = 30 * 24 * time.Hour
	maxComputations = 200
)

// filling is the work that questions do not wait for.
type filling struct {
	fillMu sync.Mutex
	// running are the computations that are being filled, and wanted those that a
	// question waits for.
	running, wanted map[int64]bool
	// failed are what the last try of a computation ended with, where it failed.
	failed map[int64]error
	// urgent and idle are held by those that are at work.
	urgent, idle chan struct{}
	wake         chan struct{}
}

func newFilling() filling {
	return filling{running: map[int64]bool{}, wanted: map[int64]bool{}, failed: map[int64]error{},
		urgent: make(chan struct{}, maxFills), idle: make(chan struct{}, maxFills), wake: make(chan struct{}, 1)}
}

func (f *filling) isFilling(computation int64) bool {
	f.fillMu.Lock()
	defer f.fillMu.Unlock()
	return f.running[computation]
}

// later has a computation filled soon, and returns the error of the questions that
// need it until then.
func (c *computing) later(ctx context.Context, computation store.Computation) error {
	// It may have been forgotten, and be another one now.
	computation, err := c.note(ctx, computation.SiteID, computation.Key)
	if err != nil {
		return err
	}
	c.fillMu.Lock()
	c.wanted[computation.ID] = true
	failed := c.failed[computation.ID]
	c.fillMu.Unlock()
	c.awaken()
	progress, err := c.store.ComputedProgress(ctx, computation.SiteID)
	if err != nil {
		return err
	}
	return unfinished(nameOf(computation.Key), progress.Done[computation.ID], progress.Sessions, failed)
}

func (c *computing) awaken() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// unfinished is the error of a question that needs more than was computed.
func unfinished(name string, done, sessions int, failed error) error {
	share := 1.0
	if sessions > 0 {
		share = float64(done) / float64(sessions)
	}
	what := fmt.Sprintf("the filter %s is being computed for the past: %d %% of %s sessions", name, int(100*share), thousands(sessions))
	if done >= sessions {
		what = fmt.Sprintf("the filter %s is being computed for sessions that have changed", name)
	}
	e := model.Errorf(model.Unavailable, "%s; ask again", what)
	if failed != nil {
		e.Cause = failed
		if model.CodeOf(failed) == model.Unavailable {
			e.Message = fmt.Sprintf("%s; it is held up: %v", what, failed)
		}
	}
	e.Progress = &share
	return e
}

// thousands writes a number with commas: 1,234,567.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// KeepComputed computes, until the context is done, what questions do not wait for:
// new computations for the past, the newest partition first, and those that were asked
// for lately where partitions have fallen quiet. It stores what it computes, and takes up
// again what a process that ended has left. Several processes may do so at once.
func (e *Columns) KeepComputed(ctx context.Context) {
	c := e.computing
	if c.computer == nil {
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	ticks := time.NewTicker(fillEvery)
	defer ticks.Stop()
	for tidy := true; ; {
		if err := c.look(ctx, &running, tidy); err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "computed filters could not be looked after; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			tidy = false
		case <-ticks.C:
			tidy = true
		}
	}
}

// look begins to fill what is to be filled: what questions wait for and, now and then,
// what else is behind.
func (c *computing) look(ctx context.Context, running *sync.WaitGroup, tidy bool) error {
	now := time.Now()
	list, err := c.store.Computations(ctx, store.ComputationQuery{})
	if err != nil {
		return err
	}
	if tidy {
		if list, err = c.forget(ctx, list, model.MillisOf(now.Add(-keepComputed))); err != nil {
			return err
		}
	}
	for _, computation := range list {
		wanted, free := c.claim(computation.ID, tidy && computation.AskedAt >= model.MillisOf(now.Add(-keepReady)))
		if !free {
			continue
		}
		before, place := model.MillisOf(now.Add(-fillQuiet)), c.idle
		if wanted {
			before, place = model.Open, c.urgent
		}
		running.Go(func() {
			err := c.fillIn(ctx, place, computation, before)
			if isNews := c.release(computation.ID, err); isNews && ctx.Err() == nil {
				c.columns.log.WarnContext(ctx, "a computed filter could not be filled; it is tried again", "filter", nameOf(computation.Key), "computation", computation.ID, "error", err)
			}
		})
	}
	return nil
}

// claim takes a computation to be filled. free is false where it is not to be now.
func (f *filling) claim(computation int64, idle bool) (wanted, free bool) {
	f.fillMu.Lock()
	defer f.fillMu.Unlock()
	wanted = f.wanted[computation]
	if f.running[computation] || !wanted && !idle {
		return false, false
	}
	delete(f.wanted, computation)
	f.running[computation] = true
	return wanted, true
}

// release is called when a computation was filled, or was not for a reason. isNews
// tells that it is another one than that of the last try.
func (c *computing) release(computation int64, reason error) (isNews bool) {
	c.fillMu.Lock()
	before := c.failed[computation]
	delete(c.running, computation)
	delete(c.failed, computation)
	if reason != nil {
		c.failed[computation] = reason
		isNews = before == nil || before.Error() != reason.Error()
	}
	waiting := len(c.wanted) > 0
	c.fillMu.Unlock()
	if waiting && reason == nil {
		c.awaken()
	}
	return isNews
}

// forget erases the computations that are not needed any more, and returns the others.
func (c *computing) forget(ctx context.Context, list []store.Computation, before model.Millis) ([]store.Computation, error) {
	kept, ids := list[:0:0], []int64(nil)
	newest := slices.SortedFunc(slices.Values(list), func(a, b store.Computation) int {
		return cmp.Or(cmp.Compare(b.AskedAt, a.AskedAt), cmp.Compare(b.ID, a.ID))
	})
	ofSite := map[int64]int{}
	for _, computation := range newest {
		if ofSite[computation.SiteID]++; computation.AskedAt < before || ofSite[computation.SiteID] > maxComputations {
			ids = append(ids, computation.ID)
		} else {
			kept = append(kept, computation)
		}
	}
	if len(ids) == 0 {
		return kept, nil
	}
	return kept, c.store.ForgetComputations(ctx, ids)
}

// fillIn fills a computation when there is a place.
func (c *computing) fillIn(ctx context.Context, place chan struct{}, computation store.Computation, before model.Millis) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case place <- struct{}{}:
		defer func() { <-place }()
	}
	return c.fill(ctx, computation, before)
}

// fill computes and stores what is not stored of a computation.
func (c *computing) fill(ctx context.Context, computation store.Computation, before model.Millis) error {
	partitions, err := c.store.PartitionsToCompute(ctx, computation, before)
	if err != nil || len(partitions) == 0 {
		return err
	}
	begin, sessions := time.Now(), 0
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(fillPartitions)
	for _, partition := range partitions {
		if within.Err() != nil {
			break
		}
		sessions += int(partition.Sessions)
		group.Go(func() error {
			set, err := c.forward(within, computation, partition, math.MaxInt)
			if err != nil {
				return err
			}
			return c.save(within, computation, partition.ID, set)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	took := time.Since(begin)
	c.columns.log.InfoContext(ctx, "a computed filter was filled", "filter", nameOf(computation.Key), "computation", computation.ID,
		"partitions", len(partitions), "sessions", sessions, "took", took, "sessions a second", int(float64(sessions)/took.Seconds()))
	return nil
}

// save stores the set of a partition.
func (c *computing) save(ctx context.Context, computation store.Computation, partition int64, set *revisedSet) error {
	s := c.set(setKey{partition, computation.ID})
	if s.stored.Load() >= set.revision {
		return nil
	}
	sealed, err := sealSet(computation.ID, partition, set)
	if err != nil {
		return err
	}
	if err := c.store.SaveComputed(ctx, sealed); err != nil {
		return err
	}
	s.stored.Store(set.revision)
	return nil
}
