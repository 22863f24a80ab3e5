package main

import (
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/plugintest"
)

func TestPlugin(t *testing.T) { plugintest.Run(t, plugins.Of(journey{})) }

// A journey's pages are viewed in its order, each by a view of its own, and in time where there is a limit.
func TestCompute(t *testing.T) {
	begin := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	// view is a page and how many minutes after the begin it was viewed.
	type view struct {
		page string
		at   int
	}
	for name, test := range map[string]struct {
		steps  []string
		within int
		views  []view
		want   bool
	}{
		"in order":                      {[]string{"/a", "/b"}, 0, []view{{"/a", 0}, {"/b", 1}}, true},
		"in the other order":            {[]string{"/a", "/b"}, 0, []view{{"/b", 0}, {"/a", 1}}, false},
		"with others between":           {[]string{"/a", "/b"}, 0, []view{{"/", 0}, {"/a", 1}, {"/c", 2}, {"/a", 3}, {"/b", 4}, {"/d", 5}}, true},
		"one view is one step":          {[]string{"/a*", "/*b"}, 0, []view{{"/ab", 0}}, false},
		"two views of one page are two": {[]string{"/a", "/a"}, 0, []view{{"/a", 0}, {"/a", 1}}, true},
		"wildcards":                     {[]string{"/docs/*", "/buy"}, 0, []view{{"/docs/x/y", 0}, {"/buy", 1}}, true},
		"the last step is missing":      {[]string{"/a", "/b", "/c"}, 0, []view{{"/a", 0}, {"/b", 1}}, false},
		"in time":                       {[]string{"/a", "/b"}, 10, []view{{"/a", 0}, {"/b", 10}}, true},
		"too late":                      {[]string{"/a", "/b"}, 10, []view{{"/a", 0}, {"/b", 11}}, false},
		"in time from a later begin":    {[]string{"/a", "/b", "/c"}, 10, []view{{"/a", 0}, {"/b", 5}, {"/a", 8}, {"/b", 12}, {"/c", 16}}, true},
		"no begin that is in time":      {[]string{"/a", "/b", "/c"}, 10, []view{{"/a", 0}, {"/b", 5}, {"/a", 8}, {"/c", 16}}, false},
		"events are no views":           {[]string{"/a", "buy"}, 0, []view{{"/a", 0}}, false},
		"nothing viewed":                {[]string{"/a", "/b"}, 0, nil, false},
	} {
		visit := plugins.Visit{Hits: []plugins.Hit{{Kind: plugins.Event, Name: "/a", At: begin}, {Kind: plugins.Event, Name: "/b", At: begin}}}
		for _, v := range test.views {
			visit.Hits = append(visit.Hits, plugins.Hit{Kind: plugins.PageView, Name: v.page, At: begin.Add(time.Duration(v.at) * time.Minute)})
		}
		visit.Hits = append(visit.Hits, plugins.Hit{Kind: plugins.Event, Name: "buy", At: begin.Add(time.Hour)})
		a := args{Steps: test.steps}
		if test.within > 0 {
			a.WithinMinutes = &test.within
		}
		if got, err := (journey{}).Compute(t.Context(), a, visit); err != nil || got != test.want {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
}
