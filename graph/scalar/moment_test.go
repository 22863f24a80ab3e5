package scalar_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
)

// Data that differs by its Moments alone is the same without them, however long these are written.
func TestMarks(t *testing.T) {
	write := func(at time.Time, value string, moments int) string {
		var data bytes.Buffer
		marks := new(scalar.Marks)
		data.WriteString("[")
		for range moments {
			scalar.MarshalMoment(scalar.Moment{Time: at, Marks: marks}).MarshalGQL(&data)
			data.WriteString(",")
		}
		scalar.MarshalTime(at.Truncate(time.Hour)).MarshalGQL(&data)
		data.WriteString("," + value + "]")
		if want := scalar.TimeText(at); moments > 0 && !bytes.Contains(data.Bytes(), []byte(want)) {
			t.Errorf("%s lacks %s", data.Bytes(), want)
		}
		var others bytes.Buffer
		marks.WriteOthers(&others, data.Bytes())
		return others.String()
	}
	at := time.Date(2026, 5, 17, 10, 5, 3, 0, time.UTC)
	is := write(at, "1", 2)
	if other := write(at.Add(120*time.Millisecond), "1", 2); other != is {
		t.Errorf("%q and %q differ by their time alone", is, other)
	}
	for _, other := range []string{write(at, "2", 2), write(at, "1", 1), write(at.Add(time.Hour), "1", 2)} {
		if other == is {
			t.Errorf("%q is told of two things", is)
		}
	}
	var rest bytes.Buffer
	new(scalar.Marks).WriteOthers(&rest, []byte("null"))
	if rest.String() != "null\x000" {
		t.Errorf("%q", rest.String())
	}
}
