package column

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/bits-and-blooms/bitset"
)

// family is columns of one kind by a key: a property's, or an event's name.
type family[C column] struct{ members map[string]C }

func newFamily[C column]() *family[C] { return &family[C]{members: map[string]C{}} }

func (f *family[C]) bytes() int {
	bytes := 0
	for key, member := range f.members {
		bytes += len(key) + 64 + member.bytes()
	}
	return bytes
}

// append writes how many members there are, and each with its key before it.
func (f *family[C]) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(f.members)))
	for _, key := range slices.Sorted(maps.Keys(f.members)) {
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
		b = f.members[key].append(b)
	}
	return b
}

func readFamily[C column](r *reader, read func(*reader) C) *family[C] {
	f := newFamily[C]()
	for n := r.length(); n > 0 && r.err == nil; n-- {
		key := string(r.take(r.length()))
		f.members[key] = read(r)
	}
	return f
}

// bits is a set of ordinals.
type bits struct{ *bitset.BitSet }

func (s bits) bytes() int { return 8 * len(s.Words()) }

// append writes how many ordinals there are and how many words, and the words.
func (s bits) append(b []byte) []byte {
	words := s.Words()
	b = binary.AppendUvarint(b, uint64(s.Len()))
	b = binary.AppendUvarint(b, uint64(len(words)))
	for _, word := range words {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func readBits(r *reader) bits {
	n := r.count()
	part := r.take(8 * r.length())
	words := make([]uint64, 0, len(part)/8)
	for i := 0; i < len(part); i += 8 {
		words = append(words, binary.LittleEndian.Uint64(part[i:]))
	}
	if len(words) != (n+63)/64 || n%64 > 0 && words[len(words)-1]>>(n%64) > 0 {
		r.fail("another number of words than of ordinals")
		return bits{bitset.New(0)}
	}
	return bits{bitset.FromWithLength(uint(n), words)}
}
