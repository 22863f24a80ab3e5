package column

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// Assignments are read as they were written, and damaged ones are an error.
func TestAssignments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 92))
	for _, n := range []int{0, 1, 300} {
		var list []Assignment
		variants := []string{"a", "", "日本"}
		for range n {
			at := model.Millis(1_700_000_000_000 + r.Int64N(1<<36) - 1<<35)
			list = append(list, Assignment{
				Ordinal: r.Int32(), Variant: r.Uint32N(3), Visitor: r.Int64(), At: at, End: at + model.Millis(r.IntN(10_000)),
				Place: r.Int32(), IDHigh: int64(r.Uint64()), IDLow: math.MinInt64 + r.Int64N(3), First: r.IntN(2) == 0,
			})
		}
		stored, err := EncodeAssignments(list, variants)
		if err != nil {
			t.Fatal(err)
		}
		read, names, err := DecodeAssignments(stored)
		if err != nil || len(read) != n || n > 0 && !reflect.DeepEqual(read, list) || !reflect.DeepEqual(names, variants) {
			t.Errorf("%d assignments: %v, read %d of %q", n, err, len(read), names)
		}
		for range 200 {
			damaged := append([]byte(nil), stored...)
			damaged[r.IntN(len(damaged))] ^= 1 << r.IntN(8)
			if read, _, err := DecodeAssignments(damaged[:1+r.IntN(len(damaged))]); err == nil && !reflect.DeepEqual(read, list) && len(list) > 0 {
				t.Errorf("damaged, %d assignments are read as %d others", n, len(read))
			}
		}
	}
}
