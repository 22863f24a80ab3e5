package ingest

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const logTimeLength = len("02/Jan/2006:15:04:05 -0700")

// parseLogTime reads the time that s begins with: "02/Jan/2006:15:04:05 -0700". It does by
// hand what time.Parse does too, in a tenth of the time.
func parseLogTime(s string) (time.Time, bool) {
	if len(s) < logTimeLength || s[2] != '/' || s[6] != '/' || s[11] != ':' || s[14] != ':' || s[17] != ':' || s[20] != ' ' {
		return time.Time{}, false
	}
	day, ok1 := digits(s[0:2])
	year, ok2 := digits(s[7:11])
	hour, ok3 := digits(s[12:14])
	minute, ok4 := digits(s[15:17])
	second, ok5 := digits(s[18:20])
	zoneHours, ok6 := digits(s[22:24])
	zoneMinutes, ok7 := digits(s[24:26])
	month := monthNumber(s[3:6])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) || month == 0 {
		return time.Time{}, false
	}
	// A second numbered 60 is a leap second; it becomes the one after.
	if hour > 23 || minute > 59 || second > 60 || zoneHours > 23 || zoneMinutes > 59 {
		return time.Time{}, false
	}
	offset := time.Duration(zoneHours)*time.Hour + time.Duration(zoneMinutes)*time.Minute
	switch s[21] {
	case '+':
	case '-':
		offset = -offset
	default:
		return time.Time{}, false
	}
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return time.Time{}, false
	}
	clock := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	return date.Add(clock - offset), true
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func monthNumber(s string) time.Month {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	at := strings.Index(names, s)
	if at < 0 || at%3 != 0 {
		return 0
	}
	return time.Month(at/3 + 1)
}

// parseTime reads a time as programs write it into fields of their logs: by RFC 3339, with
// or without a colon in the zone, as parseLogTime, in UTC without a zone, or as a number of
// seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	if t, ok := parseLogTime(s); ok && len(s) == logTimeLength {
		return t, true
	}
	if strings.IndexByte(s, '-') < 0 && strings.IndexByte(s, '/') < 0 {
		return parseUnixTime(s)
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700",
		"2006-01-02T15:04:05", time.DateTime, "2006/01/02 15:04:05",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseUnixTime reads a time since 1970.
func parseUnixTime(s string) (time.Time, bool) {
	number, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(number) || number < 0 || number > 1e19 {
		return time.Time{}, false
	}
	for number > 1e11 { // of seconds: the year 5138
		number /= 1000
	}
	seconds, fraction := math.Modf(number)
	return time.Unix(int64(seconds), int64(math.Round(fraction*1e6))*1000).UTC(), true
}
