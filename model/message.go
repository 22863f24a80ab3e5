package model

// Message is a line of a log or a message of a tracking SDK: who sent it, and the hit it
// reports.
type Message struct {
	// AnonymousID and UserID are the sender's names for the visitor, at least one of
	// them. A message with both links the user to the anonymous visitor.
	AnonymousID, UserID string
	// Hit is what the visitor did. Its Kind is zero if the message only links. The store
	// fills in its Visitor: the anonymous id, else the user's last known anonymous id,
	// else the user id.
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
