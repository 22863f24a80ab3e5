package model

import (
	"math"
	"time"
)

// Millis is an instant: milliseconds since 1970-01-01T00:00:00Z.
type Millis int64

// Day is a UTC day: days since 1970-01-01.
type Day int32

const dayMillis = 24 * 60 * 60 * 1000

// MillisOf returns the instant of t, truncated to the millisecond.
func MillisOf(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Time returns the instant in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// Day returns the UTC day of the instant, or the last day that a Day can hold.
func (m Millis) Day() Day {
	day := m / dayMillis
	if m%dayMillis < 0 {
		day--
	}
	return Day(max(math.MinInt32, min(math.MaxInt32, day)))
}

// Start returns the day's first instant.
func (d Day) Start() Millis { return Millis(d) * dayMillis }

// Open is the end of a range without an end.
const Open Millis = math.MaxInt64

// Range is half open: From <= t < To.
type Range struct{ From, To Millis }

// Contains tells whether t lies in the range.
func (r Range) Contains(t Millis) bool { return r.From <= t && t < r.To }

// Days returns the first and the last day that the range touches.
func (r Range) Days() (first, last Day) {
	if r.To == Open {
		return r.From.Day(), math.MaxInt32
	}
	return r.From.Day(), (r.To - 1).Day()
}

// Covers tells whether all of day lies in the range.
func (r Range) Covers(day Day) bool {
	return r.From <= day.Start() && (r.To == Open || day.Start()+dayMillis <= r.To)
}
