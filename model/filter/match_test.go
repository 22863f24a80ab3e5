package filter_test

import (
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
)

func TestMatchFields(t *testing.T) {
	session := model.Session{
		VisitorKey: "ann", First: true, Start: 1000, End: 31_000, PageViews: 3,
		Origin: model.Origin{
			IP: "10.0.0.1", Country: "RO", Referrer: "t.co", EntryPage: "/", Browser: "Firefox", OS: "Linux", Device: model.Desktop, Language: "ro-ro",
			UTM: model.UTM{Source: "s", Medium: "m", Campaign: "c", Term: "t", Content: "o"},
		},
		ExitPage: "/bye", Pages: []string{"/", "/bye"}, Tags: []string{"x"},
		Events:     []model.EventSum{{Name: "buy", Count: 2, Values: 1, Sum: (5 * model.One).Sum()}, {Name: "look", Count: 1}},
		Properties: map[string]string{"plan": "pro", "void": ""},
		Computed:   map[string]bool{"a": true},
		Assigned:   map[string]string{"x": "a", "empty": ""},
	}
	for text, want := range map[string]bool{
		`(in ip "10.0.0.1")`: true, `(in country "RO")`: true, `(in country "ro")`: false, `(in referrer "t.co")`: true, `(in entryPage "/")`: true,
		`(in exitPage "/bye")`: true, `(in browser "Firefox")`: true, `(in os "Linux")`: true, `(in device "DESKTOP")`: true, `(in language "ro-ro")`: true,
		`(in utmSource "s")`: true, `(in utmMedium "m")`: true, `(in utmCampaign "c")`: true, `(in utmTerm "t")`: true, `(in utmContent "o")`: true,
		`(in visitor "ann")`: true, `(in visitorKind "NEW")`: true, `(in visitorKind "RETURNING")`: false, `(in visitorKind "")`: false,
		`(in tags "y" "x")`: true, `(in tags "")`: false, `(in pages "/bye")`: true, `(in events "look")`: true, `(in events "see")`: false,
		`(in property["plan"] "pro")`: true, `(in property["plan"] "")`: false, `(in property["none"] "")`: true, `(in property["void"] "")`: true, `(glob property["none"] "*")`: false,
		`(glob pages "/b*")`: true, `(glob pages "*c*")`: false, `(glob country "R")`: false,
		`(within ip 10.0.0.0/8)`: true, `(within ip 11.0.0.0/8)`: false,
		`(range length 30000 30000)`: true, `(range length 30001 _)`: false, `(range length _ 29999)`: false,
		`(range pageViews 3 3)`: true, `(range start 1000 1000)`: true,
		`(range value["buy"] 5 5)`: true, `(range value["look"] _ _)`: false, `(range value["none"] _ _)`: false,
		`(computed "a")`: true, `(computed "b")`: false, `(and (computed "a") (not (computed "b")))`: true,
		`(assigned "x" "b" "a")`: true, `(assigned "x" "b")`: false, `(assigned "x")`: false, `(assigned "y" "a")`: false, `(assigned "y" "")`: false, `(assigned "empty" "")`: false,
		`(and)`: true, `(or)`: false, `(not (in os "Linux"))`: false,
	} {
		if got := mustParse(t, text).Match(&session); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if !(filter.In{Field: filter.Tags, Values: []string{""}}).Match(&model.Session{}) {
		t.Error(`(in tags "") does not match a session without tags`)
	}
}

func TestFieldKinds(t *testing.T) {
	for field, want := range map[filter.Field]filter.Kind{
		filter.Country: filter.One, filter.Pages: filter.Many, filter.Length: filter.Number,
		filter.Property("a"): filter.One, filter.EventValue("a"): filter.Number,
		filter.Property(""): filter.Unknown, filter.EventValue(""): filter.Unknown,
		{Name: "country", Key: "a"}: filter.Unknown, {Name: "tags", Key: "a"}: filter.Unknown, {Name: "length", Key: "a"}: filter.Unknown,
		{}: filter.Unknown, {Name: "Country"}: filter.Unknown,
	} {
		if got := field.Kind(); got != want {
			t.Errorf("%s is of kind %d, want %d", field, got, want)
		}
	}
	session := model.Session{Start: 1}
	if _, ok := filter.Country.Number(&session); ok {
		t.Error("country has a number")
	}
	if texts := filter.Length.Texts(&session); texts != nil {
		t.Errorf("length has the texts %q", texts)
	}
}

// A range of sums compares decimals, also where its ends are no decimals.
func TestRangeOfSums(t *testing.T) {
	sum := func(values ...string) (session model.Session) {
		event := model.EventSum{Name: "buy", Count: len(values), Values: len(values)}
		for _, text := range values {
			value, err := model.ParseDecimal(text)
			if err != nil {
				t.Fatal(err)
			}
			event.Sum = event.Sum.Add(value.Sum())
		}
		return model.Session{Events: []model.EventSum{event}}
	}
	tenths := 0.1
	for _, test := range []struct {
		session  model.Session
		min, max float64
		want     bool
	}{
		{sum("10.10", "20.20"), 30.30, math.Inf(1), true},
		{sum("10.10", "20.20"), math.Inf(-1), 30.30, true},
		{sum("10.10", "20.20"), 30.30, 30.30, true},
		{sum("10.10", "20.20"), 30.300001, math.Inf(1), false},
		{sum("10.10", "20.20"), math.Inf(-1), 30.299999, false},
		{sum("0.3"), tenths + 0.2, math.Inf(1), true},
		{sum("0.3"), tenths + 0.2, 0.3, true},
		{sum("8999999999999.99", "0.01"), 9e12, 9e12, true},
		{sum("8e12", "8e12"), 1.6e13, 1.6e13, true},
		{sum("8e12", "8e12"), 1e300, math.Inf(1), false},
		{sum("0"), math.NaN(), math.Inf(1), false},
		{sum("0"), math.Inf(1), math.Inf(1), false},
		{sum("0"), math.Inf(-1), math.Inf(-1), false},
		{sum(), math.Inf(-1), math.Inf(1), false},
	} {
		e := filter.Range{Field: filter.EventValue("buy"), Min: test.min, Max: test.max}
		for _, e := range []filter.Expr{e, filter.Simplify(e), mustParse(t, e.String())} {
			if got := e.Match(&test.session); got != test.want {
				t.Errorf("%s of the sum %v: %t", e, test.session.Events[0].Sum, got)
			}
		}
	}
}

func TestUses(t *testing.T) {
	e := mustParse(t, `(and (or (in os "a") (not (glob property["p"] "a*"))) (within ip 10.0.0.0/8) (range length 1 2) true)`)
	for field, want := range map[filter.Field]bool{
		filter.OS: true, filter.Property("p"): true, filter.IP: true, filter.Length: true,
		filter.Property("q"): false, filter.Country: false, filter.EventValue("p"): false,
	} {
		if got := filter.Uses(e, field); got != want {
			t.Errorf("%s uses %s: %v, want %v", e, field, got, want)
		}
	}
}

func TestExperiments(t *testing.T) {
	e := mustParse(t, `(and (or (assigned "b" "x") (not (assigned "a"))) (in os "c") (assigned "b" "y"))`)
	if got := filter.Experiments(e); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("%s needs the experiments %q", e, got)
	}
}

func randomText(r *rand.Rand, alphabet string, most int) string {
	letters := []rune(alphabet)
	var text strings.Builder
	for range r.IntN(most + 1) {
		text.WriteRune(letters[r.IntN(len(letters))])
	}
	return text.String()
}

func TestMatchGlobIsARegularExpression(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	matched := 0
	for range 50_000 {
		pattern, text := randomText(r, "ab.é*", 6), randomText(r, "ab.é*\n", 8)
		oracle := regexp.MustCompile(`(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `\z`)
		got, want := filter.MatchGlob(pattern, text), oracle.MatchString(text)
		if got != want {
			t.Fatalf("MatchGlob(%q, %q) is %v", pattern, text, got)
		}
		if want {
			matched++
		}
	}
	if matched < 1000 {
		t.Errorf("only %d pairs match", matched)
	}
}

func TestGlobContains(t *testing.T) {
	for _, test := range []struct {
		outer, inner string
		want         bool
	}{
		{"*", "", true}, {"*", "*", true}, {"*.com", "www.*.com", true}, {"*google*", "*.google.*", true}, {"a*", "a*b", true},
		{"a*b", "a*", false}, {"a", "a*", false}, {"a*", "*", false}, {"*a*", "*b*", false}, {"a\x00b", "a*b", false}, {"", "*", false},
	} {
		if got := filter.GlobContains(test.outer, test.inner); got != test.want {
			t.Errorf("GlobContains(%q, %q) is %v", test.outer, test.inner, got)
		}
	}
	r := rand.New(rand.NewPCG(9, 10))
	contained := 0
	for range 50_000 {
		outer, inner := randomText(r, "ab\x00*", 4), randomText(r, "ab\x00*", 4)
		if !filter.GlobContains(outer, inner) {
			continue
		}
		contained++
		for range 10 {
			text := inner
			for strings.Contains(text, "*") {
				text = strings.Replace(text, "*", randomText(r, "ab\x00é", 3), 1)
			}
			if !filter.MatchGlob(outer, text) {
				t.Fatalf("GlobContains(%q, %q), but only the latter matches %q", outer, inner, text)
			}
		}
	}
	if contained < 1000 {
		t.Errorf("only %d pairs contain each other", contained)
	}
}

func TestMatchGlobIsFast(t *testing.T) {
	text := strings.Repeat("a", 1<<20)
	for _, pattern := range []string{
		strings.Repeat("a*", filter.MaxStars) + "b",
		strings.Repeat("*a", filter.MaxStars) + "*b*",
		strings.Repeat("*aaaaaaaaaaaaaaaab", filter.MaxStars) + "*",
		strings.Repeat("*", 10_000) + "b*",
		"*" + strings.Repeat("a", 1000) + "b*",
	} {
		within(t, 10*time.Second, func() {
			if filter.MatchGlob(pattern, text) {
				t.Errorf("%.20q… matches", pattern)
			}
		})
	}
}

// The laws of the tree that merging builds on.
func TestMatchLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 20_000 {
		a, b, s := randomExpr(r), randomExpr(r), filtertest.RandomSession(r)
		x, y := a.Match(&s), b.Match(&s)
		for _, law := range []struct {
			e    filter.Expr
			want bool
		}{
			{filter.And{a, b}, x && y}, {filter.Or{a, b}, x || y}, {filter.Not{Expr: a}, !x},
			{filter.Not{Expr: filter.And{a, b}}, !x || !y},
			{filter.Simplify(filter.And{filter.Simplify(a), filter.Simplify(b)}), x && y},
			{filter.Simplify(filter.Or{filter.Simplify(a), filter.Simplify(b)}), x || y},
		} {
			if law.e.Match(&s) != law.want {
				t.Fatalf("%s: want %v for %+v", law.e, law.want, s)
			}
		}
	}
	s := model.Session{}
	if (filter.Range{Field: filter.Length, Min: math.NaN(), Max: math.Inf(1)}).Match(&s) {
		t.Error("a range from NaN matches")
	}
}
