package model

import (
	"slices"
	"strings"
)

// Role is what a person may do on a site.
type Role string

const (
	// Viewer queries and subscribes.
	Viewer Role = "VIEWER"
	// Editor also changes segments, goals and experiments.
	Editor Role = "EDITOR"
	// Admin does everything.
	Admin Role = "ADMIN"
)

// Roles are all roles, those that allow less first.
var Roles = []Role{Viewer, Editor, Admin}

// Scope returns the scope that the role has.
func (r Role) Scope() Scope {
	switch r {
	case Viewer:
		return ReadScope
	case Editor:
		return EditScope
	case Admin:
		return AdminScope
	}
	return ""
}

// SiteRole is a role on a site; AllSites stands for every site.
type SiteRole struct {
	Site int64
	Role Role
}

// User is a person who logs in, by a password or at an OpenID provider.
type User struct {
	ID int64
	// Name is unique, in any case.
	Name  string
	Roles []SiteRole
	// Password is an argon2id hash in PHC form; empty before a password is set.
	Password string
	// Subject is who the OpenID provider says that the user is, with the provider; empty for users with a password.
	Subject string
	// CreatedBy is the name of who created the user.
	CreatedBy string
	CreatedAt Millis
	// UpdatedAt is when the user last changed. Each change has another time.
	UpdatedAt Millis
	// DisabledAt is 0 for a user who may log in.
	DisabledAt Millis
}

// Validate trims the name and checks it and the roles.
func (u *User) Validate() error {
	if err := checkText("name", &u.Name, 1, MaxName); err != nil {
		return err
	}
	sites := map[int64]bool{}
	for _, role := range u.Roles {
		if !slices.Contains(Roles, role.Role) {
			return Invalid("roles", "has the role %q; use VIEWER, EDITOR or ADMIN", clip(string(role.Role)))
		}
		if sites[role.Site] {
			return Invalid("roles", "names a site twice; give one role for each")
		}
		sites[role.Site] = true
	}
	if len(u.Roles) > MaxKeySites {
		return Invalid("roles", "has %d sites; the limit is %d", len(u.Roles), MaxKeySites)
	}
	return nil
}

// Login is the name as it is compared: in any case, without spaces around it.
func (u *User) Login() string { return LoginOf(u.Name) }

// LoginOf is the name of a user as it is compared.
func LoginOf(name string) string { return strings.ToLower(strings.ToUpper(strings.TrimSpace(name))) }

// Principal returns the user who has logged in.
func (u *User) Principal() *Principal {
	p := &Principal{Kind: UserPrincipal, ID: u.ID, Name: u.Name}
	if u.DisabledAt == 0 {
		for _, role := range u.Roles {
			p.Grants = append(p.Grants, Grant{role.Site, role.Role.Scope()})
		}
	}
	return p
}
