package model

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// MessageID identifies a message of a site. A message id counts once, however often it is sent. It is made from the
// sender's name for the message: a UUID in lower case is its own 128 bits and a name of up to 15 bytes is itself, so that
// names of one of these forms have the order of their texts. Any other is 128 bits of its SHA-256.
type MessageID [16]byte

// MessageIDOf returns the id of the message that its sender names by parts.
func MessageIDOf(parts ...string) MessageID {
	if len(parts) == 1 {
		if id, ok := uuidOf(parts[0]); ok {
			return id
		}
		var id MessageID
		if name := parts[0]; name != "" && len(name) < len(id) {
			copy(id[:], name)
			id[len(id)-1] = byte(len(name)) // otherwise "a" would be "a\x00"
			return id
		}
	}
	hash := sha256.New()
	for i, part := range parts {
		if i > 0 {
			hash.Write([]byte{0})
		}
		hash.Write([]byte(part))
	}
	return MessageID(hash.Sum(nil)[:16])
}

// ExposureID returns the id of the message that a visitor has seen a variant which Goalgraph gave, in a run of an experiment,
// which is known by when it began. Whoever sends the message, and however often, it counts once.
func ExposureID(site, experiment int64, run Millis, visitor string) MessageID {
	return MessageIDOf("exposure", strconv.FormatInt(site, 10), strconv.FormatInt(experiment, 10), strconv.FormatInt(int64(run), 10), visitor)
}

// UUID returns the id in the form of a UUID, which as the name of a message is the id again.
func (id MessageID) UUID() string {
	digits := hex.EncodeToString(id[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

// uuidOf reads a UUID in lower case, as SDKs write it.
func uuidOf(text string) (id MessageID, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, false
	}
	var digits [32]byte
	at := 0
	for _, part := range [...]string{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
		at += copy(digits[at:], part)
	}
	if bytes.ContainsAny(digits[:], "ABCDEF") {
		return id, false
	}
	_, err := hex.Decode(id[:], digits[:])
	return id, err == nil && !id.isReserved()
}

// isReserved tells whether an id is one of those that the store keeps for itself, whose second half is 0.
func (id MessageID) isReserved() bool { return [8]byte(id[8:]) == [8]byte{} }

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
	// UserID is the user of a hit that named no device: which visitor it is of follows from
	// the user's links. It is empty for others.
	UserID string
	// SessionKey is the sender's own name for the session (context.sessionId), or empty.
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
	// KnowsPage is of a page view: Hostname, and EntryPage, which is the hit's name.
	KnowsPage
	// KnowsAgent is of a hit with a browser's user agent: Browser, OS and Device.
	KnowsAgent
	// KnowsLanguage is of a hit with a locale: Language.
	KnowsLanguage
	// KnowsAddress is of a hit with the address of a client, or its location: IP, Country,
	// Region and City.
	KnowsAddress

	// KnowsAll is all parts.
	KnowsAll Knowledge = 1<<iota - 1
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
	// EntryPage is the path of the first page that was viewed. A hit's is its name, and not here.
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

// TextBytes is how many bytes the texts have.
func (o *Origin) TextBytes() int {
	return bytesOf(o.IP, o.Country, o.Region, o.City, o.Referrer, o.EntryPage, o.Hostname, o.Browser, o.OS, string(o.Device), o.Language,
		o.UTM.Source, o.UTM.Medium, o.UTM.Campaign, o.UTM.Term, o.UTM.Content)
}

// TextBytes is about how many bytes the texts have.
func (h *Hit) TextBytes() int {
	return bytesOf(h.Visitor, h.UserID, h.SessionKey, h.Name, h.Experiment, h.Variant) + bytesOf(h.Tags...) + bytesOfPairs(h.Properties) + h.Origin.TextBytes()
}

func bytesOf(texts ...string) (bytes int) {
	for _, text := range texts {
		bytes += len(text)
	}
	return bytes
}

func bytesOfPairs(texts map[string]string) (bytes int) {
	for key, value := range texts {
		bytes += len(key) + len(value)
	}
	return bytes
}

// take copies parts of another origin.
func (o *Origin) take(from Origin, parts Knowledge) {
	if parts&KnowsAcquisition != 0 {
		o.Referrer, o.UTM = from.Referrer, from.UTM
	}
	if parts&KnowsPage != 0 {
		o.EntryPage, o.Hostname = from.EntryPage, from.Hostname
	}
	if parts&KnowsAgent != 0 {
		o.Browser, o.OS, o.Device = from.Browser, from.OS, from.Device
	}
	if parts&KnowsLanguage != 0 {
		o.Language = from.Language
	}
	if parts&KnowsAddress != 0 {
		o.IP, o.Country, o.Region, o.City = from.IP, from.Country, from.Region, from.City
	}
}

// origin is what the hit tells of a session's origin.
func (h *Hit) origin() Origin {
	if h.Knows&KnowsPage != 0 {
		origin := h.Origin
		origin.EntryPage = h.Name
		return origin
	}
	return h.Origin
}

// Shares returns which parts that the hit knows are those of another origin.
func (h *Hit) Shares(of Origin) (shared Knowledge) {
	own := h.origin()
	for part := KnowsAcquisition; part <= KnowsAddress; part <<= 1 {
		if h.Knows&part != 0 && own.Parts(part) == of.Parts(part) {
			shared |= part
		}
	}
	return shared
}

// Parts returns an origin with some of its parts alone.
func (o Origin) Parts(parts Knowledge) (some Origin) {
	some.take(o, parts)
	return some
}

// With returns an origin with some of its parts from another one.
func (o Origin) With(from Origin, parts Knowledge) Origin {
	o.take(from, parts)
	return o
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

// Compare orders a visitor's hits by time, those of one instant by their places in what
// brought them, and then by id: the order does not depend on their arrival.
func (h Hit) Compare(other Hit) int {
	return cmp.Or(cmp.Compare(h.At, other.At), cmp.Compare(h.Place, other.Place), h.ID.Compare(other.ID))
}
