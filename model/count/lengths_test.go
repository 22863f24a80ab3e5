package count

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Medians are those of the sorted lengths, however these are divided and however many are listed.
func TestMedian(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		most := []int{1, 10, 60_000, 86_400_000}[r.IntN(4)]
		var all []uint32
		parts := make([][]uint32, 1+r.IntN(4))
		for i := range parts {
			for range r.IntN(20) {
				parts[i] = append(parts[i], uint32(r.IntN(most+1)))
			}
			all = append(all, parts[i]...)
		}
		sum := &lengths{most: r.IntN(40)}
		for _, part := range parts {
			one := &lengths{most: sum.most}
			one.add(part)
			sum.merge(one)
		}
		want := 0.0
		if n := len(all); n > 0 {
			slices.Sort(all)
			want = (float64(all[(n-1)/2]) + float64(all[n/2])) / 2
		}
		got, bucket, isKnown := sum.median()
		if isKnown != (len(all) <= sum.most) {
			t.Fatalf("%d lengths, of which %d may be listed, have their median: %t", len(all), sum.most, isKnown)
		}
		if !isKnown {
			w := newWindow(bucket)
			for _, part := range parts {
				one := newWindow(bucket)
				one.add(part)
				w.merge(one)
			}
			if got, isKnown = w.median(); !isKnown {
				t.Fatalf("the median of %v is not in the bucket %d", all, bucket)
			}
		}
		if got != want {
			t.Fatalf("the median of %v is %v, want %v", all, got, want)
		}
	}
	elsewhere := newWindow(0)
	elsewhere.add([]uint32{10_000, 20_000})
	if median, ok := elsewhere.median(); ok {
		t.Errorf("the median %v is found in a bucket in which it is not", median)
	}
}
