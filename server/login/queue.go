package login

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/goalgraph/goalgraph/model"
)

// rank says who goes first in a queue. Those of a lower one wait until none of a higher one does.
type rank int

const (
	// known have logged in from there before, and have failed less often than they may.
	known rank = iota
	// unknown come from an address that nothing is known about.
	unknown
	// failing come from an address, or ask for an account, with failures.
	failing
	ranks
)

// A queue lets a few work at a time, and others wait in a line that is fair by network: however many wait from one, each
// other network is next after one of them. Who waits is bounded; where the queue is full, whoever has the lowest rank and
// the most of its network waiting is refused.
type queue struct {
	mu      sync.Mutex
	free    int
	room    int // how many more may wait
	waiting [ranks]line
}

// line are those of one rank who wait, by network. The networks take turns in the order of the list.
type line []*networkLine

type networkLine struct {
	network netip.Prefix
	waiters []*waiter
}

// waiter is told, once, whether it may work.
type waiter struct {
	rank    rank
	network netip.Prefix
	turn    chan bool
}

func newQueue(slots, room int) *queue { return &queue{free: slots, room: room} }

// wait returns when there is a turn, which leave ends. The error is ResourceExhausted where the queue is full.
func (q *queue) wait(ctx context.Context, rank rank, network netip.Prefix) error {
	w := &waiter{rank, network, make(chan bool, 1)}
	if !q.enter(w) {
		return errBusy()
	}
	select {
	case mayWork := <-w.turn:
		if !mayWork {
			return errBusy()
		}
		return nil
	case <-ctx.Done():
		if !q.remove(w) && <-w.turn { // its turn came at the same time
			q.leave()
		}
		return ctx.Err()
	}
}

func errBusy() error {
	return model.Errorf(model.ResourceExhausted, "too many people try to log in at once; try again in a few seconds")
}

// enter gives the waiter a turn or a place, and tells whether there was one.
func (q *queue) enter(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.free > 0 {
		q.free--
		w.turn <- true
		return true
	}
	if q.room == 0 && !q.refuseOther(w) {
		return false
	}
	q.room--
	own := &q.waiting[w.rank]
	for _, n := range *own {
		if n.network == w.network {
			n.waiters = append(n.waiters, w)
			return true
		}
	}
	*own = append(*own, &networkLine{w.network, []*waiter{w}})
	return true
}

// refuseOther makes room for a waiter who has more right to it than another, and tells whether there is one.
func (q *queue) refuseOther(w *waiter) bool {
	last := failing
	for len(q.waiting[last]) == 0 {
		last--
	}
	if last < w.rank {
		return false
	}
	longest, own := q.waiting[last][0], 0
	for _, n := range q.waiting[last] {
		if len(n.waiters) > len(longest.waiters) {
			longest = n
		}
		if n.network == w.network {
			own = len(n.waiters)
		}
	}
	if last == w.rank && len(longest.waiters) <= own+1 {
		return false
	}
	other := longest.waiters[len(longest.waiters)-1]
	q.drop(other)
	other.turn <- false
	return true
}

// drop takes a waiter out of its line, and tells whether it was in it.
func (q *queue) drop(w *waiter) bool {
	own := &q.waiting[w.rank]
	for i, n := range *own {
		at := slices.Index(n.waiters, w)
		if n.network != w.network || at < 0 {
			continue
		}
		q.room++
		if n.waiters = slices.Delete(n.waiters, at, at+1); len(n.waiters) == 0 {
			*own = slices.Delete(*own, i, i+1)
		}
		return true
	}
	return false
}

func (q *queue) remove(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.drop(w)
}

// leave ends a turn. The next one begins it.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for rank := range q.waiting {
		own := &q.waiting[rank]
		if len(*own) == 0 {
			continue
		}
		next := (*own)[0]
		w := next.waiters[0]
		*own = append(slices.Delete(*own, 0, 1), next) // the network's others wait for its next turn
		q.drop(w)
		w.turn <- true
		return
	}
	q.free++
}
