package model

// Action is what was done to an object.
type Action string

const (
	Created   Action = "CREATED"
	Updated   Action = "UPDATED"
	Deleted   Action = "DELETED"
	Converted Action = "CONVERTED"
	Started   Action = "STARTED"
	Ended     Action = "STOPPED"
	Shelved   Action = "ARCHIVED"
	Rotated   Action = "ROTATED"
	Revoked   Action = "REVOKED"
	Disabled  Action = "DISABLED"
	Enabled   Action = "ENABLED"
	Restored  Action = "UNARCHIVED"
	Reset     Action = "RESET"
	// Erased is what is done to a visitor's data. The object is the site: nothing tells of the visitor.
	Erased Action = "ERASED"
)

// ObjectKind is what a change is about.
type ObjectKind string

const (
	SiteObject       ObjectKind = "SITE"
	SegmentObject    ObjectKind = "SEGMENT"
	GoalObject       ObjectKind = "GOAL"
	ExperimentObject ObjectKind = "EXPERIMENT"
	KeyObject        ObjectKind = "KEY"
	UserObject       ObjectKind = "USER"
)

// Change is an entry of the audit log: who did what, when and from where.
type Change struct {
	ID int64
	At Millis
	// Site is 0 for what is of no site, or of several.
	Site int64
	// ActorKind, ActorID and ActorName are of who did it, as it was called then.
	ActorKind PrincipalKind
	ActorID   int64
	ActorName string
	// Address is where the request came from, as far as the site keeps addresses.
	Address string
	Action  Action
	Kind    ObjectKind
	Object  int64
	// Name is what the object was called.
	Name string
	// Before and After are the object as JSON; empty where there was, or is, none. Secrets are never part of it.
	Before, After string
}
