package model

import (
	"context"
	"slices"
)

// Scope is what someone may do on a site.
type Scope string

const (
	// WriteScope sends events and asks for variants. A key with it can be published in a web page.
	WriteScope Scope = "WRITE"
	// ReadScope queries and subscribes.
	ReadScope Scope = "READ"
	// EditScope does that, and changes segments, goals and experiments.
	EditScope Scope = "EDIT"
	// AdminScope does everything: it changes sites, keys and people, and erases visitors.
	AdminScope Scope = "ADMIN"
)

// Scopes are all scopes, those that allow less first.
var Scopes = []Scope{WriteScope, ReadScope, EditScope, AdminScope}

// Includes tells whether who has the scope may do what needs the other.
func (s Scope) Includes(needed Scope) bool {
	switch s {
	case AdminScope:
		return slices.Contains(Scopes, needed)
	case EditScope:
		return needed == EditScope || needed == ReadScope
	case ReadScope, WriteScope:
		return needed == s
	}
	return false
}

// AllSites stands in a Grant for every site, also those that are created later.
const AllSites int64 = 0

// Grant gives a scope on a site.
type Grant struct {
	Site  int64
	Scope Scope
}

// PrincipalKind is what a principal is.
type PrincipalKind string

const (
	// AnonymousPrincipal is whoever shows nothing.
	AnonymousPrincipal PrincipalKind = "ANONYMOUS"
	// KeyPrincipal is the bearer of an API key.
	KeyPrincipal PrincipalKind = "KEY"
	// UserPrincipal is someone who has logged in.
	UserPrincipal PrincipalKind = "USER"
	// CommandPrincipal is whoever runs a command on the server's machine.
	CommandPrincipal PrincipalKind = "COMMAND"
)

// Principal is who asks, and what that one may do. It never changes: when a key, a user or a role changes, what is
// found next is another Principal. The zero Principal is anonymous and may do nothing.
type Principal struct {
	Kind PrincipalKind
	// ID is that of the key or the user; 0 for others.
	ID int64
	// Name is what people call it.
	Name   string
	Grants []Grant
	// Expires is when it may do nothing any longer; 0 for never.
	Expires Millis
	// Login is the hash of the login by which a user asks; empty for others.
	Login string
	// Origins are the origins of the pages that may use it; empty for any.
	Origins []string
}

// Everyone returns the principal of a server without authentication, who may do everything.
func Everyone() *Principal {
	return &Principal{Kind: AnonymousPrincipal, Name: "everyone", Grants: []Grant{{AllSites, AdminScope}}}
}

// May tells whether the principal has a scope on a site. AllSites asks about every site, also those to come.
func (p *Principal) May(needed Scope, site int64) bool {
	return p != nil && slices.ContainsFunc(p.Grants, func(g Grant) bool {
		return (g.Site == site || g.Site == AllSites) && g.Scope.Includes(needed)
	})
}

// MaySomewhere tells whether the principal has a scope on some site.
func (p *Principal) MaySomewhere(needed Scope) bool {
	return p != nil && slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.Scope.Includes(needed) })
}

// Sites returns the sites on which the principal has a scope; all is true if that is every site.
func (p *Principal) Sites(needed Scope) (sites []int64, all bool) {
	if p.May(needed, AllSites) {
		return nil, true
	}
	if p == nil {
		return nil, false
	}
	for _, g := range p.Grants {
		if g.Scope.Includes(needed) && !slices.Contains(sites, g.Site) {
			sites = append(sites, g.Site)
		}
	}
	return sites, false
}

// Actor is who does something, and from where.
type Actor struct {
	*Principal
	// Address is the IP address that the request came from; empty if unknown.
	Address string
}

type actorKey struct{}

// WithActor returns a context in which the actor acts.
func WithActor(ctx context.Context, actor Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOf returns who acts in the context. Without any it is anonymous, and may do nothing.
func ActorOf(ctx context.Context) Actor {
	if actor, ok := ctx.Value(actorKey{}).(Actor); ok && actor.Principal != nil {
		return actor
	}
	return Actor{Principal: &Principal{Kind: AnonymousPrincipal}}
}
