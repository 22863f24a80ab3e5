package model

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPath(t *testing.T) {
	for path, want := range map[string]string{
		"":                   "",
		"/":                  "/",
		"/a":                 "/a",
		"/a/":                "/a/",
		"/A/../b//c":         "/A/../b//c",
		"/a?b=c#d":           "/a",
		"/a#b?c":             "/a",
		"/caf%C3%A9":         "/café",
		"/caf%c3%a9":         "/café",
		"/café":              "/café",
		"/\xc3%A9":           "/é",
		"/caf\xe9":           "/caf%E9",
		"/caf%e9":            "/caf%E9",
		"/%e2%82":            "/%E2%82",
		"/%f0%9f%98%80":      "/😀",
		"/a b":               "/a%20b",
		"/a%20b":             "/a%20b",
		"/a+b":               "/a+b",
		"/%7Euser/%61%2d%5F": "/~user/a-_",
		"/a%2Fb":             "/a%2Fb",
		"/a%2fb%3f%23":       "/a%2Fb%3F%23",
		"/%21!":              "/%21!",
		"/(a);c=d,e:f@g$&'":  "/(a);c=d,e:f@g$&'",
		"/a[b]%5bc%5d":       "/a%5Bb%5D%5Bc%5D",
		`/"<>\^{|}` + "`":    "/%22%3C%3E%5C%5E%7B%7C%7D%60",
		"/100%":              "/100%25",
		"/100%zz":            "/100%25zz",
		"/%%41":              "/%25A",
		"/%25":               "/%25",
		"/%2541":             "/%2541",
		"/\x00\x1f\x7f%00":   "/%00%1F%7F%00",
		"/blog/*":            "/blog/*",
		"*/caf%C3%A9*":       "*/café*",
		"/%2A":               "/%2A",
	} {
		if got := Path(path); got != want {
			t.Errorf("Path(%q) = %q, want %q", path, got, want)
		}
	}
}

// What is too long is cut between two characters, encoded ones too.
func TestPathIsBounded(t *testing.T) {
	for _, part := range []string{"a", "é", "%C3%A9", " ", "%zz", "\xe9", "%e2%82", "😀"} {
		long := Path("/" + strings.Repeat(part, MaxTextBytes))
		if n := len(long); n > MaxTextBytes || n < MaxTextBytes-4 || Path(long) != long {
			t.Errorf("%q: %d bytes, …%q", part, n, long[n-8:])
		}
	}
}

func TestHost(t *testing.T) {
	for host, want := range map[string]string{
		"":                        "",
		".":                       "",
		"Google.com":              "google.com",
		"google.com.":             "google.com",
		"google.com..":            "google.com",
		"xn--caf-dma.example":     "café.example",
		"XN--CAF-DMA.example.":    "café.example",
		"www.xn--caf-dma.example": "www.café.example",
		"CAFÉ.example":            "café.example",
		"cafe\u0301.example":      "café.example",
		"café。example。":           "café.example",
		"straße.example":          "straße.example",
		"xn--strae-oqa.example":   "straße.example",
		"xn--a.example":           "xn--a.example",
		"xn--a-.example":          "xn--a-.example",
		"my_shop.example":         "my_shop.example",
		"10.0.0.1":                "10.0.0.1",
		"2001:DB8::1":             "2001:db8::1",
		"*.Google.*":              "*.google.*",
		"*.xn--caf-dma.example":   "*.café.example",
		"xn--caf*":                "xn--caf*",
		"good.example／evil":       "good.example／evil",
		"\xffa\x00b":              "ab",
	} {
		if got := Host(host); got != want {
			t.Errorf("Host(%q) = %q, want %q", host, got, want)
		}
	}
}

func checkForm(t *testing.T, name, from string, form func(string) string) {
	t.Helper()
	got := form(from)
	if !utf8.ValidString(got) || len(got) > MaxTextBytes || strings.ContainsRune(got, 0) {
		t.Errorf("%s(%q) = %q", name, from, got)
	}
	if again := form(got); again != got {
		t.Errorf("%s(%q) = %q, and of that %q", name, from, got, again)
	}
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{"/caf%C3%A9", "/\xc3%A9", "/%%41%", "/a?b", "/%e2%82\xac", "/" + strings.Repeat("%e9 é", 500)} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		checkForm(t, "Path", path, Path)
		if got := Path(path); strings.ContainsAny(got, "?# ") {
			t.Errorf("Path(%q) = %q", path, got)
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, host := range []string{"xn--caf-dma.example.", "CAFÉ。example", "xn--xn--a-", "ſ.example", "İ.example", "a.xn--", "ΑΣ.example", strings.Repeat("é.", 2000)} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		checkForm(t, "Host", host, Host)
	})
}
