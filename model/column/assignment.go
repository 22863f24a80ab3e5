package column

import (
	"fmt"

	"github.com/goalgraph/goalgraph/model"
)

// Assignment tells that the visitor of a session was assigned to a variant of an
// experiment.
type Assignment struct {
	Ordinal int32
	// Variant is the variant's place in a list.
	Variant uint32
	Visitor int64
	// At is when it happened, and End when the session ended.
	At, End model.Millis
	// Place, and then the halves of the message's id, order assignments of one moment.
	Place         int32
	IDHigh, IDLow int64
	// First tells that it is the session's first.
	First bool
}

// assignmentFields are the numbers of an assignment, as they are stored.
var assignmentFields = []func(a *Assignment) int64{
	func(a *Assignment) int64 { return int64(a.Ordinal) },
	func(a *Assignment) int64 { return int64(a.Variant) },
	func(a *Assignment) int64 { return a.Visitor },
	func(a *Assignment) int64 { return int64(a.At) },
	func(a *Assignment) int64 { return int64(a.End - a.At) },
	func(a *Assignment) int64 { return int64(a.Place) },
	func(a *Assignment) int64 { return a.IDHigh },
	func(a *Assignment) int64 { return a.IDLow },
	func(a *Assignment) int64 {
		if a.First {
			return 1
		}
		return 0
	},
}

// EncodeAssignments returns assignments as they are stored, with the list of variants.
func EncodeAssignments(list []Assignment, variants []string) ([]byte, error) {
	codec, err := shared()
	if err != nil {
		return nil, err
	}
	names := newDictionary(variants...)
	plain := names.append(nil)
	for _, field := range assignmentFields {
		numbers := newIntegerColumn()
		for i := range list {
			numbers.set(i, field(&list[i]))
		}
		plain = numbers.append(plain)
	}
	return codec.encoder.EncodeAll(plain, nil), nil
}

// DecodeAssignments returns what EncodeAssignments wrote. An error says that the data
// is damaged.
func DecodeAssignments(stored []byte) (list []Assignment, variants []string, err error) {
	codec, err := shared()
	if err != nil {
		return nil, nil, err
	}
	plain, err := codec.decoder.DecodeAll(stored, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("stored assignments: %w", err)
	}
	r := &reader{data: plain}
	variants = readDictionary(r).values
	fields := make([]*integerColumn, len(assignmentFields))
	for i := range fields {
		fields[i] = readIntegerColumn(r)
		if fields[i].len() != fields[0].len() {
			r.fail("a field of another number of assignments")
		}
	}
	if r.left() > 0 {
		r.fail("bytes are left")
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	list = make([]Assignment, fields[0].len())
	for i := range list {
		at := model.Millis(fields[3].at(i))
		list[i] = Assignment{
			Ordinal: int32(fields[0].at(i)), Variant: uint32(fields[1].at(i)), Visitor: fields[2].at(i),
			At: at, End: at + model.Millis(fields[4].at(i)), Place: int32(fields[5].at(i)), IDHigh: fields[6].at(i), IDLow: fields[7].at(i), First: fields[8].at(i) == 1,
		}
		if int(list[i].Variant) >= len(variants) || list[i].Ordinal < 0 {
			return nil, nil, fmt.Errorf("stored assignments: one of no variant")
		}
	}
	return list, variants, nil
}
