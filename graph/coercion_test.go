package graph_test

import (
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Each line is a filter as a variable and as a literal, and the field at fault in the one and the
// other. Where the library refuses a literal it gives a place in the document, and no field.
var badFilters = []struct{ name, variable, literal, field, literalField string }{
	{"unknown type", `{"nope": {}}`, `{nope: {}}`, "f[1].nope", ""},
	{"unknown argument", `{"country": {"nope": 1}}`, `{country: {nope: 1}}`, "f[1].country.nope", ""},
	{"two members", `{"country": {"is": ["RO"]}, "tags": {"all": ["a"]}}`, `{country: {is: ["RO"]}, tags: {all: ["a"]}}`, "f[1]", ""},
	{"no member", `{}`, `{}`, "f[1]", ""},
	{"null member", `{"country": null}`, `{country: null}`, "f[1].country", ""},
	{"null", `null`, `null`, "f[1]", ""},
	{"no object", `"x"`, `"x"`, "f[1]", ""},
	{"missing argument", `{"events": {}}`, `{events: {}}`, "f[1].events.all", ""},
	{"no argument", `{"country": {}}`, `{country: {}}`, "input.filters[1].country", "input.filters[1].country"},
	{"empty list", `{"country": {"is": []}}`, `{country: {is: []}}`, "input.filters[1].country.is", "input.filters[1].country.is"},
	{"no country", `{"country": {"is": ["RO", "Romania"]}}`, `{country: {is: ["RO", "Romania"]}}`, "input.filters[1].country.is[1]", "input.filters[1].country.is[1]"},
	{"min > max", `{"sessionLength": {"min": 5, "max": 1}}`, `{sessionLength: {min: 5, max: 1}}`, "input.filters[1].sessionLength.min", "input.filters[1].sessionLength.min"},
	{"bad CIDR", `{"ip": {"is": ["300.1.1.1/8"]}}`, `{ip: {is: ["300.1.1.1/8"]}}`, "input.filters[1].ip.is[0]", "input.filters[1].ip.is[0]"},
	{"10,000 stars", `{"pages": {"all": "` + stars + `"}}`, `{pages: {all: "` + stars + `"}}`, "input.filters[1].pages.all[0]", "input.filters[1].pages.all[0]"},
	{"string for Int", `{"sessionLength": {"min": "5"}}`, `{sessionLength: {min: "5"}}`, "f[1].sessionLength.min", ""},
	{"fraction for Int", `{"sessionLength": {"min": 1.5}}`, `{sessionLength: {min: 1.5}}`, "f[1].sessionLength.min", ""},
	{"2^40 for Int", `{"sessionLength": {"min": 1099511627776}}`, `{sessionLength: {min: 1099511627776}}`, "f[1].sessionLength.min", "input.filters[1].sessionLength.min"},
	{"number for String", `{"tags": {"all": [1]}}`, `{tags: {all: [1]}}`, "f[1].tags.all[0]", ""},
	{"enum in lower case", `{"device": {"is": ["DESKTOP", "mobile"]}}`, `{device: {is: [DESKTOP, mobile]}}`, "f[1].device.is[1]", ""},
	{"number for enum", `{"device": {"is": [0]}}`, `{device: {is: [0]}}`, "f[1].device.is[0]", ""},
	{"list in list", `{"tags": {"all": [["a"]]}}`, `{tags: {all: [["a"]]}}`, "f[1].tags.all[0]", ""},
}

var stars = strings.Repeat("*", 10_000)

func TestBadFiltersChangeNothing(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	const filters = `{ site(domain: "a.example") { segments { totalCount } goals { totalCount } } }`
	for _, test := range badFilters {
		t.Run(test.name, func(t *testing.T) {
			g := g.in(t)
			e := g.refused(`mutation($s: ID!, $f: [FilterInput!]!) { createSegment(input: {siteId: $s, name: "x", filters: $f}) { segment { id } } }`,
				vars{"s": site, "f": raw(`[{"tags": {"all": ["a"]}}, ` + test.variable + `]`)}, model.BadInput, test.field)
			if len(e.Locations) == 0 || len(e.Path) == 0 {
				t.Errorf("variable: no place: %s", e)
			}
			e = g.refused(`mutation { createSegment(input: {siteId: "`+site+`", name: "x", filters: [{tags: {all: ["a"]}}, `+test.literal+`]}) { segment { id } } }`,
				nil, model.BadInput, test.literalField)
			if len(e.Locations) == 0 || test.literalField != "" && len(e.Path) != 1 {
				t.Errorf("literal: no place: %s", e)
			}
			g.want(filters, nil, `{"site": {"segments": {"totalCount": 1}, "goals": {"totalCount": 0}}}`)
		})
	}
}

func TestVariablesOfAllKinds(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	const in = `range: {from: "2026-01-01T00:00:00Z"}`
	ask := func(definition, filters string) string {
		return `query($s: ID!, ` + definition + `) { site(id: $s) { sessionCount(filters: ` + filters + `, ` + in + `) } }`
	}
	for _, test := range []struct {
		query, x string // x is the variable, empty for none
		code     model.Code
		field    string
	}{
		{ask(`$x: [FilterInput!]`, `$x`), `{"country": {"is": "RO"}}`, "", ""},
		{ask(`$x: [FilterInput!]`, `$x`), `null`, "", ""},
		{ask(`$x: [FilterInput!]`, `$x`), ``, "", ""},
		{ask(`$x: FilterInput!`, `[{tags: {all: "a"}}, $x]`), `{"country": {"is": "RO"}}`, "", ""},
		{ask(`$x: [String!]`, `[{country: {is: $x}}]`), `["RO"]`, "", ""},
		{ask(`$x: [String!]`, `[{country: {is: $x}}]`), `"RO"`, "", ""},
		{ask(`$x: [String!]`, `{country: {is: $x, isNot: "US"}}`), `null`, "", ""},
		{ask(`$x: [String!]`, `{country: {is: $x, isNot: "US"}}`), ``, "", ""},
		{ask(`$x: String!`, `{country: {is: [$x, "US"]}}`), `"RO"`, "", ""},
		{ask(`$x: String!`, `{country: {is: [$x, "US"]}}`), `"ROM"`, model.BadInput, "filters[0].country.is[0]"},
		{ask(`$x: CountryFilter!`, `{country: $x}`), `{"is": "RO"}`, "", ""},
		{ask(`$x: CountryFilter`, `{country: $x}`), `{"is": "RO"}`, model.BadInput, ""},
		{ask(`$x: FilterInput! = {country: {is: "RO"}}`, `[$x]`), ``, "", ""},
		{ask(`$x: [FilterInput!] = {country: {is: "RO"}}`, `$x`), ``, "", ""},
		{ask(`$x: [FilterInput!] = {country: {is: "ROM"}}`, `$x`), ``, model.BadInput, "filters[0].country.is[0]"},
		{ask(`$x: Int = 5`, `{sessionLength: {min: $x}}`), ``, "", ""},
		{ask(`$x: Int = 5`, `{sessionLength: {min: $x}}`), `5.0`, "", ""},
		{ask(`$x: Int = 5`, `{sessionLength: {min: $x}}`), `1e3`, "", ""},
		{ask(`$x: Int = 5`, `{sessionLength: {min: $x}}`), `1.5`, model.BadInput, "x"},
		{ask(`$x: Int`, `{sessionLength: {min: $x}}`), `"1"`, model.BadInput, "x"},
		{ask(`$x: Float`, `{eventValue: {event: "buy", min: $x}}`), `1`, "", ""},
		{ask(`$x: Float`, `{eventValue: {event: "buy", min: $x}}`), `"1.5"`, model.BadInput, "x"},
		{ask(`$x: [DeviceKind!] = DESKTOP`, `{device: {is: $x}}`), ``, "", ""},
		{ask(`$x: DeviceKind!`, `{device: {is: [$x]}}`), `"desktop"`, model.BadInput, "x"},
		{ask(`$x: DeviceKind!`, `{device: {is: [$x]}}`), ``, model.BadInput, "x"},
		{ask(`$x: DeviceKind!`, `{device: {is: [$x]}}`), `null`, model.BadInput, "x"},
		{`query($s: ID!, $x: Time!) { site(id: $s) { sessionCount(range: {from: $x}) } }`, `"yesterday"`, model.BadInput, "range.from"},
		{`query($s: ID!, $x: TimeRange!) { site(id: $s) { sessionCount(range: $x) } }`, `{"from": 5}`, model.BadInput, "range.from"},
		{`query($s: ID!, $x: TimeRange!) { site(id: $s) { sessionCount(range: $x) } }`, `{}`, model.BadInput, "range"},
	} {
		v := vars{"s": site}
		if test.x != "" {
			v["x"] = raw(test.x)
		}
		if test.code == "" {
			g.want(test.query, v, `{"site": {"sessionCount": 0}}`)
		} else if e := g.refused(test.query, v, test.code, test.field); len(e.Locations) == 0 {
			t.Errorf("no place: %s", e)
		}
	}
	e := g.refused(`query($f: [FilterInput!]) { site(domain: "a.example") { sessionCount(filters: $f, `+in+`) } }`,
		vars{"f": raw(`[{"country": {"nope": 1}}]`)}, model.BadInput, "f[0].country.nope")
	if e.Message != "$f[0].country.nope is unknown; the fields of CountryFilter are is, isNot" {
		t.Error(e.Message)
	}
}
