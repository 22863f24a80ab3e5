package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseLifetime reads a length of time: as Go writes it, like 90m or 24h, or in days, like 90d. It is positive and at most
// 100 years.
func ParseLifetime(text string) (time.Duration, error) {
	const day, most = 24 * time.Hour, 36_525 * 24 * time.Hour
	length, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n int
		if n, err = strconv.Atoi(days); err == nil && n <= int(most/day) {
			length = time.Duration(n) * day
		}
	}
	if err != nil || length <= 0 || length > most {
		return 0, fmt.Errorf("%.40q is not a length of time; write it like 24h or 90d", text)
	}
	return length, nil
}
