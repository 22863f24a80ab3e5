package ingest

import (
	"strings"
	"testing"
)

func TestMessageTime(t *testing.T) {
	decoder := newTestDecoder(t)
	received := Envelope{Received: millis(t, "2026-01-01T12:00:00Z")}
	batch := Envelope{Received: received.Received, SentAt: millis(t, "2026-01-01T11:00:00Z")}
	for _, test := range []struct {
		members  string
		envelope Envelope
		want     string
	}{
		{`"timestamp":"2026-01-01T10:00:00.5+02:00"`, Envelope{}, "2026-01-01T08:00:00.5Z"},
		{`"timestamp":"2026-01-01T10:00:00+0200"`, Envelope{}, "2026-01-01T08:00:00Z"},
		{`"timestamp":1767254400000`, Envelope{}, "2026-01-01T08:00:00Z"},
		{`"timestamp":null,"originalTimestamp":"2026-01-01T08:00:00Z","sentAt":"2026-01-01T09:00:00Z"`, Envelope{}, "2026-01-01T08:00:00Z"},
		{`"timestamp":"2026-01-01T08:00:00Z","originalTimestamp":"2026-01-01T07:00:00Z","sentAt":"2026-01-01T09:00:00Z"`, Envelope{}, "2026-01-01T08:00:00Z"},
		{`"sentAt":"2026-01-01T09:00:00Z"`, Envelope{}, "2026-01-01T09:00:00Z"},
		{`"x":1`, received, "2026-01-01T12:00:00Z"},
		{`"timestamp":"2026-01-01T08:00:00Z"`, received, "2026-01-01T08:00:00Z"},
		{`"timestamp":"2026-01-01T08:00:00Z","sentAt":"2026-01-01T09:00:00Z"`, received, "2026-01-01T11:00:00Z"},
		{`"timestamp":"2026-01-01T08:00:00Z","sentAt":"nonsense"`, received, "2026-01-01T08:00:00Z"},
		{`"sentAt":"2026-01-01T09:00:00Z"`, received, "2026-01-01T12:00:00Z"},
		{`"timestamp":"2026-01-01T08:00:00Z"`, batch, "2026-01-01T09:00:00Z"},
		{`"timestamp":"2026-01-01T08:00:00Z","sentAt":"2026-01-01T12:00:00Z"`, batch, "2026-01-01T08:00:00Z"},
		{`"timestamp":"2026-01-01T12:05:00Z"`, received, "2026-01-01T12:05:00Z"},
		{`"timestamp":"2026-01-01T12:05:00.001Z"`, received, "2026-01-01T12:00:00Z"},
		{`"timestamp":"2190-01-01T12:00:00Z"`, received, "2026-01-01T12:00:00Z"},
		{`"timestamp":"9999-12-31T00:00:00Z"`, received, "2026-01-01T12:00:00Z"},
		{`"timestamp":1e300`, received, "2026-01-01T12:00:00Z"},
		{`"timestamp":"2026-01-01T11:06:00Z"`, batch, "2026-01-01T12:00:00Z"},
		{`"timestamp":"2031-01-01T08:00:00Z","sentAt":"2031-01-01T09:00:00Z"`, received, "2026-01-01T11:00:00Z"},
		{`"timestamp":"2016-01-01T12:00:00Z"`, received, "2016-01-01T12:00:00Z"},
		{`"timestamp":"2001-01-01T08:00:00Z","sentAt":"2001-01-01T09:00:00Z"`, received, "2026-01-01T11:00:00Z"},
		{`"timestamp":"1990-01-01T00:00:00Z"`, Envelope{}, "1990-01-01T00:00:00Z"},
	} {
		text := `{"type":"track","event":"E","userId":"u",` + test.members + `}`
		got, _, err := decoder.Message([]byte(text), test.envelope)
		if err != nil {
			t.Errorf("%s: %v", test.members, err)
		} else if want := millis(t, test.want); got.Hit.At != want {
			t.Errorf("%s: %v, want %v", test.members, got.Hit.At.Time(), want.Time())
		}
	}
}

// Over HTTP nothing is older than ten years: days that nobody looks at cost as much as others.
func TestMessageTooOld(t *testing.T) {
	decoder := newTestDecoder(t)
	received := Envelope{Received: millis(t, "2026-01-01T12:00:00Z"), Type: "track"}
	for _, test := range []struct{ members, reason string }{
		{`"timestamp":"2016-01-01T11:59:59.999Z"`, "timestamp: 2016-01-01T11:59:59.999Z is more than 10 years ago"},
		{`"timestamp":"0001-01-01T00:00:00Z"`, "timestamp: 0001-01-01T00:00:00Z is more than 10 years ago"},
		{`"originalTimestamp":1767323045`, "originalTimestamp: 1767323045 is more than 10 years ago"},
		{`"timestamp":-1e300`, "is more than 10 years ago"},
		{`"timestamp":"2025-01-01T00:00:00Z","sentAt":"2040-01-01T00:00:00Z"`, "is more than 10 years ago"},
	} {
		_, _, err := decoder.Message([]byte(`{"event":"E","userId":"u",`+test.members+`}`), received)
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: error %v, want one with %q", test.members, err, test.reason)
		}
	}
}
