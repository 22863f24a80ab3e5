package transport

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Access finds principals, and tells when they change. It is an interface because the packages that find them serve HTTP,
// and import this one's.
type Access interface {
	// Bearer returns who bears a key: an Unauthenticated error for none.
	Bearer(ctx context.Context, secret string) (*model.Principal, error)
	// Again returns the principal as it is now: an Unauthenticated error where it may do nothing any longer.
	Again(ctx context.Context, p *model.Principal) (*model.Principal, error)
	// Watch calls changed whenever principals may have changed, until stop is called. changed does not block.
	Watch(changed func()) (stop func())
}

// connection is who asks over a WebSocket or an event stream.
type connection struct {
	// end ends it, for its principal may do nothing any longer. It does not wait.
	end func(problem error)

	mu     sync.Mutex
	actor  model.Actor
	asOf   int64       // of which lookup the principal is
	expiry *time.Timer // nil where the principal does not expire
	left   bool
}

// Actor returns who asks, as it is now.
func (c *connection) Actor() model.Actor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.actor
}

// identity is equal for principals that are looked up together.
type identity struct {
	kind  model.PrincipalKind
	id    int64
	login string
}

func identityOf(p *model.Principal) identity { return identity{p.Kind, p.ID, p.Login} }

// isKnown tells whether a principal can change: anonymous ones cannot.
func isKnown(p *model.Principal) bool {
	return p.Kind == model.KeyPrincipal || p.Kind == model.UserPrincipal
}

// principals keeps those of the open connections as they are now. When they may have changed, each is looked up once,
// however many connections it has.
type principals struct {
	// ctx is that of the Handler.
	ctx    context.Context
	access Access // nil where nobody is asked who they are
	// changed is called after principals were looked up.
	changed func()
	hint    chan struct{}

	// begun numbers the lookups in the order in which they begin: of two, the later one knows what is newer.
	begun atomic.Int64

	mu   sync.Mutex
	open map[*connection]struct{}
}

func newPrincipals(ctx context.Context, access Access, changed func()) *principals {
	return &principals{ctx: ctx, access: access, changed: changed, hint: make(chan struct{}, 1), open: map[*connection]struct{}{}}
}

// lookups is how many principals are looked up at the same time, patience how long one may take, and pause how long after
// a failure it is tried again.
const (
	lookups  = 8
	patience = 5 * time.Second
	pause    = 500 * time.Millisecond
)

// watch keeps the principals until the context is done.
func (p *principals) watch() {
	stop := p.access.Watch(p.poke)
	defer stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.hint:
		}
		p.mu.Lock()
		open := make([]*connection, 0, len(p.open))
		for c := range p.open {
			open = append(open, c)
		}
		p.mu.Unlock()
		if !p.refresh(open...) {
			time.AfterFunc(pause, p.poke)
		}
	}
}

func (p *principals) poke() {
	select {
	case p.hint <- struct{}{}:
	default: // it is hinted already
	}
}

// refresh looks up the principals of connections. It is false where that failed for some, which keep what they have.
func (p *principals) refresh(connections ...*connection) bool {
	groups := map[identity][]*connection{}
	for _, c := range connections {
		if actor := c.Actor(); isKnown(actor.Principal) {
			groups[identityOf(actor.Principal)] = append(groups[identityOf(actor.Principal)], c)
		}
	}
	turns := make(chan struct{}, lookups)
	var working sync.WaitGroup
	var failed atomic.Bool
	for _, group := range groups {
		turns <- struct{}{}
		working.Go(func() {
			defer func() { <-turns }()
			if !p.refreshGroup(group) {
				failed.Store(true)
			}
		})
	}
	working.Wait()
	if len(groups) > 0 {
		p.changed()
	}
	return !failed.Load()
}

// lookUp returns a principal as it is now, and the number of the lookup.
func (p *principals) lookUp(principal *model.Principal) (now *model.Principal, asOf int64, err error) {
	asOf = p.begun.Add(1)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	switch now, err = p.access.Again(ctx, principal); {
	case err != nil:
		return nil, asOf, err
	case isExpired(now):
		return nil, asOf, expired()
	case len(now.Grants) == 0:
		return nil, asOf, model.Errorf(model.Unauthenticated, "%q may do nothing any longer", now.Name)
	}
	return now, asOf, nil
}

func expired() error {
	return model.Errorf(model.Unauthenticated, "the key or the login has expired")
}

// refreshGroup looks up the one principal of connections. It is false where that failed.
func (p *principals) refreshGroup(group []*connection) bool {
	now, asOf, err := p.lookUp(group[0].Actor().Principal)
	switch {
	case err == nil:
		for _, c := range group {
			p.set(c, now, asOf)
		}
		return true
	case model.CodeOf(err) == model.Unauthenticated:
		for _, c := range group {
			p.end(c, err)
		}
		return true
	}
	for _, c := range group { // which keep what they have, as long as that lasts
		if isExpired(c.Actor().Principal) {
			p.end(c, expired())
		}
	}
	return false
}

// end ends a connection whose principal may do nothing any longer.
func (p *principals) end(c *connection, problem error) {
	p.set(c, &model.Principal{Kind: model.AnonymousPrincipal}, p.begun.Add(1))
	c.end(problem)
}

func isExpired(p *model.Principal) bool {
	return p.Expires != 0 && p.Expires <= model.MillisOf(time.Now())
}

// set says who asks over a connection, which is looked up again when that expires. A later lookup has said better.
func (p *principals) set(c *connection, principal *model.Principal, asOf int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if asOf < c.asOf {
		return
	}
	c.actor.Principal, c.asOf = principal, asOf
	if c.expiry != nil {
		c.expiry.Stop()
		c.expiry = nil
	}
	if principal.Expires != 0 && !c.left {
		c.expiry = time.AfterFunc(time.Until(principal.Expires.Time()), func() { p.refresh(c) })
	}
}

// become makes the bearer of the key in the payload of a connection_init, if there is one, who asks over a connection.
func (p *principals) become(c *connection, payload json.RawMessage) error {
	if p.access == nil {
		return nil
	}
	secret, err := secretOf(payload)
	if err != nil || secret == "" {
		return err
	}
	// Guesses are counted by the address that the request came from.
	ctx, cancel := context.WithTimeout(model.WithActor(p.ctx, c.Actor()), patience)
	defer cancel()
	asOf := p.begun.Add(1)
	bearer, err := p.access.Bearer(ctx, secret)
	if err == nil && isExpired(bearer) {
		err = expired()
	}
	if err == nil {
		p.set(c, bearer, asOf)
	}
	return err
}

// join takes in a connection, which is looked up from then on, until it leaves. The error is Unauthenticated where its
// principal may do nothing any longer, which it may have lost since it was found.
func (p *principals) join(c *connection) error {
	actor := c.Actor()
	if p.access == nil || !isKnown(actor.Principal) {
		return nil
	}
	p.mu.Lock()
	p.open[c] = struct{}{}
	p.mu.Unlock()
	now, asOf, err := p.lookUp(actor.Principal)
	if err == nil {
		p.set(c, now, asOf)
	}
	return err
}

func (p *principals) leave(c *connection) {
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	if c.expiry != nil {
		c.expiry.Stop()
	}
}

// secretOf returns the key that the payload of a connection_init has, empty without any. Field names of JSON match in any
// case.
func secretOf(payload json.RawMessage) (string, error) {
	var given struct {
		Authorization string `json:"authorization"`
	}
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &given); err != nil {
			return "", model.Errorf(model.BadInput, "%s", describe(err))
		}
	}
	if given.Authorization == "" {
		return "", nil
	}
	scheme, secret, _ := strings.Cut(given.Authorization, " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return "", model.Errorf(model.Unauthenticated, `authorization must be "Bearer KEY"`)
	}
	return secret, nil
}
