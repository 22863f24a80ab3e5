package column

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Vectors of every width say where their elements are some numbers, and where they lie
// between two ends, as a look at each element does.
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
			numbers := map[uint32]bool{}
			for range r.IntN(5) {
				numbers[uint32(edge())] = true
			}
			for range r.IntN(2) * 20 {
				numbers[uint32(r.Uint64N(most+1))] = true
			}
			oneOf := v.oneOf(n, slices.Sorted(maps.Keys(numbers)))
			for i := range n {
				if is := oneOf.Test(uint(i)); is != numbers[uint32(v.at(i))] {
					t.Fatalf("element %d of %d up to %d, %d: that it is one of %v is %t", i, n, most, v.at(i), numbers, is)
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
			measure("one-of-2", func() { v.oneOf(len(numbers), []uint32{7, 99}) })
			var tenth []uint32
			for i := uint32(0); i < uint32(most); i += 10 {
				tenth = append(tenth, i)
			}
			measure("one-of-many", func() { v.oneOf(len(numbers), tenth) })
		}
	}
}
