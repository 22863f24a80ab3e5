package column

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Vectors of every width say where their elements are marked, and where they lie between
// two ends, as a look at each element does.
func TestVector(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		most := []uint64{1, 3, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64}[r.IntN(9)]
		edge := func() uint64 {
			return []uint64{0, 1, most, most - 1, most / 2, most/2 + 1, min(most, 128), min(most, 32768), r.Uint64() % most}[r.IntN(9)]
		}
		numbers := make([]uint64, r.IntN(300), 301)
		for i := range numbers {
			if numbers[i] = r.Uint64() % most; r.IntN(3) == 0 {
				numbers[i] = edge()
			}
		}
		v := vectorOf(append(numbers, most))
		n := v.len() + r.IntN(100)
		if most <= 65536 {
			marks := make([]uint8, most+1)
			for range r.IntN(5) {
				marks[edge()] = 1
			}
			for range r.IntN(2) * 20 {
				marks[r.Uint64N(most+1)] = 1
			}
			marked := v.marked(n, marks)
			for i := range n {
				if is := marked.Test(uint(i)); is != (marks[v.at(i)] == 1) {
					t.Fatalf("element %d of %d up to %d, %d: marked is %t", i, n, most, v.at(i), is)
				}
			}
		}
		low, high := edge(), edge()
		if r.IntN(4) == 0 {
			high = math.MaxUint64
		}
		between := v.between(n, low, high)
		for i := range v.len() {
			if is := between.Test(uint(i)); is != (low <= v.at(i) && v.at(i) <= high) {
				t.Fatalf("element %d up to %d, %d: between %d and %d is %t", i, most, v.at(i), low, high, is)
			}
		}
	}
}

// What words have in common with two terms is what each bit of them says.
func TestMeet(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		lists := make([][]uint64, 3)
		for i := range lists {
			lists[i] = make([]uint64, 70)
			for n := range lists[i] {
				lists[i][n] = r.Uint64()
			}
		}
		words, flips := make([]uint64, r.IntN(70)), [2]uint64{-r.Uint64N(2), -r.Uint64N(2)}
		meet(words, lists[0], lists[1], lists[2], flips[0], flips[1])
		for n, word := range words {
			if want := lists[0][n] & (lists[1][n] ^ flips[0]) & (lists[2][n] ^ flips[1]); word != want {
				t.Fatalf("word %d of %d is %x, want %x", n, len(words), word, want)
			}
		}
	}
}

func BenchmarkVector(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, most := range []uint64{200, 5000, 2_000_000} {
		numbers := make([]uint64, 110_000)
		for i := range numbers {
			numbers[i] = r.Uint64N(most + 1)
		}
		numbers[0] = most
		v := vectorOf(numbers)
		measure := func(name string, do func()) {
			b.Run(fmt.Sprintf("%s/%d", name, most), func(b *testing.B) {
				for b.Loop() {
					do()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(numbers)), "ns/element")
			})
		}
		measure("between", func() { v.between(len(numbers), most/4, most/2) })
		if most <= 65536 {
			marks := make([]uint8, most+1)
			marks[7], marks[99] = 1, 1
			measure("marked", func() { v.marked(len(numbers), marks) })
			for i := uint64(0); i < most; i += 10 {
				marks[i] = 1
			}
			measure("many-marked", func() { v.marked(len(numbers), marks) })
		}
	}
}
