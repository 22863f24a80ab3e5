package model

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what people write. Texts are counted in Unicode code points.
const (
	MaxName        = 200
	MaxKey         = 200
	MaxDescription = 5000
	MaxDomains     = 100
)

// Site is a web site or app whose visitors are counted.
type Site struct {
	ID   int64
	Name string
	// Domains are host names in the form of Host. A host name belongs to one site only.
	Domains []string
	// Timezone is an IANA name. Series use it for their days, weeks and months.
	Timezone string
	// Addresses is how much of a visitor's IP address is stored.
	Addresses AddressPrivacy
	// IgnoredReferrers are hosts in the form of Domains. Whoever comes from one of them, or
	// from a host below it, counts as coming directly.
	IgnoredReferrers []string
	// Bots is what becomes of the messages of bots.
	Bots BotPolicy
	// Holdout is the part of the visitors that no experiment takes, or nil.
	Holdout *Holdout
	// RetentionDays is for how many days after its end a session is kept, 1 to MaxRetentionDays; nil is for good.
	RetentionDays *int
	// UpdatedAt is when the site itself last changed, in whole milliseconds.
	UpdatedAt time.Time
	// Revision changes with every change to the site, its segments, goals or
	// experiments. Whatever is read after the site is at least as new. It is 0 if unknown.
	Revision int64
}

// AddressPrivacy is how much of an IP address is stored. The country is looked up first.
type AddressPrivacy string

const (
	// WholeAddress keeps the whole address.
	WholeAddress AddressPrivacy = "WHOLE"
	// TruncatedAddress keeps the network: 24 bits of an IPv4 address, 48 of an IPv6 one.
	TruncatedAddress AddressPrivacy = "TRUNCATED"
	// NoAddress keeps nothing.
	NoAddress AddressPrivacy = "NONE"
)

// BotPolicy is what becomes of the messages of crawlers, monitors and HTTP libraries.
type BotPolicy string

const (
	// ExcludeBots does not keep them.
	ExcludeBots BotPolicy = "EXCLUDE"
	// IncludeBots keeps them like all others.
	IncludeBots BotPolicy = "INCLUDE"
)

// MaxRetentionDays is for how many days a site may keep sessions, unless it keeps them for good.
const MaxRetentionDays = 36_500

// KeptSince returns since when sessions have ended that the site keeps at an instant, and happened what it takes in: -Open where
// it keeps them for good.
func (s *Site) KeptSince(now Millis) Millis {
	if s.RetentionDays == nil {
		return -Open
	}
	return now - Millis(*s.RetentionDays)*dayMillis
}

// CheckTime returns a BadInput error if what happened at a time is too old at an instant for the site to keep it.
func (s *Site) CheckTime(at, now Millis) error {
	if at >= s.KeptSince(now) {
		return nil
	}
	return Invalid("timestamp", "%s is more than %d days ago, and the site keeps nothing older (retentionDays)", at.Time().Format(time.RFC3339), *s.RetentionDays)
}

// Keep returns what is stored of an address in text form.
func (p AddressPrivacy) Keep(ip string) string {
	switch p {
	case WholeAddress:
		return ip
	case TruncatedAddress:
		address, err := netip.ParseAddr(ip)
		if err != nil {
			return ""
		}
		bits := 48
		if address.Is4() {
			bits = 24
		}
		prefix, err := address.Prefix(bits)
		if err != nil {
			return ""
		}
		return prefix.Addr().String()
	}
	return ""
}

// Location returns the site's time zone.
func (s *Site) Location() (*time.Location, error) { return Zone(s.Timezone) }

// IsOwnHost tells whether who comes from the host, which is in the form of Host, comes from
// nowhere else: it is one of the site's domains, with or without www., or one of its ignored
// referrers or below it.
func (s *Site) IsOwnHost(host string) bool {
	if host == "" {
		return false
	}
	bare := strings.TrimPrefix(host, "www.")
	return slices.ContainsFunc(s.Domains, func(domain string) bool { return strings.TrimPrefix(domain, "www.") == bare }) ||
		slices.ContainsFunc(s.IgnoredReferrers, func(ignored string) bool {
			above, is := strings.CutSuffix(host, ignored)
			return is && (above == "" || strings.HasSuffix(above, "."))
		})
}

// hostName are names of hosts in the form of Host.
var hostName = regexp.MustCompile(`^[\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}_-]*[\p{L}\p{M}\p{N}_])?(?:\.[\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}_-]*[\p{L}\p{M}\p{N}_])?)*$`)

// isHostName tells whether the text may be the name of a host: at most 253 bytes in labels
// of at most 63, as they are sent (RFC 1035, 2.3.4).
func isHostName(host string) bool {
	ascii := ASCIIHost(host)
	return hostName.MatchString(host) && len(ascii) <= 253 &&
		!slices.ContainsFunc(strings.Split(ascii, "."), func(label string) bool { return len(label) > 63 })
}

// hosts returns a field's host names, in the form of DomainOf and each once.
func hosts(field string, list []string) ([]string, error) {
	if len(list) > MaxDomains {
		return nil, Invalid(field, "%d %s are too many; the maximum is %d", len(list), field, MaxDomains)
	}
	names := make([]string, 0, len(list))
	for _, name := range list {
		name = DomainOf(name)
		if !isHostName(name) {
			return nil, Invalid(field, "%q is not a host name; write it like shop.example, without scheme, port or path", clip(name))
		}
		names = appendNew(names, name)
	}
	return names, nil
}

// Validate brings the site into its canonical form. It returns a BadInput error if that
// is impossible.
func (s *Site) Validate() (err error) {
	if err := checkText("name", &s.Name, 1, MaxName); err != nil {
		return err
	}
	if s.Domains, err = hosts("domains", s.Domains); err != nil {
		return err
	}
	if s.IgnoredReferrers, err = hosts("ignoredReferrers", s.IgnoredReferrers); err != nil {
		return err
	}
	if err := s.checkHoldout(); err != nil {
		return err
	}
	if days := s.RetentionDays; days != nil && (*days < 1 || *days > MaxRetentionDays) {
		return Invalid("retentionDays", "is %d; it must be 1 to %d, or null to keep sessions for good", *days, MaxRetentionDays)
	}
	switch s.Bots {
	case "":
		s.Bots = ExcludeBots
	case ExcludeBots, IncludeBots:
	default:
		return Invalid("bots", "is %q; use EXCLUDE or INCLUDE", clip(string(s.Bots)))
	}
	switch s.Addresses {
	case "":
		s.Addresses = WholeAddress
	case WholeAddress, TruncatedAddress, NoAddress:
	default:
		return Invalid("addresses", "is %q; use WHOLE, TRUNCATED or NONE", clip(string(s.Addresses)))
	}
	if s.Timezone == "" || s.Timezone == "Local" {
		return Invalid("timezone", "is missing; give an IANA name like Europe/Bucharest or UTC")
	}
	if _, err := time.LoadLocation(s.Timezone); err != nil {
		return Invalid("timezone", "%q is not an IANA time zone; use a name like Europe/Bucharest or UTC", clip(s.Timezone))
	}
	return nil
}

// DomainOf returns a host name in the form in which sites have it, that of Host.
func DomainOf(host string) string { return Host(strings.TrimSpace(host)) }

// checkText trims *text and checks that it is printable text of a length. Only a
// description has more than one line.
func checkText(field string, text *string, least, most int) error {
	if !utf8.ValidString(*text) {
		return Invalid(field, "is not valid UTF-8; encode it as UTF-8")
	}
	*text = strings.TrimSpace(*text)
	switch n := utf8.RuneCountInString(*text); {
	case n < least:
		return Invalid(field, "is empty; write at least one character")
	case n > most:
		return Invalid(field, "has %d characters; the maximum is %d", n, most)
	}
	for _, r := range *text {
		if unicode.IsControl(r) && (field != "description" || r != '\n' && r != '\t') {
			return Invalid(field, "contains the control character %U; remove it", r)
		}
	}
	return nil
}

// clip shortens what a message quotes of its input.
func clip(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
