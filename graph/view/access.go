package view

import (
	"encoding/json"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Viewer is who asks.
type Viewer struct {
	Name      string
	Kind      model.PrincipalKind
	Grants    []Grant
	ExpiresAt *time.Time
}

// Grant is a scope on a site. Site is the site's number, and SiteID nil for all sites.
type Grant struct {
	SiteID *string
	Site   int64
	Scope  model.Scope
}

// Key is an API key as clients see it. Sites are the numbers of its sites, unless it is of all.
type Key struct {
	ID, Name, Prefix, CreatedBy      string
	Scope                            model.Scope
	AllSites                         bool
	Sites                            []int64
	Origins                          []string
	CreatedAt                        time.Time
	ExpiresAt, LastUsedAt, RevokedAt *time.Time
}

// User is a person who may log in.
type User struct {
	ID, Name, CreatedBy string
	Roles               []SiteRole
	CreatedAt           time.Time
	UpdatedAt           time.Time
	DisabledAt          *time.Time
}

// SiteRole is a role on the site of a number.
type SiteRole struct {
	Site int64
	Role model.Role
}

// Login is a browser in which someone has logged in.
type Login struct {
	ID                           string
	Current                      bool
	Address, UserAgent           *string
	CreatedAt, SeenAt, ExpiresAt time.Time
}

// AuditEntry is a change as clients see it. Site is the number of the site that has it, and Address empty if unknown.
type AuditEntry struct {
	ID                   string
	Number, Site         int64
	At                   time.Time
	ActorKind            model.PrincipalKind
	ActorName, Address   string
	Action               model.Action
	ObjectKind           model.ObjectKind
	ObjectID, ObjectName string
	Before, After        json.RawMessage
}
