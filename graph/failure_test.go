package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

func TestInternalErrorsAreHidden(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.site("a.example", "UTC")
		if err := g.store.Close(); err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{`{ sites { id } }`, `{ site(domain: "a.example") { id } }`, `mutation { createSite(input: {name: "x"}) { site { id } } }`, `{ node(id: "` + encode("Goal:1") + `") { id } }`} {
			a := g.ask(query, nil)
			if len(a.Errors) != 1 {
				t.Fatalf("%+v", a)
			}
			e := a.Errors[0]
			if code := e.Extensions.Code; code != "INTERNAL" && code != "UNAVAILABLE" || code == "INTERNAL" && !strings.Contains(e.Message, "request-1") {
				t.Errorf("%s", e)
			}
			for _, secret := range []string{"sql", "closed", "select", "SELECT"} {
				if strings.Contains(e.Message, secret) {
					t.Errorf("%s", e)
				}
			}
		}
		if log := g.log.String(); !strings.Contains(log, "request-1") || !strings.Contains(log, "closed") {
			t.Errorf("logged: %s", log)
		}
	})
}

// Without its plugin a filter type is unavailable, and all else goes on.
func TestPluginThatIsGone(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	g = newGraphOver(t, g.store, hosttest.Start(t, host.Options{Taken: graph.HasType}))
	site := g.site("a.example", "UTC")
	g.segment(site, "RO", raw(`{"country": {"is": "RO"}}`))
	g.write("a.example", page("1", "2026-05-01T10:00:00Z", "/"))
	if err := g.host.Close(); err != nil {
		t.Fatal(err)
	}
	a := g.ask(`query($r: TimeRange!) { site(domain: "a.example") { name domains all: segments(search: "All") { nodes { name filters { label } sessionCount(range: $r) } }
		segments(search: "RO") { nodes { name filters { args } } } plugins: events { totalCount } } plugins { name builtin } filterTypes { name } }`, vars{"r": raw(may2026)})
	if len(a.Errors) != 0 {
		t.Errorf("%v", a.Errors)
	}
	g.refused(`query($r: TimeRange!) { site(domain: "a.example") { sessionCount(filters: {country: {is: "DE"}}, range: $r) } }`, vars{"r": raw(may2026)}, model.Unavailable, "filters[0]")
	a = g.ask(`query($r: TimeRange!) { sites { name } site(domain: "a.example") { sessionCount(filters: {country: {is: "DE"}}, range: $r) } }`, vars{"r": raw(may2026)})
	if !sameJSON(t, a.Data, []byte(`{"sites": [{"name": "a.example"}], "site": {"sessionCount": null}}`)) {
		t.Errorf("%s", a.Data)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	g.site("a.example", "UTC")
	a := g.post(`{"query": "{ sites { id } }", "variables": {"x": "`+strings.Repeat("x", 1<<20)+`"}}`, "application/json")
	if a.status != http.StatusRequestEntityTooLarge || len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "RESOURCE_EXHAUSTED" || !strings.Contains(a.Errors[0].Message, "larger than") {
		t.Errorf("body: %d %v", a.status, a.Errors)
	}
	a = g.ask(`{ `+strings.Repeat("sites{id} ", 6000)+`}`, nil)
	if len(a.Errors) == 0 || !strings.Contains(a.Errors[0].Message, "token") {
		t.Errorf("tokens: %d %.300v", a.status, a.Errors)
	}
	g.refused(`{ sites { goals(first: 500) { nodes { site { goals(first: 500) { nodes { id } } } } } } }`, nil, model.ResourceExhausted, "")
	g.refused(`query($n: Int) { sites { goals(first: $n) { nodes { site { goals(first: $n) { nodes { id } } } } } } }`, vars{"n": 500}, model.ResourceExhausted, "")
	g.refused(`{ site(domain: "a.example") { goalCards(range: {from: "2026-01-01T00:00:00Z"}, segments: [`+strings.Repeat(`"a",`, 100)+`], goals: [`+strings.Repeat(`"a",`, 500)+`]) { cells { sessions conversions visitors series { at } } } } }`,
		nil, model.ResourceExhausted, "")
	for _, body := range []string{``, `{`, `[]`, `"x"`, `{"query": 5}`, "\x00\xff"} {
		a := g.post(body, "application/json")
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "BAD_USER_INPUT" || a.Data != nil || strings.Contains(a.Errors[0].Message, "body:") {
			t.Errorf("%q: %d %s %v", body, a.status, a.Data, a.Errors)
		}
	}
	if log := g.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	g.site("a.example", "UTC")
	get := func(method, query string, body string, contentType string) (answer, http.Header) {
		request, err := http.NewRequestWithContext(t.Context(), method, g.url+"?query="+url.QueryEscape(query)+`&variables=`+url.QueryEscape(`{"d": "a.example"}`), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if contentType != "" {
			request.Header.Set("Content-Type", contentType)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		a := answer{status: response.StatusCode}
		_ = json.NewDecoder(response.Body).Decode(&a)
		return a, response.Header
	}
	if a, _ := get("GET", `query($d: String!) { site(domain: $d) { name } }`, "", ""); a.status != 200 || string(a.Data) != `{"site":{"name":"a.example"}}` {
		t.Errorf("GET: %+v", a)
	}
	if a, header := get("GET", `mutation { createSite(input: {name: "x"}) { site { id } } }`, "", ""); a.status != http.StatusMethodNotAllowed || header.Get("Allow") != "POST" || len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "BAD_USER_INPUT" {
		t.Errorf("GET of a mutation: %+v %v", a, header)
	}
	for _, contentType := range []string{"text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		if a, _ := get("POST", "", `{"query": "mutation { createSite(input: {name: \"x\"}) { site { id } } }"}`, contentType); a.status != http.StatusUnsupportedMediaType || len(a.Errors) != 1 {
			t.Errorf("%q: %+v", contentType, a)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		if a, header := get(method, "", `{"query": "{ sites { id } }"}`, "application/json"); a.status != http.StatusMethodNotAllowed || !strings.Contains(header.Get("Allow"), "POST") {
			t.Errorf("%s: %+v", method, a)
		}
	}
	g.want(`{ sites { name } }`, nil, `{"sites": [{"name": "a.example"}]}`)
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	var data struct {
		Type struct {
			Kind, Description string
			IsOneOf           bool
			InputFields       []struct {
				Name, Description string
				Type              struct{ Kind, Name string }
			}
		}
		FilterTypes []struct {
			Name, Title, Description, MergeRule, InputType string
			Plugin                                         struct{ Name string }
		}
	}
	g.into(&data, `{ type: __type(name: "FilterInput") { kind description isOneOf inputFields { name description type { kind name } } }
		filterTypes { name title description mergeRule inputType plugin { name } } }`, nil)
	f := data.Type
	if f.Kind != "INPUT_OBJECT" || !f.IsOneOf || f.Description == "" || len(f.InputFields) != len(builtin.Types())+4 || len(data.FilterTypes) != len(builtin.Types()) {
		t.Fatalf("%+v", data)
	}
	for i, want := range []string{"anyOf", "allOf", "not", "segment"} {
		if field := f.InputFields[len(builtin.Types())+i]; field.Name != want || field.Description == "" {
			t.Errorf("%+v, want %s", field, want)
		}
	}
	for i, field := range f.InputFields[:len(builtin.Types())] {
		typ := data.FilterTypes[i]
		if field.Name != typ.Name || field.Type.Name != typ.InputType || field.Type.Kind != "INPUT_OBJECT" || !strings.Contains(field.Description, typ.MergeRule) || typ.Plugin.Name != "builtin" {
			t.Errorf("%+v, %+v", field, typ)
		}
	}
	g.want(`{ __type(name: "DeviceFilter") { inputFields { name type { kind ofType { kind ofType { kind name } } } } } }`, nil, `{"__type": {"inputFields": [
		{"name": "is", "type": {"kind": "LIST", "ofType": {"kind": "NON_NULL", "ofType": {"kind": "ENUM", "name": "DeviceKind"}}}},
		{"name": "isNot", "type": {"kind": "LIST", "ofType": {"kind": "NON_NULL", "ofType": {"kind": "ENUM", "name": "DeviceKind"}}}}]}}`)
	g.want(`{ plugins { name builtin status reason restarts filterTypes { name } } }`, nil, fmt.Sprintf(
		`{"plugins": [{"name": "builtin", "builtin": true, "status": "RUNNING", "reason": null, "restarts": 0, "filterTypes": %s}]}`, typeNames(data.FilterTypes)))
}

func typeNames[T any](types []T) string {
	var list []struct{ Name string }
	if err := json.Unmarshal([]byte(mustJSON(types)), &list); err != nil {
		panic(err)
	}
	var names []map[string]string
	for _, typ := range list {
		names = append(names, map[string]string{"name": typ.Name})
	}
	return mustJSON(names)
}
