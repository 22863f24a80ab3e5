package bots

import (
	"regexp"
	"testing"
)

func load(tb testing.TB) *List {
	tb.Helper()
	list, err := Load()
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestListHasEveryInstanceThatItNames(t *testing.T) {
	list := load(t)
	entries, err := entries()
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 600 || len(list.texts)+len(list.expressions) != len(entries) {
		t.Fatalf("%d entries gave %d texts and %d expressions", len(entries), len(list.texts), len(list.expressions))
	}
	for _, e := range entries {
		own := regexp.MustCompile(e.Pattern)
		for _, instance := range e.Instances {
			if !own.MatchString(instance) {
				t.Errorf("pattern %q does not match its own instance %q", e.Pattern, instance)
			}
			if !list.Has(instance) {
				t.Errorf("%q is not told to be a bot", instance)
			}
		}
	}
}

func TestListHasNoBrowser(t *testing.T) {
	list := load(t)
	for _, people := range []string{
		"",
		"-",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.9; rv:27.0) Gecko/20100101 Firefox/27.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)",
		"Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/29.1.1",
	} {
		if list.Has(people) {
			t.Errorf("%q is told to be a bot", people)
		}
	}
}

func BenchmarkListHas(b *testing.B) {
	list := load(b)
	const people = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
	for b.Loop() {
		list.Has(people)
	}
}
