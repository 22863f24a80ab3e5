package access

import (
	"context"
	"net/netip"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
)

const (
	// Wrong keys from one address, per second and at once, until it has to queue.
	wrongPerSecond = 5
	wrongAtOnce    = 50
	// queueLimit is how long a key waits in the queue.
	queueLimit = 5 * time.Second
)

// guesses slow down those who guess keys. A right key is let in whoever sends from the same address: what an address
// with too many wrong keys sends is looked up one at a time, which takes nothing from others.
type guesses struct {
	wrong *Limiters[netip.Prefix]
	queue chan struct{}
	now   func() time.Time
}

func newGuesses(now func() time.Time) (*guesses, error) {
	wrong, err := NewLimiters[netip.Prefix](wrongPerSecond, wrongAtOnce)
	return &guesses{wrong, make(chan struct{}, 1), now}, err
}

// guarded looks a key up for the actor of the context.
func (g *guesses) guarded(ctx context.Context, lookUp func() (*entry, error)) (*entry, error) {
	limiter := g.wrong.Of(allowance.SenderOf(senderOf(ctx)))
	if limiter.TokensAt(g.now()) < 1 {
		late := time.NewTimer(queueLimit)
		defer late.Stop()
		select {
		case g.queue <- struct{}{}:
			defer func() { <-g.queue }()
		case <-late.C:
			return nil, errGuesses()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	e, err := lookUp()
	if err == nil && e.err != nil && !limiter.AllowN(g.now(), 1) {
		return nil, errGuesses()
	}
	return e, err
}

func errGuesses() error {
	return model.Errorf(model.ResourceExhausted, "too many wrong keys came from this address; wait a while")
}
