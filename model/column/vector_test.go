package column

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// What is marked is marked one by one, however few the marks are.
func TestMarked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		most := []uint64{1, 3, 255, 256, 65535, 65536}[r.IntN(6)]
		numbers := make([]uint64, r.IntN(300))
		for i := range numbers {
			numbers[i] = r.Uint64N(most + 1)
			if r.IntN(3) == 0 {
				numbers[i] = []uint64{0, most, most / 2, min(most, 128), min(most, 32768)}[r.IntN(5)]
			}
		}
		v := vectorOf(append(numbers, most))
		marks := make([]uint8, most+1)
		for range r.IntN(2 * mostCompared) {
			marks[[]uint64{0, most, most / 2, min(most, 128), min(most, 32768), r.Uint64N(most + 1)}[r.IntN(6)]] = 1
		}
		n := v.len() + r.IntN(100)
		found := v.marked(n, marks)
		for i := range n {
			if found.Test(uint(i)) != (marks[v.at(i)] == 1) {
				t.Fatalf("element %d of %d, %d: marked is %t", i, n, v.at(i), found.Test(uint(i)))
			}
		}
	}
}

func BenchmarkMarked(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, most := range map[string]uint64{"8": 200, "16": 5000} {
		numbers := make([]uint64, 110_000)
		for i := range numbers {
			numbers[i] = r.Uint64N(most + 1)
		}
		numbers[0] = most
		v, marks := vectorOf(numbers), make([]uint8, most+1)
		for n := range mostCompared + 1 {
			marks[7*n+1] = 1
			b.Run(fmt.Sprintf("%s/%d", name, n+1), func(b *testing.B) {
				for b.Loop() {
					v.marked(len(numbers), marks)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(numbers)), "ns/element")
			})
		}
	}
}
