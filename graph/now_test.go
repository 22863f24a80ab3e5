package graph_test

import (
	"sync/atomic"
	"testing"
)

// Who is there now are the visitors whose last hit is not too long ago, on the page that they viewed last. A subscription
// tells when somebody comes and, though nothing comes, when somebody is gone.
func TestNow(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		now := new(atomic.Int64)
		g = newGraphOver(t, g.store, g.host, clockAt(now, "2026-05-17T00:10:00.700Z"), func(o *testOptions) { o.transport.Bus = g.bus })
		site := g.site("a.example", "UTC")
		g.write("a.example",
			page("gone", "2026-05-16T23:39:59.999Z", "/"),
			page("left", "2026-05-16T23:40:00Z", "/a"),
			page("long", "2026-05-16T01:00:00Z", "/old"), page("long", "2026-05-16T01:29:00Z", "/old"),
			page("two", "2026-05-16T23:30:00Z", "/a"), page("two", "2026-05-17T00:05:00Z", "/b"), // of yesterday
			page("new", "2026-05-17T00:04:59.999Z", "/b"), event("new", "2026-05-17T00:09:00Z", "read", 0),
			event("silent", "2026-05-17T00:09:30Z", "beep", 0),
			page("ahead", "2026-05-17T00:12:00Z", "/c"),
		)
		const fields = `last5Minutes { visitors pages { path visitors } } last30Minutes { visitors pages(first: 2) { path visitors } }`
		const whole = `{"last5Minutes": {"visitors": 4, "pages": [{"path": "/b", "visitors": 2}, {"path": "/c", "visitors": 1}]},
			"last30Minutes": {"visitors": 5, "pages": [{"path": "/b", "visitors": 2}, {"path": "/a", "visitors": 1}]}}`
		g.want(`query($s: ID!) { site(id: $s) { now { `+fields+` } } }`, vars{"s": site}, `{"site": {"now": `+whole+`}}`)
		g.want(`query($s: ID!) { site(id: $s) { now(filters: {events: {all: "read"}}) { last5Minutes { visitors pages { path } } } } }`, vars{"s": site},
			`{"site": {"now": {"last5Minutes": {"visitors": 1, "pages": [{"path": "/b"}]}}}}`)

		w := g.connect()
		w.subscribe("1", `subscription($s: ID!) { now(siteId: $s) { last5Minutes { visitors } last30Minutes { visitors } } }`, vars{"s": site})
		w.wantData("1", `{"now":{"last5Minutes":{"visitors":4},"last30Minutes":{"visitors":5}}}`)
		now.Store(int64(at("2026-05-17T00:10:01Z")))
		w.wantData("1", `{"now":{"last5Minutes":{"visitors":3},"last30Minutes":{"visitors":4}}}`)
		g.write("a.example", page("late", "2026-05-17T00:10:00Z", "/c"))
		w.wantData("1", `{"now":{"last5Minutes":{"visitors":4},"last30Minutes":{"visitors":5}}}`)
	})
}
