package scalar

import (
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/model"
)

// durationForm is a duration of ISO 8601 without years and months, whose lengths differ. The groups are weeks, days, hours,
// minutes and seconds.
var durationForm = regexp.MustCompile(`^P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?)$`)

// durationUnits are the units of the groups of durationForm.
var durationUnits = [...]time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}

// MarshalDuration writes a length of time in ISO 8601, cut to the second.
func MarshalDuration(d time.Duration) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { io.WriteString(w, strconv.Quote(durationText(d))) })
}

func durationText(d time.Duration) string {
	var text strings.Builder
	text.WriteString("P")
	for i, unit := range durationUnits[1:] {
		if unit == time.Hour && d >= time.Second {
			text.WriteString("T")
		}
		if n := d / unit; n > 0 {
			text.WriteString(strconv.FormatInt(int64(n), 10) + "DHMS"[i:i+1])
			d -= n * unit
		}
	}
	if text.Len() == 1 {
		return "PT0S"
	}
	return text.String()
}

// UnmarshalDuration reads a length of time in ISO 8601.
func UnmarshalDuration(value any) (time.Duration, error) {
	text, _ := value.(string)
	groups := durationForm.FindStringSubmatch(text)
	if groups == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return 0, model.Invalid("", "%.40q is not a duration in ISO 8601, such as \"P7D\", \"PT36H\" or \"P1DT12H\"", text)
	}
	var d time.Duration
	for i, unit := range durationUnits {
		if digits := groups[i+1]; digits != "" {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				return 0, err
			}
			if time.Duration(n) > (math.MaxInt64-d)/unit {
				return 0, model.Invalid("", "%.40q is too long; give less than 292 years", text)
			}
			d += time.Duration(n) * unit
		}
	}
	return d, nil
}

// MarshalDays writes a number of days in ISO 8601.
func MarshalDays(d model.Days) graphql.Marshaler {
	return MarshalDuration(time.Duration(d) * 24 * time.Hour)
}

// UnmarshalDays reads a Duration of whole days of the calendar. One of hours is none, even of 24: days have 23 and 25.
func UnmarshalDays(value any) (model.Days, error) {
	if text, _ := value.(string); strings.Contains(text, "T") && durationForm.MatchString(text) {
		return 0, model.Invalid("", "%.40q has hours, minutes or seconds: give whole days, such as \"P7D\", or from, the first instant of the range", text)
	}
	d, err := UnmarshalDuration(value)
	return model.Days(d / (24 * time.Hour)), err
}
