package column

import "encoding/binary"

// dictionary numbers the values of a column from 0.
type dictionary struct {
	values []string
	length int // of all values, about
	// codes is made when a value is first looked up: columns that are only read
	// need it not.
	codes map[string]uint32
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

// bytes counts a value's text, its entry in the list and, where there is one, in
// the map.
func (d *dictionary) bytes() int {
	return 48*len(d.codes) + 16*cap(d.values) + d.length
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
	d := dictionary{values: make([]string, n), length: r.at - begin}
	text := string(r.data[begin:r.at])
	r.at = begin
	for i := range d.values {
		length := r.length()
		d.values[i] = text[r.at-begin:][:length]
		r.take(length)
	}
	return d
}
