package model

import (
	"bytes"
	"cmp"
	"crypto/sha256"
)

// MessageID identifies a message of a site: 128 bits of the SHA-256 of what its
// sender called it. A message id counts once, however often it is sent.
type MessageID [16]byte

// MessageIDOf returns the id of a message that its sender named by parts.
func MessageIDOf(parts ...string) MessageID {
	hash := sha256.New()
	for i, part := range parts {
		if i > 0 {
			hash.Write([]byte{0})
		}
		hash.Write([]byte(part))
	}
	return MessageID(hash.Sum(nil)[:16])
}

// Compare orders message ids.
func (id MessageID) Compare(other MessageID) int { return bytes.Compare(id[:], other[:]) }

// HitKind says what a visitor did.
type HitKind int8

const (
	// PageView is a page or a screen that was shown; the hit's name is its path.
	PageView HitKind = iota + 1
	// Event is something tracked by name.
	Event
	// Traits only tells more about the visitor: the hit has properties and no name.
	// A session of nothing else does not count.
	Traits
)

// Hit is one thing that a visitor did, taken from a line of a log or a message.
type Hit struct {
	ID MessageID
	// Visitor is the key of the visitor, as the site's messages name it.
	Visitor string
	At      Millis
	// SessionKey is the sender's own name of the session (context.sessionId).
	// Hits that have one form a session by it, whatever the gaps between them.
	SessionKey string
	Kind       HitKind
	// Name is a page view's path or an event's name.
	Name string
	// Value is an event's number, where it has one.
	Value    float64
	HasValue bool
	// Tags and Properties are added to the session's.
	Tags       []string
	Properties map[string]string
	// Experiment and Variant are the keys of the experiment and of its variant that
	// the hit assigns the visitor to; empty where it does not.
	Experiment, Variant string
	// Origin is what the hit says of where the visitor comes from. A session has
	// its first hit's.
	Origin Origin
}

// Origin is what a session takes from its first hit. The empty string stands
// for unknown, or for none.
type Origin struct {
	// IP is an address in its canonical text form.
	IP string `json:"ip,omitempty"`
	// Country is ISO 3166-1 alpha-2, in upper case.
	Country string `json:"country,omitempty"`
	// Region is the largest part of the country that the place lies in, by its English name.
	Region string `json:"region,omitempty"`
	// City is its English name.
	City string `json:"city,omitempty"`
	// Referrer is the host of the referring page, in lower case without a port;
	// empty when the visitor came directly.
	Referrer string `json:"referrer,omitempty"`
	// EntryPage is the path of the page on which the hit happened.
	EntryPage string `json:"entryPage,omitempty"`
	// Hostname is the host of that page, in lower case without a port.
	Hostname string `json:"hostname,omitempty"`
	Browser  string `json:"browser,omitempty"`
	OS       string `json:"os,omitempty"`
	Device   Device `json:"device,omitempty"`
	// Language is a BCP 47 tag in lower case.
	Language string `json:"language,omitempty"`
	UTM      UTM    `json:"utm,omitzero"`
}

// UTM holds the campaign parameters of a link.
type UTM struct {
	Source   string `json:"source,omitempty"`
	Medium   string `json:"medium,omitempty"`
	Campaign string `json:"campaign,omitempty"`
	Term     string `json:"term,omitempty"`
	Content  string `json:"content,omitempty"`
}

// Device is a kind of device.
type Device string

const (
	Desktop     Device = "DESKTOP"
	Mobile      Device = "MOBILE"
	Tablet      Device = "TABLET"
	OtherDevice Device = "OTHER"
)

// Compare orders a visitor's hits by time; hits of one instant are ordered by
// their ids, so that the order does not depend on how they arrived.
func (h Hit) Compare(other Hit) int {
	return cmp.Or(cmp.Compare(h.At, other.At), h.ID.Compare(other.ID))
}
