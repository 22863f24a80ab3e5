package model

import (
	"fmt"
	"time"
)

// Date is a day of the calendar. When it begins and ends, a zone says.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate returns the date of a text such as 2026-03-01 (ISO 8601). ok is false where it is none.
func ParseDate(text string) (d Date, ok bool) {
	t, err := time.Parse(time.DateOnly, text)
	return dateOf(t), err == nil
}

// dateOf returns the date of an instant in its zone.
func dateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// String returns the text that ParseDate reads as this date.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// start returns the first instant of the date in a zone, or of the next date if the zone skipped it.
func (d Date) start(zone *time.Location) Millis {
	return MillisOf(midnight(d.Year, d.Month, d.Day, zone))
}

// noon returns an instant of the date in UTC, whose days all have 24 hours.
func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

// plus returns the date so many days later.
func (d Date) plus(days int) Date { return dateOf(d.noon().AddDate(0, 0, days)) }

// plusMonths returns the date so many months later, or the last of that month where it has no such day.
func (d Date) plusMonths(months int) Date {
	first := Date{d.Year, d.Month + time.Month(months), 1}
	last := first.monthsLater(1).plus(-1)
	last.Day = min(last.Day, d.Day)
	return last
}

// monthsLater returns the first of the month so many months later.
func (d Date) monthsLater(months int) Date {
	return dateOf(Date{d.Year, d.Month + time.Month(months), 1}.noon())
}

// monday returns the Monday of the date's week (ISO 8601).
func (d Date) monday() Date { return d.plus(-(int(d.noon().Weekday()) + 6) % 7) }

// daysUntil returns how many days later another date is.
func (d Date) daysUntil(other Date) int {
	return int((other.noon().Unix() - d.noon().Unix()) / (24 * 60 * 60))
}
