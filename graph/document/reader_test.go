package document

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/goalgraph/goalgraph/model"
)

var schema = gqlparser.MustLoadSchema(&ast.Source{Input: `
	interface Node { id: ID! node: Node }
	type Query { a(x: Int, l: [Int!]): Query b: Query name: String names: [String!]! count: Int! cat: Cat dog: Dog node: Node }
	type Cat implements Node { id: ID! node: Node name: String lives: Int friend: Dog }
	type Dog implements Node { id: ID! node: Node name: String lives: Int! tail: String friend: Dog }
`})

func newReader(t testing.TB, bounds Bounds) *Reader {
	t.Helper()
	r, err := NewReader(schema, bounds, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// soon is far more than reading takes, and far less than what the bounds prevent.
const soon = 5 * time.Second

func bomb(fragments int) string {
	var text strings.Builder
	text.WriteString("{ ...F0 }\n")
	for i := range fragments {
		fmt.Fprintf(&text, "fragment F%d on Query { a { ...F%d } b { ...F%d } }\n", i, i+1, i+1)
	}
	fmt.Fprintf(&text, "fragment F%d on Query { name }", fragments)
	return text.String()
}

// What a stranger can write is refused before it takes time.
func TestBounds(t *testing.T) {
	t.Parallel()
	aliases := func(n int) (text string) {
		for i := range n {
			text += fmt.Sprintf("a%d: name ", i)
		}
		return "{ b { " + text + "} }"
	}
	for name, test := range map[string]struct {
		text, message string
		code          model.Code
	}{
		"40 fragments, each spreading the next twice": {bomb(40), "the limit is", model.ResourceExhausted},
		"60 KB of a field":                            {"{" + strings.Repeat("a ", 30_000) + "}", "token", ""},
		"as many as there are tokens":                 {"{" + strings.Repeat("name ", 15_000) + "}", "12; send several", model.ResourceExhausted},
		"below the root":                              {"{ b {" + strings.Repeat("name ", 15_000) + "} }", "select it once", model.ResourceExhausted},
		"a fragment spread again and again":           {"{ b {" + strings.Repeat("...F ", 5000) + "} } fragment F on Query { name }", "select it once", model.ResourceExhausted},
		"aliases":                                     {aliases(Default.Aliases + 1), "31 aliases", model.ResourceExhausted},
		"aliases through fragments":                   {"{ " + strings.Repeat("b { ...F } ", 2) + "} fragment F on Query " + aliases(20), "aliases", model.ResourceExhausted},
		"depth":                                       {strings.Repeat("{ b ", Default.Depth+1) + strings.Repeat("}", Default.Depth+1), "18 levels", model.ResourceExhausted},
		"values in one another":                       {"{ b(v: " + strings.Repeat("[{a: ", 2000) + "1" + strings.Repeat("}]", 2000) + ") { name } }", "51 lists and objects", model.ResourceExhausted},
		"directives":                                  {"{ name " + strings.Repeat("@include(if: true) ", 11) + "}", "11 directives", model.ResourceExhausted},
		"a fragment in itself":                        {"{ ...A } fragment A on Query { b { ...A } }", "spreads itself", model.BadInput},
		"fragments in one another":                    {"{ ...A } fragment A on Query { b { ...B } } fragment B on Query { a { ...A } }", "spreads itself", model.BadInput},
		"a long name":                                 {"{ " + strings.Repeat("x", 129) + " }", "129 bytes", model.ResourceExhausted},
		"a long alias":                                {"{ " + strings.Repeat("x", 60_000) + ": name }", "60000 bytes", model.ResourceExhausted},
		"a long text":                                 {"{ name } #" + strings.Repeat("x", 1<<20), "1048586 bytes", model.ResourceExhausted},
		"comments":                                    {"{ name }" + strings.Repeat("#\n", 100_000), "token", ""},
		"operations":                                  {strings.Repeat("query A { name } ", 21), "21 operations", model.ResourceExhausted},
		"fragments":                                   {"{ name }" + strings.Repeat("fragment A on Query { name } ", 101), "101 fragments", model.ResourceExhausted},
		"many errors":                                 {"{ b {" + wrongFields(1000) + "} }", "Cannot query field", ""},
		"no operation":                                {"fragment A on Query { name }", "no operation", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, errs := newReader(t, Default).Read(t.Context(), test.text, Options{})
			if len(errs) == 0 || !strings.Contains(errs[0].Message, test.message) || len(errs) > Default.Errors+1 || len(errs[0].Message) > 300 {
				t.Fatalf("%d errors: %.500v", len(errs), errs)
			}
			var coded *model.Error
			if errors.As(errs[0], &coded); test.code != "" && coded.Code != test.code {
				t.Errorf("%v", errs[0])
			}
			if took := time.Since(begin); took > soon {
				t.Errorf("took %v", took)
			}
		})
	}
}

func wrongFields(n int) (text string) {
	for i := range n {
		text += fmt.Sprintf("nam%d ", i)
	}
	return text
}

// Documents of any size that are within the bounds are read in a time that grows with their length.
func TestLargestDocuments(t *testing.T) {
	t.Parallel()
	list := strings.Repeat("1 ", 8000)
	// Fields of one name, as deep and as often as they may be.
	var repeated func(depth int) string
	repeated = func(depth int) string {
		if depth == 0 {
			return "{ name names count }"
		}
		return "{ " + strings.Repeat("b "+repeated(depth-1)+" ", 3) + "}"
	}
	fragments := "{ b { " + strings.Repeat("b { ", 3)
	for i := range 90 {
		fragments += fmt.Sprintf("...F%d ", i)
	}
	fragments += strings.Repeat("}", 5)
	for i := range 90 {
		fragments += fmt.Sprintf(" fragment F%d on Query { a { b { name count cat { id name friend { id tail } } } } name names }", i)
	}
	for name, text := range map[string]string{"list": "{ a(l: [" + list + "]) { name } }", "repeated": repeated(6), "fragments": fragments} {
		begin := time.Now()
		if _, errs := newReader(t, Default).Read(t.Context(), text, Options{}); errs != nil {
			t.Errorf("%s: %v", name, errs)
		}
		took := time.Since(begin)
		t.Logf("%s: %d bytes took %v", name, len(text), took)
		if took > soon {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// Reading ends with the context.
func TestReadingStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newReader(t, Default)
	if _, errs := r.Read(ctx, "{ name }", Options{}); len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("%v", errs)
	}
	doc, _, problem := r.parse("{ a(l: ["+strings.Repeat("1 ", 8000)+"]) { name } }", false)
	if problem != nil {
		t.Fatal(problem)
	}
	if errs := r.validate(ctx, doc); len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("%v", errs)
	}
}

// Kept documents take so many bytes and no more, however many are sent.
func TestKeptDocuments(t *testing.T) {
	r := newReader(t, Default)
	for i := range 200 {
		text := fmt.Sprintf("{ a(l: [%d %s]) { name } }", i, strings.Repeat("1 ", 9000))
		if i%2 == 0 {
			text = fmt.Sprintf("{ name } # %d %s", i, strings.Repeat("x", 200<<10))
		}
		if _, errs := r.Read(t.Context(), text, Options{}); errs != nil {
			t.Fatal(errs)
		}
	}
	r.known.CleanUp()
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	t.Logf("%d MiB in use", memory.HeapAlloc>>20)
	if memory.HeapAlloc > 64<<20 {
		t.Errorf("%d MiB are in use", memory.HeapAlloc>>20)
	}
}

// Trusted documents have no bounds, and nobody else has what they may.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	r, text := newReader(t, Default), strings.Repeat("{ b ", 20)+"{ name }"+strings.Repeat("}", 20)
	for range 2 {
		if _, errs := r.Read(t.Context(), text, Options{Trusted: true}); errs != nil {
			t.Errorf("%v", errs)
		}
		if _, errs := r.Read(t.Context(), text, Options{}); errs == nil {
			t.Error("it was read for everybody")
		}
	}
}

// Reserved errors name nothing of the schema that was not written.
func TestNoSuggestions(t *testing.T) {
	t.Parallel()
	r := newReader(t, Default)
	for _, text := range []string{"{ nam }", "{ a(y: 1) { name } }", "{ ... on Querie { name } }", "{ a }", `{ node { lives } }`, `{ a(x: "b") { name } }`, "{ node { tail } }", "{ node(id: 1) { id } }", "query($x: Boolean) { a(x: $x) { name } }"} {
		_, open := r.Read(t.Context(), text, Options{})
		_, reserved := r.Read(t.Context(), text, Options{Reserved: true})
		if len(open) == 0 || len(reserved) == 0 || strings.ContainsAny(reserved.Error(), `"`) || strings.Contains(reserved.Error(), "Int") {
			t.Errorf("%s: %v, reserved %v", text, open, reserved)
		}
	}
	if _, errs := r.Read(t.Context(), "{ nam }", Options{}); !strings.Contains(errs.Error(), `Did you mean "name"`) {
		t.Errorf("%v", errs)
	}
}

// overlapTexts are documents whose fields may not merge, and some that may.
var overlapTexts = []string{
	"{ name name }", "{ x: name x: count }", "{ x: name x: names }", "{ a(x: 1) { name } a(x: 2) { name } }", "{ a(x: 1) { name } a(x: 1) { x: count } }",
	"{ a { x: name } a { x: count } }", "{ a { x: name } ...F } fragment F on Query { a { x: count } }", "{ ...F ...G } fragment F on Query { a { b { x: name } } } fragment G on Query { a { b { x: count } } }",
	"{ node { ... on Cat { x: name } ... on Dog { x: tail } } }", "{ node { ... on Cat { lives } ... on Dog { lives } } }",
	"{ node { ... on Cat { x: friend { x: name } } ... on Dog { x: friend { x: tail } } } }", "{ node { ... on Cat { x: friend { x: name } } ... on Dog { x: friend { x: lives } } } }",
	"{ node { x: id ... on Cat { x: name } } }", "{ node { node { ... on Cat { x: name } } ... on Dog { node { ... on Cat { x: id } } } } }",
	"{ node { ... on Cat { node { id } } ... on Dog { node: friend { id } } } }", "{ a { name } a: b { name } }", "query($x: Int) { a(x: $x) { name } a(x: $x) { count } }",
	"query($x: Int, $y: Int) { a(x: $x) { name } a(x: $y) { count } }", "{ a(x: 1, l: [1]) { name } a(l: [1], x: 1) { name } }", "{ a(l: 1) { name } a(l: [1]) { name } }", "{ x: a { name } x: name }",
}

// The rule for fields of one name says what the library's says.
func TestOverlap(t *testing.T) {
	t.Parallel()
	for _, text := range overlapTexts {
		compareOverlap(t, text)
	}
}

func FuzzOverlap(f *testing.F) {
	for _, text := range overlapTexts {
		f.Add(text)
	}
	f.Fuzz(compareOverlap)
}

func compareOverlap(t *testing.T, text string) {
	if len(text) > 500 {
		return
	}
	read := func() *ast.QueryDocument {
		doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, 200)
		if err != nil {
			return nil
		}
		bounds := Default
		if _, _, problem := bounds.Measure(doc); problem != nil {
			return nil
		}
		return doc
	}
	if read() == nil {
		return
	}
	others := rules.NewDefaultRules()
	others.RemoveRule(overlap.Name)
	if validator.ValidateWithRules(schema, read(), others) != nil {
		return // a document that is wrong in another way
	}
	theirs := validator.ValidateWithRules(schema, read(), rules.NewRules(rules.OverlappingFieldsCanBeMergedRule))
	var ours gqlerror.List = validator.ValidateWithRules(schema, read(), rules.NewRules(overlap))
	if (len(theirs) == 0) != (len(ours) == 0) {
		t.Errorf("%s\nthe library: %v\nthis rule: %v", text, theirs, ours)
	}
}
