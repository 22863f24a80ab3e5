package graph

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/goalgraph/goalgraph/model"
)

const directives = `directive @access(scope: Scope!) on FIELD_DEFINITION
	directive @public on FIELD_DEFINITION
	enum Scope { WRITE READ EDIT ADMIN }
	`

// A root field that does not say who may select it is denied to everyone: no schema is made.
func TestRootFieldsSayWhoMaySelectThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`type Query { a: Int @access(scope: READ) b: Int @public }`:                                                                "",
		`type Query { a: Int @access(scope: READ) b: Int }`:                                                                        "Query.b",
		`type Query { a: Int @access(scope: READ) @public }`:                                                                       "Query.a",
		`type Query { a: Int @public } type Mutation { c: Int }`:                                                                   "Mutation.c",
		`type Query { a: Int @public } type Mutation { c: Int @access(scope: EDIT) } type Subscription { d: T } type T { e: Int }`: "Subscription.d",
		`type Query { a: T @public } type T { e: Int }`:                                                                            "",
	} {
		err := checkRootFields(gqlparser.MustLoadSchema(&ast.Source{Input: directives + text}))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want one about %q", text, err, want)
		}
	}
}

// An operation needs the most that any of its fields does, each fragment counted once.
func TestScopeOf(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: directives + `type Query { a: T @access(scope: READ) }
		type T { t: T e: Int edit: Int @access(scope: EDIT) admin: Int @access(scope: ADMIN) }`})
	fragments := `query { a { ...F00 } } fragment F40 on T { edit }`
	for i := range 40 {
		fragments += strings.NewReplacer("N", number(i), "M", number(i+1)).Replace(` fragment FN on T { ...FM ...FM t { ...FM } }`)
	}
	for text, want := range map[string]model.Scope{
		`{ a { e } }`: model.ReadScope, `{ a { t { t { edit } } } }`: model.EditScope, `{ a { edit admin e } }`: model.AdminScope, `{ a { admin edit } }`: model.AdminScope,
		`{ a { ... on T { ...F } } } fragment F on T { t { edit } }`: model.EditScope, `{ a { e admin @skip(if: true) } }`: model.AdminScope, fragments: model.EditScope,
	} {
		document, err := gqlparser.LoadQueryWithRules(schema, text, rules.NewDefaultRules())
		if err != nil {
			t.Fatal(err)
		}
		if got := scopeOf(document.Operations[0].SelectionSet); got != want {
			t.Errorf("%.60s: %s, want %s", text, got, want)
		}
	}
}

// Resolvers load and change things by the guard alone: nobody reaches through it.
func TestNobodyPassesTheGuard(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range []string{"store." + "store", "engine." + "engine", "guard" + "{o.", "guardedEngine" + "{o."} {
			if n := strings.Count(string(text), way); n > 0 && (file != "generation.go" || n > 1 || !strings.Contains(way, "{")) {
				t.Errorf("%s has %s %d times", file, way, n)
			}
		}
	}
}

func number(i int) string { return string(rune('0'+i/10)) + string(rune('0'+i%10)) }
