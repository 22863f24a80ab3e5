package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func TestCompile(t *testing.T) {
	h := newHost(t, Options{})
	for _, test := range []struct{ typ, args, predicate, label string }{
		{"ip", `{"is":["10.1.2.3/8","::ffff:1.2.3.4"]}`, `(within ip 1.2.3.4/32 10.0.0.0/8)`, "IP address is 10.1.2.3/8 or ::ffff:1.2.3.4"},
		{"tags", `{"all":["b","a","b"]}`, `(and (in tags "a") (in tags "b"))`, "Tagged b and a"},
		{"pages", `{"all":["/p","/blog/**"]}`, `(and (glob pages "/blog/*") (in pages "/p"))`, "Visited /p and /blog/*"},
		{"events", `{"all":["buy"]}`, `(in events "buy")`, "Tracked buy"},
		{"country", `{"is":["ro","us"]}`, `(in country "RO" "US")`, "Country is RO or US"},
		{"country", `{"is":["XK"]}`, `(in country "XK")`, "Country is XK"},
		{"country", `{"isNot":["US"],"is":null}`, `(not (in country "US"))`, "Country is not US"},
		{"referrer", `{"is":["T.co","*Google*"]}`, `(or (glob referrer "*google*") (in referrer "t.co"))`, "Referrer is t.co or *google*"},
		{"referrer", `{"is":["(direct)"]}`, `(in referrer "")`, "Referrer is (direct)"},
		{"referrer", `{"is":["Google.com.","xn--caf-dma.example","*.XN--CAF-DMA.example","10.0.0.1"]}`, `(or (glob referrer "*.café.example") (in referrer "10.0.0.1" "café.example" "google.com"))`, "Referrer is google.com, café.example, *.café.example or 10.0.0.1"},
		{"hostname", `{"isNot":["CAFÉ.example."]}`, `(not (in hostname "café.example"))`, "Hostname is not café.example"},
		{"pages", `{"all":["/caf%C3%A9/*","/a b?q#f","/%7Ea%2fb","/100%"]}`, `(and (glob pages "/café/*") (in pages "/100%25") (in pages "/a%20b") (in pages "/~a%2Fb"))`, "Visited /café/*, /a%20b, /~a%2Fb and /100%25"},
		{"pages", `{"all":["*/caf%C3%A9","Your Cart"]}`, `(and (in pages "Your Cart" "Your%20Cart") (or (glob pages "*/caf%C3%A9") (glob pages "*/café")))`, "Visited */caf%C3%A9 and Your Cart"},
		{"exitPage", `{"is":["/café","/caf%c3%a9"]}`, `(in exitPage "/café")`, "Exit page is /café"},
		{"sessionLength", `{"min":5,"max":30}`, `(range length 5000 30999)`, "Session length 5–30 s"},
		{"sessionLength", `{"min":5}`, `(range length 5000 _)`, "Session length at least 5 s"},
		{"pageViews", `{"max":2}`, `(range pageViews _ 2)`, "Page views at most 2"},
		{"eventValue", `{"event":"buy","min":1.5}`, `(range value["buy"] 1.5 _)`, "Value of buy at least 1.5"},
		{"entryPage", `{"is":["/A*"]}`, `(glob entryPage "/A*")`, "Entry page is /A*"},
		{"exitPage", `{"is":["/"]}`, `(in exitPage "/")`, "Exit page is /"},
		{"browser", `{"is":["Chrome"]}`, `(in browser "Chrome")`, "Browser is Chrome"},
		{"os", `{"isNot":["Windows","Linux"]}`, `(not (in os "Linux" "Windows"))`, "Operating system is not Windows or Linux"},
		{"device", `{"is":["MOBILE"]}`, `(in device "MOBILE")`, "Device is mobile"},
		{"language", `{"is":["en"]}`, `(or (glob language "en-*") (in language "en"))`, "Language is en"},
		{"language", `{"is":["en-GB"]}`, `(or (glob language "en-gb-*") (in language "en-gb"))`, "Language is en-gb"},
		{"utm", `{"source":["a"],"medium":["b","c"]}`, `(and (in utmMedium "b" "c") (in utmSource "a"))`, "UTM source is a, medium is b or c"},
		{"visitor", `{"is":["v"],"kind":"NEW"}`, `(and (in visitor "v") (in visitorKind "NEW"))`, "Visitor is v and is new"},
		{"variant", `{"experiment":"e","is":["b","a","b"]}`, `(assigned "e" "a" "b")`, "Variant of e is b or a"},
		{"property", `{"key":"plan","is":["pro"]}`, `(in property["plan"] "pro")`, "Property plan is pro"},
	} {
		compiled, err := h.Compile(t.Context(), spec(test.typ, test.args))
		if err != nil {
			t.Errorf("%s %s: %v", test.typ, test.args, err)
			continue
		}
		if compiled.Predicate.String() != test.predicate || compiled.Label != test.label {
			t.Errorf("%s %s: %s, %q; want %s, %q", test.typ, test.args, compiled.Predicate, compiled.Label, test.predicate, test.label)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	h := newHost(t, Options{})
	stars := strings.Repeat("*a", 10_000)
	many := `["` + strings.Repeat(`a","`, 1000) + `a"]`
	for _, test := range []struct{ typ, args, field, message string }{
		{"country", `{"is":[]}`, "country.is", "the list is empty"},
		{"country", `{}`, "country", "give is, isNot or both"},
		{"country", `{"is":null}`, "country", "give is, isNot or both"},
		{"country", `{"is":["RO","UK"]}`, "country.is[1]", "write GB"},
		{"country", `{"is":["ZZ"]}`, "country.is[0]", "not an ISO 3166-1"},
		{"country", `{"is":["ROU"]}`, "country.is[0]", "not an ISO 3166-1"},
		{"country", `{"is":["EU"]}`, "country.is[0]", "not an ISO 3166-1"},
		{"country", `{"is":[""]}`, "country.is[0]", "empty"},
		{"country", `{"is":"RO"}`, "country.is", "expected a list"},
		{"country", `{"is":["RO",null]}`, "country.is[1]", "expected a string"},
		{"country", `{"are":["RO"]}`, "country.are", "no such argument; use one of: is, isNot"},
		{"country", `{"IS":["RO"]}`, "country.IS", "no such argument"},
		{"country", `[]`, "country", "not a JSON object"},
		{"country", `{"is":["RO"]} {}`, "country", "not a JSON object"},
		{"country", `{"is":["` + "\xff" + `"]}`, "country", "UTF-8"},
		{"ip", `{"is":["10.0.0.0/40"]}`, "ip.is[0]", "neither an IP address nor a CIDR block"},
		{"ip", `{}`, "ip.is", "missing"},
		{"referrer", `{"is":["t.co","` + stars + `"]}`, "referrer.is[1]", "the maximum is 2048"},
		{"referrer", `{"is":["t.co","` + strings.Repeat("*a", 65) + `"]}`, "referrer.is[1]", "has 65 stars; the maximum is 64"},
		{"pages", `{"all":["` + strings.Repeat("*", 1000) + `"]}`, "pages.all[0]", "has 1000 stars; the maximum is 64"},
		{"pages", `{"all":[]}`, "pages.all", "empty"},
		{"hostname", `{"is":["a.example","."]}`, "hostname.is[1]", "no name of a host"},
		{"tags", `{"all":` + many + `}`, "tags.all", "1001 values are too many; the maximum is 1000"},
		{"sessionLength", `{}`, "sessionLength", "give min, max or both"},
		{"sessionLength", `{"min":5,"max":4}`, "sessionLength.min", "min 5 is greater than max 4"},
		{"sessionLength", `{"min":-1}`, "sessionLength.min", "must be at least 0, not -1"},
		{"sessionLength", `{"min":1.5}`, "sessionLength.min", "expected a whole number"},
		{"eventValue", `{"min":1}`, "eventValue.event", "empty"},
		{"eventValue", `{"event":"a"}`, "eventValue", "give min, max or both"},
		{"device", `{"is":["PHONE"]}`, "device.is[0]", "not a kind of device"},
		{"language", `{"is":["english please"]}`, "language.is[0]", "BCP 47"},
		{"utm", `{}`, "utm", "give at least one of source"},
		{"variant", `{"experiment":"e"}`, "variant.is", "the list is missing"},
		{"variant", `{"experiment":"e","is":[]}`, "variant.is", "the list is empty"},
		{"variant", `{"experiment":"e","is":["a",""]}`, "variant.is[1]", "the value is empty"},
		{"variant", `{"is":["a"]}`, "variant.experiment", "the value is empty"},
		{"visitor", `{}`, "visitor", "give is, kind or both"},
		{"visitor", `{"kind":"OLD"}`, "visitor.kind", "neither NEW nor RETURNING"},
		{"property", `{"is":["a"]}`, "property.key", "empty"},
		{"property", `{"key":"k"}`, "property", "give is, isNot or both"},
	} {
		_, err := h.Compile(t.Context(), spec(test.typ, test.args))
		e, ok := errors.AsType[*model.Error](err)
		if !ok || e.Code != model.BadInput || e.Field != test.field || !strings.Contains(e.Message, test.message) {
			t.Errorf("%s %.60s: %v; want %s: …%s…", test.typ, test.args, err, test.field, test.message)
		}
	}
	_, err := h.Compile(t.Context(), spec("shoeSize", `{}`))
	if model.CodeOf(err) != model.Unavailable || err.Error() != "filter type shoeSize is not loaded" {
		t.Errorf("unknown type: %v", err)
	}
}

func BenchmarkMerge(b *testing.B) {
	h := newHost(b, Options{})
	active := specs(`referrer {"is":["*google*"]}`, `country {"is":["RO","US"]}`)
	goal := specs(`referrer {"is":["www.google.com","t.co"]}`, `pages {"all":["/pricing"]}`)
	for b.Loop() {
		if _, err := h.Merge(b.Context(), active, goal); err != nil {
			b.Fatal(err)
		}
	}
}
