package computed

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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
	// within keepKnown are forgotten. So are those that were not for the longest time, of more than maxComputations that a
	// site's definitions need, and of more than maxAdHoc others: who may only ask pushes out nothing that is defined.
	keepForward     = 24 * time.Hour
	keepKnown       = 30 * 24 * time.Hour
	maxComputations = 200
	maxAdHoc        = 50
)

// backfill is the work that questions do not wait for.
type backfill struct {
	jobsMu sync.Mutex
	jobs   map[int64]*job // by computation
	// urgent and idle are held by those that are at work.
	urgent, idle chan struct{}
	wake         chan struct{}
}

// job is the filling in of a computation.
type job struct {
	isRunning bool
	isWanted  bool // by a question that waits
	// failure is what the last try ended with, if it failed.
	failure error
}

func newBackfill() backfill {
	return backfill{jobs: map[int64]*job{}, urgent: make(chan struct{}, maxRunning), idle: make(chan struct{}, maxRunning), wake: make(chan struct{}, 1)}
}

// withJob calls do with the job of a computation.
func (b *backfill) withJob(computation int64, do func(*job)) {
	b.jobsMu.Lock()
	defer b.jobsMu.Unlock()
	if b.jobs[computation] == nil {
		b.jobs[computation] = &job{}
	}
	do(b.jobs[computation])
}

func (b *backfill) countRunning() (running int) {
	b.jobsMu.Lock()
	defer b.jobsMu.Unlock()
	for _, j := range b.jobs {
		if j.isRunning {
			running++
		}
	}
	return running
}

// keepJobs drops the jobs of computations that there are not any more.
func (b *backfill) keepJobs(list []store.Computation) {
	b.jobsMu.Lock()
	defer b.jobsMu.Unlock()
	maps.DeleteFunc(b.jobs, func(id int64, j *job) bool {
		return !j.isRunning && !j.isWanted && !slices.ContainsFunc(list, func(c store.Computation) bool { return c.ID == id })
	})
}

// later has a computation filled in soon, and returns the error of the questions that need it until then.
func (s *Sets) later(ctx context.Context, computation store.Computation) error {
	// It may have been forgotten, and have another id now.
	computation, err := s.note(ctx, computation.SiteID, computation.Key)
	if err != nil {
		return err
	}
	var failed error
	s.withJob(computation.ID, func(j *job) { j.isWanted, failed = true, j.failure })
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
		what = fmt.Sprintf("the filter %s is catching up with changed sessions", name)
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
			s.log.WarnContext(ctx, "cannot maintain computed filters; trying again later", "error", err)
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

// look begins to fill what is to be filled: what questions wait for and, now and then, what else is behind.
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
		s.keepJobs(list)
	}
	for _, computation := range list {
		isForward := tidy && computation.AskedAt >= model.MillisOf(now.Add(-keepForward))
		before, place, isFree := model.MillisOf(now.Add(-quietFor)), s.idle, false
		s.withJob(computation.ID, func(j *job) {
			if isFree = !j.isRunning && (j.isWanted || isForward); !isFree {
				return
			}
			if j.isWanted {
				before, place = model.Open, s.urgent
			}
			j.isRunning, j.isWanted = true, false
		})
		if isFree {
			running.Go(func() { s.release(ctx, computation, s.fill(ctx, place, computation, before)) })
		}
	}
	return nil
}

// release is called when a computation was filled, or was not for a reason.
func (s *Sets) release(ctx context.Context, computation store.Computation, reason error) {
	s.withJob(computation.ID, func(j *job) {
		if reason != nil && ctx.Err() == nil && (j.failure == nil || j.failure.Error() != reason.Error()) {
			s.log.WarnContext(ctx, "cannot fill a computed filter; trying again later", "filter", nameOf(computation.Key), "computation", computation.ID, "error", reason)
		}
		j.isRunning, j.failure = false, reason
		if j.isWanted && reason == nil {
			s.awaken()
		}
	})
}

// forget erases the computations that are not needed any more, and returns the others.
func (s *Sets) forget(ctx context.Context, list []store.Computation, before model.Millis) (kept []store.Computation, err error) {
	bySite := map[int64][]store.Computation{}
	for _, computation := range list {
		bySite[computation.SiteID] = append(bySite[computation.SiteID], computation)
	}
	for site, list := range bySite {
		needed, forgotten := s.needed(ctx, site, list, before)
		if len(forgotten) > 0 {
			if err := s.store.ForgetComputations(ctx, site, forgotten); err != nil {
				return nil, err
			}
		}
		kept = append(kept, needed...)
	}
	return kept, nil
}

// needed divides a site's computations into those that are needed and, by their ids, the others.
func (s *Sets) needed(ctx context.Context, site int64, list []store.Computation, before model.Millis) (needed []store.Computation, others []int64) {
	isDefined := func(store.Computation) bool { return true }
	if s.defined != nil && len(list) > maxAdHoc {
		keys, err := s.defined(ctx, site)
		if err == nil {
			isDefined = func(c store.Computation) bool { return slices.Contains(keys, c.Key) }
		} else if ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot tell the computed filters of definitions from others; keeping the newest", "site", site, "error", err)
		}
	}
	slices.SortFunc(list, func(a, b store.Computation) int {
		return cmp.Or(cmp.Compare(b.AskedAt, a.AskedAt), cmp.Compare(b.ID, a.ID))
	})
	defined, adHoc := 0, 0
	for _, computation := range list {
		n, most := &adHoc, maxAdHoc
		if isDefined(computation) {
			n, most = &defined, maxComputations
		}
		if *n++; computation.AskedAt < before || *n > most {
			others = append(others, computation.ID)
		} else {
			needed = append(needed, computation)
		}
	}
	return needed, others
}

// fill computes and stores what is not stored of a computation, when there is a place.
func (s *Sets) fill(ctx context.Context, place chan struct{}, computation store.Computation, before model.Millis) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case place <- struct{}{}:
		defer func() { <-place }()
	}
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
