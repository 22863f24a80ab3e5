package scalar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
)

func durationText(d time.Duration) string {
	var text strings.Builder
	scalar.MarshalDuration(d).MarshalGQL(&text)
	return strings.Trim(text.String(), `"`)
}

func TestDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"P7D": 7 * day, "P2W": 14 * day, "PT36H": 36 * time.Hour, "P1DT12H": 36 * time.Hour, "PT0S": 0, "P0D": 0, "PT90M": 90 * time.Minute,
		"P1DT2H3M4S": day + 2*time.Hour + 3*time.Minute + 4*time.Second, "PT5M": 5 * time.Minute,
	} {
		got, err := scalar.UnmarshalDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v and %v, want %v", text, got, err, want)
		}
		again, err := scalar.UnmarshalDuration(durationText(got))
		if err != nil || again != want {
			t.Errorf("%s is written %s, which is %v and %v", text, durationText(got), again, err)
		}
	}
	for got, want := range map[string]string{durationText(0): "PT0S", durationText(36 * time.Hour): "P1DT12H", durationText(7 * day): "P7D", durationText(time.Minute): "PT1M"} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, value := range []any{"", "P", "PT", "P1DT", "P1M", "P1Y", "7D", "P-1D", "P1.5D", "P99999W", "p1d", "P1D ", "PT1H1H", 7, nil, true} {
		if got, err := scalar.UnmarshalDuration(value); err == nil {
			t.Errorf("%v: not refused: %v", value, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add("P1DT2H3M4S")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := scalar.UnmarshalDuration(text)
		if err != nil {
			return
		}
		if again, err := scalar.UnmarshalDuration(durationText(d)); err != nil || again != d {
			t.Errorf("%s is %v, written %s, which is %v and %v", text, d, durationText(d), again, err)
		}
	})
}
