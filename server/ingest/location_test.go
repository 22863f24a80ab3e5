package ingest

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func countryOf(l *Locations, address netip.Addr) string {
	var origin model.Origin
	l.Fill(&origin, address)
	return origin.Country
}

func TestLocations(t *testing.T) {
	locations, err := OpenLocations("testdata/GeoLite2-Country-Test.mmdb")
	if err != nil {
		t.Fatal(err)
	}

	for address, want := range map[string]string{
		"81.2.69.142":        "GB",
		"2001:218::1":        "JP",
		"127.0.0.1":          "",
		"10.0.0.1":           "",
		"::ffff:81.2.69.142": "GB",
	} {
		parsed, ok := parseAddress(address)
		if !ok {
			t.Fatal(address)
		}
		if got := countryOf(locations, parsed); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	if got := countryOf(locations, netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
	var none *Locations
	if got := countryOf(none, netip.MustParseAddr("81.2.69.142")); got != "" {
		t.Errorf("no database: %q", got)
	}
}

// A file that changes is read again; while it is damaged, what was read before stays.
func TestLocationsReload(t *testing.T) {
	data, err := os.ReadFile("testdata/GeoLite2-Country-Test.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "locations.mmdb")
	mustWrite := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(data)
	locations, err := OpenLocations(file)
	if err != nil {
		t.Fatal(err)
	}
	mustBe := func(want string, wantChanged, wantError bool) {
		t.Helper()
		changed, err := locations.Reload()
		if got := countryOf(locations, netip.MustParseAddr("81.2.69.142")); got != want || changed != wantChanged || (err != nil) != wantError {
			t.Errorf("%q, changed %t, %v; want %q", got, changed, err, want)
		}
	}
	mustBe("GB", false, false)
	mustWrite([]byte("no database"))
	mustBe("GB", false, true)
	// The code of a country is a text of two bytes, as the byte before it says.
	mustWrite(bytes.ReplaceAll(data, []byte("\x42GB"), []byte("\x42FR")))
	mustBe("FR", true, false)
	mustBe("FR", false, false)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	mustBe("FR", false, true)
}

func TestOpenLocationsRefuses(t *testing.T) {
	good, err := os.ReadFile("testdata/GeoLite2-Country-Test.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty.mmdb":     "",
		"text.mmdb":      strings.Repeat("no database ", 1000),
		"truncated.mmdb": string(good[:len(good)/2]),
		"asn.mmdb":       strings.ReplaceAll(string(good), "GeoLite2-Country", "GeoLite2-Nothing"),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenLocations(file); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := OpenLocations(filepath.Join(dir, "missing.mmdb")); err == nil || !strings.Contains(err.Error(), "missing.mmdb") {
		t.Errorf("missing file: error %v", err)
	}
}
