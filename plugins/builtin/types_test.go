package builtin

import (
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// What cannot match is refused with its place, and labels are for people.
func TestClocks(t *testing.T) {
	server := plugins.Server(Name, version, Types()...)
	for _, test := range []struct{ of, args, predicate, label, refused string }{
		{"hour", `{"is":[9,10,9]}`, `(in hour "10" "9")`, "Hour is 9 or 10", ""},
		{"hour", `{"is":[24]}`, "", "", "is[0]"},
		{"hour", `{"is":["9"]}`, "", "", "is[0]"},
		{"hour", `{}`, "", "", "is"},
		{"weekday", `{"is":["SUNDAY","MONDAY"]}`, `(in weekday "MONDAY" "SUNDAY")`, "Weekday is Sunday or Monday", ""},
		{"weekday", `{"is":["MONDAY","Tuesday"]}`, "", "", "is[1]"},
	} {
		answer, err := server.Compile(t.Context(), &pb.CompileRequest{Type: test.of, Args: test.args})
		compiled := answer.GetCompiled()
		if err != nil || compiled.GetPredicate() != test.predicate || compiled.GetLabel() != test.label || answer.GetError().GetPath() != test.refused {
			t.Errorf("%s %s: %v, %v", test.of, test.args, answer, err)
		}
	}
}

// What a session takes from its first hit can be filtered by.
func TestEachOriginHasAFilterType(t *testing.T) {
	for _, d := range dimension.Origins() {
		name := d.Name
		if strings.HasPrefix(name, "utm") {
			name = "utm"
		}
		if !slices.ContainsFunc(Types(), func(of plugins.Type) bool { return of.Name() == name }) {
			t.Errorf("the dimension %s has no filter type", d.Name)
		}
	}
}
