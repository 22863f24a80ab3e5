package model

import "time"

// TimeRange is a range of time as people say it, in exactly one of four ways. Where that follows from the calendar, it is
// that of the site's zone: days begin and end by its clocks, and have 23 or 25 hours when these change.
type TimeRange struct {
	// From and To are instants: From <= t < To. Without a To, the range is open.
	From, To *time.Time
	// Date is whole days, the first and the last one included.
	Date *DateRange
	// Last is so many days that end with today, at least 1.
	Last *Days
	Name *RangeName
}

// UTC returns the same range with its instants in UTC.
func (t TimeRange) UTC() TimeRange {
	for _, at := range []**time.Time{&t.From, &t.To} {
		if *at != nil {
			utc := (*at).UTC()
			*at = &utc
		}
	}
	return t
}

// DateRange is the days from one to another, both included.
type DateRange struct{ From, To Date }

// Days is a number of days of the calendar.
type Days int

// RangeName names a range of whole days around today.
type RangeName string

// The days, ISO weeks, months, quarters and years that the names say. Those of this week, month, quarter and year end with
// it, and not today. LAST_7_DAYS and its like end with today.
const (
	Today       RangeName = "TODAY"
	Yesterday   RangeName = "YESTERDAY"
	Last7Days   RangeName = "LAST_7_DAYS"
	Last30Days  RangeName = "LAST_30_DAYS"
	Last90Days  RangeName = "LAST_90_DAYS"
	ThisWeek    RangeName = "THIS_WEEK"
	LastWeek    RangeName = "LAST_WEEK"
	ThisMonth   RangeName = "THIS_MONTH"
	LastMonth   RangeName = "LAST_MONTH"
	ThisQuarter RangeName = "THIS_QUARTER"
	LastQuarter RangeName = "LAST_QUARTER"
	ThisYear    RangeName = "THIS_YEAR"
	LastYear    RangeName = "LAST_YEAR"
)

// Comparison says which other period one is compared with.
type Comparison string

const (
	PreviousPeriod Comparison = "PREVIOUS_PERIOD"
	PreviousYear   Comparison = "PREVIOUS_YEAR"
)

// Period is a TimeRange at an instant: the instants that it is from and to, and what it is compared with. It moves to other
// instants at a local midnight, and what it is compared with every Pace.
type Period struct {
	Range
	zone *time.Location
	now  time.Time // with whole quarters of an hour

	// calendar tells that the period is the days from first to before end. They are of whole months, or weeks.
	calendar   bool
	first, end Date
	months     int
	isWeek     bool
}

// Pace is how often a Period may become another one: clocks all over the world differ by whole quarters of an hour, so that
// midnights are among them.
const Pace = 15 * time.Minute

// IsOfZone tells whether the range follows from the zone's calendar.
func (t TimeRange) IsOfZone() bool { return t.From == nil }

// Resolve returns the period that the range is at an instant in a zone. It is a BadInput error about the field range if
// it is said in no way, in more than one, or ends before it begins.
func (t TimeRange) Resolve(now time.Time, zone *time.Location) (Period, error) {
	if err := t.check(); err != nil {
		return Period{}, err
	}
	p := Period{zone: zone, now: now.Truncate(Pace)}
	if t.From != nil {
		p.From, p.To = MillisOf(*t.From), Open
		if t.To != nil {
			p.To = MillisOf(*t.To)
		}
		if p.From > p.To {
			return p, Invalid("range", "from (%s) is later than to (%s)", t.From.UTC().Format(time.RFC3339), t.To.UTC().Format(time.RFC3339))
		}
		return p, nil
	}
	p.calendar = true
	p.setDays(t, dateOf(now.In(zone)))
	p.From, p.To = p.first.start(zone), p.end.start(zone)
	return p, nil
}

// check returns an error unless the range is said in one way.
func (t TimeRange) check() error {
	ways := 0
	for _, isGiven := range []bool{t.From != nil, t.Date != nil, t.Last != nil, t.Name != nil} {
		if isGiven {
			ways++
		}
	}
	switch {
	case t.From == nil && t.To != nil:
		return Invalid("range", "has a to without a from: give from as well, or one of date, last and name instead")
	case ways == 0:
		return Invalid("range", "says no time: give exactly one of from (with or without to), date, last and name")
	case ways > 1:
		return Invalid("range", "says its time in %d ways: give exactly one of from (with or without to), date, last and name", ways)
	case t.Date != nil && t.Date.From.daysUntil(t.Date.To) < 0:
		return Invalid("range.date", "from (%s) is later than to (%s)", t.Date.From, t.Date.To)
	case t.Last != nil && *t.Last < 1:
		return Invalid("range.last", "is less than a day; P1D is today")
	}
	return nil
}

// setDays sets the days of a range that follows from the calendar.
func (p *Period) setDays(t TimeRange, today Date) {
	days := func(n int) { p.first, p.end = today.plus(1-n), today.plus(1) }
	weeks := func(from int) {
		p.first, p.end, p.isWeek = today.monday().plus(7*from), today.monday().plus(7*from+7), true
	}
	months := func(first Date, from, n int) {
		p.first, p.end, p.months = first.monthsLater(from), first.monthsLater(from+n), n
	}
	quarter, year := Date{today.Year, (today.Month-1)/3*3 + 1, 1}, Date{today.Year, time.January, 1}
	switch {
	case t.Date != nil:
		p.first, p.end = t.Date.From, t.Date.To.plus(1)
		if p.first.Day == 1 && p.end.Day == 1 {
			p.months = 12*(p.end.Year-p.first.Year) + int(p.end.Month-p.first.Month)
		}
		return
	case t.Last != nil:
		days(int(*t.Last))
		return
	}
	switch *t.Name {
	case Today:
		days(1)
	case Yesterday:
		p.first, p.end = today.plus(-1), today
	case Last7Days:
		days(7)
	case Last30Days:
		days(30)
	case Last90Days:
		days(90)
	case ThisWeek:
		weeks(0)
	case LastWeek:
		weeks(-1)
	case ThisMonth:
		months(today, 0, 1)
	case LastMonth:
		months(today, -1, 1)
	case ThisQuarter:
		months(quarter, 0, 3)
	case LastQuarter:
		months(quarter, -3, 3)
	case ThisYear:
		months(year, 0, 12)
	case LastYear:
		months(year, -12, 12)
	}
}

// Other returns the range that a period is compared with.
//
// PreviousPeriod is as long and ends where the period begins: as many days before days, the month before a month, and so
// on. PreviousYear is the same dates a year before, the last of February for the 29th, and for a week that of 52 weeks
// before. Of a period that is not over, the part until now is compared with the same part of the other: of the other, what
// comes after the same date and time of day is left out. An open range ends now. Now is the last full quarter of an hour.
func (p *Period) Other(c Comparison) (other Range) {
	switch {
	case !p.calendar && c == PreviousYear:
		return p.otherOf(func(t time.Time) Millis {
			t = t.In(p.zone)
			return clock(dateOf(t).plusMonths(-12), t, p.zone)
		})
	case !p.calendar:
		length := max(0, min(p.To, MillisOf(p.now))-p.From)
		if p.To != Open {
			length = p.To - p.From
		}
		return p.otherOf(func(t time.Time) Millis { return MillisOf(t) - length })
	}
	months, days := p.months, 0
	switch {
	case c == PreviousYear && p.isWeek:
		months, days = 0, 52*7
	case c == PreviousYear:
		months = 12
	case months == 0:
		days = p.first.daysUntil(p.end)
	}
	before := func(d Date) Date { return d.plusMonths(-months).plus(-days) }
	end := before(p.end.plus(-1)).plus(1)
	if p.months > 0 { // the months' own lasts, whatever their lengths
		end = before(p.end)
	}
	other = Range{From: before(p.first).start(p.zone), To: end.start(p.zone)}
	if now := MillisOf(p.now); p.Contains(now) {
		today := dateOf(p.now.In(p.zone))
		until := clock(before(today), p.now.In(p.zone), p.zone)
		if before(today).Day != today.Day && months > 0 { // that month is shorter, and over
			until = before(today).plus(1).start(p.zone)
		}
		other.To = max(other.From, min(other.To, until))
	}
	return other
}

// otherOf returns the range that instants are compared with, by what before makes of an instant.
func (p *Period) otherOf(before func(time.Time) Millis) (other Range) {
	to := p.To
	if now := MillisOf(p.now); p.Contains(now) || to == Open {
		to = max(p.From, now)
	}
	// The end is behind the last instant of the range, and has no other of its own: the first of March may be the end of the
	// 29th of February, and the year before of the 28th.
	from := before(p.From.Time())
	if to == p.From {
		return Range{From: from, To: from}
	}
	return Range{From: from, To: max(from, before((to-1).Time())+1)}
}

// clock returns the instant of a date at which clocks show the time of day that t has.
func clock(d Date, t time.Time, zone *time.Location) Millis {
	at := MillisOf(time.Date(d.Year, d.Month, d.Day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone))
	return min(max(at, d.start(zone)), d.plus(1).start(zone))
}
