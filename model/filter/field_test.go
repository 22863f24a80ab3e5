package filter_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Authors of filter types can name every dimension as a Field.
func TestEachDimensionIsAField(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "field.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		if pair, ok := node.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Name" {
			if value, ok := pair.Value.(*ast.BasicLit); ok {
				name, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				named[name] = true
			}
		}
		return true
	})
	for _, d := range dimension.All() {
		if !named[d.Name] {
			t.Errorf("no Field is named %s", d.Name)
		}
		delete(named, d.Name)
		field := filter.Field{Name: d.Name}
		if d.Keyed() {
			field.Key = "key"
		}
		if field.Kind() == filter.Unknown {
			t.Errorf("%s has no kind", field)
		}
	}
	for name := range named {
		t.Errorf("the Field %s is of no dimension", name)
	}
}
