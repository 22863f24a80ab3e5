package model_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func TestParseDecimal(t *testing.T) {
	for _, test := range []struct {
		text string
		want model.Decimal
	}{
		{"0", 0}, {"-0", 0}, {"0e999999999999999999999", 0}, {"0.000", 0},
		{"49.99", 49_990_000}, {" 49.99\n", 49_990_000}, {"+1", 1_000_000}, {".5", 500_000}, {"5.", 5_000_000}, {"007", 7_000_000},
		{"-1.5", -1_500_000}, {"1e3", 1000_000_000}, {"1E+3", 1000_000_000}, {"12.5e-1", 1_250_000}, {"0.0000125E5", 1_250_000},
		{"0.000001", 1}, {"1e-6", 1}, {"0.1e-6", 0}, {"1e-999999999999999999999", 0},
		// Half to even.
		{"0.0000005", 0}, {"0.0000015", 2}, {"0.0000025", 2}, {"-0.0000015", -2}, {"0.00000250000000000000000000000000000000000001", 3},
		{"0.00000049999999999999999999999999999999999999999", 0}, {"1.9999995", 2_000_000}, {"1.9999985", 1_999_998},
		{"8999999999999.999999", 8_999_999_999_999_999_999}, {"-8999999999999.999999", -8_999_999_999_999_999_999},
		{"8999999999999.9999994", 8_999_999_999_999_999_999}, {strings.Repeat("0", 1000) + "1" + strings.Repeat("0", 1000) + "e-1000", 1_000_000},
	} {
		got, err := model.ParseDecimal(test.text)
		if err != nil || got != test.want {
			t.Errorf("%q is %d, %v; want %d", test.text, got, err, test.want)
		}
	}
}

func TestParseDecimalRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty", "  ": "empty", "abc": `"abc" is not a number`, "1,5": "not a number", "0x10": "not a number", "1_000": "not a number", "1e": "not a number",
		"1e+": "not a number", "e5": "not a number", ".": "not a number", "-": "not a number", "1.2.3": "not a number", "NaN": "not a number", "Infinity": "not a number",
		"1 2": "not a number", "٣": "not a number", "--1": "not a number", "1e5.0": "not a number",
		"1e16": "1e16 is too large", "9000000000000": "too large", "-9e12": "too large", "8999999999999.9999995": "too large",
		"1e999999999999999999999": "too large", "-1e400": "too large", strings.Repeat("9", 10_000): "99… is too large", strings.Repeat("é", 100): "not a number",
	} {
		if got, err := model.ParseDecimal(text); err == nil || got != 0 || !strings.Contains(err.Error(), want) || len(err.Error()) > 250 {
			t.Errorf("%.50q is %d, error %v; want one with %q", text, got, err, want)
		}
	}
}

func TestDecimalText(t *testing.T) {
	for d, want := range map[model.Decimal]string{
		0: "0", 1: "0.000001", -1: "-0.000001", 500_000: "0.5", 1_000_000: "1", 20_000_000: "20", 49_990_000: "49.99", -30_300_000: "-30.3",
		8_999_999_999_999_999_999: "8999999999999.999999", math.MinInt64: "-9223372036854.775808",
	} {
		if got := d.String(); got != want {
			t.Errorf("%d is written %s, want %s", int64(d), got, want)
		}
	}
}

func TestDecimalJSON(t *testing.T) {
	var read struct{ A, B, C model.Decimal }
	if err := json.Unmarshal([]byte(`{"A": 10.10, "B": "20.20", "C": "3\u00350"}`), &read); err != nil {
		t.Fatal(err)
	}
	if read.A+read.B != 30_300_000 || read.C != 350*model.One {
		t.Errorf("read %+v", read)
	}
	if text, err := json.Marshal(read); err != nil || string(text) != `{"A":10.1,"B":20.2,"C":350}` {
		t.Errorf("written %s, %v", text, err)
	}
	for _, text := range []string{`true`, `{}`, `"abc"`, `1e16`, `""`} {
		var d model.Decimal
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s is read as %v", text, d)
		}
	}
}

// micros returns a number's micro-units by math/big, rounded half to even.
func micros(text string) (*big.Int, bool) {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, false
	}
	r.Mul(r, big.NewRat(1_000_000, 1))
	whole, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int)) // downwards
	switch rest.Lsh(rest, 1).Cmp(r.Denom()) {
	case 1:
		whole.Add(whole, big.NewInt(1))
	case 0:
		whole.Add(whole, big.NewInt(int64(whole.Bit(0))))
	}
	return whole, true
}

func bigOf(s model.Sum) *big.Int {
	high, low := s.Words()
	number := new(big.Int).Lsh(big.NewInt(high), 64)
	return number.Add(number, new(big.Int).SetUint64(low))
}

func FuzzParseSum(f *testing.F) {
	for _, text := range []string{
		"0", "10.10", "-49.99", "1e3", "1.5e-7", "0.0000005", "0.0000015", "123456789012345678901234567890.5", "1e31", "1e32", "9e12", "8999999999999.9999995", "+.5e1", " 1 ", "1e-400", "5.e5", "x",
		"99999999999999999999999999999999.9999994", "99999999999999999999999999999999.9999996",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sum, err := model.ParseSum(text)
		decimal, decimalErr := model.ParseDecimal(text)
		if err != nil && decimalErr == nil {
			t.Fatalf("%q is the decimal %v and no sum: %v", text, decimal, err)
		}
		plain := strings.Trim(text, " \t\r\n")
		if strings.ContainsAny(plain, "_/xXbBoOpPiInN") || len(plain) > 1000 || hasLongExponent(plain) {
			return // big reads more, and would take long
		}
		want, ok := micros(plain)
		switch {
		case !ok:
			if err == nil {
				t.Fatalf("%q is read as %v, and is no number", text, sum)
			}
			return
		case err != nil:
			if want.CmpAbs(new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)) < 0 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		case bigOf(sum).Cmp(want) != 0:
			t.Fatalf("%q is read as %v micro-units, want %v", text, bigOf(sum), want)
		}
		if again, err := model.ParseSum(sum.String()); err != nil || again != sum {
			t.Fatalf("%q is written %s and read as %v, %v", text, sum, again, err)
		}
		if isIn := want.CmpAbs(big.NewInt(9_000_000_000_000_000_000)) < 0; isIn != (decimalErr == nil) || isIn && want.Cmp(big.NewInt(int64(decimal))) != 0 {
			t.Fatalf("%q is the decimal %v, %v; want %v", text, decimal, decimalErr, want)
		}
		rational := new(big.Rat).SetFrac(want, big.NewInt(1_000_000))
		if double, _ := rational.Float64(); sum.Float64() != double {
			t.Fatalf("%q is the double %v, want %v", text, sum.Float64(), double)
		}
	})
}

func hasLongExponent(text string) bool {
	_, exponent, found := strings.Cut(strings.ToLower(text), "e")
	return found && len(strings.TrimLeft(exponent, "+-0")) > 3
}

// Sums are those of math/big, in any order, also beyond 64 bits.
func TestSumIsExactInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		decimals := make([]model.Decimal, 1+r.IntN(200))
		want := new(big.Int)
		for i := range decimals {
			text := fmt.Sprintf("%d.%0*d", r.Int64N(1<<r.IntN(43))-1<<r.IntN(42), 1+r.IntN(6), r.IntN(10))
			var err error
			if decimals[i], err = model.ParseDecimal(text); err != nil {
				t.Fatal(err)
			}
			want.Add(want, big.NewInt(int64(decimals[i])))
		}
		for range 5 {
			r.Shuffle(len(decimals), func(i, j int) { decimals[i], decimals[j] = decimals[j], decimals[i] })
			parts := make([]model.Sum, 1+r.IntN(5))
			for _, d := range decimals {
				i := r.IntN(len(parts))
				parts[i] = parts[i].Add(d.Sum())
			}
			var sum model.Sum
			for _, part := range parts {
				sum = sum.Add(part)
			}
			if bigOf(sum).Cmp(want) != 0 {
				t.Fatalf("%v adds up to %v micro-units, want %v", decimals, bigOf(sum), want)
			}
			high, low := sum.Words()
			if model.SumOfWords(high, low) != sum {
				t.Fatalf("%v is not that of its words", sum)
			}
			if d, ok := sum.Decimal(); ok != want.IsInt64() || ok && int64(d) != want.Int64() {
				t.Fatalf("%v is the decimal %v, %t", sum, d, ok)
			}
		}
		for _, d := range decimals[1:] {
			if got, want := d.Sum().Cmp(decimals[0].Sum()), new(big.Int).SetInt64(int64(d)).Cmp(big.NewInt(int64(decimals[0]))); got != want {
				t.Fatalf("%v is compared with %v: %d, want %d", d, decimals[0], got, want)
			}
		}
	}
}

func TestSumText(t *testing.T) {
	for _, test := range []struct {
		sum  model.Sum
		want string
	}{
		{model.Sum{}, "0"},
		{model.SumOfWords(1, 0), "18446744073709.551616"},
		{model.SumOfWords(0, 1<<63), "9223372036854.775808"},
		{model.SumOfWords(-1, 0), "-18446744073709.551616"},
		{model.SumOfWords(math.MaxInt64, math.MaxUint64), "170141183460469231731687303715884.105727"},
		{model.SumOfWords(math.MinInt64, 0), "-170141183460469231731687303715884.105728"},
	} {
		if got := test.sum.String(); got != test.want {
			t.Errorf("written %s, want %s", got, test.want)
		}
		if text, err := json.Marshal(test.sum); err != nil || string(text) != test.want {
			t.Errorf("written as JSON %s, %v; want %s", text, err, test.want)
		}
	}
}

func TestSumOf(t *testing.T) {
	tenth, fifth := 0.1, 0.2
	for _, test := range []struct {
		number float64
		want   string
	}{
		{30.30, "30.3"}, {tenth + fifth, "0.3"}, {-0.1, "-0.1"}, {0, "0"}, {math.Copysign(0, -1), "0"}, {0.1234567, "0.123457"}, {1e-7, "0"},
		{8999999999999.99, "8999999999999.99"}, {1e13, "10000000000000"}, {1e20, "100000000000000000000"}, {5e12, "5000000000000"}, {-3, "-3"},
		{math.NaN(), "0"}, {math.Inf(1), "170141183460469231731687303715884.105727"}, {-math.MaxFloat64, "-170141183460469231731687303715884.105728"},
	} {
		if got := model.SumOf(test.number).String(); got != test.want {
			t.Errorf("%v is %s, want %s", test.number, got, test.want)
		}
	}
}

// A double that is the nearest to a decimal of at most 15 digits is that decimal, SumOf keeps
// the order, and what it returns is the sum of its own double.
func FuzzSumOf(f *testing.F) {
	f.Add(uint64(30_300_000), 1.5, 2.5)
	f.Add(uint64(999_999_999_999_999), 9e9, -1e-7)
	f.Add(uint64(1), 1e40, 8589934592.123456)
	f.Fuzz(func(t *testing.T, digits uint64, a, b float64) {
		sum := model.Decimal(digits % 1_000_000_000_000_000).Sum()
		if got := model.SumOf(sum.Float64()); got != sum {
			t.Fatalf("the double of %v is %v", sum, got)
		}
		if math.IsNaN(a) || math.IsNaN(b) {
			return
		}
		if a < b && model.SumOf(a).Cmp(model.SumOf(b)) > 0 {
			t.Fatalf("%v is %v, and %v is %v", a, model.SumOf(a), b, model.SumOf(b))
		}
		if again := model.SumOf(model.SumOf(a).Float64()); again != model.SumOf(a) {
			t.Fatalf("%v is %v and then %v", a, model.SumOf(a), again)
		}
		if math.Abs(a) < 1e31 {
			want, _ := micros(strconv.FormatFloat(a, 'f', -1, 64))
			if bigOf(model.SumOf(a)).Cmp(want) != 0 {
				t.Fatalf("%v is %v, want %v micro-units", a, model.SumOf(a), want)
			}
		}
	})
}
