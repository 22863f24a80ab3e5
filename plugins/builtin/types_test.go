package builtin

import (
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/plugins"
)

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
