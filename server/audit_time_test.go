package main

import (
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

func TestTimeOf(t *testing.T) {
	now := time.Date(2026, 5, 17, 10, 5, 3, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-05-01": time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), "2026-05-17T12:05:03+02:00": now,
		"90m": now.Add(-90 * time.Minute), "1h30m": now.Add(-90 * time.Minute), "24h": now.AddDate(0, 0, -1), " 7d ": now.AddDate(0, 0, -7),
		"soon": {}, "0d": {}, "-1d": {}, "1.5d": {}, "36501d": {}, "876001h": {}, "-1h": {}, "9999999999999999999d": {}, "d": {}, "1": {},
	} {
		got, err := timeOf(text, now)
		if isTime := !want.IsZero(); (err == nil) != isTime || isTime && got != model.MillisOf(want) {
			t.Errorf("%q is %v, %v; want %v", text, got.Time(), err, want)
		}
	}
	if got, err := timeOf("", now); got != 0 || err != nil {
		t.Errorf("no time is %v, %v", got, err)
	}
}
