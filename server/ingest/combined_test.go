package ingest

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
)

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"

func newTestDecoder(tb testing.TB) *Decoder {
	tb.Helper()
	locations, err := OpenLocations("testdata/GeoLite2-Country-Test.mmdb")
	if err != nil {
		tb.Fatal(err)
	}
	decoder, err := NewDecoder(locations)
	if err != nil {
		tb.Fatal(err)
	}
	return decoder
}

func TestParseCombined(t *testing.T) {
	at := func(text string) model.Millis {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return model.MillisOf(moment)
	}
	noon := at("2015-05-17T12:00:00Z")
	for _, test := range []struct {
		name, line string
		want       LogLine
	}{
		{
			"apache", `83.149.9.216 - - [17/May/2015:12:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 203023 "http://x.test/" "UA"`,
			LogLine{Address: "83.149.9.216", At: noon, Method: "GET", Target: "/a?b=c", Status: 200, Referrer: "http://x.test/", UserAgent: "UA"},
		}, {
			"zone", `::1 - - [17/May/2015:14:30:00 +0230] "HEAD / HTTP/1.0" 304 - "-" "-"`,
			LogLine{Address: "::1", At: noon, Method: "HEAD", Target: "/", Status: 304, Referrer: "-", UserAgent: "-"},
		}, {
			"zone west, previous day", `host.test - - [16/May/2015:23:30:00 -1230] "GET / HTTP/1.0" 200 1 "" ""`,
			LogLine{Address: "host.test", At: noon, Method: "GET", Target: "/", Status: 200},
		}, {
			"user with spaces and brackets", `h - John [a] "Doe" [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`,
			LogLine{Address: "h", At: noon, Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: "UA"},
		}, {
			"escapes", `h - - [17/May/2015:12:00:00 +0000] "GET /\"q\"\\\xD0\x9f HTTP/1.1" 200 1 "\x22" "a \"b\" \t\xZZ \x"`,
			LogLine{Address: "h", At: noon, Method: "GET", Target: "/\"q\"\\П", Status: 200, Referrer: "\"", UserAgent: "a \"b\" \t\\xZZ \\x"},
		}, {
			"user agent cut", `h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0 (compat`,
			LogLine{Address: "h", At: noon, Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: "Mozilla/5.0 (compat", Cut: true},
		}, {
			"more fields", `h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA" "10.0.0.1" 0.003`,
			LogLine{Address: "h", At: noon, Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: "UA"},
		}, {
			"spaces in the target", `h - - [17/May/2015:12:00:00 +0000] "GET /a b HTTP/1.1" 200 1 "-" "UA"`,
			LogLine{Address: "h", At: noon, Method: "GET", Target: "/a b", Status: 200, Referrer: "-", UserAgent: "UA"},
		}, {
			"HTTP/0.9", `h - - [17/May/2015:12:00:00 +0000] "GET /a" 200 1 "-" "UA"`,
			LogLine{Address: "h", At: noon, Method: "GET", Target: "/a", Status: 200, Referrer: "-", UserAgent: "UA"},
		}, {
			"no request", `h - - [17/May/2015:12:00:00 +0000] "-" 408 - "-" "-"`,
			LogLine{Address: "h", At: noon, Status: 408, Referrer: "-", UserAgent: "-"},
		}, {
			"TLS", `h - - [17/May/2015:12:00:00 +0000] "\x16\x03\x01" 400 226 "-" "-"`,
			LogLine{Address: "h", At: noon, Status: 400, Referrer: "-", UserAgent: "-"},
		}, {
			"leap second", `h - - [31/Dec/2016:23:59:60 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`,
			LogLine{Address: "h", At: at("2017-01-01T00:00:00Z"), Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: "UA"},
		},
	} {
		got, err := parseCombined(test.line)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if got != test.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

func TestParseCombinedRejects(t *testing.T) {
	for _, test := range []struct{ line, reason string }{
		{"", "no fields"},
		{"\x00\x01\x02", "no fields"},
		{"hello world", "no [time]"},
		{`shop.example:443 h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, `"shop.example:443", which is no address`},
		{`shop.example 10.0.0.1 - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, "vhost_combined"},
		{`{"a":1} - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, "no address"},
		{`h - - [17/May/2015 12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, "no [time]"},
		{`h - - [31/Feb/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, "no [time]"},
		{`h - - [17/May/2015:24:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, "no [time]"},
		{`h - - [17/May/0001:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, "the year 1 is outside"},
		{`h - - [17/May/9999:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"`, "the year 9999 is outside"},
		{`h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1`, "no quoted request"},
		{`h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" OK 1 "-" "UA"`, "no status"},
		{`h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 x "-" "UA"`, "no size"},
		{`h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "no quoted referrer"},
		{`h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "http://x`, "no quoted referrer"},
		{`h - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-"`, "no quoted user agent"},
	} {
		_, err := parseCombined(test.line)
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%q: error %v, want one with %q", test.line, err, test.reason)
		} else if model.CodeOf(err) != model.BadInput {
			t.Errorf("%q: code %s", test.line, model.CodeOf(err))
		}
	}
}

func TestPageView(t *testing.T) {
	for _, test := range []struct {
		method, target string
		status         int
		path           string // empty: no page view
	}{
		{"GET", "/", 200, "/"},
		{"GET", "/a?b=c.png", 304, "/a"},
		{"GET", "/a.html", 200, "/a.html"},
		{"GET", "//a", 200, "//a"},
		{"GET", "http://x.test/a?b", 200, "/a"},
		{"GET", "https://x.test", 200, "/"},
		{"GET", "/tags/png", 200, "/tags/png"},
		{"GET", "/a.png/b", 200, "/a.png/b"},
		{"GET", "/a.png", 200, ""},
		{"GET", "/a.PnG?v=1", 200, ""},
		{"GET", "/a.min.js", 200, ""},
		{"GET", "/a.woff2", 200, ""},
		{"GET", "/.ico", 200, ""},
		{"GET", "/a.json", 200, ""},
		{"GET", "/feed.XML?a", 200, ""},
		{"GET", "/a.webmanifest", 304, ""},
		{"GET", "/robots.txt", 200, ""},
		{"GET", "/Robots.TXT?x", 200, ""},
		{"GET", "/a/robots.txt", 200, "/a/robots.txt"},
		{"GET", "/notes.txt", 200, "/notes.txt"},
		{"GET", "/a.jsonl", 200, "/a.jsonl"},
		{"GET", "/xml", 200, "/xml"},
		{"GET", "/", 206, ""},
		{"GET", "/", 404, ""},
		{"HEAD", "/", 200, ""},
		{"get", "/", 200, ""},
		{"POST", "/", 200, ""},
		{"GET", "*", 200, ""},
		{"", "", 200, ""},
	} {
		l := LogLine{Method: test.method, Target: test.target, Status: test.status}
		if path, ok := l.PageView(); path != test.path || ok != (test.path != "") {
			t.Errorf("%s %s %d: %q, %v, want %q", test.method, test.target, test.status, path, ok, test.path)
		}
	}
}

func TestPageViewMessage(t *testing.T) {
	decoder := newTestDecoder(t)
	message := func(address, target, referrer, agent string) model.Message {
		l := LogLine{Address: address, At: 1431864000000, Method: "GET", Target: target, Status: 200, Referrer: referrer, UserAgent: agent}
		path, ok := l.PageView()
		if !ok {
			t.Fatalf("%q is no page view", target)
		}
		return decoder.PageView(model.MessageID{1}, 5, &l, path)
	}
	got := message("::ffff:81.2.69.142", "/p?utm_source=a%20b&x=1&utm_medium=m&utm_campaign=%zz&utm_term=t&utm_content=c&utm_source=d", "http://WWW.Google.com:80/x?q", chrome)
	want := model.Message{
		AnonymousID: got.AnonymousID,
		Hit: model.Hit{
			ID: model.MessageID{1}, At: 1431864000000, Place: 5, Kind: model.PageView, Name: "/p",
			Knows: model.KnowsAcquisition | model.KnowsPage | model.KnowsAgent | model.KnowsAddress,
			Origin: model.Origin{
				IP: "81.2.69.142", Country: "GB", Referrer: "www.google.com", EntryPage: "/p",
				Browser: "Chrome", OS: "Windows", Device: model.Desktop,
				UTM: model.UTM{Source: "a b", Medium: "m", Term: "t", Content: "c"},
			},
		},
	}
	equalMessages(t, got, want)
	if len(got.AnonymousID) != 32 || strings.Contains(got.AnonymousID, "81.2") {
		t.Errorf("visitor %q", got.AnonymousID)
	}
	if other := message("81.2.69.142", "/", "-", chrome); other.AnonymousID != got.AnonymousID {
		t.Error("two forms of one address are two visitors")
	} else if other.Hit.Origin.Referrer != "" {
		t.Errorf("referrer %q", other.Hit.Origin.Referrer)
	}
	if other := message("81.2.69.142", "/", "-", chrome+"x"); other.AnonymousID == got.AnonymousID {
		t.Error("two user agents are one visitor")
	}
	for target, want := range map[string]string{"http://WWW.Shop.test:8080/p?q": "www.shop.test", "//www.shop.test/p": "", "/p": ""} {
		if got := message("81.2.69.142", target, "-", chrome).Hit.Origin.Hostname; got != want {
			t.Errorf("%s: hostname %q, want %q", target, got, want)
		}
	}
	named := message("proxy.test", "/", "-", "-")
	if named.Hit.Knows&model.KnowsAgent != 0 {
		t.Error("a client without a user agent is a browser")
	}
	if o := named.Hit.Origin; o.IP != "" || o.Country != "" || o.Device != "" {
		t.Errorf("origin %+v", o)
	}
}

func TestHostOf(t *testing.T) {
	for url, want := range map[string]string{
		"":                                 "",
		"-":                                "",
		"$direct":                          "",
		"google.com":                       "",
		"about:blank":                      "",
		"http://":                          "",
		"http:///path":                     "",
		"http://a b/":                      "",
		"1http://x.test/":                  "",
		"/local//x":                        "",
		"http://X.Test":                    "x.test",
		"http://x.test:8080/a?b#c":         "x.test",
		"https://u:p@x.test/@y.test":       "x.test",
		"http://x.test?q=//y.test":         "x.test",
		"http://[2001:db8::1]:80/":         "2001:db8::1",
		"android-app://com.example.reader": "com.example.reader",
		"//x.test/a":                       "x.test",
		"http://x.test/%zz":                "x.test",
		"http://google.com./":              "google.com",
		"http://xn--caf-dma.example/":      "café.example",
		"http://CAFÉ.example:80/":          "café.example",
	} {
		if got := hostOf(url); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	long := strings.Repeat("я", model.MaxTextBytes)
	for text, want := range map[string]string{
		"a\x00b":           "ab",
		"a\xff\xfeb":       "ab",
		"\xd0":             "",
		long:               long[:model.MaxTextBytes],
		"x" + long:         ("x" + long)[:model.MaxTextBytes-1],
		"я\x00" + long[:2]: "яя",
	} {
		if got := clean(text); got != want {
			t.Errorf("clean(%q) = %q", clip(text), clip(got))
		}
	}
}

func FuzzCombined(f *testing.F) {
	for _, line := range sampleLines(f)[:50] {
		f.Add(line)
	}
	f.Add(`h - - [17/May/2015:12:00:00 +0000] "GET /\"q\"\\\xD0\x9f HTTP/1.1" 200 1 "\x22" "a \"b\" \xZZ`)
	decoder := newTestDecoder(f)
	f.Fuzz(func(t *testing.T, line string) {
		l, err := parseCombined(line)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Errorf("reason %q", err)
			}
			return
		}
		decoder.Bot(&l)
		path, ok := l.PageView()
		if !ok {
			return
		}
		checkSane(t, decoder.PageView(NewLines().ID(line), 0, &l, path))
	})
}

// FuzzLogTime holds the reader of times against the library's.
func FuzzLogTime(f *testing.F) {
	f.Add("17/May/2015:12:00:00 +0000")
	f.Add("29/Feb/2016:23:59:59 -1130")
	f.Add("31/Apr/2015:12:00:00 +0000")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseLogTime(text)
		want, err := time.Parse("02/Jan/2006:15:04:05 -0700", text)
		if err == nil && ok && !got.Equal(want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		if ok && err != nil && len(text) == logTimeLength && text[18:20] != "60" {
			t.Errorf("%q: read, but %v", text, err)
		}
	})
}

func BenchmarkCombined(b *testing.B) {
	lines := sampleLines(b)
	decoder := newTestDecoder(b)
	d := newTestLineDecoder(decoder, dialect{format: Combined})
	raw := make([][]byte, len(lines))
	size := 0
	for i, line := range lines {
		raw[i] = []byte(line)
		size += len(line)
	}
	b.SetBytes(int64(size / len(lines)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := d.decode(raw[i%len(raw)], false); err != nil {
			b.Fatal(err)
		}
	}
}
