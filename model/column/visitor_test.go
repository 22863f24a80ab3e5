package column

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
)

// visitorsNaive returns the distinct visitors of the sessions with some ordinals, in their order.
func visitorsNaive(visitors []int64, ordinals []int) []uint64 {
	found := []uint64{}
	for _, ordinal := range ordinals {
		found = append(found, uint64(visitors[ordinal]))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// withVisitors returns columns of sessions of visitors, and reads them again as they are stored.
func withVisitors(t *testing.T, visitors []int64) *Sessions {
	t.Helper()
	made := New()
	for ordinal, visitor := range visitors {
		made.Put(&model.Session{ID: model.SessionID{Ordinal: int32(ordinal)}, Visitor: visitor})
	}
	encoded, err := made.Encode()
	if err != nil {
		t.Fatal(err)
	}
	loaded := Unloaded()
	for _, dimension := range []Dimension{Counting, Visitors} {
		if err := loaded.Load(dimension, encoded[dimension]); err != nil {
			t.Fatal(err)
		}
	}
	return loaded
}

func checkVisitors(t *testing.T, visitors []int64, ordinals []int) {
	t.Helper()
	set := bitset.New(uint(len(visitors)))
	for _, ordinal := range ordinals {
		set.Set(uint(ordinal))
	}
	want := visitorsNaive(visitors, ordinals)
	for range 2 { // the second time with marks that were used before
		if got := withVisitors(t, visitors).VisitorsOf(set).ToArray(); !slices.Equal(got, want) {
			t.Fatalf("%d of %d sessions have %d visitors, want %d", len(ordinals), len(visitors), len(got), len(want))
		}
	}
}

func TestVisitorsOf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, test := range map[string]struct {
		sessions    int
		least, span int64 // of the visitors' numbers
		share       int   // one of so many sessions is asked about
	}{
		"none":                        {0, 1, 1, 1},
		"one byte":                    {300, 0, 200, 1},
		"two bytes":                   {5000, 1, 60_000, 1},
		"two containers":              {5000, 60_000, 10_000, 1},
		"four bytes":                  {20_000, 3_000_001, 500_000, 2},
		"far apart":                   {1000, 5, 2_000_000_000, 1},
		"few of many":                 {20_000, 70_000, 300_000, 700},
		"the last of 32 bits":         {20_000, math.MaxUint32 - 99_999, 100_000, 1},
		"behind 32 bits":              {20_000, math.MaxUint32 - 50_000, 100_000, 1},
		"far behind 32 bits":          {5000, 1 << 40, 100_000, 1},
		"no session is asked about":   {500, 1, 100, 1 << 30},
		"the first is a large number": {500, math.MaxUint32 + 1 - 200, 200, 1},
	} {
		t.Run(name, func(t *testing.T) {
			visitors, ordinals := make([]int64, test.sessions), []int{}
			for i := range visitors {
				visitors[i] = test.least + r.Int64N(test.span)
				if r.IntN(test.share) == 0 {
					ordinals = append(ordinals, i)
				}
			}
			checkVisitors(t, visitors, ordinals)
		})
	}
}

func FuzzVisitorsOf(f *testing.F) {
	f.Add(uint64(1), uint16(100), int64(1), int64(500))
	f.Add(uint64(2), uint16(3000), int64(math.MaxUint32-70_000), int64(100_000))
	f.Add(uint64(3), uint16(3000), int64(65_530), int64(20))
	f.Fuzz(func(t *testing.T, seed uint64, sessions uint16, least, span int64) {
		if least < 0 || least > 1<<60 || span < 1 || span > 1<<60 {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		visitors, ordinals := make([]int64, sessions%4096), []int{}
		for i := range visitors {
			visitors[i] = least + r.Int64N(span)
			if r.IntN(3) > 0 {
				ordinals = append(ordinals, i)
			}
		}
		checkVisitors(t, visitors, ordinals)
	})
}

// BenchmarkVisitorsOf makes the set of a day's visitors, some of whom have been there before.
func BenchmarkVisitorsOf(b *testing.B) {
	const sessions, before = 110_000, 6_000_000
	r := rand.New(rand.NewPCG(1, 1))
	columns := newOf([]Dimension{Counting, Visitors})
	for i := range sessions {
		visitor := int64(before + i)
		if r.IntN(5) < 2 {
			visitor = 1 + r.Int64N(before)
		}
		columns.Put(&model.Session{ID: model.SessionID{Ordinal: int32(i)}, Visitor: visitor})
	}
	for b.Loop() {
		columns.VisitorsOf(columns.counting())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sessions, "ns/session")
}
