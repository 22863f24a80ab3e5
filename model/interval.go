package model

import "time"

// Interval is the length of a series' intervals.
type Interval string

const (
	Hour        Interval = "HOUR"
	CalendarDay Interval = "DAY"
	Week        Interval = "WEEK"
	Month       Interval = "MONTH"
)

// MaxPoints is the maximum number of points in a series.
const MaxPoints = 10_000

// Steps returns the instants at which the intervals of a range begin in a zone, and
// finally the instant at which the last one ends. The first interval contains the start
// of the range. The range must have an end; an empty range has no intervals. Days, weeks
// (from Monday) and months are the zone's: a day has 23 or 25 hours when the clocks
// change. Too many points are a BadInput error.
func (i Interval) Steps(in Range, zone *time.Location) ([]Millis, error) {
	if in.From >= in.To {
		return nil, nil
	}
	steps := []Millis{MillisOf(i.start(in.From.Time().In(zone)))}
	for steps[len(steps)-1] < in.To {
		if len(steps) > MaxPoints {
			return nil, Invalid("interval", "the range has more than %d intervals of one %s; use a longer interval, or a shorter range with an end", MaxPoints, i)
		}
		steps = append(steps, MillisOf(i.next(steps[len(steps)-1].Time().In(zone))))
	}
	return steps, nil
}

// start returns the beginning of the interval that t lies in.
func (i Interval) start(t time.Time) time.Time {
	switch i {
	case Hour:
		past := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
		return beginOfHour(t.Add(-past%quarter), -quarter)
	case Week:
		return midnight(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, t.Location())
	case Month:
		return midnight(t.Year(), t.Month(), 1, t.Location())
	default:
		return midnight(t.Year(), t.Month(), t.Day(), t.Location())
	}
}

// next returns the end of the interval that begins at t.
func (i Interval) next(t time.Time) time.Time {
	switch i {
	case Hour:
		return beginOfHour(t.Add(quarter), quarter)
	case Week:
		return midnight(t.Year(), t.Month(), t.Day()+7, t.Location())
	case Month:
		return midnight(t.Year(), t.Month()+1, 1, t.Location())
	default:
		return midnight(t.Year(), t.Month(), t.Day()+1, t.Location())
	}
}

// quarter divides all by which clocks change.
const quarter = 15 * time.Minute

// beginOfHour returns the first instant from t, by steps of a quarter of an hour, at which an hour of the clock begins. Where
// clocks change by half an hour, it lasts for 30 or 90 minutes.
func beginOfHour(t time.Time, step time.Duration) time.Time {
	for at, tries := t, 0; tries < 8; at, tries = at.Add(step), tries+1 {
		if at.Minute() == 0 || at.Hour() != at.Add(-time.Millisecond).Hour() {
			return at
		}
	}
	return t // of a zone of before 1972, whose offsets had seconds
}

// midnight returns the first instant of a date in a zone, or of the next date if the zone
// skipped it. It is mostly 00:00. In zones where clocks change at midnight, the date may
// begin at 01:00, or after a second 23:00.
func midnight(year int, month time.Month, day int, zone *time.Location) time.Time {
	wanted := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	reached := func(t time.Time) bool {
		y, m, d := t.In(zone).Date()
		return !time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Before(wanted)
	}
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if reached(t) && !reached(t.Add(-time.Millisecond)) {
		return t
	}
	// Clocks change by a day at most.
	for t = t.Add(-25 * time.Hour); !reached(t); t = t.Add(quarter) {
	}
	return t
}
