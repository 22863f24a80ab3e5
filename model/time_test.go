package model_test

import (
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
	if got, want := model.MessageIDOf("a"), (model.MessageID{0xca, 0x97, 0x81, 0x12, 0xca, 0x1b, 0xbd, 0xca, 0xfa, 0xc2, 0x31, 0xb3, 0x9a, 0x23, 0xdc, 0x4d}); got != want {
		t.Errorf("id %x, want %x", got, want)
	}
}
