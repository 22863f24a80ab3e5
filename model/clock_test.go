package model

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Clocks show what those of the standard library do: with odd offsets, with changes at midnight, in the middle of a day and by
// less than an hour, in a zone that skipped a day, and before 1970.
func TestClocks(t *testing.T) {
	for _, name := range []string{
		"UTC", "Europe/Bucharest", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia",
		"Pacific/Kiritimati", "Africa/Monrovia", "Africa/Casablanca", "Antarctica/Troll", "Europe/Dublin",
	} {
		zone, err := Zone(name)
		if err != nil {
			t.Fatal(err)
		}
		hour, weekday := HourIn(zone), WeekdayIn(zone)
		check := func(at Millis) {
			want := at.Time().In(zone)
			if h, d := hour(at), weekday(at); h != want.Hour() || d != (int(want.Weekday())+6)%7 {
				t.Fatalf("%s: at %v a clock shows hour %d and day %d", name, want, h, d)
			}
		}
		r := rand.New(rand.NewPCG(1, 23))
		for range 1000 {
			at := Millis(r.Int64N(2*4e12) - 4e12)
			check(at)
			_, end := at.Time().In(zone).ZoneBounds()
			if end.IsZero() {
				continue
			}
			change := MillisOf(end)
			for _, near := range []Millis{-1001, -1000, -1, 0, 1, 999, 1000, 3_599_999, 3_600_000} {
				check(change + near)
			}
		}
	}
}

func TestZone(t *testing.T) {
	for _, name := range []string{"Local", "Mars/Olympus", "../etc/passwd"} {
		if zone, err := Zone(name); err == nil {
			t.Errorf("%q is the zone %v", name, zone)
		}
	}
	if zone, err := Zone(""); err != nil || zone != time.UTC {
		t.Errorf("%v, %v", zone, err)
	}
}
