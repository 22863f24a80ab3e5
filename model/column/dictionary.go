package column

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// dictionary numbers the values of a column from 0.
type dictionary struct {
	values []string
	length int // of all values, about
	// codes is made when a value is first looked up: columns that are only read
	// need it not.
	codes map[string]uint32
	// prints are a byte of each value's hash, where codes was not made yet: a value is
	// found without a look at all others.
	prints []uint8
	// last is the code that add returned last: values come in runs.
	last uint32
}

func newDictionary(values ...string) dictionary {
	d := dictionary{}
	for _, value := range values {
		d.add(value)
	}
	return d
}

// add returns the value's code, a new one where it is new.
func (d *dictionary) add(value string) uint32 {
	if d.codes == nil {
		d.codes = make(map[string]uint32, len(d.values))
		for code, value := range d.values {
			d.codes[value] = uint32(code)
		}
		d.prints = nil
	}
	if int(d.last) < len(d.values) && d.values[d.last] == value {
		return d.last
	}
	code, found := d.codes[value]
	if found {
		d.last = code
		return code
	}
	code = uint32(len(d.values))
	// The value may be part of a longer text that would be kept with it.
	value = string([]byte(value))
	d.values = append(d.values, value)
	d.length += len(value)
	d.codes[value], d.last = code, code
	return code
}

var printSeed = maphash.MakeSeed()

func printOf(value string) uint8 { return uint8(maphash.String(printSeed, value)) }

// find returns the value's code.
func (d *dictionary) find(value string) (code uint32, found bool) {
	if d.codes != nil {
		code, found = d.codes[value]
		return code, found
	}
	print := printOf(value)
	for at := 0; ; at++ {
		next := bytes.IndexByte(d.prints[at:], print)
		if next < 0 {
			return 0, false
		}
		if at += next; d.values[at] == value {
			return uint32(at), true
		}
	}
}

// wanting is what a leaf wants of a field: values that it names, or those of which test
// is true. The empty value stands for none.
type wanting struct {
	names []string // none where only test tells
	test  func(value string) bool
}

// wanted returns the codes of the wanted values, in their order.
func (d *dictionary) wanted(w wanting) (codes []uint32) {
	const few = 64 // for more names than that, a look at all values is faster
	if 0 < len(w.names) && len(w.names) <= few {
		for _, name := range w.names {
			if code, found := d.find(name); found {
				codes = append(codes, code)
			}
		}
		slices.Sort(codes)
		return slices.Compact(codes)
	}
	for code, value := range d.values {
		if w.test(value) {
			codes = append(codes, uint32(code))
		}
	}
	return codes
}

// bytes counts a value's text, its entry in the list and, where there is one, in
// the map.
func (d *dictionary) bytes() int {
	return 48*len(d.codes) + 16*cap(d.values) + d.length + cap(d.prints)
}

// append writes the number of values, and each with its length before it.
func (d *dictionary) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(d.values)))
	for _, value := range d.values {
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	return b
}

// readDictionary keeps the values as parts of one text: they are looked at one after the
// other.
func readDictionary(r *reader) dictionary {
	n := r.length()
	begin := r.at
	for range n {
		r.take(r.length())
	}
	if r.err != nil {
		return dictionary{}
	}
	d := dictionary{values: make([]string, n), length: r.at - begin, prints: make([]uint8, n)}
	text := string(r.data[begin:r.at])
	r.at = begin
	for i := range d.values {
		length := r.length()
		d.values[i] = text[r.at-begin:][:length]
		d.prints[i] = printOf(d.values[i])
		r.take(length)
	}
	return d
}
