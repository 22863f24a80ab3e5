package scalar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
)

func TestTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-05-17T10:05:03Z":                "2026-05-17T10:05:03Z",
		"2026-05-17T10:05:03.1239Z":           "2026-05-17T10:05:03.123Z",
		"2026-05-17T10:05:03+03:00":           "2026-05-17T07:05:03Z",
		"1969-12-31T23:59:59.999Z":            "1969-12-31T23:59:59.999Z",
		"0000-01-01T00:00:00Z":                "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999999-01:00": "",
	} {
		got, err := scalar.UnmarshalTime(text)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		scalar.MarshalTime(got).MarshalGQL(&b)
		if want != "" && b.String() != `"`+want+`"` {
			t.Errorf("%s: %s, want %s", text, b.String(), want)
		}
	}
	for _, bad := range []any{"", "2026-05-17", "2026-02-30T00:00:00Z", "yesterday", 5, nil, true, strings.Repeat("9", 10_000)} {
		if _, err := scalar.UnmarshalTime(bad); model.CodeOf(err) != model.BadInput || len(err.Error()) > 200 {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if got, _ := scalar.UnmarshalTime("2026-05-17T10:05:03.5+01:00"); !got.Equal(time.Date(2026, 5, 17, 9, 5, 3, 500_000_000, time.UTC)) {
		t.Error(got)
	}
}
