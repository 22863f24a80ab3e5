package app

import (
	"testing"
	"time"
)

func TestParseLifetime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "24h": 24 * time.Hour, "1h30m": 90 * time.Minute, "36525d": 36_525 * 24 * time.Hour,
		"": 0, "0d": 0, "-1d": 0, "d": 0, "1": 0, "36526d": 0, "9999999999999999999d": 0, "2562047h": 0, "1.5d": 0, "soon": 0,
	} {
		if got, err := ParseLifetime(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}
