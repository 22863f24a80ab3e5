package model

// Message is a line of a log or a message of a tracking SDK: who sent it, and the hit it
// reports.
type Message struct {
	// AnonymousID names the device and UserID the user, at least one of them. A message with
	// both links the user to the device, from its time on.
	AnonymousID, UserID string
	// Hit is what the visitor did. Its Kind is zero if the message only links. The store
	// fills in its Visitor and UserID. The visitor is the device or, of a message without one, that of
	// the user's latest link at the time or before, else of the earliest link, else the user.
	Hit Hit
}

// Limits of what one message may hold. Text that is longer is cut, and values
// beyond the counts are left out, so that a message is kept rather than lost.
const (
	MaxTextBytes  = 2048 // a path, a host, a tag, a name, a property's value
	MaxTags       = 100
	MaxProperties = 100
)

// OtherValue is kept in the place of a value when a site has as many distinct ones of
// its dimension as it may: so that a sender who makes up names costs no more than one.
const OtherValue = "(other)"
