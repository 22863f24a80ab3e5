package model

import (
	"net/netip"
	"regexp"
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
	MaxFilters     = 100
)

// Site is a web site or app whose visitors are counted.
type Site struct {
	ID   int64
	Name string
	// Domains are host names in lower case. A host name belongs to one site only.
	Domains []string
	// Timezone is an IANA name. Series use it for their days, weeks and months.
	Timezone string
	// Addresses is how much of a visitor's IP address is stored.
	Addresses AddressPrivacy
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
func (s *Site) Location() (*time.Location, error) { return time.LoadLocation(s.Timezone) }

var hostName = regexp.MustCompile(`^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// Validate brings the site into its canonical form. It returns a BadInput error if that
// is impossible.
func (s *Site) Validate() error {
	if err := checkText("name", &s.Name, 1, MaxName); err != nil {
		return err
	}
	if len(s.Domains) > MaxDomains {
		return Invalid("domains", "%d domains are too many; the maximum is %d", len(s.Domains), MaxDomains)
	}
	domains := make([]string, 0, len(s.Domains))
	for _, domain := range s.Domains {
		domain = DomainOf(domain)
		if len(domain) > 253 || !hostName.MatchString(domain) {
			return Invalid("domains", "%q is not a host name; write it like shop.example, without scheme, port or path", clip(domain))
		}
		domains = appendNew(domains, domain)
	}
	s.Domains = domains
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

// DomainOf returns a host name in the form in which sites have it.
func DomainOf(host string) string {
	return strings.TrimSuffix(strings.ToLower(strings.TrimSpace(host)), ".")
}

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
