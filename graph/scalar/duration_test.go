package scalar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
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
	for _, value := range []any{"", "P", "PT", "P1DT", "P1M", "P1Y", "7D", "P-1D", "P1.5D", "P99999W", "P99999DT999999H", "p1d", "P1D ", "PT1H1H", 7, nil, true} {
		if got, err := scalar.UnmarshalDuration(value); err == nil {
			t.Errorf("%v: not refused: %v", value, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add("P1DT2H3M4S")
	f.Add("P99999DT999999H")
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

// Days are whole ones, of the calendar: 24 hours are none.
func TestDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]model.Days{"P1D": 1, "P7D": 7, "P2W": 14, "P0D": 0} {
		if got, err := scalar.UnmarshalDays(text); err != nil || got != want {
			t.Errorf("%s: %d and %v, want %d", text, got, err, want)
		}
		var written strings.Builder
		scalar.MarshalDays(want).MarshalGQL(&written)
		if again, err := scalar.UnmarshalDuration(strings.Trim(written.String(), `"`)); err != nil || again != time.Duration(want)*24*time.Hour {
			t.Errorf("%d days are written %s: %v", want, &written, err)
		}
	}
	for _, value := range []any{"PT24H", "P1DT1H", "PT0S", "P", "7", 7, nil, "P1M"} {
		if got, err := scalar.UnmarshalDays(value); model.CodeOf(err) != model.BadInput {
			t.Errorf("%v: %d and %v", value, got, err)
		}
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2026-03-01", "2024-02-29", "0001-01-01", "9999-12-31"} {
		date, err := scalar.UnmarshalDate(text)
		var written strings.Builder
		scalar.MarshalDate(date).MarshalGQL(&written)
		if err != nil || written.String() != `"`+text+`"` {
			t.Errorf("%s is written %s: %v", text, &written, err)
		}
	}
	for _, value := range []any{"2026-02-29", "2026-3-1", "20260301", "2026-03-01T00:00:00Z", "", 20260301, nil} {
		if got, err := scalar.UnmarshalDate(value); model.CodeOf(err) != model.BadInput {
			t.Errorf("%v: %v and %v", value, got, err)
		}
	}
}
