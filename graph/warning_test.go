package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// What probably is a mistake is told where the filters are shown, and what can match nothing is refused.
func TestFilterWarnings(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	const ask = `query($s: ID!, $f: [FilterInput!]!) { site(id: $s) { merge(active: $f, goal: $f) { warnings { code path message } } } }`
	warnings := func(filter string) (list []string) {
		t.Helper()
		var data struct {
			Site struct {
				Merge struct {
					Warnings []struct{ Code, Path, Message string }
				}
			}
		}
		g.into(&data, ask, vars{"s": site, "f": raw("[" + filter + "]")})
		for i, w := range data.Site.Merge.Warnings {
			if w.Message == "" {
				t.Errorf("%s: the warning %s has no message", filter, w.Code)
			}
			if side := []string{"active[0].", "goal[0]."}[2*i/len(data.Site.Merge.Warnings)]; !strings.HasPrefix(w.Path, side) {
				t.Errorf("%s: a warning at %s, want one at %s", filter, w.Path, side)
			} else if i < len(data.Site.Merge.Warnings)/2 {
				list = append(list, w.Code+" "+strings.TrimPrefix(w.Path, side))
			}
		}
		return list
	}
	for filter, want := range map[string]string{
		`{"pages": {"all": ["/pricing", "*pricing", "/a*.html", "/.well-known/*", "/a(b)"]}}`: "[]",
		`{"pages": {"all": ["/pricing", "pricing"]}}`:                                         "[NO_LEADING_SLASH pages.all[1]]",
		`{"entryPage": {"is": "blog/*", "isNot": "/x"}}`:                                      "[NO_LEADING_SLASH entryPage.is[0]]",
		`{"exitPage": {"isNot": "/goo.*/"}}`:                                                  "[REGULAR_EXPRESSION exitPage.isNot[0]]",
		`{"pages": {"all": "/goo.*/"}}`:                                                       "[REGULAR_EXPRESSION pages.all[0]]",
		`{"pages": {"all": ["^/a$", "/a/.*", "/a\\.html"]}}`:                                  "[REGULAR_EXPRESSION pages.all[0] REGULAR_EXPRESSION pages.all[1] REGULAR_EXPRESSION pages.all[2]]",
		`{"referrer": {"is": [".*google.*", "*.google.*", "google.*"]}}`:                      "[REGULAR_EXPRESSION referrer.is[0]]",
		`{"browser": {"is": ["Chrome", "Fire*"]}}`:                                            "[LITERAL_STAR browser.is[1]]",
		`{"tags": {"all": "blog*"}}`:                                                          "[LITERAL_STAR tags.all[0]]",
		`{"utm": {"source": "goo*", "medium": "cpc"}}`:                                        "[LITERAL_STAR utm.source[0]]",
		`{"property": {"key": "plan", "is": "pro*"}}`:                                         "[LITERAL_STAR property.is[0]]",
		`{"anyOf": [{"device": {"is": "MOBILE"}}, {"not": {"pages": {"all": "a"}}}]}`:         "[NO_LEADING_SLASH anyOf[1].not.pages.all[0]]",
		`{"country": {"is": "RO"}}`:                                                           "[]", // of a site without sessions, nobody can know
	} {
		if got := fmt.Sprint(warnings(filter)); got != want {
			t.Errorf("%s: %s, want %s", filter, got, want)
		}
	}
	for filter, field := range map[string]string{
		`{"pages": {"all": ["/a", "https://a.example/pricing"]}}`: "pages.all[1]",
		`{"entryPage": {"is": "HTTP://a.example"}}`:               "entryPage.is[0]",
		`{"referrer": {"is": "https://t.co/abc"}}`:                "referrer.is[0]",
		`{"referrer": {"isNot": "/goo.*/"}}`:                      "referrer.isNot[0]",
		`{"hostname": {"is": ["a.example", "b.example/"]}}`:       "hostname.is[1]",
	} {
		g.refused(ask, vars{"s": site, "f": raw("[" + filter + "]")}, model.BadInput, "active[0]."+field)
	}

	g.write("a.example", page("v", "2026-05-17T10:00:00Z", "/"))
	if got := fmt.Sprint(warnings(`{"anyOf": [{"country": {"is": "RO"}}, {"city": {"is": "Cluj*"}}]}`)); got != "[NOTHING_KNOWN anyOf NOTHING_KNOWN anyOf]" {
		t.Error(got)
	}
	segment, goal := g.segment(site, "far", raw(`{"pages": {"all": "pricing"}}`), raw(`{"country": {"isNot": "RO"}}`)), g.goal(site, "x", raw(`{"pages": {"all": "pricing"}}`))
	const stored = `query($ids: [ID!]!) { nodes(ids: $ids) { ... on Segment { warnings { code path } } ... on Goal { warnings { code path } } } }`
	g.want(stored, vars{"ids": []string{segment, goal}}, `{"nodes": [
		{"warnings": [{"code": "NO_LEADING_SLASH", "path": "filters[0].pages.all[0]"}, {"code": "NOTHING_KNOWN", "path": "filters[1].country"}]},
		{"warnings": [{"code": "NO_LEADING_SLASH", "path": "filters[0].pages.all[0]"}]}]}`)
	g.write("a.example", page("w", "2026-05-17T10:00:00Z", "/", country("RO")))
	g.want(stored, vars{"ids": []string{segment}}, `{"nodes": [{"warnings": [{"code": "NO_LEADING_SLASH", "path": "filters[0].pages.all[0]"}]}]}`)
}

// What is no value of an enum is told with the enum and its values, in a document and in a variable.
func TestEnumErrors(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	const values = "DESKTOP, MOBILE, TABLET, OTHER"
	for query, want := range map[string]string{
		`{ sites { merge(active: [{device: {is: PHONE}}], goal: []) { empty } } }`:    "PHONE is no value of the enum DeviceKind, which has " + values,
		`{ sites { merge(active: [{device: {is: "MOBILE"}}], goal: []) { empty } } }`: `"MOBILE" is no value of the enum DeviceKind, which has ` + values + "; write it without quotes",
		`{ sites { merge(active: [{device: {is: 3}}], goal: []) { empty } } }`:        "3 is no value of the enum DeviceKind, which has " + values,
		`{ sites { totals(range: {name: today}) { sessions } } }`:                     "today is no value of the enum RangeName, which has TODAY, YESTERDAY, ",
	} {
		if e := g.refused(query, nil, model.BadInput, ""); !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s:\n%s\nwant %s", query, e.Message, want)
		}
	}
	e := g.refused(`query($f: [FilterInput!]!) { sites { merge(active: $f, goal: []) { empty } } }`, vars{"f": raw(`[{"device": {"is": "PHONE"}}]`)}, model.BadInput, "f[0].device.is")
	if !strings.HasSuffix(e.Message, "DeviceKind is one of "+values) {
		t.Error(e.Message)
	}
}

// A form can be built of what the filter types say of their arguments.
func TestFilterArguments(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	var data struct {
		FilterTypes []struct {
			Name      string
			Arguments []struct{ Path, Suggest, ValuesKey, ValuesKeyPath string }
		}
	}
	g.into(&data, `{ filterTypes { name arguments { path suggest valuesKey valuesKeyPath } } }`, nil)
	got := map[string]string{}
	for _, of := range data.FilterTypes {
		got[of.Name] = strings.NewReplacer("{", "", "}", "", "  ", " ").Replace(fmt.Sprint(of.Arguments))
	}
	for name, want := range map[string]string{
		"country": "[is VALUES isNot VALUES ]", "events": "[all EVENTS ]", "eventValue": "[event EVENTS min max ]", "device": "[is isNot ]",
		"property": "[key PROPERTIES is VALUES key isNot VALUES key]", "variant": "[experiment EXPERIMENTS is VALUES experiment]",
		"utm":     "[source VALUES source medium VALUES medium campaign VALUES campaign term VALUES term content VALUES content ]",
		"visitor": "[is VALUES kind ]", "hour": "[is VALUES ]", "weekday": "[is ]", "pageViews": "[min max ]",
	} {
		if strings.Join(strings.Fields(got[name]), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}

	site := g.site("a.example", "UTC")
	with := func(properties map[string]string) func(*model.Hit) {
		return func(hit *model.Hit) { hit.Properties = properties }
	}
	g.write("a.example", page("v", "2026-05-17T10:00:00Z", "/", with(map[string]string{"plan": "pro", "team": "a"})), page("w", "2026-05-17T10:00:00Z", "/", with(map[string]string{"plan": "free"})))
	g.want(`query($s: ID!) { site(id: $s) { all: values(filterType: "property") { value sessions } some: values(filterType: "property", search: "EA") { value } plan: values(filterType: "property", key: "plan") { value } } }`,
		vars{"s": site}, `{"site": {"all": [{"value": "plan", "sessions": 2}, {"value": "team", "sessions": 1}], "some": [{"value": "team"}], "plan": [{"value": "free"}, {"value": "pro"}]}}`)
}
