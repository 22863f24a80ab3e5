package column

import (
	"fmt"
	"slices"
	"testing"
)

// A dictionary finds its values, and wants what a look at all of them wants: as it was
// made, as it was read, and after more was added to that.
func TestDictionaryFinds(t *testing.T) {
	made := newDictionary("")
	for n := range 1000 { // far more than there are hashBytes
		made.add(fmt.Sprint("value ", n))
	}
	r := &reader{data: made.append(nil)}
	read := readDictionary(r)
	if r.err != nil || r.left() > 0 || !slices.Equal(read.values, made.values) {
		t.Fatalf("%v, %d bytes left: %q", r.err, r.left(), read.values)
	}
	r = &reader{data: made.append(nil)}
	added := readDictionary(r)
	added.add("one more")
	for name, d := range map[string]*dictionary{"made": &made, "read": &read, "added to": &added} {
		for code, value := range d.values {
			if found, ok := d.find(value); !ok || int(found) != code {
				t.Errorf("%s: %q has the code %d, %t, want %d", name, value, found, ok, code)
			}
		}
		for _, names := range [][]string{nil, {"none"}, {""}, {"value 7", "none", "", "value 7", "value 999", "value 3"}, d.values[100:300]} {
			want := valuePredicate{matches: func(value string) bool { return slices.Contains(names, value) }}
			all := d.matching(&want)
			want.names = names
			if found := d.matching(&want); !slices.Equal(found, all) {
				t.Errorf("%s: of %q, the codes %v are wanted, and %v found", name, names, all, found)
			}
		}
	}
}
