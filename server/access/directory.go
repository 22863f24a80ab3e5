package access

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

const (
	// pollPause is the time between two readings of the access epoch.
	pollPause = 500 * time.Millisecond
	// holds is how long after the last reading what is known holds.
	holds = 30 * time.Second
	// patience bounds a statement.
	patience = 5 * time.Second
	// touchPause is the time between two writings of when keys were last used.
	touchPause = time.Minute
	// maxKnown is how many principals are kept, and as many secrets that are nobody's.
	maxKnown = 10_000
	// maxSecret is how long a secret may be. The secrets of earlier versions had other forms.
	maxSecret = 255
)

// Directory finds principals. It is safe for use by several goroutines.
type Directory struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time

	// known has what was found, by the hash of a key's secret, by "key ID" and by "login HASH".
	known *otter.Cache[string, *entry]
	// unknown has the hashes of secrets that are nobody's, so that guesses drive nobody out of known.
	unknown *otter.Cache[string, *entry]
	// finding has each thing looked up once at a time.
	finding singleflight.Group
	guesses *guesses

	// generation moves with the access epoch: an entry holds while it is equal.
	generation atomic.Int64
	// read is when the epoch was last read, in Unix nanoseconds.
	read atomic.Int64
	// epoch is what was read; stale tells that what was known does not hold any longer. Only poll uses them.
	epoch int64
	stale bool

	mu       sync.Mutex
	used     map[int64]model.Millis
	watchers map[*func()]struct{}
}

// entry is who was found, or why nobody was.
type entry struct {
	generation int64
	principal  *model.Principal
	err        error
	// noted is the minute for which the use of the key is noted.
	noted atomic.Int64
}

// DirectoryOptions are the parts of a Directory that may be left out.
type DirectoryOptions struct {
	// Log takes what goes wrong; none by default.
	Log *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// NewDirectory returns a Directory. Run keeps it up to date.
func NewDirectory(ctx context.Context, st *store.Store, o DirectoryOptions) (d *Directory, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d = &Directory{store: st, log: o.Log, now: o.Now, used: map[int64]model.Millis{}, watchers: map[*func()]struct{}{}}
	if d.known, err = otter.New(&otter.Options[string, *entry]{MaximumSize: maxKnown}); err != nil {
		return nil, err
	}
	if d.unknown, err = otter.New(&otter.Options[string, *entry]{MaximumSize: maxKnown}); err != nil {
		return nil, err
	}
	if d.guesses, err = newGuesses(o.Now); err != nil {
		return nil, err
	}
	if d.epoch, err = st.AccessEpoch(ctx); err != nil {
		return nil, err
	}
	d.read.Store(d.now().UnixNano())
	return d, nil
}

// Run reads the access epoch, and writes when keys were last used, until the context is done.
func (d *Directory) Run(ctx context.Context) {
	polls, touches := time.NewTicker(pollPause), time.NewTicker(touchPause)
	defer polls.Stop()
	defer touches.Stop()
	for {
		select {
		case <-ctx.Done():
			d.touch(context.WithoutCancel(ctx))
			return
		case <-polls.C:
			d.poll(ctx)
		case <-touches.C:
			d.touch(ctx)
		}
	}
}

// poll reads the access epoch, and tells the watchers when it has moved, or can no longer be read.
func (d *Directory) poll(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begin := d.now()
	epoch, err := d.store.AccessEpoch(limited)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		moved := epoch != d.epoch
		d.epoch, d.stale = epoch, false
		if moved {
			d.generation.Add(1)
		}
		d.read.Store(begin.UnixNano())
		if moved {
			d.tell()
		}
	case !d.stale && !d.isFresh():
		d.stale = true
		d.log.ErrorContext(ctx, "cannot read which keys and logins hold, so none does until the database answers", "error", err)
		d.tell()
	}
}

// isFresh tells whether what is known still holds.
func (d *Directory) isFresh() bool { return d.now().UnixNano()-d.read.Load() < int64(holds) }

func (d *Directory) tell() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for changed := range d.watchers {
		(*changed)()
	}
}

// Watch calls changed when principals may have changed, until stop is called. changed must not block, nor call stop.
func (d *Directory) Watch(changed func()) (stop func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watchers[&changed] = struct{}{}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers, &changed)
	}
}

// touch writes when keys were last used.
func (d *Directory) touch(ctx context.Context) {
	d.mu.Lock()
	used := d.used
	d.used = map[int64]model.Millis{}
	d.mu.Unlock()
	if len(used) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := d.store.TouchKeys(ctx, used); err != nil {
		d.log.WarnContext(ctx, "cannot write when keys were last used", "error", err)
	}
}

// note notes that a key is used, once a minute.
func (d *Directory) note(e *entry) {
	now := d.now()
	minute := now.Unix() / 60
	if noted := e.noted.Load(); noted == minute || !e.noted.CompareAndSwap(noted, minute) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used[e.principal.ID] = model.MillisOf(now.Truncate(time.Minute))
}

// Bearer returns who bears a key. The error is Unauthenticated if nobody does, or no longer, and ResourceExhausted for a
// wrong key after too many from the address of the context's actor.
func (d *Directory) Bearer(ctx context.Context, secret string) (*model.Principal, error) {
	switch {
	case secret == "":
		return nil, model.Errorf(model.Unauthenticated, "the key is empty")
	case strings.HasPrefix(secret, "gg_") && !model.IsSecret(secret):
		return nil, model.Errorf(model.Unauthenticated, "the key is mistyped or cut off; copy it again, whole")
	case len(secret) > maxSecret:
		return nil, model.Errorf(model.Unauthenticated, "the key is unknown")
	}
	hash := model.HashOf(secret)
	e := d.remembered(hash)
	if e == nil {
		var err error
		if e, err = d.guesses.guarded(ctx, func() (*entry, error) { return d.find(ctx, hash, d.keyOfHash(hash)) }); err != nil {
			return nil, err
		}
	}
	if e.err == nil {
		d.note(e)
	}
	return e.principal, e.err
}

// Again returns a principal as it is now. The error is Unauthenticated if it may do nothing any longer.
func (d *Directory) Again(ctx context.Context, p *model.Principal) (*model.Principal, error) {
	var name string
	var lookUp func(context.Context) (*model.Principal, error)
	switch p.Kind {
	case model.KeyPrincipal:
		name, lookUp = fmt.Sprintf("key %d", p.ID), d.keyOfID(p.ID)
	case model.UserPrincipal:
		name, lookUp = "login "+p.Login, d.userOfLogin(p.Login)
	default:
		return p, nil
	}
	e := d.remembered(name)
	if e == nil {
		var err error
		if e, err = d.find(ctx, name, lookUp); err != nil {
			return nil, err
		}
	}
	return e.principal, e.err
}

// remembered returns what is known under a name, nil for nothing that holds.
func (d *Directory) remembered(name string) *entry {
	e, ok := d.known.GetIfPresent(name)
	if !ok {
		if e, ok = d.unknown.GetIfPresent(name); !ok {
			return nil
		}
	}
	if e.generation != d.generation.Load() || !d.isFresh() || e.principal != nil && e.principal.Expires != 0 && e.principal.Expires <= model.MillisOf(d.now()) {
		return nil
	}
	return e
}

// find looks a name up, and remembers what it finds. An error tells that it could not look.
func (d *Directory) find(ctx context.Context, name string, lookUp func(context.Context) (*model.Principal, error)) (*entry, error) {
	// Before the epoch moves, what is looked up may be what was before.
	generation := d.generation.Load()
	found, err, _ := d.finding.Do(fmt.Sprint(generation, " ", name), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // others wait for it too
		defer cancel()
		principal, err := lookUp(ctx)
		e := &entry{generation: generation, principal: principal, err: err}
		switch {
		case err == nil:
			d.unknown.Invalidate(name)
			d.known.Set(name, e)
		case model.CodeOf(err) == model.Unauthenticated:
			d.known.Invalidate(name)
			d.unknown.Set(name, e)
		default:
			return nil, &model.Error{Code: model.Unavailable, Message: "the server cannot look up keys and logins at the moment; try again", Cause: err}
		}
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	return found.(*entry), nil
}

func (d *Directory) keyOfHash(hash string) func(context.Context) (*model.Principal, error) {
	return func(ctx context.Context) (*model.Principal, error) {
		key, err := d.store.KeyByHash(ctx, hash)
		if model.CodeOf(err) == model.NotFound {
			return nil, model.Errorf(model.Unauthenticated, "the key is unknown")
		}
		return d.principalOf(&key, err)
	}
}

func (d *Directory) keyOfID(id int64) func(context.Context) (*model.Principal, error) {
	return func(ctx context.Context) (*model.Principal, error) {
		key, err := d.store.Key(ctx, id)
		if model.CodeOf(err) == model.NotFound {
			return nil, model.Errorf(model.Unauthenticated, "the key was deleted")
		}
		return d.principalOf(&key, err)
	}
}

func (d *Directory) principalOf(key *model.Key, err error) (*model.Principal, error) {
	switch {
	case err != nil:
		return nil, err
	case key.RevokedAt != 0:
		return nil, model.Errorf(model.Unauthenticated, "the key was revoked")
	case !key.IsValid(model.MillisOf(d.now())):
		return nil, model.Errorf(model.Unauthenticated, "the key has expired")
	}
	return key.Principal(), nil
}

func (d *Directory) userOfLogin(hash string) func(context.Context) (*model.Principal, error) {
	return func(ctx context.Context) (*model.Principal, error) {
		ended := model.Errorf(model.Unauthenticated, "the login has ended; log in again")
		login, err := d.store.Login(ctx, hash)
		switch {
		case model.CodeOf(err) == model.NotFound:
			return nil, ended
		case err != nil:
			return nil, err
		}
		user, err := d.store.User(ctx, login.UserID)
		switch {
		case model.CodeOf(err) == model.NotFound:
			return nil, ended
		case err != nil:
			return nil, err
		case user.DisabledAt != 0:
			return nil, model.Errorf(model.Unauthenticated, "the user is disabled; ask an administrator")
		}
		principal := user.Principal()
		principal.Login, principal.Expires = hash, login.ExpiresAt
		return principal, nil
	}
}

// senderOf returns the address of the context's actor, not valid where there is none.
func senderOf(ctx context.Context) netip.Addr {
	address, err := netip.ParseAddr(model.ActorOf(ctx).Address)
	if err != nil {
		return netip.Addr{}
	}
	return address
}
