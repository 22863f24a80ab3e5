package scalar_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/goalgraph/goalgraph/graph/scalar"
)

// The schema holds what plugins may bring and the built-in types do not have.
var schema = gqlparser.MustLoadSchema(&ast.Source{Input: `
	type Query { ok(all: All): Boolean }
	scalar Anything
	enum Colour { RED GREEN }
	input FilterInput @oneOf { colour: ColourFilter, nested: Nested, all: All }
	input ColourFilter { is: [Colour!] isNot: [Colour!] = [GREEN] most: Int = 3 }
	input Nested { must: String! inner: Inner! = {number: 7} list: [Inner!] grid: [[Int]] }
	input Inner { number: Int! = 5 text: String = "x" colour: Colour = RED }
	input All { string: String id: ID int: Int float: Float boolean: Boolean anything: Anything colour: Colour
		strings: [String!] ints: [Int] required: [Int!]! = 1 }
	input Choice @oneOf { a: Int b: String c: [Choice!] }
`})

// typeOf reads a type as GraphQL writes it.
func typeOf(t testing.TB, text string) *ast.Type {
	t.Helper()
	document, err := parser.ParseQuery(&ast.Source{Input: "query($v: " + text + ") { ok }"})
	if err != nil {
		t.Fatal(err)
	}
	return document.Operations[0].VariableDefinitions[0].Type
}

// variable reads a value as the server reads variables.
func variable(t testing.TB, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

// literal reads a value as it stands in a document.
func literal(t testing.TB, text string) any {
	t.Helper()
	document, err := parser.ParseQuery(&ast.Source{Input: "{ ok(v: " + text + ") }"})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	value, err := document.Operations[0].SelectionSet[0].(*ast.Field).Arguments[0].Value.Value(nil)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

const same = "the literal is written as the variable"

// Each line is a type, a value as a variable and as a literal, and what both become: JSON, or "! path: message".
var coercions = []struct{ typ, variable, literal, want string }{
	{"String", `"a"`, same, `"a"`},
	{"String", `""`, same, `""`},
	{"String", `null`, same, `null`},
	{"String!", `null`, same, `! v: must not be null`},
	{"String", `1`, same, `! v: is the number 1; it must be of type String`},
	{"String", `true`, same, `! v: is true; it must be of type String`},
	{"String", `["a"]`, same, `! v: is a list; it must be of type String`},
	{"String", `{}`, same, `! v: is an object; it must be of type String`},
	{"ID", `"a"`, same, `"a"`},
	{"ID", `12`, same, `"12"`},
	{"ID", `1.5`, same, `! v: is the number 1.5`},
	{"Boolean", `true`, same, `true`},
	{"Boolean", `"true"`, same, `! v: is the string "true"`},
	{"Boolean", `1`, same, `! v: is the number 1`},
	{"Int", `0`, same, `0`},
	{"Int", `-2147483648`, same, `-2147483648`},
	{"Int", `2147483647`, same, `2147483647`},
	{"Int", `2147483648`, same, `! v: is 2147483648; an Int has 32 bits`},
	{"Int", `1099511627776`, same, `! v: is 1099511627776; an Int has 32 bits`},
	{"Int", `"1"`, same, `! v: is the string "1"`},
	{"Int", `1.5`, same, `! v: is the number 1.5`},
	{"Int", `1e3`, same, `1000`},
	{"Int", `5.0`, same, `5`},
	{"Int", `1e300`, same, `! v: is the number 1e`},
	{"Int", `99999999999999999999`, `1e20`, `! v: is the number`},
	{"Float", `1`, same, `1`},
	{"Float", `1.5`, same, `1.5`},
	{"Float", `1099511627776`, same, `1099511627776`},
	{"Float", `"1.5"`, same, `! v: is the string "1.5"`},
	{"Colour", `"RED"`, `RED`, `"RED"`},
	{"Colour", `"red"`, `red`, `! v: is the string "red"; Colour is one of RED, GREEN`},
	{"Colour", `"BLUE"`, `BLUE`, `! v: is the string "BLUE"`},
	{"Colour", `0`, same, `! v: is the number 0; Colour is one of RED, GREEN`},
	{"Colour!", `null`, same, `! v: must not be null`},
	{"Anything", `{"a": [1, "b"]}`, `{a: [1, "b"]}`, `{"a": [1, "b"]}`},

	{"[Int]", `1`, same, `[1]`},
	{"[Int]", `[]`, same, `[]`},
	{"[Int]", `[1, null]`, same, `[1, null]`},
	{"[Int!]", `[1, null]`, same, `! v[1]: must not be null`},
	{"[Int!]!", `null`, same, `! v: must not be null`},
	{"[Int]", `null`, same, `null`},
	{"[Int]", `["1"]`, same, `! v[0]: is the string "1"`},
	{"[Int]", `{}`, same, `! v: is an object`},
	{"[[Int]]", `1`, same, `[[1]]`},
	{"[[Int]]", `[[1], [2, 3]]`, same, `[[1], [2, 3]]`},
	{"[[Int]]", `[1, 2]`, same, `[[1], [2]]`},
	{"[[Int!]]", `[[1], [2, null]]`, same, `! v[1][1]: must not be null`},

	{"All", `{}`, same, `{"required": [1]}`},
	{"All", `{"required": null}`, `{required: null}`, `! v.required: must not be null`},
	{"All", `{"string": null, "ints": null}`, `{string: null, ints: null}`, `{"string": null, "ints": null, "required": [1]}`},
	{"All", `{"strings": "a", "ints": 3}`, `{strings: "a", ints: 3}`, `{"strings": ["a"], "ints": [3], "required": [1]}`},
	{"All", `{"colour": "green"}`, `{colour: green}`, `! v.colour: is the string "green"`},
	{"All", `{"strings": ["a", 1]}`, `{strings: ["a", 1]}`, `! v.strings[1]: is the number 1`},
	{"All", `{"nope": 1}`, `{nope: 1}`, `! v.nope: is unknown; the fields of All are string, id,`},
	{"All", `"a"`, same, `! v: must be an object of All, not the string "a"`},
	{"All", `[{}]`, same, `! v: must be an object of All, not a list`},
	{"[All!]", `{}`, same, `[{"required": [1]}]`},

	{"Nested", `{}`, same, `! v.must: is missing; it is a String!`},
	{"Nested", `{"must": "m"}`, `{must: "m"}`, `{"must": "m", "inner": {"number": 7, "text": "x", "colour": "RED"}}`},
	{"Nested", `{"must": "m", "inner": {}}`, `{must: "m", inner: {}}`, `{"must": "m", "inner": {"number": 5, "text": "x", "colour": "RED"}}`},
	{"Nested", `{"must": "m", "inner": {"text": null}}`, `{must: "m", inner: {text: null}}`, `{"must": "m", "inner": {"number": 5, "text": null, "colour": "RED"}}`},
	{"Nested", `{"must": "m", "inner": {"number": null}}`, `{must: "m", inner: {number: null}}`, `! v.inner.number: must not be null`},
	{"Nested", `{"must": "m", "list": {"number": 1}, "grid": 1}`, `{must: "m", list: {number: 1}, grid: 1}`,
		`{"must": "m", "inner": {"number": 7, "text": "x", "colour": "RED"}, "list": [{"number": 1, "text": "x", "colour": "RED"}], "grid": [[1]]}`},
	{"Nested", `{"must": "m", "list": [{}, {"number": "1"}]}`, `{must: "m", list: [{}, {number: "1"}]}`, `! v.list[1].number: is the string "1"`},

	{"FilterInput", `{"colour": {"is": "RED"}}`, `{colour: {is: RED}}`, `{"colour": {"is": ["RED"], "isNot": ["GREEN"], "most": 3}}`},
	{"FilterInput", `{"colour": {"isNot": null, "most": null}}`, `{colour: {isNot: null, most: null}}`, `{"colour": {"isNot": null, "most": null}}`},
	{"FilterInput", `{}`, same, `! v: is empty; set exactly one of colour, nested, all`},
	{"FilterInput", `{"colour": {}, "all": {}}`, `{colour: {}, all: {}}`, `! v: sets all and colour; exactly one field is set`},
	{"FilterInput", `{"colour": {}, "all": null}`, `{colour: {}, all: null}`, `! v: sets all and colour`},
	{"FilterInput", `{"colour": null}`, `{colour: null}`, `! v.colour: must not be null`},
	{"FilterInput", `{"color": {}}`, `{color: {}}`, `! v.color: is unknown; the fields of FilterInput are colour, nested, all`},
	{"[FilterInput!]", `{"colour": {}}`, `{colour: {}}`, `[{"colour": {"isNot": ["GREEN"], "most": 3}}]`},
	{"Choice", `{"c": {"c": {"a": 1}}}`, `{c: {c: {a: 1}}}`, `{"c": [{"c": [{"a": 1}]}]}`},
	{"Choice", `{"c": [{"a": 1}, {"a": 1, "b": "x"}]}`, `{c: [{a: 1}, {a: 1, b: "x"}]}`, `! v.c[1]: sets a and b`},
	{"Missing", `1`, same, `! v: is of the type Missing, which the schema does not have`},
}

func TestCoerce(t *testing.T) {
	for _, test := range coercions {
		if test.literal == same {
			test.literal = test.variable
		}
		for written, value := range map[string]any{test.variable: variable(t, test.variable), test.literal + " literally": literal(t, test.literal)} {
			got, problem := scalar.Coerce(schema, typeOf(t, test.typ), value, ast.Path{ast.PathName("v")})
			if want, refused := strings.CutPrefix(test.want, "! "); refused {
				if problem == nil {
					t.Errorf("%s as %s: %v, want %s", written, test.typ, got, want)
				} else if text := scalar.PathText(problem.Path) + ": " + problem.Message; !strings.HasPrefix(text, want) {
					t.Errorf("%s as %s: %s, want %s", written, test.typ, text, want)
				}
				continue
			}
			if problem != nil {
				t.Errorf("%s as %s: %v", written, test.typ, problem)
				continue
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(variable(t, string(text)), variable(t, test.want)) {
				t.Errorf("%s as %s: %s, want %s", written, test.typ, text, test.want)
			}
		}
	}
}

// The library hands over lists as slices of their elements' type where it made
// them of a single value.
func TestCoerceTypedLists(t *testing.T) {
	for _, test := range []struct {
		typ   string
		value any
		want  any
	}{
		{"[String!]", []string{"a", "b"}, []any{"a", "b"}},
		{"[Int]", []json.Number{"1"}, []any{int64(1)}},
		{"[Int]", []int64{1}, []any{int64(1)}},
		{"[Float]", []float64{1.5}, []any{1.5}},
		{"[Boolean]", []bool{true}, []any{true}},
		{"[Choice]", []map[string]any{{"a": 1}}, []any{map[string]any{"a": int64(1)}}},
	} {
		got, problem := scalar.Coerce(schema, typeOf(t, test.typ), test.value, nil)
		if problem != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%#v as %s: %#v, %v", test.value, test.typ, got, problem)
		}
	}
}

func TestPathText(t *testing.T) {
	path := ast.Path{ast.PathName("filters"), ast.PathIndex(0), ast.PathName("country"), ast.PathName("is"), ast.PathIndex(12)}
	if got := scalar.PathText(path); got != "filters[0].country.is[12]" {
		t.Error(got)
	}
	if got := scalar.PathText(nil); got != "" {
		t.Error(got)
	}
}

// Errors keep a path of their own: those of siblings must not write over it.
func TestCoercePathsAreNotShared(t *testing.T) {
	path := make(ast.Path, 1, 16)
	path[0] = ast.PathName("v")
	_, first := scalar.Coerce(schema, typeOf(t, "Choice"), map[string]any{"a": "x"}, path)
	_, second := scalar.Coerce(schema, typeOf(t, "Choice"), map[string]any{"b": 1}, path)
	if got := scalar.PathText(first.Path) + " " + scalar.PathText(second.Path); got != "v.a v.b" {
		t.Error(got)
	}
}

// What was coerced is of its type: coerced again it stays the same.
func FuzzCoerce(f *testing.F) {
	types := []string{"String", "ID", "Int", "Float!", "Boolean", "Colour", "[Int]", "[[Int!]]", "All", "Nested!", "[FilterInput!]!", "Choice", "Anything"}
	for _, test := range coercions {
		for i := range types {
			f.Add(uint8(i), test.variable)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		typ := typeOf(t, types[int(which)%len(types)])
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var value any
		if decoder.Decode(&value) != nil {
			return
		}
		once, problem := scalar.Coerce(schema, typ, value, nil)
		if problem != nil {
			if problem.Message == "" {
				t.Error("no message")
			}
			return
		}
		twice, problem := scalar.Coerce(schema, typ, once, nil)
		if problem != nil || !reflect.DeepEqual(once, twice) {
			t.Errorf("%s as %s: %#v, then %#v, %v", text, typ, once, twice, problem)
		}
	})
}
