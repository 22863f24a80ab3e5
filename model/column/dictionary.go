package column

import "encoding/binary"

// dictionary numbers the values of a column from 0.
type dictionary struct {
	values []string
	// codes is made when a value is first looked up: columns that are only read
	// need it not.
	codes map[string]uint32
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
	if code, found := d.codes[value]; found {
		return code
	}
	code := uint32(len(d.values))
	// The value may be part of a longer text that would be kept with it.
	value = string([]byte(value))
	d.values = append(d.values, value)
	d.codes[value] = code
	return code
}

// bytes counts a value's text, its entry in the list and, where there is one, in
// the map.
func (d *dictionary) bytes() int {
	bytes := 48 * len(d.codes)
	for _, value := range d.values {
		bytes += len(value) + 16
	}
	return bytes
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

func readDictionary(r *reader) dictionary {
	var d dictionary
	for n := r.length(); n > 0 && r.err == nil; n-- {
		d.values = append(d.values, string(r.take(r.length())))
	}
	return d
}
