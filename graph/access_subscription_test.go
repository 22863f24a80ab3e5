package graph_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Every subscription, by the same.
func TestAccessOfSubscriptions(t *testing.T) {
	t.Parallel()
	m := newCensus(t)
	own, other, none := m.newTarget("own"), m.newTarget("other"), noTarget()
	for _, field := range m.schema.Subscription.Fields {
		for who, p := range principalsOf(own.site) {
			for _, about := range []*target{own, other, none} {
				subscription := "subscription { " + m.call("Subscription", field, about) + " { __typename } }"
				of := about
				if !namesIDs(subscription, about) {
					of = nil // it is about no site
				}
				want := expected(p, route{{"Subscription", field}}, of, string(model.NotFound))
				if got := outcome(m.as(p).firstEvent(subscription)); got != want {
					t.Errorf("%s, %s, %s: got %s, want %s", who, about.name, subscription, got, want)
				}
			}
		}
	}
}

// firstEvent returns the first answer of a subscription.
func (g *testGraph) firstEvent(subscription string) (a answer) {
	g.Helper()
	response := g.events(subscription, nil)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		g.Fatalf("status %d", response.StatusCode)
	}
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			g.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &a); err != nil {
				g.Fatal(err)
			}
			return a
		}
		if err == io.EOF {
			g.Fatal("no event")
		}
	}
}

// Answers of subscriptions are shared, so nothing in them may depend on who asks.
func TestSubscriptionsTellOfNobody(t *testing.T) {
	t.Parallel()
	m := newCensus(t)
	reached := map[string]bool{"Subscription": true}
	for queue := []string{"Subscription"}; len(queue) > 0; queue = queue[1:] {
		for _, field := range m.schema.Types[queue[0]].Fields {
			if to := field.Type.Name(); !reached[to] && m.schema.Types[to].IsCompositeType() {
				reached[to] = true
				queue = append(queue, to)
			}
		}
	}
	for _, name := range []string{"Viewer", "Grant", "Login", "ApiKey", "User", "Query"} {
		if reached[name] {
			t.Errorf("a subscription leads to %s", name)
		}
	}
}

// A subscription needs the most that any of its fields does, on its site.
func TestScopeOfSubscriptions(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	g.goal(site, "buy")
	subscription := fmt.Sprintf(`subscription { goalCards(siteId: %q, range: {from: "2026-01-01T00:00:00Z"}) { goal { site { ...Log } } } }
		fragment Log on Site { auditLog(first: 1) { nodes { objectName address } } }`, site)
	for _, scope := range []model.Scope{model.ReadScope, model.EditScope} {
		if a := g.as(keyOf(1, scope, 1)).firstEvent(subscription); outcome(a) != string(model.Forbidden) || !strings.Contains(a.Errors[0].Message, "ADMIN") {
			t.Errorf("%s: %s %v", scope, a.Data, a.Errors)
		}
	}
	want := `{"goalCards":[{"goal":{"site":{"auditLog":{"nodes":[{"objectName":"buy","address":"192.0.2.7"}]}}}}]}`
	for _, p := range []*model.Principal{keyOf(1, model.AdminScope, 1), keyOf(2, model.AdminScope, model.AllSites)} {
		if a := g.as(p).firstEvent(subscription); len(a.Errors) > 0 || !sameJSON(t, a.Data, []byte(want)) {
			t.Errorf("%s: %s %v", p.Name, a.Data, a.Errors)
		}
	}
}
