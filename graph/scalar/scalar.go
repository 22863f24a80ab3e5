// Package scalar holds how the schema's scalars, and the inputs that plugins
// bring, are read and written.
//
// FilterInput is a scalar in the static schema that code is generated from and
// an input object in the schema that is served, which knows the loaded plugins
// (package graph). The library's own checks of input values leave gaps for such a
// type: in variables a number passes for a string, enums match without regard to
// case, @oneOf and defaults are not applied. Coerce reads any input value by the
// served schema strictly, for variables and literals alike.
package scalar

import (
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/model"
)

// Node is any object that has an id.
type Node any

// MarshalID writes an id.
func MarshalID(id string) graphql.Marshaler { return graphql.MarshalID(id) }

// UnmarshalID reads an id. Clients may write one as an integer.
func UnmarshalID(value any) (string, error) {
	id, err := graphql.UnmarshalID(value)
	if err != nil {
		return "", model.Invalid("", "an ID is a string, such as \"U2l0ZTox\"")
	}
	return id, nil
}

// MarshalTime writes an instant in RFC 3339, UTC, cut to the millisecond.
func MarshalTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { io.WriteString(w, TimeText(t)) })
}

// TimeText returns an instant as answers have it, quotes and all.
func TimeText(t time.Time) string {
	return strconv.Quote(t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano))
}

// UnmarshalTime reads an instant in RFC 3339.
func UnmarshalTime(value any) (time.Time, error) {
	text, ok := value.(string)
	if !ok {
		return time.Time{}, model.Invalid("", "a Time is a string in RFC 3339, such as \"2026-05-17T10:05:03Z\"")
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, model.Invalid("", "%.40q is not an instant in RFC 3339, such as \"2026-05-17T10:05:03Z\"", text)
	}
	return t, nil
}

// MarshalDate writes a day of the calendar in ISO 8601.
func MarshalDate(d model.Date) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { io.WriteString(w, strconv.Quote(d.String())) })
}

// UnmarshalDate reads a day of the calendar in ISO 8601.
func UnmarshalDate(value any) (model.Date, error) {
	text, _ := value.(string)
	d, ok := model.ParseDate(text)
	if !ok {
		return d, model.Invalid("", "%.40q is not a date in ISO 8601, such as \"2026-03-01\"", text)
	}
	return d, nil
}

// MarshalJSON writes a JSON value.
func MarshalJSON(value json.RawMessage) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { w.Write(value) })
}

// UnmarshalJSON reads a JSON value.
func UnmarshalJSON(value any) (json.RawMessage, error) { return json.Marshal(value) }
