package host

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

func TestMerge(t *testing.T) {
	h := newHost(t, Options{})
	list := func(filters ...string) []string { return filters }
	for _, test := range []struct {
		name         string
		active, goal []string
		// want is what each entry must hold, "empty" for none.
		want  []string
		label string
	}{
		{"ip: the goal's", list(`ip {"is":["10.0.0.1"]}`), list(`ip {"is":["10.0.0.2"]}`),
			list(`ip {"is":["10.0.0.2"]}`), "IP address is 10.0.0.2"},
		{"tags: all of both", list(`tags {"all":["A","B"]}`), list(`tags {"all":["B","C"]}`),
			list(`tags {"all":["A","B","C"]}`), "Tagged A, B and C"},
		{"pages: all of both", list(`pages {"all":["/a","/b"]}`), list(`pages {"all":["/b","/c"]}`),
			list(`pages {"all":["/a","/b","/c"]}`), "Visited /a, /b and /c"},
		{"events: all of both", list(`events {"all":["a"]}`), list(`events {"all":["b"]}`),
			list(`events {"all":["a","b"]}`), "Tracked a and b"},
		{"country: one side", list(`country {"is":["RO"]}`), nil, list(`country {"is":["RO"]}`), "Country is RO"},
		{"country: excluded", list(`country {"is":["RO"]}`), list(`country {"is":["US"]}`),
			list("empty"), "No session: Country is RO and Country is US exclude each other"},
		{"referrer: literals", list(`referrer {"is":["A.com","B.com"]}`), list(`referrer {"is":["B.com","C.com"]}`),
			list(`referrer {"is":["b.com"]}`), "Referrer is b.com"},
		{"referrer: glob and literals", list(`referrer {"is":["*google*"]}`), list(`referrer {"is":["www.google.com","t.co"]}`),
			list(`referrer {"is":["www.google.com"]}`), "Referrer is www.google.com"},
		{"referrer: two globs", list(`referrer {"is":["*google*"]}`), list(`referrer {"is":["*.com"]}`),
			list(`referrer {"is":["*google*"]}`, `referrer {"is":["*.com"]}`), "Referrer is *google* and Referrer is *.com"},
		{"referrer: glob in glob", list(`referrer {"is":["*google*"]}`), list(`referrer {"is":["www.google.*"]}`),
			list(`referrer {"is":["www.google.*"]}`), "Referrer is www.google.*"},
		{"referrer: none is no host", list(`referrer {"is":["*"]}`), list(`referrer {"is":["(direct)"]}`),
			list("empty"), "No session: Referrer is * and Referrer is (direct) exclude each other"},
		{"sessionLength: overlap", list(`sessionLength {"min":5,"max":30}`), list(`sessionLength {"min":17,"max":49}`),
			list(`sessionLength {"max":30,"min":17}`), "Session length 17–30 s"},
		{"sessionLength: excluded", list(`sessionLength {"min":5,"max":10}`), list(`sessionLength {"min":17,"max":49}`),
			list("empty"), "No session: Session length 5–10 s and Session length 17–49 s exclude each other"},
		{"country: is and isNot", list(`country {"is":["RO","US"]}`), list(`country {"isNot":["us"]}`),
			list(`country {"is":["RO"]}`), "Country is RO"},
		{"country: is and isNot excluded", list(`country {"is":["RO"]}`), list(`country {"isNot":["RO"]}`),
			list("empty"), "No session: Country is RO and Country is not RO exclude each other"},
		{"country: isNot of both", list(`country {"isNot":["RO"]}`), list(`country {"isNot":["US"]}`),
			list(`country {"isNot":["RO","US"]}`), "Country is not RO or US"},
		{"language: tree", list(`language {"is":["en"]}`), list(`language {"is":["en-GB","de"]}`),
			list(`language {"is":["en-gb"]}`), "Language is en-gb"},
		{"language: without a branch", list(`language {"is":["en"]}`), list(`language {"isNot":["en-GB","de"]}`),
			list(`language {"is":["en"],"isNot":["en-gb"]}`), "Language is en and is not en-gb"},
		{"property: two keys", list(`property {"key":"a","is":["x"]}`), list(`property {"key":"b","is":["x"]}`),
			list(`property {"is":["x"],"key":"a"}`, `property {"is":["x"],"key":"b"}`), "Property a is x and Property b is x"},
		{"property: one key", list(`property {"key":"a","is":["x","y"]}`), list(`property {"key":"a","is":["y"]}`),
			list(`property {"is":["y"],"key":"a"}`), "Property a is y"},
		{"eventValue: two events", list(`eventValue {"event":"a","min":1}`), list(`eventValue {"event":"b","min":1}`),
			list(`eventValue {"event":"a","min":1}`, `eventValue {"event":"b","min":1}`), "Value of a at least 1 and Value of b at least 1"},
		{"eventValue: one event", list(`eventValue {"event":"a","min":1.5}`), list(`eventValue {"event":"a","max":2}`),
			list(`eventValue {"event":"a","max":2,"min":1.5}`), "Value of a 1.5–2"},
		{"eventValue: one decimal", list(`eventValue {"event":"a","max":0.3}`), list(`eventValue {"event":"a","min":0.30000000000000004}`),
			list(`eventValue {"event":"a","max":0.3,"min":0.3}`), "Value of a 0.3"},
		{"variant: one experiment", list(`variant {"experiment":"e","is":["a","b"]}`), list(`variant {"experiment":"e","is":["c","b"]}`),
			list(`variant {"experiment":"e","is":["b"]}`), "Variant of e is b"},
		{"variant: excluded", list(`variant {"experiment":"e","is":["a"]}`), list(`variant {"experiment":"e","is":["b"]}`),
			list("empty"), "No session: Variant of e is a and Variant of e is b exclude each other"},
		{"variant: two experiments", list(`variant {"experiment":"e","is":["a"]}`), list(`variant {"experiment":"f","is":["a"]}`),
			list(`variant {"experiment":"e","is":["a"]}`, `variant {"experiment":"f","is":["a"]}`), "Variant of e is a and Variant of f is a"},
		{"visitor: new and returning", list(`visitor {"kind":"NEW"}`), list(`visitor {"kind":"RETURNING"}`),
			list("empty"), "No session: Visitor is new and Visitor is returning exclude each other"},
		{"utm: list by list", list(`utm {"source":["a","b"]}`), list(`utm {"medium":["m"],"source":["b"]}`),
			list(`utm {"medium":["m"],"source":["b"]}`), "UTM source is b, medium is m"},
		{"utm: excluded", list(`utm {"source":["a"]}`), list(`utm {"source":["b"]}`),
			list("empty"), "No session: UTM source is a and UTM source is b exclude each other"},
		{"device", list(`device {"is":["DESKTOP","MOBILE"]}`), list(`device {"isNot":["MOBILE"]}`),
			list(`device {"is":["DESKTOP"]}`), "Device is desktop"},
		{"one side alone, combined", list(`country {"is":["RO","US"]}`, `country {"is":["US"]}`), nil,
			list(`country {"is":["US"]}`), "Country is US"},
		{"one side alone, last", list(`ip {"is":["::1"]}`, `ip {"is":["::2"]}`), nil, list(`ip {"is":["::2"]}`), "IP address is ::2"},
		{"one side alone, excluded", list(`country {"is":["RO"]}`, `country {"is":["US"]}`), nil,
			list("empty", "empty"), "No session: Country is RO and Country is US exclude each other"},
		{"order of types", list(`pages {"all":["/a"]}`, `country {"is":["RO"]}`), list(`tags {"all":["t"]}`, `country {"is":["RO"]}`),
			list(`pages {"all":["/a"]}`, `country {"is":["RO"]}`, `tags {"all":["t"]}`), "Visited /a and Country is RO and Tagged t"},
		{"two keys on both sides", list(`property {"key":"a","is":["1"]}`, `property {"key":"b","is":["1","2"]}`), list(`property {"key":"b","is":["2"]}`),
			list(`property {"is":["1"],"key":"a"}`, `property {"is":["2"],"key":"b"}`), "Property a is 1 and Property b is 2"},
		{"nothing", nil, nil, nil, "All sessions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			merged, err := h.Merge(t.Context(), specs(test.active...), specs(test.goal...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range merged.Filters {
				if f.Empty != (f.Filter == nil) || f.Active == nil && f.Goal == nil || f.Rule != f.Type.Rule {
					t.Errorf("entry %+v", f)
				}
				if f.Empty {
					got = append(got, "empty")
				} else {
					got = append(got, f.Filter.Type+" "+string(f.Filter.Args))
				}
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("filters\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			if merged.Label != test.label {
				t.Errorf("label %q, want %q", merged.Label, test.label)
			}
			isEmpty := strings.Contains(strings.Join(test.want, ""), "empty")
			if merged.Empty != isEmpty || (merged.Predicate.String() == "false") != isEmpty {
				t.Errorf("empty %v, predicate %s", merged.Empty, merged.Predicate)
			}
		})
	}
}

func TestMergeSaysWhereFiltersCameFrom(t *testing.T) {
	h := newHost(t, Options{})
	merged, err := h.Merge(t.Context(),
		specs(`referrer {"is":["*google*"]}`, `country {"is":["RO","US"]}`, `ip {"is":["::1"]}`, `tags {"all":["x"]}`),
		specs(`referrer {"is":["*.com"]}`, `country {"is":["US"]}`, `ip {"is":["::2"]}`, `pages {"all":["/"]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range merged.Filters {
		got = append(got, fmt.Sprintf("%s %s active=%t goal=%t", f.Type.Name, f.Rule, f.Active != nil, f.Goal != nil))
	}
	want := []string{
		"referrer INTERSECTION active=true goal=false", "referrer INTERSECTION active=false goal=true",
		"country INTERSECTION active=true goal=true", "ip LAST active=true goal=true",
		"tags UNION active=true goal=false", "pages UNION active=false goal=true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMergeNamesTheFilterAtFault(t *testing.T) {
	h := newHost(t, Options{})
	_, err := h.Merge(t.Context(), specs(`country {"is":["RO"]}`), specs(`tags {"all":["a"]}`, `country {"is":["RO","UK"]}`))
	want := `goal[1].country.is[1]: "UK" is not an ISO 3166-1 alpha-2 code; write GB`
	if err == nil || err.Error() != want || model.CodeOf(err) != model.BadInput {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestGroupsNameTheFilterAtFault(t *testing.T) {
	h := newHost(t, Options{})
	bad := specs(`country {"is":["RO","UK"]}`)
	segment := &model.Segment{Name: "S", Filters: bad}
	for want, f := range map[string]model.FilterSpec{
		`anyOf[1].not.country.is[1]: "UK" is not`: {Type: model.AnyOf, Parts: append(specs(`tags {"all":["a"]}`), model.FilterSpec{Type: model.Not, Parts: bad})},
		`allOf[0].segment: "UK" is not`:           {Type: model.AllOf, Parts: []model.FilterSpec{{Type: model.InSegment, Segment: segment}}},
		`not: filter type nobody is not loaded`:   {Type: model.Not, Parts: specs(`nobody {}`)},
		`segment: the segment cannot be read`:     {Type: model.InSegment, SegmentID: 7},
	} {
		if _, err := h.Compile(t.Context(), f); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Compile: error %v, want %s", err, want)
		}
		if _, err := h.Merge(t.Context(), nil, []model.FilterSpec{f}); err == nil || !strings.HasPrefix(err.Error(), "goal[0]."+want) {
			t.Errorf("Merge: error %v, want goal[0].%s", err, want)
		}
	}
}

// Merged by UNION and INTERSECTION, with groups anywhere, exactly the sessions are matched
// that match both sides; and each filter alone matches what its predicate does.
func TestMergedMatchesWhatBothSidesDo(t *testing.T) {
	h := newHost(t, Options{})
	r := rand.New(rand.NewPCG(1, 2))
	sessions := make([]*model.Session, 400)
	for i := range sessions {
		sessions[i] = randomSession(r)
	}
	matched, emptied := 0, 0
	for i := range 1500 {
		sides := [2][]model.FilterSpec{randomFilters(r), randomFilters(r)}
		if i%3 == 0 {
			sides = [2][]model.FilterSpec{randomGroups(r, sides[0]), randomGroups(r, sides[1])}
		}
		apart := filter.And{apartOf(t, h, sides[0]), apartOf(t, h, sides[1])}
		merged, err := h.Merge(t.Context(), sides[0], sides[1])
		if err != nil {
			t.Fatal(err)
		}
		again := filter.And{}
		for _, f := range merged.Filters {
			if f.Filter != nil {
				compiled, err := h.Compile(t.Context(), *f.Filter)
				if err != nil {
					t.Fatal(err)
				}
				again = append(again, compiled.Predicate)
			}
		}
		if merged.Empty {
			emptied++
		}
		for _, s := range sessions {
			want := apart.Match(s)
			if want {
				matched++
			}
			if merged.Predicate.Match(s) != want || (!merged.Empty && again.Match(s) != want) {
				t.Fatalf("%+v and %+v: merged to %s, %q, which for %+v is not %t", sides[0], sides[1], merged.Predicate, merged.Label, s, want)
			}
		}
	}
	if matched < 1000 || emptied < 50 {
		t.Errorf("too little happened: %d matches, %d empty", matched, emptied)
	}
}

// apartOf returns the predicate of filters that must all hold: those of the single filters, put together as groups say.
func apartOf(t *testing.T, h testHost, specs []model.FilterSpec) filter.Expr {
	t.Helper()
	all := filter.And{}
	for _, f := range specs {
		switch f.Type {
		case model.AnyOf:
			any := filter.Or{}
			for i := range f.Parts {
				any = append(any, apartOf(t, h, f.Parts[i:i+1]))
			}
			all = append(all, any)
		case model.AllOf:
			all = append(all, apartOf(t, h, f.Parts))
		case model.Not:
			all = append(all, filter.Not{Expr: apartOf(t, h, f.Parts)})
		case model.InSegment:
			all = append(all, apartOf(t, h, f.Segment.Filters))
		default:
			compiled, err := h.Compile(t.Context(), f)
			if err != nil {
				t.Fatalf("%s %s: %v", f.Type, f.Args, err)
			}
			all = append(all, compiled.Predicate)
		}
	}
	return all
}

// randomGroups returns filters with some of them in groups and in segments.
func randomGroups(r *rand.Rand, filters []model.FilterSpec) (all []model.FilterSpec) {
	for len(filters) > 0 {
		n := 1 + r.IntN(len(filters))
		parts := slices.Clone(filters[:n])
		if r.IntN(2) == 0 {
			parts = randomGroups(r, parts)
		}
		switch filters = filters[n:]; r.IntN(5) {
		case 0:
			all = append(all, parts...)
		case 1:
			all = append(all, model.FilterSpec{Type: model.AnyOf, Parts: parts})
		case 2:
			all = append(all, model.FilterSpec{Type: model.AllOf, Parts: parts})
		case 3:
			all = append(all, model.FilterSpec{Type: model.Not, Parts: parts[:1]})
		case 4:
			all = append(all, model.FilterSpec{Type: model.InSegment, SegmentID: 1, Segment: &model.Segment{ID: 1, Name: fmt.Sprint(r.IntN(3)), Filters: parts}})
		}
	}
	return all
}

var pools = map[string][]string{
	"city":    {"London", "Munich", "*n*", "*"},
	"region":  {"England", "Bavaria", "*n*", "*"},
	"country": {"RO", "US", "DE"}, "referrer": {"www.google.com", "google.de", "t.co", "(direct)", "*google*", "*.com", "*", "www.*", "GOOGLE.de.", "xn--caf-dma.example"},
	"entryPage": {"/", "/a", "/a/b", "/a*", "*b", "*", "/a%20b", "a b", "*a b*", "*a%20b"}, "hostname": {"www.shop.example", "Shop.example", "*.shop.example", "*"}, "exitPage": {"/", "/a", "/a*", "/%61?q"}, "browser": {"Chrome", "Firefox"},
	"os": {"Windows", "Linux"}, "device": {"DESKTOP", "MOBILE"}, "language": {"en", "en-GB", "de", "en-us"},
	"tags": {"x", "y", "z"}, "pages": {"/", "/a", "/a/b", "/a*", "*b"}, "events": {"buy", "see"}, "visitor": {"v1", "v2", "v3"},
	"utm": {"s", "t"}, "property": {"p", "q"}, "variant": {"a", "b", "c"},
}

func pick(r *rand.Rand, pool []string) string { return pool[r.IntN(len(pool))] }

func some(r *rand.Rand, pool []string) string {
	var list []string
	for range 1 + r.IntN(3) {
		list = append(list, fmt.Sprintf("%q", pick(r, pool)))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func randomFilters(r *rand.Rand) []model.FilterSpec {
	var list []model.FilterSpec
	types := []string{"country", "city", "region", "referrer", "entryPage", "hostname", "exitPage", "browser", "os", "device", "language", "tags", "pages",
		"events", "visitor", "utm", "property", "sessionLength", "pageViews", "eventValue", "variant", "referrer", "language"}
	for range r.IntN(4) {
		typ := pick(r, types)
		var args string
		switch typ {
		case "tags", "pages", "events":
			args = fmt.Sprintf(`{"all":%s}`, some(r, pools[typ]))
		case "utm":
			args = fmt.Sprintf(`{%q:%s}`, pick(r, []string{"source", "medium"}), some(r, pools[typ]))
		case "variant":
			args = fmt.Sprintf(`{"experiment":%q,"is":%s}`, pick(r, []string{"e", "f"}), some(r, pools[typ]))
		case "visitor":
			args = pick(r, []string{`{"kind":"NEW"}`, `{"kind":"RETURNING"}`, `{"is":` + some(r, pools[typ]) + `}`})
		case "sessionLength", "pageViews", "eventValue":
			low := r.IntN(5)
			ends := pick(r, []string{fmt.Sprintf(`"min":%d`, low), fmt.Sprintf(`"max":%d`, low), fmt.Sprintf(`"min":%d,"max":%d`, low, low+r.IntN(3))})
			if typ == "eventValue" {
				ends += fmt.Sprintf(`,"event":%q`, pick(r, pools["events"]))
			}
			args = "{" + ends + "}"
		default:
			args = pick(r, []string{
				`"is":` + some(r, pools[typ]), `"isNot":` + some(r, pools[typ]),
				`"is":` + some(r, pools[typ]) + `,"isNot":` + some(r, pools[typ]),
			})
			if typ == "property" {
				args += fmt.Sprintf(`,"key":%q`, pick(r, []string{"k", "l"}))
			}
			args = "{" + args + "}"
		}
		list = append(list, spec(typ, args))
	}
	return list
}

func randomSession(r *rand.Rand) *model.Session {
	maybe := func(pool ...string) string {
		if r.IntN(4) == 0 {
			return ""
		}
		return pick(r, pool)
	}
	s := &model.Session{
		VisitorKey: pick(r, pools["visitor"]), First: r.IntN(2) == 0, End: model.Millis(r.IntN(8000)), PageViews: r.IntN(8),
		ExitPage: maybe("/", "/a", "/b"), Properties: map[string]string{},
		Assigned: map[string]string{"e": maybe("a", "b", "c", "d"), "f": maybe("a", "b", "c")},
		Origin: model.Origin{
			Country: maybe("RO", "US", "DE", "FR"), City: maybe("London", "Munich", "Elsewhere"), Region: maybe("England", "Bavaria", "Elsewhere"), Referrer: maybe("www.google.com", "google.de", "t.co", "x.com"),
			EntryPage: maybe("/", "/a", "/a/b", "/c", "/a%20b", "a b", "a%20b"), Hostname: maybe("www.shop.example", "shop.example", "x.example"), Browser: maybe("Chrome", "Firefox", "Safari"), OS: maybe("Windows", "Linux"),
			Device: model.Device(maybe("DESKTOP", "MOBILE", "TABLET")), Language: maybe("en", "en-gb", "en-us", "de", "eno"),
			UTM: model.UTM{Source: maybe("s", "t", "u"), Medium: maybe("s", "t")},
		},
	}
	for _, key := range []string{"k", "l"} {
		if value := maybe("p", "q", "r"); value != "" {
			s.Properties[key] = value
		}
	}
	for _, page := range []string{"/", "/a", "/a/b", "/c"} {
		if r.IntN(2) == 0 {
			s.Pages = append(s.Pages, page)
		}
	}
	for _, tag := range pools["tags"] {
		if r.IntN(2) == 0 {
			s.Tags = append(s.Tags, tag)
		}
	}
	for _, event := range pools["events"] {
		if r.IntN(2) == 0 {
			s.Events = append(s.Events, model.EventSum{Name: event, Count: 1, Values: r.IntN(2), Sum: model.SumOf(float64(r.IntN(7)))})
		}
	}
	return s
}

func TestRulesAreTheGraphs(t *testing.T) {
	for _, rule := range []Rule{plugins.Last, plugins.Union, plugins.Intersection, plugins.Custom} {
		if got := plugins.RuleOf(rule.Proto()); got != rule {
			t.Errorf("%s became %s", rule, got)
		}
	}
}
