package column

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
)

// A set that grows partition by partition has each visitor once, in whatever form it is, and two sets have in common what
// they should.
func TestVisitorSet(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for name, test := range map[string]struct {
		partitions, sessions int
		least, span          int64 // of the visitors' numbers
		share                int   // one of so many sessions is added
	}{
		"none":                    {1, 0, 1, 1, 1},
		"few":                     {3, 300, 1, 200, 2},
		"one page":                {5, 5000, 1, 60_000, 1},
		"pages, some made late":   {6, 20_000, 60_000, 500_000, 2},
		"a list":                  {6, 3000, 0, 30_000_000, 3},
		"a list of close numbers": {3, 2000, 500, 40_000, 2},
		"far apart":               {3, 3000, 5, math.MaxUint32 - 5, 1},
		"across 32 bits":          {3, 3000, math.MaxUint32 - 500, 1000, 1},
		"behind 32 bits":          {3, 500, 1 << 40, 100_000, 2},
	} {
		t.Run(name, func(t *testing.T) {
			gather := func(span int64) (*VisitorSet, []uint64) {
				gathered, naive := new(VisitorSet), []uint64{}
				for p := range test.partitions {
					visitors, of := make([]int64, test.sessions), bitset.New(uint(test.sessions))
					for i := range visitors {
						visitors[i] = test.least + r.Int64N(span*int64(p+1)/int64(test.partitions)+1)
						if r.IntN(test.share) == 0 {
							of.Set(uint(i))
							naive = append(naive, uint64(visitors[i]))
						}
					}
					sessions := newOf([]Dimension{Counting, Visitors})
					for i, visitor := range visitors {
						sessions.Put(&model.Session{ID: model.SessionID{Ordinal: int32(i)}, Visitor: visitor})
					}
					sessions.AddVisitors(gathered, of)
				}
				if most := uint64(200 + 16*len(naive) + 8*(1<<16)); gathered.Bytes() > most {
					t.Errorf("%d sessions take %d bytes", len(naive), gathered.Bytes())
				}
				gathered.Seal()
				slices.Sort(naive)
				return gathered, slices.Compact(naive)
			}
			one, wantOne := gather(test.span)
			other, wantOther := gather(max(1, test.span/20)) // in another form, mostly
			var got []uint64
			one.Each(func(number uint64) { got = append(got, number) })
			if slices.Sort(got); !slices.Equal(got, wantOne) || one.Len() != len(wantOne) {
				t.Fatalf("%d visitors, and %d by count; want %d", len(got), one.Len(), len(wantOne))
			}
			for _, number := range append(slices.Clone(wantOther), 0, 7, uint64(test.least+test.span), 1<<33, math.MaxUint64) {
				if _, want := slices.BinarySearch(wantOne, number); one.Has(number) != want {
					t.Errorf("has %d: %t", number, !want)
				}
			}
			union := slices.Concat(wantOne, wantOther)
			slices.Sort(union)
			want := len(slices.Compact(union))
			if a, b := one.LenUnion(other), other.LenUnion(one); a != want || b != want {
				t.Errorf("%d and %d visitors in both, want %d", a, b, want)
			}
		})
	}
}

// BenchmarkVisitorSet gathers the visitors of 35 cells over 90 days of 110,000 sessions, as goal cards do.
func BenchmarkVisitorSet(b *testing.B) {
	const days, sessions, cells = 90, 110_000, 35
	r := rand.New(rand.NewPCG(1, 1))
	partitions, sets := make([]*Sessions, days), make([]Set, cells)
	known := int64(0)
	for d := range partitions {
		columns := newOf([]Dimension{Counting, Visitors})
		for i := range sessions {
			visitor := known + 1
			if r.IntN(5) < 2 && known > 0 {
				visitor = 1 + r.Int64N(known)
			} else {
				known++
			}
			columns.Put(&model.Session{ID: model.SessionID{Ordinal: int32(i)}, Visitor: visitor})
		}
		partitions[d] = columns
	}
	added := 0
	for c := range sets {
		sets[c] = bitset.New(sessions)
		for i := range sessions {
			if r.IntN(1+c*c) == 0 {
				sets[c].Set(uint(i))
				added += days
			}
		}
	}
	for b.Loop() {
		for _, of := range sets {
			set := new(VisitorSet)
			for _, columns := range partitions {
				columns.AddVisitors(set, of)
			}
			set.Seal()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(added), "ns/session")
}
