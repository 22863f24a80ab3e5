package model

import (
	"bytes"
	"cmp"
	"crypto/sha256"
)

// MessageID identifies a message of a site. It is 128 bits of the SHA-256 of the
// sender's name for the message. A message id counts once, however often it is sent.
type MessageID [16]byte

// MessageIDOf returns the id of the message that its sender names by parts.
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

// HitKind is the kind of a Hit.
type HitKind int8

const (
	// PageView is the view of a page or a screen. The hit's name is its path.
	PageView HitKind = iota + 1
	// Event is a tracked event.
	Event
	// Traits only describes the visitor: the hit has properties but no name. A session
	// with nothing else does not count.
	Traits
)

// Hit is one action of a visitor, from a line of a log or a message.
type Hit struct {
	ID MessageID
	// Visitor is the key of the visitor, as the site's messages name it.
	Visitor string
	At      Millis
	// Place orders hits of one instant: it is the hit's place among those of the instant
	// in the file or the batch that brought it.
	Place int32
	// SessionKey is the sender's own name for the session (context.sessionId). Hits
	// with the same key form a session, whatever the gaps between them.
	SessionKey string
	Kind       HitKind
	// Name is the path of a page view, or the name of an event.
	Name string
	// Value is an event's value, if it has one.
	Value    Decimal
	HasValue bool
	// Tags and Properties are added to the session's.
	Tags       []string
	Properties map[string]string
	// Experiment and Variant are the keys of the experiment and the variant to which
	// the hit assigns the visitor, or empty.
	Experiment, Variant string
	// Origin tells where the visitor comes from, and Knows which parts of it the hit knows.
	Origin Origin
	Knows  Knowledge
}

// Knowledge is a set of parts of an Origin. A session has each part from its first hit that
// knows it.
type Knowledge uint8

const (
	// KnowsAcquisition is of a page view, and of a message with the context of a page or of a
	// campaign: Referrer and UTM, which may be empty.
	KnowsAcquisition Knowledge = 1 << iota
	// KnowsPage is of a page view: EntryPage and Hostname.
	KnowsPage
	// KnowsAgent is of a hit with a browser's user agent: Browser, OS and Device.
	KnowsAgent
	// KnowsLanguage is of a hit with a locale: Language.
	KnowsLanguage
	// KnowsAddress is of a hit with the address of a client, or its location: IP, Country,
	// Region and City.
	KnowsAddress
)

// Origin is what a session takes from its hits. An empty string means unknown or
// none.
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
	// EntryPage is the path of the page where the hit happened.
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

// Compare orders a visitor's hits by time, and hits of the same instant by id, so that
// the order does not depend on their arrival.
func (h Hit) Compare(other Hit) int {
	return cmp.Or(cmp.Compare(h.At, other.At), h.ID.Compare(other.ID))
}
