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
	// maxOfSite is how many of them may be of one site: a quarter.
	maxOfSite = maxWaiting / 4
	// keepRetry is the time before what could not be kept is tried again.
	keepRetry = time.Second
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
	k.add(site, given)
	k.poke()
}

// add has assignments of a site wait, as far as there is room. The others are lost.
func (k *keeper) add(site int64, given []store.KeptAssignment) {
	k.mu.Lock()
	room := max(0, min(len(given), maxWaiting-k.count, maxOfSite-len(k.waiting[site])))
	if room > 0 {
		k.waiting[site] = append(k.waiting[site], given[:room]...)
		k.count += room
	}
	k.mu.Unlock()
	k.lost.Add(float64(len(given) - room))
}

// run keeps what is put until the context is done, and then what still waits.
func (k *keeper) run(ctx context.Context) {
	pause := keepPause
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			k.flush(last)
			k.mu.Lock()
			k.lost.Add(float64(k.count))
			k.mu.Unlock()
			return
		case <-k.wake:
		}
		due := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-due.C:
			if pause = keepPause; !k.flush(ctx) {
				pause = keepRetry
				k.poke()
			}
		}
		due.Stop()
	}
}

func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// flush keeps what waits. What cannot be written waits again: it may be the database that takes nothing for a while. ok is false then.
func (k *keeper) flush(ctx context.Context) (ok bool) {
	k.mu.Lock()
	waiting := k.waiting
	k.waiting, k.count = map[int64][]store.KeptAssignment{}, 0
	k.mu.Unlock()
	ok = true
	for site, given := range waiting {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := k.store.KeepAssignments(ctx, site, given)
		cancel()
		if err != nil {
			ok = false
			k.add(site, given)
			k.log.WarnContext(ctx, "cannot keep what visitors were given; trying again", "site", site, "assignments", len(given), "error", err)
		}
	}
	return ok
}
