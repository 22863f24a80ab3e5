package ingest

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Countries finds the country of an address in a database file of MaxMind's
// format (GeoLite2-Country, GeoIP2-City, DB-IP and others). A nil *Countries
// knows none. It is safe for use by several goroutines.
type Countries struct{ reader *maxminddb.Reader }

// OpenCountries opens a database file. It fails where the file is missing or
// damaged, or is a database of something other than countries.
func OpenCountries(file string) (*Countries, error) {
	reader, err := maxminddb.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open country database %s: %w", file, err)
	}
	kind := reader.Metadata.DatabaseType
	for _, known := range []string{"Country", "City", "Enterprise"} {
		if strings.Contains(kind, known) {
			return &Countries{reader: reader}, nil
		}
	}
	reader.Close()
	return nil, fmt.Errorf("open country database %s: it is of type %q, which has no countries", file, kind)
}

// Country returns the ISO 3166-1 alpha-2 code of the country where the address
// is, in upper case, and the empty string where that is not known.
func (c *Countries) Country(address netip.Addr) string {
	if c == nil || !address.IsValid() {
		return ""
	}
	var code string
	if err := c.reader.Lookup(address).DecodePath(&code, "country", "iso_code"); err != nil {
		return ""
	}
	return countryCode(code)
}

// Close releases the file.
func (c *Countries) Close() error {
	if c == nil {
		return nil
	}
	return c.reader.Close()
}

// countryCode returns a two-letter code in upper case, and the empty string for
// anything else.
func countryCode(s string) string {
	if len(s) != 2 {
		return ""
	}
	for i := range 2 {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return ""
		}
	}
	return strings.ToUpper(s)
}
