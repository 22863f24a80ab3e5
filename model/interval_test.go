package model_test

import (
	"maps"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

func TestSteps(t *testing.T) {
	for _, test := range []struct {
		name, zone, from, to string
		interval             model.Interval
		want                 []string // in the zone
	}{
		{"hours of half an hour's zone", "Asia/Kolkata", "2026-01-01T10:10:00Z", "2026-01-01T11:31:00Z", model.Hour,
			[]string{"2026-01-01T15:00", "2026-01-01T16:00", "2026-01-01T17:00", "2026-01-01T18:00"}},
		{"days, the range beginning in one", "UTC", "2015-05-17T10:05:00Z", "2015-05-19T00:00:00Z", model.CalendarDay,
			[]string{"2015-05-17T00:00", "2015-05-18T00:00", "2015-05-19T00:00"}},
		{"a day of 23 hours", "Europe/Bucharest", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", model.CalendarDay,
			[]string{"2026-03-29T00:00", "2026-03-30T00:00"}},
		{"a day of 25 hours", "Europe/Bucharest", "2026-10-24T21:00:00Z", "2026-10-25T22:00:00Z", model.CalendarDay,
			[]string{"2026-10-25T00:00", "2026-10-26T00:00"}},
		{"its 25 hours", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z", model.Hour,
			[]string{"2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T02:00", "2026-10-25T03:00"}},
		{"a day that begins at one o'clock", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z", model.CalendarDay,
			[]string{"2018-11-03T00:00", "2018-11-04T01:00", "2018-11-05T00:00", "2018-11-06T00:00"}},
		{"a day after a second eleventh hour", "America/Sao_Paulo", "2018-02-17T12:00:00Z", "2018-02-18T12:00:00Z", model.CalendarDay,
			[]string{"2018-02-17T00:00", "2018-02-18T00:00", "2018-02-19T00:00"}},
		{"weeks from Monday", "UTC", "2026-11-21T00:00:00Z", "2026-11-24T00:00:00Z", model.Week,
			[]string{"2026-11-16T00:00", "2026-11-23T00:00", "2026-11-30T00:00"}},
		{"a week from a Sunday", "UTC", "2026-11-22T23:00:00Z", "2026-11-22T23:30:00Z", model.Week,
			[]string{"2026-11-16T00:00", "2026-11-23T00:00"}},
		{"months, a leap one among them", "UTC", "2024-01-31T00:00:00Z", "2024-03-01T00:00:00Z", model.Month,
			[]string{"2024-01-01T00:00", "2024-02-01T00:00", "2024-03-01T00:00"}},
		{"an empty range", "UTC", "2024-01-31T00:00:00Z", "2024-01-31T00:00:00Z", model.CalendarDay, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := test.interval.Steps(model.Range{From: instant(t, test.from), To: instant(t, test.to)}, zone)
			if err != nil {
				t.Fatal(err)
			}
			if len(steps) != len(test.want) {
				t.Fatalf("%d steps, want %d: %v", len(steps), len(test.want), steps)
			}
			for i, step := range steps {
				if got := step.Time().In(zone).Format("2006-01-02T15:04"); got != test.want[i] {
					t.Errorf("step %d is %s, want %s", i, got, test.want[i])
				}
				if i > 0 && step <= steps[i-1] {
					t.Errorf("step %d does not come after the one before", i)
				}
			}
		})
	}
}

func instant(t *testing.T, text string) model.Millis {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return model.MillisOf(at)
}

// In every zone and year the days follow each other without gaps, each beginning
// at the first instant of its date.
func TestDaysOfAllZones(t *testing.T) {
	for _, name := range []string{"America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Tehran", "Atlantic/Azores", "America/Scoresbysund"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for year := 1990; year < 2027; year++ {
			in := model.Range{From: model.MillisOf(time.Date(year, 1, 1, 12, 0, 0, 0, zone)), To: model.MillisOf(time.Date(year+1, 1, 1, 12, 0, 0, 0, zone))}
			steps, err := model.CalendarDay.Steps(in, zone)
			if err != nil {
				t.Fatal(err)
			}
			for i, step := range steps {
				at := step.Time().In(zone)
				before := at.Add(-time.Millisecond)
				if at.Day() == before.Day() {
					t.Errorf("%s: %s is not the first instant of its date", name, at)
				}
				if i > 0 {
					if hours := at.Sub(steps[i-1].Time()).Hours(); hours < 22 || hours > 26 {
						// Pacific/Apia left out a date; Lord Howe's clocks change by half an hour.
						if name != "Pacific/Apia" || hours != 48 && hours != 24 {
							t.Errorf("%s: the day before %s has %v hours", name, at, hours)
						}
					}
				}
			}
		}
	}
}

// Clocks of Lord Howe change by half an hour: the hour from 2 o'clock begins at half past two, or that from 1 lasts longer.
func TestHoursOfALordHoweYear(t *testing.T) {
	zone, err := time.LoadLocation("Australia/Lord_Howe")
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[time.Duration]int{}
	for month := time.January; month <= time.December; month++ {
		in := model.Range{From: model.MillisOf(time.Date(2026, month, 1, 0, 30, 0, 0, zone)), To: model.MillisOf(time.Date(2026, month+1, 1, 0, 0, 0, 0, zone))}
		steps, err := model.Hour.Steps(in, zone)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range steps {
			if at := step.Time().In(zone); at.Minute() != 0 && at.Add(-time.Millisecond).Hour() == at.Hour() {
				t.Errorf("an hour begins at %s", at)
			}
			if i > 0 {
				lengths[step.Time().Sub(steps[i-1].Time())]++
			}
		}
		within := model.Range{From: steps[0] + 1000*60*45, To: steps[0] + 1000*60*46}
		if one, err := model.Hour.Steps(within, zone); err != nil || one[0] != steps[0] {
			t.Errorf("the hour of %s begins at %s, %v", within.From.Time().In(zone), one[0].Time().In(zone), err)
		}
	}
	if want := map[time.Duration]int{time.Hour: 365*24 - 2, 30 * time.Minute: 1, 90 * time.Minute: 1}; !maps.Equal(lengths, want) {
		t.Errorf("hours last for %v, want %v", lengths, want)
	}
}

func TestTooManyPoints(t *testing.T) {
	_, err := model.Hour.Steps(model.Range{From: 0, To: model.MillisOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}, time.UTC)
	if model.CodeOf(err) != model.BadInput {
		t.Errorf("error %v, want BAD_USER_INPUT", err)
	}
}
