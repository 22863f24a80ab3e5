package graph_test

import (
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// Who is erased counts nowhere any more, and who follows a count hears of it. The log does not say who it was.
func TestDeleteVisitor(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.site("shop.example", "UTC")
		g.goal(site, "buy")
		g.write("shop.example", page("zoe", "2026-05-17T06:00:00Z", "/"), page("zoe", "2026-05-17T10:00:00Z", "/"), page("ben", "2026-05-17T10:00:00Z", "/"))
		w := g.connect()
		w.subscribe("1", cards, vars{"site": site})
		w.wantData("1", `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":3,"conversions":3}]}]}`)
		const erase = `mutation($s: ID!, $v: ID!) { deleteVisitor(siteId: $s, visitorId: $v) }`
		for _, want := range []string{`{"deleteVisitor":2}`, `{"deleteVisitor":0}`} {
			g.want(erase, vars{"s": site, "v": "zoe"}, want)
			g.want(`query($s: ID!) { site(id: $s) { sessions(range: {from: "2026-01-01T00:00:00Z"}) { totalCount nodes { visitorId } } } }`, vars{"s": site},
				`{"site":{"sessions":{"totalCount":1,"nodes":[{"visitorId":"ben"}]}}}`)
		}
		w.wantData("1", `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":1,"conversions":1}]}]}`)
		g.want(`query($s: ID!) { site(id: $s) { auditLog(first: 1) { nodes { action objectKind objectName before after } } } }`, vars{"s": site},
			`{"site":{"auditLog":{"nodes":[{"action":"ERASED","objectKind":"SITE","objectName":"shop.example","before":null,"after":{"erasedSessions":2}}]}}}`)
		g.refused(erase, vars{"s": encoded("Site:999"), "v": "ben"}, model.NotFound, "siteId")
	})
}

func TestRetentionDays(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		var made struct {
			CreateSite struct{ Site struct{ ID string } }
		}
		g.into(&made, `mutation { createSite(input: {name: "Shop", domains: ["shop.example"], retentionDays: 30}) { site { id } } }`, nil)
		id := made.CreateSite.Site.ID
		for _, test := range []struct{ input, want string }{{`name: "Store"`, "30"}, {"retentionDays: 36500", "36500"}, {"retentionDays: null", "null"}} {
			g.want(`mutation($s: ID!) { updateSite(input: {id: $s, `+test.input+`}) { site { retentionDays } } }`, vars{"s": id},
				`{"updateSite":{"site":{"retentionDays":`+test.want+`}}}`)
		}
		for _, days := range []string{"0", "-1", "36501"} {
			g.refused(`mutation($s: ID!) { updateSite(input: {id: $s, retentionDays: `+days+`}) { site { id } } }`, vars{"s": id}, model.BadInput, "input.retentionDays")
		}
		g.want(`query($s: ID!) { site(id: $s) { auditLog(first: 2) { nodes { action } } } }`, vars{"s": id}, `{"site":{"auditLog":{"nodes":[{"action":"UPDATED"},{"action":"UPDATED"}]}}}`)
	})
}
