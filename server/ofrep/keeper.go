package ofrep

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model/store"
)

const (
	// keepPause is the time for which assignments gather.
	keepPause = 50 * time.Millisecond
	// maxWaiting bounds the assignments that wait. What comes on top is not kept: the hash gives it again.
	maxWaiting = 20_000
)

// keeper keeps what visitors were given.
type keeper struct {
	store *store.Store
	log   *slog.Logger
	lost  prometheus.Counter

	mu      sync.Mutex
	waiting map[int64][]store.KeptAssignment // by site
	count   int
	wake    chan struct{}
}

func newKeeper(st *store.Store, log *slog.Logger, lost prometheus.Counter) *keeper {
	return &keeper{store: st, log: log, lost: lost, waiting: map[int64][]store.KeptAssignment{}, wake: make(chan struct{}, 1)}
}

// put has assignments of a site kept soon.
func (k *keeper) put(site int64, given []store.KeptAssignment) {
	k.mu.Lock()
	room := min(len(given), maxWaiting-k.count)
	k.waiting[site] = append(k.waiting[site], given[:room]...)
	k.count += room
	k.mu.Unlock()
	k.lost.Add(float64(len(given) - room))
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run keeps what is put until the context is done, and then what still waits.
func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			k.flush(last)
			return
		case <-k.wake:
		}
		pause := time.NewTimer(keepPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
			k.flush(ctx)
		}
		pause.Stop()
	}
}

// flush keeps what waits. What cannot be written is lost: it may be the database that does not take any more.
func (k *keeper) flush(ctx context.Context) {
	k.mu.Lock()
	waiting := k.waiting
	k.waiting, k.count = map[int64][]store.KeptAssignment{}, 0
	k.mu.Unlock()
	for site, given := range waiting {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := k.store.KeepAssignments(ctx, site, given)
		cancel()
		if err != nil {
			k.lost.Add(float64(len(given)))
			k.log.WarnContext(ctx, "cannot keep what visitors were given; it is given again by the hash", "site", site, "assignments", len(given), "error", err)
		}
	}
}
