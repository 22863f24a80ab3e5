package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// atOnce is far longer than a refusal takes, and far shorter than what is refused would.
const atOnce = 10 * time.Second

// documented returns the text of each operation of the documentation, by its place.
func documented(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	block := regexp.MustCompile("(?s)```graphql\n(.*?)```")
	for _, pattern := range []string{"../README.md", "../docs/*.md", "../plugins/README.md", "testdata/documents/*.graphql", "clienttest/*.graphql"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(file) == ".graphql" {
				texts[file] = string(text)
				continue
			}
			for i, found := range block.FindAllSubmatch(text, -1) {
				texts[fmt.Sprintf("%s, block %d", file, i+1)] = string(found[1])
			}
		}
	}
	return texts
}

// The bounds leave room for two more than the largest query of the documentation has.
func TestBoundsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	bounds, largest := document.Default, document.Size{}
	for place, text := range documented(t) {
		doc, err := parser.ParseQuery(&ast.Source{Input: text})
		if err != nil {
			continue // a part of the schema
		}
		size, _, problem := bounds.Measure(doc)
		if problem != nil {
			t.Errorf("%s: %v", place, problem)
		}
		largest.Depth, largest.Aliases = max(largest.Depth, size.Depth), max(largest.Aliases, size.Aliases)
		largest.Directives, largest.Roots = max(largest.Directives, size.Directives), max(largest.Roots, size.Roots)
	}
	const room, once = 2, 1
	if got, want := [...]int{bounds.Depth, bounds.Aliases, bounds.Directives, bounds.Roots, bounds.Repeats},
		[...]int{largest.Depth + room, largest.Aliases + room, largest.Directives + room, largest.Roots + room, once + room}; got != want {
		t.Errorf("the bounds of depth, aliases, directives, root fields and repeats are %d, want %d", got, want)
	}
}

// What asks for much is refused before it is carried out, at once.
func TestExpensiveOperations(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	g.goal(site, "a")
	series := ""
	for i := range 12 {
		series += fmt.Sprintf("s%d:series(interval:HOUR){at sessions conversions} ", i)
	}
	introspection := ""
	for i := range 500 {
		introspection += fmt.Sprintf("a%d:__schema{types{name description}} ", i)
	}
	for name, query := range map[string]string{
		"hours over aliases": `{site(domain:"a.example"){goalCards(range:{from:"2020-01-01T00:00:00Z"}){cells{a:series(interval:HOUR){at sessions}b:series(interval:HOUR){at sessions}c:series(interval:HOUR){at}}}}}`,
		"hours through fragments": `{ site(domain: "a.example") { goalCards(range: {from: "2020-01-01T00:00:00Z"}) { ...F } } }
			fragment F on GoalCard { cells { ...S } } fragment S on GoalCell { ` + series + `}`,
		"3 KB":                           `{ ` + strings.Repeat(`sites { goals(first: 500) { nodes { card(range: {from: "2025-01-01T00:00:00Z"}) { cells { `+series+` } } } } } `, 3) + `}`,
		"500 introspections":             `{ ` + introspection + `}`,
		"introspection in introspection": `{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }`,
		"directives":                     `{ sites { id ` + strings.Repeat("@include(if: true) ", 20) + `} }`,
		"unknown directives":             `{ sites { id ` + strings.Repeat("@aa ", 20) + `} }`,
		"deferred":                       `{ sites { ... @defer { id } } }`,
		"a circle":                       `{ ...A } fragment A on Query { sites { id } ...B } fragment B on Query { ...A }`,
	} {
		begin := time.Now()
		a := g.ask(query, nil)
		if took := time.Since(begin); len(a.Errors) == 0 || took > atOnce || len(a.Data) > 0 || len(a.Errors) > 21 {
			t.Errorf("%s: %d bytes took %v: %d errors, %.200v, data %.200s", name, len(query), took, len(a.Errors), a.Errors, a.Data)
		}
	}
	for _, batch := range []string{`[{"query": "{ sites { id } }"}, {"query": "{ sites { id } }"}]`, `[]`} {
		if a := g.post(batch, "application/json"); a.status != http.StatusBadRequest || len(a.Data) > 0 {
			t.Errorf("a batch: %+v", a)
		}
	}
	text, err := os.ReadFile("testdata/documents/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if schema := g.must(string(text), nil); len(schema) < 10_000 {
		t.Errorf("%s", schema)
	}
}

// Lists whose length only the data knows are held against the limit when they are made.
func TestAnswerThatGrows(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	for i := range 15 {
		g.goal(site, fmt.Sprint(i))
		g.segment(site, fmt.Sprint(i))
	}
	begin := time.Now()
	a := g.ask(`{ site(domain: "a.example") { goalCards(range: {from: "2026-05-01T00:00:00Z", to: "2026-07-01T00:00:00Z"}) { cells { series(interval: HOUR) { at sessions } } } } }`, nil)
	if len(a.Errors) == 0 || len(a.Errors) > 101 || a.Errors[0].Extensions.Code != "RESOURCE_EXHAUSTED" || time.Since(begin) > time.Minute {
		t.Errorf("%d errors in %v: %.300v", len(a.Errors), time.Since(begin), a.Errors)
	}
	// So are the bytes of texts.
	var data struct {
		CreateGoal struct{ Goal struct{ ID string } }
	}
	g.into(&data, `mutation($s: ID!, $d: String) { createGoal(input: {siteId: $s, key: "long", name: "long", description: $d}) { goal { id } } }`, vars{"s": site, "d": strings.Repeat("€", 5000)})
	var ids []string
	for range 100 {
		ids = append(ids, data.CreateGoal.Goal.ID)
	}
	query := `query($ids: [ID!]!) { nodes(ids: $ids) { ... on Goal { `
	for i := range 28 {
		query += fmt.Sprintf("d%d: description ", i)
	}
	a = g.ask(query+"} } }", vars{"ids": ids})
	if len(a.Errors) == 0 || a.Errors[0].Extensions.Code != "RESOURCE_EXHAUSTED" || len(a.Data) > 16<<20 {
		t.Errorf("%d bytes: %.300v", len(a.Data), a.Errors)
	}
}

// An answer tells what was asked for and what was made.
func TestCost(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	goal, segment := g.goal(site, "a"), g.segmentNamed(site, "All")
	costs := func(query string, variables vars) (requested, actual int) {
		t.Helper()
		a := g.post(mustJSON(map[string]any{"query": query, "variables": variables, "extensions": map[string]any{"cost": true}}), "application/json")
		var told struct {
			Cost struct{ Requested, Actual int }
		}
		if err := json.Unmarshal(a.Extensions, &told); err != nil || len(a.Errors) > 0 {
			t.Fatalf("%+v: %v", a, err)
		}
		return told.Cost.Requested, told.Cost.Actual
	}
	for _, test := range []struct {
		query             string
		requested, actual int
	}{
		{`{ site(domain: "a.example") { id @skip(if: true) name domains } }`, 3, 4},
		{`query($g: [ID!]!, $s: [ID!]!) { site(domain: "a.example") { goalCards(goals: $g, segments: $s, range: {from: "2026-05-01T00:00:00Z", to: "2026-05-03T00:00:00Z"}) { cells { sessions conversions } } } }`, 1 + 1 + 2*3 + 2*(1+3*2), 1 + 1 + 2*(1+3*2)},
		{`query($g: [ID!]!, $s: [ID!]!) { site(domain: "a.example") { goalCards(goals: $g, segments: $s, range: {from: "2026-05-01T00:00:00Z", to: "2026-05-03T00:00:00Z"}) { cells { series(interval: DAY) { at } } } } }`,
			1 + 1 + 2*3 + 2*(1+3*(1+4+4)), 1 + 1 + 2*(1+3*(1+2))},
		{`query($g: [ID!]!, $s: [ID!]!) { site(domain: "a.example") { breakdown(by: [PAGE], goals: $g, segments: $s, first: 10, range: {from: "2026-05-01T00:00:00Z"}) { nodes { values goals { conversions } } } } }`,
			1 + 1 + (1 + 10*(1+(1+2))), 3},
		{`{ site(domain: "a.example") { goals(first: 100) { nodes { key } totalCount } } }`, 1 + 1 + 100 + (1 + 100) + 1, 5},
	} {
		requested, actual := costs(test.query, vars{"g": []string{goal, goal}, "s": []string{segment, segment, segment}})
		if requested != test.requested || actual != test.actual {
			t.Errorf("%s\ncosts %d, %d; want %d, %d", test.query, requested, actual, test.requested, test.actual)
		}
	}
}

// Who may not ask for the schema is told none of it.
func TestMayIntrospect(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		o.MayIntrospect = func(ctx context.Context) error {
			if model.ActorOf(ctx).Name == "reader" {
				return nil
			}
			return model.Errorf(model.Forbidden, "only readers may ask for the schema")
		}
	})
	g.refused(`{ __schema { queryType { name } } }`, nil, model.Forbidden, "")
	g.refused(`{ sites { id } ...F } fragment F on Query { __type(name: "Site") { name } }`, nil, model.Forbidden, "")
	g.want(`{ __typename }`, nil, `{"__typename": "Query"}`)
	if e := g.refused(`{ site { id } }`, nil, model.BadInput, ""); e.Message == "" {
		t.Error(e)
	}
	if a := g.ask(`{ sits { id } }`, nil); len(a.Errors) != 1 || strings.Contains(a.Errors[0].Message, "mean") {
		t.Errorf("%v", a.Errors)
	}
	// Variables are wrong by what the library looks at, and by what it does not.
	for _, input := range []vars{{"nam": 1}, {"siteId": 1.5, "filters": vars{"countri": vars{}}}, {"siteId": "x", "name": "x", "filters": []any{vars{"country": vars{"is": 1}}}}} {
		e := g.refused(`mutation($input: CreateSegmentInput!) { createSegment(input: $input) { segment { id } } }`, vars{"input": input}, model.BadInput, "input")
		if want := "$input is not what its type takes; who may read is told why"; e.Message != want {
			t.Errorf("%v: %s", input, e.Message)
		}
	}
}

// An operation's time covers the reading of it.
func TestDeadlineOfReading(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) { o.transport.Timeout = time.Nanosecond })
	a := g.ask(`{ sites { id } }`, nil)
	if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "RESOURCE_EXHAUSTED" {
		t.Errorf("%+v", a)
	}
	w := g.connect()
	w.send(`{"id": "1", "type": "subscribe", "payload": {"query": "{ sites { id name } }"}}`)
	if payload := w.want("error", "1"); !strings.Contains(string(payload), "RESOURCE_EXHAUSTED") {
		t.Errorf("%s", payload)
	}
}
