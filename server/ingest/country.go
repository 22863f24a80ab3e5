package ingest

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Countries finds the country of an address in a database file of MaxMind's
// format (GeoLite2-Country, GeoIP2-City, DB-IP and others). A nil *Countries
// knows none. It is safe for use by several goroutines.
type Countries struct {
	file   string
	reader atomic.Pointer[maxminddb.Reader]
	// opened is the file as it was when it was opened.
	opened fs.FileInfo
}

// OpenCountries opens a database file. It fails where the file is missing or
// damaged, or is a database of something other than countries.
func OpenCountries(file string) (*Countries, error) {
	c := &Countries{file: file}
	if err := c.open(); err != nil {
		return nil, fmt.Errorf("open country database %s: %w", file, err)
	}
	return c, nil
}

// open takes the file as it is now. The one before is let go when nobody looks into
// it any more.
func (c *Countries) open() error {
	info, err := os.Stat(c.file)
	if err != nil {
		return err
	}
	// Read, and not mapped: a file that is written in place would change under us.
	data, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return err
	}
	kind := reader.Metadata.DatabaseType
	if !slices.ContainsFunc([]string{"Country", "City", "Enterprise"}, func(known string) bool { return strings.Contains(kind, known) }) {
		return fmt.Errorf("it is of type %q, which has no countries", kind)
	}
	c.reader.Store(reader)
	c.opened = info
	return nil
}

// Reload takes the file anew where it has changed, and tells whether it has. Where
// that fails, what was read before stays.
func (c *Countries) Reload() (changed bool, err error) {
	info, err := os.Stat(c.file)
	if err == nil && info.ModTime().Equal(c.opened.ModTime()) && info.Size() == c.opened.Size() && os.SameFile(info, c.opened) {
		return false, nil
	}
	if err == nil {
		err = c.open()
	}
	if err != nil {
		return false, fmt.Errorf("reload country database %s: %w", c.file, err)
	}
	return true, nil
}

// Country returns the ISO 3166-1 alpha-2 code of the country where the address
// is, in upper case, and the empty string where that is not known.
func (c *Countries) Country(address netip.Addr) string {
	if c == nil || !address.IsValid() {
		return ""
	}
	var code string
	if err := c.reader.Load().Lookup(address).DecodePath(&code, "country", "iso_code"); err != nil {
		return ""
	}
	return countryCode(code)
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
