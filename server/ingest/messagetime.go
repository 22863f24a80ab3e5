package ingest

import (
	"strconv"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

const (
	// maxAhead is how far a message's time may be ahead of its arrival.
	maxAhead model.Millis = 5 * 60 * 1000
	// maxYears is how many years ago it may be.
	maxYears = 10
)

// readTime fills in the time; timed is false where the message had none.
func (w *wire) readTime(hit *model.Hit, envelope Envelope) (timed bool, err error) {
	sent, sentErr := timeOf("sentAt", w.sentAt)
	if sentErr != nil || !isInRange(sent) {
		sent = envelope.SentAt
	}
	type source struct {
		name string
		value
	}
	of := source{"sentAt", w.sentAt}
	for _, source := range []source{{"timestamp", w.timestamp}, {"originalTimestamp", w.originalTimestamp}, {"sentAt", w.sentAt}} {
		if hit.At, err = timeOf(source.name, source.value); err != nil {
			return false, err
		}
		if hit.At != 0 {
			of = source
			break
		}
	}
	if hit.At == 0 {
		hit.At = sent
	}
	if hit.At == 0 {
		if hit.At = envelope.Received; hit.At == 0 {
			return false, model.Invalid("timestamp", "is missing, and so are originalTimestamp and sentAt; give one of them")
		}
		return false, nil
	}
	if envelope.Received == 0 {
		if !isInRange(hit.At) {
			return false, model.Invalid(of.name, "%s is outside the years 1990 to 2199; numbers are milliseconds since 1970", clip(of.scalar()))
		}
		return true, nil
	}
	if sent != 0 {
		hit.At += envelope.Received - sent
	}
	if hit.At > envelope.Received+maxAhead {
		hit.At = envelope.Received
	}
	if hit.At < model.MillisOf(envelope.Received.Time().AddDate(-maxYears, 0, 0)) {
		return false, model.Invalid(of.name, "%s is more than %d years ago, which only an import may bring; numbers are milliseconds since 1970", clip(of.scalar()), maxYears)
	}
	return true, nil
}

func isInRange(at model.Millis) bool { return earliest <= at && at < latest }

// timeOf reads a time: a date and time by RFC 3339, or a number of milliseconds
// since 1970. It returns zero where there is none. Of a time that is not in range it only
// says on which side it is, since numbers go further than milliseconds.
func timeOf(field string, v value) (model.Millis, error) {
	switch {
	case v.isMissing():
		return 0, nil
	case v.isNumber():
		number, err := strconv.ParseFloat(string(v), 64)
		switch {
		case number < float64(earliest):
			return earliest - 1, nil
		case err != nil || number >= float64(latest):
			return latest, nil
		}
		return model.Millis(number), nil
	case v.isString():
		text := v.text()
		if text == "" {
			return 0, nil
		}
		// The second layout is RFC 3339 but for the colon in the zone.
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
			if t, err := time.Parse(layout, text); err == nil {
				return max(earliest-1, min(latest, model.MillisOf(t))), nil
			}
		}
		return 0, model.Invalid(field, "%q is not a time; write it like 2006-01-02T15:04:05Z", clip(text))
	}
	return 0, model.Invalid(field, "must be a string or a number")
}
