package model

import (
	"fmt"
	"path"
	"sync"
	"time"
)

// zones are those that Zone has read, by their names.
var zones sync.Map

// Zone returns the time zone of an IANA name; UTC for the empty one. It reads each only once. "Local" is none.
func Zone(name string) (*time.Location, error) {
	if zone, found := zones.Load(name); found {
		return zone.(*time.Location), nil
	}
	if name == "Local" { // which is that of this machine
		return nil, fmt.Errorf("%q is no time zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err == nil && path.Clean(name) == name { // of other names of a file there are any number
		zones.Store(name, zone)
	}
	return zone, err
}

// HourIn returns what tells the hour that a clock in a zone shows at an instant, 0 to 23. It is not for concurrent use.
func HourIn(zone *time.Location) func(at Millis) int {
	second := secondIn(zone)
	return func(at Millis) int {
		const day, hour = 24 * 60 * 60, 60 * 60
		of := second(at)
		return int((of - floorDiv(of, day)*day) / hour)
	}
}

// WeekdayIn returns what tells the day of the week in a zone at an instant, 0 for Monday to 6 for Sunday (ISO 8601). It is
// not for concurrent use.
func WeekdayIn(zone *time.Location) func(at Millis) int {
	second := secondIn(zone)
	return func(at Millis) int {
		const day, thursday = 24 * 60 * 60, 3 // on which 1970 began
		of := floorDiv(second(at), day) + thursday
		return int(of - floorDiv(of, 7)*7)
	}
}

// secondIn returns what tells how many seconds after the beginning of 1970 a clock in a zone shows at an instant. It asks
// for the zone's offset from UTC once for all instants between two changes of it, which lie at whole seconds.
func secondIn(zone *time.Location) func(at Millis) int64 {
	var from, until, offset int64 // in seconds: nothing is known yet
	return func(at Millis) int64 {
		second := floorDiv(int64(at), 1000)
		if second < from || until <= second {
			t := time.Unix(second, 0).In(zone)
			_, east := t.Zone()
			start, end := t.ZoneBounds()
			from, until, offset = int64(-Open), int64(Open), int64(east)
			if !start.IsZero() {
				from = start.Unix()
			}
			if !end.IsZero() {
				until = end.Unix()
			}
		}
		return second + offset
	}
}

// floorDiv divides and rounds down.
func floorDiv(n, by int64) int64 {
	quotient := n / by
	if n%by < 0 {
		quotient--
	}
	return quotient
}
