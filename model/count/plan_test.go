package count

import (
	"testing"

	"github.com/goalgraph/goalgraph/model/filter"
)

// A computation and an experiment of one key are different needs.
func TestNeedText(t *testing.T) {
	t.Parallel()
	computed, assigned := needText(filter.Computed{Key: "a"}), needText(filter.Assigned{Experiment: "a", Variants: []string{"b"}})
	if none := needText(filter.Bool(true)); none != "" || computed == "" || computed == assigned {
		t.Errorf("%q, %q and %q", computed, assigned, none)
	}
}
