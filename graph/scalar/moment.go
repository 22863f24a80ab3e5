package scalar

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Moment is a Time that is noted in Marks, where there are some, when it is written.
type Moment struct {
	time.Time
	Marks *Marks
}

// Marks are the places of Moments in data, in their order.
type Marks struct{ places []place }

// place is a part of data, from its begin to before its end.
type place struct{ begin, end int }

// MarshalMoment writes an instant as MarshalTime does. The place is noted where the data is written to a bytes.Buffer,
// as the library does; elsewhere, the time is a part of the data like any other.
func MarshalMoment(m Moment) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		text := TimeText(m.Time)
		if data, ok := w.(*bytes.Buffer); ok && m.Marks != nil {
			m.Marks.places = append(m.Marks.places, place{data.Len(), data.Len() + len(text)})
		}
		io.WriteString(w, text)
	})
}

// UnmarshalMoment reads an instant as UnmarshalTime does.
func UnmarshalMoment(value any) (Moment, error) {
	t, err := UnmarshalTime(value)
	return Moment{Time: t}, err
}

// WriteOthers writes the data without the marked places, and how many these are.
func (m *Marks) WriteOthers(w io.Writer, data []byte) {
	begin := 0
	for _, p := range m.places {
		if p.end > len(data) {
			break
		}
		w.Write(data[begin:p.begin])
		begin = p.end
	}
	w.Write(data[begin:])
	fmt.Fprintf(w, "\x00%d", len(m.places))
}
