package ingest

import "testing"

func TestPathOf(t *testing.T) {
	for url, want := range map[string]string{
		"/p?q#f":                   "/p",
		"/caf%C3%A9":               "/café",
		"/\xe9":                    "/%E9",
		"http://x.test":            "/",
		"http://x.test?q":          "/",
		"//x.test/a%20b/":          "/a%20b/",
		"https://x.test/a/../B%2f": "/a/../B%2F",
		"nonsense":                 "",
		"":                         "",
	} {
		if got, ok := pathOf(url); got != want || ok != (want != "") {
			t.Errorf("pathOf(%q) = %q, %t, want %q", url, got, ok, want)
		}
	}
}
