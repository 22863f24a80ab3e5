package column

import (
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
)

// randomSum returns a sum of money, of few or many digits, now and then of more than 64 bits.
func randomSum(r *rand.Rand, large bool) model.Sum {
	sum := (model.Decimal(r.IntN(100_000)-1000) * model.One / 100).Sum()
	if large {
		sum = model.Decimal(r.Uint64() >> r.IntN(64)).Sum()
		for range r.IntN(3) {
			sum = sum.Add(model.Decimal(r.Uint64()).Sum())
		}
	}
	return sum
}

func rational(s model.Sum) *big.Rat {
	r, _ := new(big.Rat).SetString(s.String())
	return r
}

// A column of sums matches and adds up what math/big does, as it was set and as it was read.
func TestSumsAreExact(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 17))
		n := 1 + r.IntN(300)
		set, want := &sparseColumn{}, map[int]model.Sum{}
		for range r.IntN(2 * n) {
			ordinal := r.IntN(n)
			want[ordinal] = randomSum(r, seed%2 == 0)
			set.set(ordinal, want[ordinal])
		}
		reading := &reader{data: set.append(nil)}
		read := readSparseColumn(reading)
		if reading.err != nil || reading.left() > 0 {
			t.Fatalf("%v, %d bytes left", reading.err, reading.left())
		}
		of := bitset.New(uint(n))
		for i := range n {
			of.SetTo(uint(i), r.IntN(3) > 0)
		}
		total := new(big.Rat)
		for ordinal, sum := range want {
			if of.Test(uint(ordinal)) {
				total.Add(total, rational(sum))
			}
		}
		ends := append(slices.Collect(maps.Values(want)), model.SumOf(math.Inf(1)), model.SumOf(math.Inf(-1)), model.Sum{}, model.SumOf(1e13), model.SumOf(-1e13))
		for name, column := range map[string]*sparseColumn{"set": set, "read": read} {
			if got := column.total(of); rational(got).Cmp(total) != 0 {
				t.Fatalf("%s: %v in all, want %v", name, got, total.FloatString(6))
			}
			for range 20 {
				low, high := ends[r.IntN(len(ends))], ends[r.IntN(len(ends))]
				matched := column.match(n, low, high)
				for ordinal := range n {
					sum, found := want[ordinal]
					is := found && rational(low).Cmp(rational(sum)) <= 0 && rational(sum).Cmp(rational(high)) <= 0
					if matched.Test(uint(ordinal)) != is || column.matches(ordinal, low, high) != is {
						t.Fatalf("%s: %v from %v to %v: %t, %t, want %t", name, sum, low, high, matched.Test(uint(ordinal)), column.matches(ordinal, low, high), is)
					}
				}
			}
		}
	}
}

// What is damaged is an error, or other sums, and never a panic.
func FuzzReadSums(f *testing.F) {
	for _, large := range []bool{false, true} {
		r := rand.New(rand.NewPCG(1, 1))
		c := &sparseColumn{}
		for ordinal := range 20 {
			c.set(3*ordinal, randomSum(r, large))
		}
		f.Add(c.append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &reader{data: data}
		c := readSparseColumn(r)
		if len(c.ordinals) != len(c.numbers) && r.err == nil {
			t.Fatalf("%d ordinals have %d sums", len(c.ordinals), len(c.numbers))
		}
		if r.err != nil {
			return
		}
		again := &reader{data: c.append(nil)}
		read := readSparseColumn(again)
		if again.err != nil || !slices.Equal(read.ordinals, c.ordinals) || !slices.Equal(read.numbers, c.numbers) || !maps.Equal(read.wide, c.wide) {
			t.Fatalf("%+v is read as %+v, %v", c, read, again.err)
		}
	})
}

// BenchmarkSums adds up and matches the sums of one event in every twentieth of 2,000,000
// sessions, and stores and loads them. It reports bytes a sum.
func BenchmarkSums(b *testing.B) {
	const n, every = 2_000_000, 20
	r := rand.New(rand.NewPCG(1, 1))
	sessions := New()
	c := &sparseColumn{}
	get[*keyedColumn[*sparseColumn]](sessions, Values).members["purchase"] = c
	of := bitset.New(n)
	for ordinal := range n {
		of.SetTo(uint(ordinal), r.IntN(2) == 0)
		if ordinal%every == 0 {
			c.set(ordinal, (model.Decimal(100+r.IntN(20_000)) * model.One / 100).Sum())
		}
	}
	codec, err := shared()
	if err != nil {
		b.Fatal(err)
	}
	stored := codec.encoder.EncodeAll(c.append(nil), nil)
	report := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n/every), "ns/sum")
	}
	b.Run("total", func(b *testing.B) {
		for b.Loop() {
			c.total(of)
		}
		report(b)
	})
	b.Run("match", func(b *testing.B) {
		low, high := model.SumOf(20), model.SumOf(150)
		for b.Loop() {
			c.match(n, low, high)
		}
		report(b)
	})
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			codec.encoder.EncodeAll(c.append(nil), nil)
		}
		report(b)
		b.ReportMetric(float64(len(stored))/(n/every), "stored-B/sum")
		b.ReportMetric(float64(c.bytes())/(n/every), "memory-B/sum")
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			plain, err := codec.decoder.DecodeAll(stored, nil)
			if err != nil {
				b.Fatal(err)
			}
			readSparseColumn(&reader{data: plain})
		}
		report(b)
	})
}
