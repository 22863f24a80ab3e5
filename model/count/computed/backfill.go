package computed

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
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store"
)

const (
	// partitionsAtOnce is how many partitions are computed at the same time for one computation. maxRunning is how many
	// computations are filled in at once that questions wait for, and how many others.
	partitionsAtOnce = 2
	maxRunning       = 4
	// lookEvery is how often it is looked for what is behind.
	lookEvery = 10 * time.Second
	// quietFor is how long a partition was not written to that is brought forward ahead of the questions.
	quietFor = 30 * time.Second
	// Computations that were needed within keepForward are brought forward ahead of the questions. Those that were not
	// within keepKnown are forgotten, and of a site's more than maxComputations those that were not for the longest time.
	keepForward     = 24 * time.Hour
	keepKnown       = 30 * 24 * time.Hour
	maxComputations = 200
)

// backfill is the work that questions do not wait for.
type backfill struct {
	fillMu sync.Mutex
	// running are the computations that are being filled in, and wanted those that a question waits for.
	running, wanted map[int64]bool
	// failures are what the last try of a computation ended with, if it failed.
	failures map[int64]error
	// urgent and idle are held by those that are at work.
	urgent, idle chan struct{}
	wake         chan struct{}
}

func newBackfill() backfill {
	return backfill{running: map[int64]bool{}, wanted: map[int64]bool{}, failures: map[int64]error{},
		urgent: make(chan struct{}, maxRunning), idle: make(chan struct{}, maxRunning), wake: make(chan struct{}, 1)}
}

func (b *backfill) isRunning(computation int64) bool {
	b.fillMu.Lock()
	defer b.fillMu.Unlock()
	return b.running[computation]
}

func (b *backfill) countRunning() int {
	b.fillMu.Lock()
	defer b.fillMu.Unlock()
	return len(b.running)
}

// later has a computation filled in soon, and returns the error of the questions that need it until then.
func (s *Sets) later(ctx context.Context, computation store.Computation) error {
	// It may have been forgotten, and have another id now.
	computation, err := s.note(ctx, computation.SiteID, computation.Key)
	if err != nil {
		return err
	}
	s.fillMu.Lock()
	s.wanted[computation.ID] = true
	failed := s.failures[computation.ID]
	s.fillMu.Unlock()
	s.awaken()
	progress, err := s.store.ComputedProgress(ctx, computation.SiteID)
	if err != nil {
		return err
	}
	return unfinished(nameOf(computation.Key), progress.Done[computation.ID], progress.Sessions, failed)
}

func (s *Sets) awaken() {
	select {
	case s.wake <- struct{}{}:
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

// Backfill computes, until the context is done, what questions do not wait for: new computations for the past, the newest
// partition first, and those that were needed lately where partitions have fallen quiet. It stores what it computes, and
// resumes what a process that ended has left. Several processes may do so at once.
func (s *Sets) Backfill(ctx context.Context) {
	if s.computer == nil {
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for tidy := true; ; {
		if err := s.look(ctx, &running, tidy); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "computed filters could not be brought up to date; trying again soon", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			tidy = false
		case <-ticks.C:
			tidy = true
		}
	}
}

// look begins to fill what is to be filled: what questions wait for and, now and then,
// what else is behind.
func (s *Sets) look(ctx context.Context, running *sync.WaitGroup, tidy bool) error {
	now := time.Now()
	list, err := s.store.Computations(ctx, count.AllSites)
	if err != nil {
		return err
	}
	if tidy {
		if list, err = s.forget(ctx, list, model.MillisOf(now.Add(-keepKnown))); err != nil {
			return err
		}
	}
	for _, computation := range list {
		wanted, free := s.claim(computation.ID, tidy && computation.AskedAt >= model.MillisOf(now.Add(-keepForward)))
		if !free {
			continue
		}
		before, place := model.MillisOf(now.Add(-quietFor)), s.idle
		if wanted {
			before, place = model.Open, s.urgent
		}
		running.Go(func() {
			err := s.fillIn(ctx, place, computation, before)
			if isNews := s.release(computation.ID, err); isNews && ctx.Err() == nil {
				s.log.WarnContext(ctx, "a computed filter could not be brought up to date; trying again soon", "filter", nameOf(computation.Key), "computation", computation.ID, "error", err)
			}
		})
	}
	return nil
}

// claim takes a computation to be filled. free is false where it is not to be now.
func (b *backfill) claim(computation int64, idle bool) (wanted, free bool) {
	b.fillMu.Lock()
	defer b.fillMu.Unlock()
	wanted = b.wanted[computation]
	if b.running[computation] || !wanted && !idle {
		return false, false
	}
	delete(b.wanted, computation)
	b.running[computation] = true
	return wanted, true
}

// release is called when a computation was filled, or was not for a reason. isNews
// tells that it is another one than that of the last try.
func (s *Sets) release(computation int64, reason error) (isNews bool) {
	s.fillMu.Lock()
	before := s.failures[computation]
	delete(s.running, computation)
	delete(s.failures, computation)
	if reason != nil {
		s.failures[computation] = reason
		isNews = before == nil || before.Error() != reason.Error()
	}
	waiting := len(s.wanted) > 0
	s.fillMu.Unlock()
	if waiting && reason == nil {
		s.awaken()
	}
	return isNews
}

// forget erases the computations that are not needed any more, and returns the others.
func (s *Sets) forget(ctx context.Context, list []store.Computation, before model.Millis) ([]store.Computation, error) {
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
	return kept, s.store.ForgetComputations(ctx, ids)
}

// fillIn fills a computation when there is a place.
func (s *Sets) fillIn(ctx context.Context, place chan struct{}, computation store.Computation, before model.Millis) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case place <- struct{}{}:
		defer func() { <-place }()
	}
	return s.fill(ctx, computation, before)
}

// fill computes and stores what is not stored of a computation.
func (s *Sets) fill(ctx context.Context, computation store.Computation, before model.Millis) error {
	partitions, err := s.store.PartitionsToCompute(ctx, computation, before)
	if err != nil || len(partitions) == 0 {
		return err
	}
	begin, sessions := time.Now(), 0
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(partitionsAtOnce)
	for _, p := range partitions {
		if within.Err() != nil {
			break
		}
		sessions += int(p.Sessions)
		group.Go(func() error {
			source := &setSource{sets: s, computation: computation, partition: p, most: math.MaxInt}
			return s.cache.Save(within, source.key(), &p, source)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	took := time.Since(begin)
	s.log.InfoContext(ctx, "a computed filter is up to date", "filter", nameOf(computation.Key), "computation", computation.ID,
		"partitions", len(partitions), "sessions", sessions, "took", took, "sessions a second", int(float64(sessions)/took.Seconds()))
	return nil
}
