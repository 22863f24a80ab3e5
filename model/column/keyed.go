package column

import (
	"encoding/binary"
	"maps"
	"slices"
)

// keyedColumn holds a column of one kind for each key: a property's, or an event's name.
type keyedColumn[C column] struct{ members map[string]C }

func newKeyedColumn[C column]() *keyedColumn[C] { return &keyedColumn[C]{members: map[string]C{}} }

func (c *keyedColumn[C]) bytes() int {
	bytes := 0
	for key, member := range c.members {
		bytes += len(key) + 64 + member.bytes()
	}
	return bytes
}

// append writes how many members there are, and each with its key before it.
func (c *keyedColumn[C]) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.members)))
	for _, key := range slices.Sorted(maps.Keys(c.members)) {
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
		b = c.members[key].append(b)
	}
	return b
}

func readKeyedColumn[C column](r *reader, read func(*reader) C) *keyedColumn[C] {
	c := newKeyedColumn[C]()
	for n := r.length(); n > 0 && r.err == nil; n-- {
		key := string(r.next(r.length()))
		c.members[key] = read(r)
	}
	return c
}
