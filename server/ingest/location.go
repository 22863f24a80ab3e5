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

	"github.com/goalgraph/goalgraph/model"
)

// place is a part of a location.
type place struct {
	of func(*model.Origin) *string
	// member is its name in a message's context.location, and path leads to it in a
	// database file.
	member string
	path   []any
	// normal returns its one form, and the empty string for what is none.
	normal func(string) string
}

// places go from large to small.
var places = []place{
	{func(o *model.Origin) *string { return &o.Country }, "country", []any{"country", "iso_code"}, countryCode},
	{func(o *model.Origin) *string { return &o.Region }, "region", []any{"subdivisions", 0, "names", "en"}, clean},
	{func(o *model.Origin) *string { return &o.City }, "city", []any{"city", "names", "en"}, clean},
}

// Locations finds where an address is, in a database file of MaxMind's format
// (GeoLite2-Country, GeoIP2-City, DB-IP and others). A nil *Locations knows nothing. It
// is safe for use by several goroutines.
type Locations struct {
	file   string
	reader atomic.Pointer[maxminddb.Reader]
	// opened is the file as it was when it was opened.
	opened fs.FileInfo
}

// OpenLocations opens a database file. It fails where the file is missing or
// damaged, or is a database of something other than countries.
func OpenLocations(file string) (*Locations, error) {
	l := &Locations{file: file}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open location database %s: %w", file, err)
	}
	return l, nil
}

// open takes the file as it is now. The one before is let go when nobody looks into
// it any more.
func (l *Locations) open() error {
	info, err := os.Stat(l.file)
	if err != nil {
		return err
	}
	// Read, and not mapped: a file that is written in place would change under us.
	data, err := os.ReadFile(l.file)
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
	l.reader.Store(reader)
	l.opened = info
	return nil
}

// Reload takes the file anew where it has changed, and tells whether it has. Where
// that fails, what was read before stays.
func (l *Locations) Reload() (changed bool, err error) {
	info, err := os.Stat(l.file)
	if err == nil && info.ModTime().Equal(l.opened.ModTime()) && info.Size() == l.opened.Size() && os.SameFile(info, l.opened) {
		return false, nil
	}
	if err == nil {
		err = l.open()
	}
	if err != nil {
		return false, fmt.Errorf("reload location database %s: %w", l.file, err)
	}
	return true, nil
}

// Fill fills in where the address is. What the origin says already stays, and where the
// two name different places, nothing smaller is filled in.
func (l *Locations) Fill(origin *model.Origin, address netip.Addr) {
	if l == nil || !address.IsValid() {
		return
	}
	found := l.reader.Load().Lookup(address)
	for _, place := range places {
		var text string
		if err := found.DecodePath(&text, place.path...); err != nil {
			return
		}
		switch to := place.of(origin); *to {
		case "":
			*to = place.normal(text)
		case place.normal(text):
		default:
			return
		}
	}
}

// readLocation fills in what a message's context.location says.
func readLocation(origin *model.Origin, location value) {
	location.members(func(name []byte, member value) {
		for _, place := range places {
			if place.member == string(name) {
				*place.of(origin) = place.normal(member.text())
			}
		}
	})
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
