package check

import (
	"strings"
	"testing"
)

func TestCheckSDL(t *testing.T) {
	for _, test := range []struct{ name, sdl, want string }{
		{"plain", `input OddFilter { "doc" a: Int! = 5 b: [String!] = ["x"] c: OddKind = A d: OddPart } enum OddKind { A B @deprecated } input OddPart { x: Float = 1 y: OddPart }`, ""},
		{"oneOf", `input OddFilter @oneOf { a: Int b: String }`, ""},
		{"one value for a list", `input OddFilter { b: [Int!] = 1 }`, ""},
		{"object default", `input OddFilter { p: OddPart = {x: 1} } input OddPart { x: Int! }`, ""},
		{"syntax", `input OddFilter {`, "Expected Name"},
		{"no input", `enum OddFilter { A }`, "is not an input object"},
		{"type", `input OddFilter { a: Int } type OddThing { a: Int }`, "only input objects and enums"},
		{"scalar", `input OddFilter { a: OddDay } scalar OddDay`, "only input objects and enums"},
		{"extension", `input OddFilter { a: Int } extend type Query { a: Int }`, "only input objects and enums"},
		{"directive", `input OddFilter { a: Int } directive @odd on FIELD`, "only input objects and enums"},
		{"prefix", `input OddFilter { a: Kind } enum Kind { A }`, "must begin with Odd"},
		{"twice", `input OddFilter { a: Int } input OddFilter { b: Int }`, "defined twice"},
		{"field twice", `input OddFilter { a: Int a: Int }`, "defined twice"},
		{"foreign type", `input OddFilter { a: FilterInput }`, "neither built in nor defined here"},
		{"reserved name", `input OddFilter { __a: Int }`, "GraphQL's own"},
		{"foreign directive", `input OddFilter { a: Int @skip(if: true) }`, "not allowed"},
		{"default of another type", `input OddFilter { a: Int = "5" }`, "the default value"},
		{"default too big", `input OddFilter { a: Int = 3000000000 }`, "the default value"},
		{"default null", `input OddFilter { a: Int! = null }`, "the default value"},
		{"default not in enum", `input OddFilter { a: OddKind = C } enum OddKind { A }`, "the default value"},
		{"default element", `input OddFilter { a: [Int!] = [1, null] }`, "the default value"},
		{"default object", `input OddFilter { p: OddPart = {} } input OddPart { x: Int! }`, "x is missing"},
		{"oneOf with non-null", `input OddFilter @oneOf { a: Int! }`, "a member of a oneOf"},
		{"oneOf with default", `input OddFilter @oneOf { a: Int = 1 }`, "a member of a oneOf"},
		{"needs itself", `input OddFilter { a: OddPart! } input OddPart { b: OddFilter! }`, "needs itself"},
		{"no fields", `input OddFilter`, "fields"},
	} {
		_, err := checkSDL("odd", "OddFilter", test.sdl)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", test.name, err, test.want)
		}
	}
}
