package filter_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		" true ":                                 "true",
		"false":                                  "false",
		"(and)":                                  "(and)",
		"( or\ttrue\n( and false ) )":            "(or true (and false))",
		`(not(in os"a""b"))`:                     `(not (in os "a" "b"))`,
		`(in property["a\"]"] "\u0041\n\u007f")`: `(in property["a\"]"] "A\u000a\u007f")`,
		`(in os "\ud83d\ude00" "日本")`:            `(in os "😀" "日本")`,
		`(glob pages "/a*")`:                     `(glob pages "/a*")`,
		`(within ip 10.0.0.0/8 2001:db8::/32)`:   `(within ip 10.0.0.0/8 2001:db8::/32)`,
		`(range value["x"] -1.5e2 _)`:            `(range value["x"] -150 _)`,
		`(range start _ 1767254400000)`:          `(range start _ 1.7672544e+12)`,
		`(computed "a {\"b\":1}")`:               `(computed "a {\"b\":1}")`,
		`(assigned"x \"y\"" "b""a" "")`:          `(assigned "x \"y\"" "b" "a" "")`,
		`(assigned "")`:                          `(assigned "")`,
	} {
		e, err := filter.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%s prints %s, want %s", text, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, `position 0: expected true, false or (, found ""`},
		{`maybe`, `position 0: expected true, false or (, found "maybe"`},
		{`true false`, `position 5: expected the end, found "false"`},
		{`()`, `position 1: expected and, or, not, in, glob, within, range, computed or assigned, found ")"`},
		{`(xor true)`, `position 1: expected and, or, not, in, glob, within, range, computed or assigned, found "xor true)"`},
		{`(and true`, `position 9: expected ), found ""`},
		{`(and (or true)`, `position 14: expected ), found ""`},
		{`(computed a)`, `position 10: expected a string`},
		{`(assigned)`, `position 9: expected a string`},
		{`(assigned a "b")`, `position 10: expected a string`},
		{`(assigned "a" b)`, `position 14: expected ), found "b)"`},
		{`(assigned "a" "b)`, `position 14: expected a string that ends`},
		{`(not)`, `position 4: expected true, false or (, found ")"`},
		{`(not true false)`, `position 10: expected ), found "false)"`},
		{`(in shoes "a")`, `position 4: expected a text field, found "shoes \"a\")"`},
		{`(in length "a")`, `position 4: expected a text field`},
		{`(in property "a")`, `position 4: expected a text field`},
		{`(in property[""] "a")`, `position 4: expected a text field`},
		{`(in os["x"] "a")`, `position 4: expected a text field`},
		{`(in property[x] "a")`, `position 13: expected a string`},
		{`(in property["x" "a")`, `position 17: expected ], found "\"a\")"`},
		{`(in os a)`, `position 7: expected ), found "a)"`},
		{`(in os "a)`, `position 7: expected a string that ends`},
		{`(in os "a\`, `position 7: expected a string that ends`},
		{`(in os "a\x")`, `position 7: expected a string in JSON's syntax`},
		{"(in os \"a\nb\")", `position 7: expected a string in JSON's syntax`},
		{`(glob os)`, `position 8: expected a string`},
		{`(glob os "a" "b")`, `position 13: expected )`},
		{`(glob start "a")`, `position 6: expected a text field`},
		{`(within country 10.0.0.0/8)`, `position 8: expected the field ip`},
		{`(within ip 10.0.0.0)`, `position 11: expected an address block`},
		{`(within ip 10.0.0.1/8)`, `position 11: expected an address block`},
		{`(within ip ::ffff:10.0.0.0/104)`, `position 11: expected an address block`},
		{`(within ip "10.0.0.0/8")`, `position 11: expected an address block`},
		{`(range os 1 2)`, `position 7: expected a number field`},
		{`(range length)`, `position 13: expected a number or _`},
		{`(range length 1)`, `position 15: expected a number or _`},
		{`(range length one 2)`, `position 14: expected a number or _`},
		{`(range length NaN 2)`, `position 14: expected a number or _`},
		{`(range length 1 Inf)`, `position 16: expected a number or _`},
		{`(range length 1 1e999)`, `position 16: expected a number or _`},
		{`(range length 1 2 3)`, `position 18: expected )`},
		{"(in os \"\xff\")", `not valid UTF-8`},
		{strings.Repeat("(not ", filter.MaxDepth+1) + "true" + strings.Repeat(")", filter.MaxDepth+1), `expected at most 64 levels`},
		{strings.Repeat("(", filter.MaxText), `expected and, or`},
		{strings.Repeat("(not ", filter.MaxText/5), `expected at most 64 levels`},
		{strings.Repeat(" ", filter.MaxText+1), `predicate of 1048577 bytes; the most is 1048576`},
		{`(glob os "` + strings.Repeat("*", 10_000) + `")`, `position 9: expected a pattern of at most 64 stars`},
	} {
		e, err := filter.Parse(test.text)
		if err == nil {
			t.Errorf("%.80q parses as %s", test.text, e)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80q: error %q, want %q", test.text, err, test.want)
		} else if len(err.Error()) > 200 {
			t.Errorf("%.80q: the error has %d bytes", test.text, len(err.Error()))
		}
	}
}

func TestParseTakesWhatTheLimitsAllow(t *testing.T) {
	mustParse(t, strings.Repeat("(not ", filter.MaxDepth)+"true"+strings.Repeat(")", filter.MaxDepth))
	mustParse(t, `(glob os "`+strings.Repeat("*a", filter.MaxStars)+`")`)
	within(t, 10*time.Second, func() { mustParse(t, `(in os`+strings.Repeat(` "a"`, filter.MaxText/4-10)+`)`) })
}

func TestParseReadsWhatStringPrints(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		e := randomExpr(r)
		text := e.String()
		parsed := mustParse(t, text)
		if parsed.String() != text {
			t.Fatalf("%s\nprints %s", text, parsed)
		}
		session := filtertest.RandomSession(r)
		if parsed.Match(&session) != e.Match(&session) {
			t.Fatalf("%s matches otherwise when read again: %+v", text, session)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`(and (in os "a" "") (not (glob pages "/a*")) (or (within ip 10.0.0.0/8 ::/0) (range value["é"] -1.5 _)) true)`)
	f.Add(`(in property["\ud800\u0000"] "\\\"")`)
	f.Add("(range length 0x1p-2 -0)")
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		f.Add(randomExpr(r).String())
	}
	session := filtertest.RandomSession(r)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := filter.Parse(text)
		if err != nil {
			return
		}
		printed := e.String()
		again, err := filter.Parse(printed)
		if err != nil {
			t.Fatalf("%q prints %q, which does not parse: %v", text, printed, err)
		}
		if again.String() != printed {
			t.Fatalf("%q prints %q, and then %q", text, printed, again)
		}
		simple := filter.Simplify(e)
		if e.Match(&session) != simple.Match(&session) {
			t.Fatalf("%q and its simplified form %q differ", printed, simple)
		}
		if twice := filter.Simplify(mustParse(t, simple.String())); twice.String() != simple.String() {
			t.Fatalf("%q simplified is %q, and then %q", printed, simple, twice)
		}
	})
}

func TestPrefix(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1":               "10.0.0.1/32",
		"10.1.2.3/8":             "10.0.0.0/8",
		"0.0.0.0/0":              "0.0.0.0/0",
		"2001:DB8::1":            "2001:db8::1/128",
		"2001:db8:ffff::/32":     "2001:db8::/32",
		"::ffff:10.0.0.1":        "10.0.0.1/32",
		"::ffff:10.0.0.1/104":    "10.0.0.0/8",
		"::ffff:10.0.0.0/96":     "0.0.0.0/0",
		"::ffff:0.0.0.0/95":      "",
		"":                       "",
		"/":                      "",
		"10.0.0.0/33":            "",
		"10.0.0.0/-1":            "",
		"10.0.0.0/08":            "",
		"10.0.0/8":               "",
		"10.0.0.256":             "",
		"fe80::1%eth0":           "",
		"fe80::1%eth0/64":        "",
		" 10.0.0.1":              "",
		"localhost":              "",
		strings.Repeat("1", 1e6): "",
	} {
		block, ok := filter.Prefix(text)
		if ok != (want != "") || ok && block.String() != want {
			t.Errorf("Prefix(%.40q) = %v, %v; want %q", text, block, ok, want)
		}
		if ok && block != block.Masked() {
			t.Errorf("Prefix(%.40q) = %v is not masked", text, block)
		}
	}
}

func TestWithinMatchesAddressesHoweverWritten(t *testing.T) {
	e := filter.Within{Field: filter.IP, Blocks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}
	r := rand.New(rand.NewPCG(1, 1))
	session := filtertest.RandomSession(r)
	for address, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "2001:DB8::7": true, "11.0.0.1": false, "::1": false, "": false, "no address": false, "10.0.0.1%x": false,
	} {
		session.IP = address
		if got := e.Match(&session); got != want {
			t.Errorf("%s matches %q: %v, want %v", e, address, got, want)
		}
	}
}
