package model_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// said returns a time range by its text: a name, a number of days such as 7D, dates as from..to, or instants as from--to.
func said(t *testing.T, text string) (given model.TimeRange) {
	t.Helper()
	var days model.Days
	var from, to string
	if n, _ := fmt.Sscanf(text, "%dD", &days); n == 1 && len(text) < 6 {
		return model.TimeRange{Last: &days}
	}
	if n, _ := fmt.Sscanf(text, "%10s..%10s", &from, &to); n == 2 {
		var dates model.DateRange
		var isDate, isOther bool
		dates.From, isDate = model.ParseDate(from)
		dates.To, isOther = model.ParseDate(to)
		if !isDate || !isOther {
			t.Fatalf("%q has no dates", text)
		}
		return model.TimeRange{Date: &dates}
	}
	if n, _ := fmt.Sscanf(text, "%20s--%20s", &from, &to); n >= 1 && len(text) > 20 {
		first := instant(t, from).Time()
		given.From = &first
		if to != "" {
			end := instant(t, to).Time()
			given.To = &end
		}
		return given
	}
	name := model.RangeName(text)
	return model.TimeRange{Name: &name}
}

// clocked returns a range as clocks in the zone show it.
func clocked(in model.Range, zone *time.Location) string {
	text := in.From.Time().In(zone).Format("2006-01-02T15:04") + " "
	if in.To == model.Open {
		return text + "open"
	}
	return text + in.To.Time().In(zone).Format("2006-01-02T15:04")
}

func TestTimeRange(t *testing.T) {
	t.Parallel()
	const bucharest, noon = "Europe/Bucharest", "2026-03-18T10:07:00Z" // a Wednesday
	for _, test := range []struct{ zone, now, given, want, period, year string }{
		{bucharest, noon, "TODAY", "2026-03-18T00:00 2026-03-19T00:00", "2026-03-17T00:00 2026-03-17T12:00", "2025-03-18T00:00 2025-03-18T12:00"},
		{bucharest, noon, "YESTERDAY", "2026-03-17T00:00 2026-03-18T00:00", "2026-03-16T00:00 2026-03-17T00:00", "2025-03-17T00:00 2025-03-18T00:00"},
		{bucharest, noon, "LAST_7_DAYS", "2026-03-12T00:00 2026-03-19T00:00", "2026-03-05T00:00 2026-03-11T12:00", "2025-03-12T00:00 2025-03-18T12:00"},
		{bucharest, noon, "7D", "2026-03-12T00:00 2026-03-19T00:00", "2026-03-05T00:00 2026-03-11T12:00", "2025-03-12T00:00 2025-03-18T12:00"},
		{bucharest, noon, "1D", "2026-03-18T00:00 2026-03-19T00:00", "2026-03-17T00:00 2026-03-17T12:00", "2025-03-18T00:00 2025-03-18T12:00"},
		{bucharest, noon, "LAST_30_DAYS", "2026-02-17T00:00 2026-03-19T00:00", "2026-01-18T00:00 2026-02-16T12:00", "2025-02-17T00:00 2025-03-18T12:00"},
		{bucharest, noon, "LAST_90_DAYS", "2025-12-19T00:00 2026-03-19T00:00", "2025-09-20T00:00 2025-12-18T12:00", "2024-12-19T00:00 2025-03-18T12:00"},
		{bucharest, noon, "THIS_WEEK", "2026-03-16T00:00 2026-03-23T00:00", "2026-03-09T00:00 2026-03-11T12:00", "2025-03-17T00:00 2025-03-19T12:00"},
		{bucharest, noon, "LAST_WEEK", "2026-03-09T00:00 2026-03-16T00:00", "2026-03-02T00:00 2026-03-09T00:00", "2025-03-10T00:00 2025-03-17T00:00"},
		{bucharest, noon, "THIS_MONTH", "2026-03-01T00:00 2026-04-01T00:00", "2026-02-01T00:00 2026-02-18T12:00", "2025-03-01T00:00 2025-03-18T12:00"},
		{bucharest, noon, "LAST_MONTH", "2026-02-01T00:00 2026-03-01T00:00", "2026-01-01T00:00 2026-02-01T00:00", "2025-02-01T00:00 2025-03-01T00:00"},
		{bucharest, noon, "THIS_QUARTER", "2026-01-01T00:00 2026-04-01T00:00", "2025-10-01T00:00 2025-12-18T12:00", "2025-01-01T00:00 2025-03-18T12:00"},
		{bucharest, noon, "LAST_QUARTER", "2025-10-01T00:00 2026-01-01T00:00", "2025-07-01T00:00 2025-10-01T00:00", "2024-10-01T00:00 2025-01-01T00:00"},
		{bucharest, noon, "THIS_YEAR", "2026-01-01T00:00 2027-01-01T00:00", "2025-01-01T00:00 2025-03-18T12:00", "2025-01-01T00:00 2025-03-18T12:00"},
		{bucharest, noon, "LAST_YEAR", "2025-01-01T00:00 2026-01-01T00:00", "2024-01-01T00:00 2025-01-01T00:00", "2024-01-01T00:00 2025-01-01T00:00"},
		{bucharest, noon, "2026-03-01..2026-03-01", "2026-03-01T00:00 2026-03-02T00:00", "2026-02-28T00:00 2026-03-01T00:00", "2025-03-01T00:00 2025-03-02T00:00"},
		{bucharest, noon, "2026-02-01..2026-02-28", "2026-02-01T00:00 2026-03-01T00:00", "2026-01-01T00:00 2026-02-01T00:00", "2025-02-01T00:00 2025-03-01T00:00"},
		{bucharest, noon, "2026-02-02..2026-02-15", "2026-02-02T00:00 2026-02-16T00:00", "2026-01-19T00:00 2026-02-02T00:00", "2025-02-02T00:00 2025-02-16T00:00"},
		// 29 February, and a month that is shorter than the one before it lasts.
		{"UTC", noon, "2024-02-29..2024-02-29", "2024-02-29T00:00 2024-03-01T00:00", "2024-02-28T00:00 2024-02-29T00:00", "2023-02-28T00:00 2023-03-01T00:00"},
		{"UTC", noon, "2024-02-01..2024-02-29", "2024-02-01T00:00 2024-03-01T00:00", "2024-01-01T00:00 2024-02-01T00:00", "2023-02-01T00:00 2023-03-01T00:00"},
		{"UTC", noon, "2025-02-01..2025-02-28", "2025-02-01T00:00 2025-03-01T00:00", "2025-01-01T00:00 2025-02-01T00:00", "2024-02-01T00:00 2024-03-01T00:00"},
		{"UTC", "2026-03-31T10:00:00Z", "THIS_MONTH", "2026-03-01T00:00 2026-04-01T00:00", "2026-02-01T00:00 2026-03-01T00:00", "2025-03-01T00:00 2025-03-31T10:00"},
		{"UTC", "2024-02-29T10:00:00Z", "THIS_YEAR", "2024-01-01T00:00 2025-01-01T00:00", "2023-01-01T00:00 2023-03-01T00:00", "2023-01-01T00:00 2023-03-01T00:00"},
		// Days of 23 and of 25 hours, one that begins at one o'clock, one that its zone skipped, and midnight elsewhere.
		{bucharest, "2026-03-29T12:00:00Z", "TODAY", "2026-03-29T00:00 2026-03-30T00:00", "2026-03-28T00:00 2026-03-28T15:00", "2025-03-29T00:00 2025-03-29T15:00"},
		{bucharest, "2026-10-25T12:00:00Z", "TODAY", "2026-10-25T00:00 2026-10-26T00:00", "2026-10-24T00:00 2026-10-24T14:00", "2025-10-25T00:00 2025-10-25T14:00"},
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "TODAY", "2018-11-04T01:00 2018-11-05T00:00", "2018-11-03T00:00 2018-11-03T10:00", "2017-11-04T00:00 2017-11-04T10:00"},
		{"Pacific/Apia", "2012-01-01T00:00:00Z", "2011-12-30..2011-12-30", "2011-12-31T00:00 2011-12-31T00:00", "2011-12-29T00:00 2011-12-31T00:00", "2010-12-30T00:00 2010-12-31T00:00"},
		{"Pacific/Kiritimati", "2026-03-17T10:00:00Z", "TODAY", "2026-03-18T00:00 2026-03-19T00:00", "2026-03-17T00:00 2026-03-17T00:00", "2025-03-18T00:00 2025-03-18T00:00"},
		{"Asia/Kathmandu", "2026-03-17T18:15:00Z", "YESTERDAY", "2026-03-17T00:00 2026-03-18T00:00", "2026-03-16T00:00 2026-03-17T00:00", "2025-03-17T00:00 2025-03-18T00:00"},
		// Instants: one range that is over, one that is not, one that is open, and one that has not begun.
		{"UTC", noon, "2026-03-01T06:00:00Z--2026-03-02T12:00:00Z", "2026-03-01T06:00 2026-03-02T12:00", "2026-02-28T00:00 2026-03-01T06:00", "2025-03-01T06:00 2025-03-02T12:00"},
		{"UTC", noon, "2026-03-18T00:00:00Z--2026-03-20T00:00:00Z", "2026-03-18T00:00 2026-03-20T00:00", "2026-03-16T00:00 2026-03-16T10:00", "2025-03-18T00:00 2025-03-18T10:00"},
		{"UTC", noon, "2026-03-18T00:00:00Z--", "2026-03-18T00:00 open", "2026-03-17T14:00 2026-03-18T00:00", "2025-03-18T00:00 2025-03-18T10:00"},
		{"UTC", noon, "2026-03-19T00:00:00Z--", "2026-03-19T00:00 open", "2026-03-19T00:00 2026-03-19T00:00", "2025-03-19T00:00 2025-03-19T00:00"},
		{"UTC", noon, "2024-02-28T00:00:00Z--2024-02-29T00:00:00Z", "2024-02-28T00:00 2024-02-29T00:00", "2024-02-27T00:00 2024-02-28T00:00", "2023-02-28T00:00 2023-03-01T00:00"},
		{"UTC", noon, "2024-02-28T23:00:00Z--2024-02-29T01:00:00Z", "2024-02-28T23:00 2024-02-29T01:00", "2024-02-28T21:00 2024-02-28T23:00", "2023-02-28T23:00 2023-02-28T23:00"},
		{bucharest, noon, "2025-07-01T00:00:00Z--2025-07-02T00:00:00Z", "2025-07-01T03:00 2025-07-02T03:00", "2025-06-30T03:00 2025-07-01T03:00", "2024-07-01T03:00 2024-07-02T03:00"},
	} {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		period, err := said(t, test.given).Resolve(instant(t, test.now).Time(), zone)
		if err != nil {
			t.Errorf("%s: %v", test.given, err)
			continue
		}
		for what, pair := range map[string][2]string{
			"the range":       {clocked(period.Range, zone), test.want},
			"PREVIOUS_PERIOD": {clocked(period.Other(model.PreviousPeriod), zone), test.period},
			"PREVIOUS_YEAR":   {clocked(period.Other(model.PreviousYear), zone), test.year},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s in %s at %s: %s is %s, want %s", test.given, test.zone, test.now, what, pair[0], pair[1])
			}
		}
	}
}

func TestTimeRangeThatIsNone(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-03-18T10:07:00Z").Time()
	later, today, zero := now.Add(time.Hour), model.Today, model.Days(0)
	for name, test := range map[string]struct {
		given model.TimeRange
		field string
	}{
		"no way":             {model.TimeRange{}, "range"},
		"no beginning":       {model.TimeRange{To: &now}, "range"},
		"two ways":           {model.TimeRange{From: &now, Name: &today}, "range"},
		"backward instants":  {model.TimeRange{From: &later, To: &now}, "range"},
		"backward dates":     {model.TimeRange{Date: &model.DateRange{From: model.Date{Year: 2026, Month: 3, Day: 2}, To: model.Date{Year: 2026, Month: 3, Day: 1}}}, "range.date"},
		"less than a day":    {model.TimeRange{Last: &zero}, "range.last"},
		"a to beside a name": {model.TimeRange{To: &now, Name: &today}, "range"},
	} {
		_, err := test.given.Resolve(now, time.UTC)
		if e, ok := err.(*model.Error); !ok || e.Code != model.BadInput || e.Field != test.field {
			t.Errorf("%s: %v, want BAD_USER_INPUT about %s", name, err, test.field)
		}
	}
}

// In every zone, a period at any time holds what it should: today lies in it, and no other period reaches into it.
func TestPeriodsOfAllZones(t *testing.T) {
	t.Parallel()
	for _, zoneName := range []string{"America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Atlantic/Azores"} {
		zone, err := time.LoadLocation(zoneName)
		if err != nil {
			t.Fatal(err)
		}
		for now := time.Date(2009, 12, 30, 0, 0, 0, 0, time.UTC); now.Year() < 2013; now = now.Add(37*time.Hour + 15*time.Minute) {
			for _, name := range []model.RangeName{model.Today, model.Last7Days, model.ThisWeek, model.ThisMonth, model.ThisQuarter, model.ThisYear} {
				period, err := model.TimeRange{Name: &name}.Resolve(now, zone)
				if err != nil || !period.Contains(model.MillisOf(now)) {
					t.Fatalf("%s at %v in %s: %s, %v", name, now, zoneName, clocked(period.Range, zone), err)
				}
				for _, compare := range []model.Comparison{model.PreviousPeriod, model.PreviousYear} {
					other := period.Other(compare)
					if other.From > other.To || other.To > period.From {
						t.Fatalf("%s at %v in %s is %s, and %s %s", name, now, zoneName, clocked(period.Range, zone), compare, clocked(other, zone))
					}
				}
			}
		}
	}
}
