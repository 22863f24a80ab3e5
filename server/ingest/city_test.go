package ingest

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/goalgraph/goalgraph/model"
)

// mustWriteCities makes a database file of places in GeoIP2-City's form: by network, the
// country's code, the city's name, and those of regions, the larger first.
func mustWriteCities(t *testing.T, places map[string][]string) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoIP2-City", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) mmdbtype.Map {
		return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(name), "fr": mmdbtype.String("fr:" + name)}}
	}
	for cidr, place := range places {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		record := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(place[0])}}
		var regions mmdbtype.Slice
		for _, region := range place[2:] {
			regions = append(regions, named(region))
		}
		if regions != nil {
			record["subdivisions"] = regions
		}
		if place[1] != "" {
			record["city"] = named(place[1])
		}
		if err := tree.Insert(network, record); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "cities.mmdb")
	to, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(to); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// What a file says of an address fills in what the message leaves out, as long as the two
// mean the same place.
func TestLocationsBelowCountries(t *testing.T) {
	locations, err := OpenLocations(mustWriteCities(t, map[string][]string{
		"81.2.69.0/24":  {"GB", "Boxford", "England", "West Berkshire"},
		"2001:db8::/32": {"MC", ""},
		"2001:218::/32": {"SG", "Singapore"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := NewDecoder(locations)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ip, location string
		want         model.Origin
	}{
		{"81.2.69.142", `{}`, model.Origin{Country: "GB", Region: "England", City: "Boxford"}},
		{"2001:db8::1", `{}`, model.Origin{Country: "MC"}},
		{"2001:218::1", `{}`, model.Origin{Country: "SG", City: "Singapore"}},
		{"10.0.0.1", `{}`, model.Origin{}},
		{"81.2.69.142", `{"country":"gb"}`, model.Origin{Country: "GB", Region: "England", City: "Boxford"}},
		{"81.2.69.142", `{"country":"RO"}`, model.Origin{Country: "RO"}},
		{"81.2.69.142", `{"country":"Romania","region":7}`, model.Origin{Country: "GB", Region: "England", City: "Boxford"}},
		{"81.2.69.142", `{"region":"Wales"}`, model.Origin{Country: "GB", Region: "Wales"}},
		{"81.2.69.142", `{"city":"Newbury"}`, model.Origin{Country: "GB", Region: "England", City: "Newbury"}},
		{"10.0.0.1", `{"country":"RO","region":"Cluj","city":"Turda"}`, model.Origin{Country: "RO", Region: "Cluj", City: "Turda"}},
	} {
		message := `{"type":"page","name":"N","messageId":"m","anonymousId":"a","timestamp":"2026-01-02T03:04:05Z","context":{"ip":"IP","location":` + test.location + `}}`
		got, kept, err := decoder.Message([]byte(strings.Replace(message, "IP", test.ip, 1)), Envelope{})
		if err != nil || !kept {
			t.Fatal(err)
		}
		test.want.IP, test.want.EntryPage = test.ip, "N"
		if got.Hit.Origin != test.want {
			t.Errorf("%s, %s: %+v, want %+v", test.ip, test.location, got.Hit.Origin, test.want)
		}
	}
	var origin model.Origin
	locations.Fill(&origin, netip.Addr{})
	if origin != (model.Origin{}) {
		t.Errorf("no address is in %+v", origin)
	}
}
