package login

import (
	"crypto/sha256"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
)

// A limit is how many failures may follow each other, and the time after which one of them is forgotten.
type limit struct {
	failures float64
	forget   time.Duration
}

// The limits of failures. Those of an address stop guesses: 10 and then one a minute for one account, 30 and then six a
// minute for all accounts together. No limit is of an account alone, since then anybody could lock its owner out: an account
// under attack only makes attempts from elsewhere wait longer.
var (
	ofAccountAt = limit{10, time.Minute}
	ofAddress   = limit{30, 10 * time.Second}
	ofAccount   = limit{30, 10 * time.Second}
)

// ofFlows limits how often people at one address go to an OpenID provider. Each time is a row until it ends.
var ofFlows = limit{100, time.Second}

const (
	// attemptsKept bounds the memory for attempts: about 150 bytes each. Who has so many addresses that others' are
	// forgotten has no use for a second guess from one of them.
	attemptsKept = 100_000
	// knownFor is how long it is known who logged in from where.
	knownFor = 30 * 24 * time.Hour
)

// attempts counts attempts to log in that failed, or have not ended, by address and account. Each server counts its own.
type attempts struct {
	now func() time.Time

	mu       sync.Mutex
	failures *otter.Cache[attemptKey, *failures]
	known    *otter.Cache[attemptKey, struct{}]
}

// attemptKey is an address, an account, or both.
type attemptKey struct {
	address netip.Prefix
	account [sha256.Size]byte
}

// failures is a number of failures that grows smaller with time.
type failures struct {
	count float64
	at    time.Time
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{
		now: now,
		failures: otter.Must(&otter.Options[attemptKey, *failures]{
			MaximumSize: attemptsKept, ExpiryCalculator: otter.ExpiryWriting[attemptKey, *failures](time.Hour),
		}),
		known: otter.Must(&otter.Options[attemptKey, struct{}]{
			MaximumSize: attemptsKept, ExpiryCalculator: otter.ExpiryWriting[attemptKey, struct{}](knownFor),
		}),
	}
}

// attempt is one that has begun.
type attempt struct {
	of   *attempts
	keys [3]attemptKey
	rank rank
}

// begin counts an attempt as a failure until it succeeds. If there were too many, wait is how long until the next one.
func (a *attempts) begin(name string, address netip.Addr) (begun *attempt, wait time.Duration) {
	account, from := sha256.Sum256([]byte(model.LoginOf(name))), allowance.SenderOf(address)
	begun = &attempt{of: a, keys: [3]attemptKey{{from, account}, {address: from}, {account: account}}, rank: unknown}
	limits := [3]limit{ofAccountAt, ofAddress, ofAccount}
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	_, isKnown := a.known.GetIfPresent(begun.keys[0])
	var counts [3]float64
	for i, key := range begun.keys {
		counts[i] = a.count(key, limits[i], now)
		isLimit := i == 0 || i == 1 && !isKnown // others at the address do not stop who is at home there
		if over := counts[i] + 1 - limits[i].failures; over > 0 && isLimit {
			wait = max(wait, time.Duration(math.Ceil(over*float64(limits[i].forget))))
		}
	}
	if wait > 0 {
		return nil, wait
	}
	switch {
	case isKnown:
		begun.rank = known
	case counts[1] >= 1 || counts[2] >= ofAccount.failures:
		begun.rank = failing
	}
	for i, key := range begun.keys {
		a.failures.Set(key, &failures{counts[i] + 1, now})
	}
	return begun, 0
}

// flow counts that someone goes to an OpenID provider. If that was too often, wait is how long until the next time.
func (a *attempts) flow(address netip.Addr) (wait time.Duration) {
	key, now := attemptKey{allowance.SenderOf(address), sha256.Sum256([]byte("\x00 flow"))}, a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	count := a.count(key, ofFlows, now)
	if over := count + 1 - ofFlows.failures; over > 0 {
		return time.Duration(math.Ceil(over * float64(ofFlows.forget)))
	}
	a.failures.Set(key, &failures{count + 1, now})
	return 0
}

// count returns how many failures are not forgotten.
func (a *attempts) count(key attemptKey, limit limit, now time.Time) float64 {
	known, ok := a.failures.GetIfPresent(key)
	if !ok {
		return 0
	}
	return max(0, known.count-float64(now.Sub(known.at))/float64(limit.forget))
}

// succeeded takes back that the attempt failed: it was right.
func (b *attempt) succeeded() {
	b.undo()
	b.of.known.Set(b.keys[0], struct{}{})
}

// undo takes the attempt back, as if it had not been made: nothing came of it.
func (b *attempt) undo() {
	b.of.mu.Lock()
	defer b.of.mu.Unlock()
	for _, key := range b.keys {
		if known, ok := b.of.failures.GetIfPresent(key); ok {
			b.of.failures.Set(key, &failures{max(0, known.count-1), known.at})
		}
	}
}

// networkOf is the part by which networks take turns.
func networkOf(address netip.Addr) netip.Prefix {
	bits := 48
	if address = address.Unmap().WithZone(""); address.Is4() {
		bits = 24
	}
	prefix, _ := address.Prefix(bits) // fails for no address, which is one network, too
	return prefix
}
