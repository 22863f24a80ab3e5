package model_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

const day = 24 * 60 * 60 * 1000

func TestDay(t *testing.T) {
	for at, want := range map[model.Millis]model.Day{
		0: 0, day - 1: 0, day: 1, -1: -1, -day: -1, -day - 1: -2,
		model.Open: math.MaxInt32, -model.Open: math.MinInt32, math.MinInt64: math.MinInt32,
	} {
		if got := at.Day(); got != want {
			t.Errorf("day of %d is %d, want %d", at, got, want)
		}
	}
	for _, text := range []string{"1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z", "2024-02-29T12:00:00+05:30", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		start := model.MillisOf(at).Day().Start().Time()
		if want := at.UTC().Truncate(24 * time.Hour); !start.Equal(want) || start.Location() != time.UTC {
			t.Errorf("the day of %s starts at %v, want %v", text, start, want)
		}
		if got := model.MillisOf(at).Time(); !got.Equal(at) {
			t.Errorf("%s becomes %v", text, got)
		}
	}
}

func TestRange(t *testing.T) {
	for _, test := range []struct {
		in          model.Range
		first, last model.Day
		covered     []model.Day // of those from -2 to 4
	}{
		{model.Range{From: 0, To: day}, 0, 0, []model.Day{0}},
		{model.Range{From: 0, To: day + 1}, 0, 1, []model.Day{0}},
		{model.Range{From: 1, To: 3 * day}, 0, 2, []model.Day{1, 2}},
		{model.Range{From: 5, To: 6}, 0, 0, nil},
		{model.Range{From: -day, To: 0}, -1, -1, []model.Day{-1}},
		{model.Range{From: 2 * day, To: model.Open}, 2, math.MaxInt32, []model.Day{2, 3, 4}},
		{model.Range{From: -model.Open, To: model.Open}, math.MinInt32, math.MaxInt32, []model.Day{-2, -1, 0, 1, 2, 3, 4}},
	} {
		if first, last := test.in.Days(); first != test.first || last != test.last {
			t.Errorf("%v touches the days %d to %d, want %d to %d", test.in, first, last, test.first, test.last)
		}
		var covered []model.Day
		for d := model.Day(-2); d <= 4; d++ {
			if test.in.Covers(d) {
				covered = append(covered, d)
			}
			all, some := true, false
			for _, at := range []model.Millis{d.Start(), d.Start() + 1, d.Start() + day/2, d.Start() + day - 1} {
				all, some = all && test.in.Contains(at), some || test.in.Contains(at)
			}
			if test.in.Covers(d) && !all {
				t.Errorf("%v covers day %d and does not contain all of it", test.in, d)
			}
			if some && (d < test.first || d > test.last) {
				t.Errorf("%v contains a part of day %d and does not touch it", test.in, d)
			}
		}
		mustEqual(t, "covered days", covered, test.covered)
	}
	if in := (model.Range{From: 0, To: day}); in.Contains(-1) || !in.Contains(0) || !in.Contains(day-1) || in.Contains(day) {
		t.Error("a range is not half open")
	}
	if (model.Range{From: 0, To: day}).Covers(math.MaxInt32) {
		t.Error("a range covers the last day and ends before it")
	}
}

func TestMessageIDOf(t *testing.T) {
	seen := map[model.MessageID][]string{}
	for _, parts := range [][]string{{"a"}, {"b"}, {"a", "b"}, {"ab"}, {"a", ""}, {"", "a"}, {}, {"", ""}} {
		id := model.MessageIDOf(parts...)
		if other, found := seen[id]; found {
			t.Errorf("%q and %q have one id", parts, other)
		}
		seen[id] = parts
		if id != model.MessageIDOf(parts...) || id.Compare(id) != 0 {
			t.Errorf("the id of %q is not one", parts)
		}
	}
	// Ids are stored: what they are must not change.
	for name, want := range map[string]string{
		"a message of some length":             "8b2933a916a8d054e05eea3579588563", // of its SHA-256
		"ab":                                   "61620000000000000000000000000002",
		"0b7e7dee-87fb-4f4b-b5d8-1a1f0a2e34f4": "0b7e7dee87fb4f4bb5d81a1f0a2e34f4",
	} {
		if got := fmt.Sprintf("%x", model.MessageIDOf(name)); got != want {
			t.Errorf("the id of %q is %s, want %s", name, got, want)
		}
	}
}
