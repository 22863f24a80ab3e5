package model_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
)

func site(name string, timezone string, domains ...string) *model.Site {
	return &model.Site{Name: name, Timezone: timezone, Domains: domains}
}

func TestValidate(t *testing.T) {
	long, megabyte := strings.Repeat("é", 200), strings.Repeat("x", 1<<20)
	label := strings.Repeat("a", 63)
	for _, test := range []struct {
		name  string
		noun  interface{ Validate() error }
		field string // at fault; empty where all is well
		says  string
	}{
		{"site", site("Shop", "Europe/Bucharest", "shop.example", "localhost", "a_b.example", "xn--bcher-kva.example", "10.0.0.1"), "", ""},
		{"site without a domain", site("Shop", "UTC"), "", ""},
		{"site with a long name", site(long, "UTC"), "", ""},
		{"site without a name", site(" \t", "UTC"), "name", "is empty"},
		{"site with a name too long", site(long+"x", "UTC"), "name", "201 characters; the maximum is 200"},
		{"site with a name of a megabyte", site(megabyte, "UTC"), "name", "1048576 characters"},
		{"site with a control character", site("a\x00b", "UTC"), "name", "U+0000"},
		{"site with a C1 control character", site("a\u0085b", "UTC"), "name", "U+0085"},
		{"site with invalid UTF-8", site("a\xff", "UTC"), "name", "UTF-8"},
		{"site with a URL", site("Shop", "UTC", "https://shop.example/"), "domains", `"https://shop.example/" is not a host name`},
		{"site with a port", site("Shop", "UTC", "shop.example:80"), "domains", "is not a host name"},
		{"site with an empty domain", site("Shop", "UTC", ""), "domains", "is not a host name"},
		{"site with an empty label", site("Shop", "UTC", "shop..example"), "domains", "is not a host name"},
		{"site with a hyphen at the end", site("Shop", "UTC", "shop-.example"), "domains", "is not a host name"},
		{"site with the longest label", site("Shop", "UTC", label+".example"), "", ""},
		{"site with a label too long", site("Shop", "UTC", label+"a.example"), "domains", "is not a host name"},
		{"site with a domain too long", site("Shop", "UTC", strings.Repeat("abc.", 64)+"example"), "domains", "is not a host name"},
		{"site with a domain of a megabyte", site("Shop", "UTC", megabyte), "domains", "is not a host name"},
		{"site with a domain of invalid UTF-8", site("Shop", "UTC", "\xff.example"), "domains", "is not a host name"},
		{"site with too many domains", site("Shop", "UTC", make([]string, 101)...), "domains", "101 domains"},
		{"site without a zone", site("Shop", ""), "timezone", "is missing"},
		{"site with the machine's zone", site("Shop", "Local"), "timezone", "is missing"},
		{"site with an unknown zone", site("Shop", "Europe/Atlantis"), "timezone", `"Europe/Atlantis" is not an IANA time zone`},
		{"site with a path for a zone", site("Shop", "../../etc/passwd"), "timezone", "is not an IANA time zone"},
		{"site with a zone of a megabyte", site("Shop", megabyte), "timezone", "is not an IANA time zone"},

		{"segment", &model.Segment{Name: "Şcoală 日本"}, "", ""},
		{"segment without a name", &model.Segment{}, "name", "is empty"},
		{"segment with a name of a megabyte", &model.Segment{Name: megabyte}, "name", "1048576 characters"},
		{"segment with an escape", &model.Segment{Name: "a\x1b[31m"}, "name", "U+001B"},
		{"segment with many filters", &model.Segment{Name: "a", Filters: make([]model.FilterSpec, 100)}, "", ""},
		{"segment with too many filters", &model.Segment{Name: "a", Filters: make([]model.FilterSpec, 101)}, "filters", "101 filters"},

		{"goal", &model.Goal{Key: "pricing", Name: "Pricing", Description: "a\nb\tc"}, "", ""},
		{"goal with a name of two lines", &model.Goal{Key: "pricing", Name: "Pri\ncing"}, "name", "control character"},
		{"goal without a key", &model.Goal{Name: "Pricing"}, "key", "is empty"},
		{"goal without a name", &model.Goal{Key: "pricing"}, "name", "is empty"},
		{"goal with a key too long", &model.Goal{Key: long + "x", Name: "a"}, "key", "201 characters"},
		{"goal with a long description", &model.Goal{Key: "a", Name: "a", Description: strings.Repeat("é", 5000)}, "", ""},
		{"goal with a description too long", &model.Goal{Key: "a", Name: "a", Description: strings.Repeat("é", 5001)}, "description", "5001 characters"},
		{"goal with a control character in its event", &model.Goal{Key: "a", Name: "a", ValueEvent: "a\u007f"}, "valueEvent", "U+007F"},
		{"goal with too many filters", &model.Goal{Key: "a", Name: "a", Filters: make([]model.FilterSpec, 101)}, "filters", "101 filters"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.noun.Validate()
			if test.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := err.(*model.Error)
			if !ok || e.Code != model.BadInput || e.Field != test.field || !strings.Contains(e.Message, test.says) {
				t.Fatalf("error %v (%#v), want %s: …%s…", err, err, test.field, test.says)
			}
			if len(e.Message) > 500 || !utf8.ValidString(e.Message) {
				t.Errorf("the message of %d bytes is no text for a person: %.200q", len(e.Message), e.Message)
			}
		})
	}
}

func TestValidateBringsIntoCanonicalForm(t *testing.T) {
	s := site("  Shop\n", "UTC", " Shop.Example. ", "shop.example", "Other.example")
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	want := site("Shop", "UTC", "shop.example", "other.example")
	want.Addresses, want.IgnoredReferrers, want.Bots = model.WholeAddress, []string{}, model.ExcludeBots
	mustEqual(t, "site", s, want)
	goal := &model.Goal{Key: " k ", Name: " n ", Description: " d ", ValueEvent: " e "}
	if err := goal.Validate(); err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "goal", goal, &model.Goal{Key: "k", Name: "n", Description: "d", ValueEvent: "e", Direction: model.HigherIsBetter})
	goal.Direction = "SIDEWAYS"
	mustRefuse(t, goal.Validate(), model.BadInput, "direction", `is "SIDEWAYS"; use HIGHER_IS_BETTER or LOWER_IS_BETTER`)
}

func TestAllSegment(t *testing.T) {
	all := model.AllSegment(7)
	if err := all.Validate(); err != nil || !all.Active || all.SiteID != 7 || all.Filters == nil || len(all.Filters) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Visited /pricing":              "visited-pricing",
		"  100 % Ünïque!  ":             "100-ünïque",
		"हिन्दी भाषा":                   "हिन्दी-भाषा",
		"cafe\u0301 au lait":            "cafe\u0301-au-lait",
		"日本 2":                          "日本-2",
		"!!!":                           "goal",
		"":                              "goal",
		"\xff\xfe":                      "goal",
		"a\xffb":                        "a-b",
		strings.Repeat("x", 300):        strings.Repeat("x", 200),
		strings.Repeat("x", 199) + " y": strings.Repeat("x", 199),
	} {
		got := model.Slug(name)
		if got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
		if again := model.Slug(got); again != got {
			t.Errorf("Slug(%q) = %q", got, again)
		}
		if err := (&model.Goal{Key: got, Name: "a"}).Validate(); err != nil {
			t.Errorf("the slug of %q is no key: %v", name, err)
		}
	}
}
