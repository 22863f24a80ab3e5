package stats_test

import (
	"math"
	"testing"

	"github.com/goalgraph/goalgraph/model/stats"
)

// The intervals are those of table II of Newcombe (1998), method 10.
func TestCompareRates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b      stats.Count
		low, high float64
	}{
		{stats.Count{Visitors: 70, Conversions: 56}, stats.Count{Visitors: 80, Conversions: 48}, 0.0524, 0.3339},
		{stats.Count{Visitors: 10, Conversions: 9}, stats.Count{Visitors: 10, Conversions: 3}, 0.1705, 0.8090},
		{stats.Count{Visitors: 7, Conversions: 6}, stats.Count{Visitors: 7, Conversions: 2}, 0.0582, 0.8062},
		{stats.Count{Visitors: 56, Conversions: 5}, stats.Count{Visitors: 29, Conversions: 0}, -0.0381, 0.1926},
		{stats.Count{Visitors: 10, Conversions: 0}, stats.Count{Visitors: 20, Conversions: 0}, -0.1611, 0.2775},
		{stats.Count{Visitors: 10, Conversions: 0}, stats.Count{Visitors: 10, Conversions: 0}, -0.2775, 0.2775},
		{stats.Count{Visitors: 10, Conversions: 10}, stats.Count{Visitors: 20, Conversions: 0}, 0.6791, 1},
		{stats.Count{Visitors: 10, Conversions: 10}, stats.Count{Visitors: 10, Conversions: 0}, 0.6075, 1},
	} {
		got, ok := stats.CompareRates(test.a, test.b)
		if !ok || math.Abs(got.Low-test.low) > 5e-5 || math.Abs(got.High-test.high) > 5e-5 {
			t.Errorf("%v and %v: %+v, want %v to %v", test.a, test.b, got, test.low, test.high)
		}
		if got.Significant() != (test.low > 0) {
			t.Errorf("%v and %v: significant is %t", test.a, test.b, got.Significant())
		}
		back, _ := stats.CompareRates(test.b, test.a)
		if back.Difference != -got.Difference || back.Low != -got.High || back.High != -got.Low || back.Significant() != got.Significant() {
			t.Errorf("%+v, and the other way round %+v", got, back)
		}
	}
	for _, pair := range [][2]stats.Count{
		{{Visitors: 0}, {Visitors: 5, Conversions: 1}}, {{Visitors: 5, Conversions: 1}, {}}, {{Visitors: 5, Conversions: 6}, {Visitors: 5, Conversions: 1}},
	} {
		if d, ok := stats.CompareRates(pair[0], pair[1]); ok {
			t.Errorf("%v: %+v", pair, d)
		}
	}
}
