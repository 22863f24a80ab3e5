package column

import (
	"encoding/binary"

	"github.com/bits-and-blooms/bitset"
)

// bitmapColumn holds a bit for each ordinal.
type bitmapColumn struct{ *bitset.BitSet }

func (c bitmapColumn) bytes() int { return 8 * len(c.Words()) }

// append writes how many ordinals there are and how many words, and the words.
func (c bitmapColumn) append(b []byte) []byte {
	words := c.Words()
	b = binary.AppendUvarint(b, uint64(c.Len()))
	b = binary.AppendUvarint(b, uint64(len(words)))
	for _, word := range words {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func readBitmapColumn(r *reader) bitmapColumn {
	n := r.count()
	part := r.next(8 * r.length())
	words := make([]uint64, 0, len(part)/8)
	for i := 0; i < len(part); i += 8 {
		words = append(words, binary.LittleEndian.Uint64(part[i:]))
	}
	if len(words) != (n+63)/64 || n%64 > 0 && words[len(words)-1]>>(n%64) > 0 {
		r.fail("another number of words than of ordinals")
		return bitmapColumn{bitset.New(0)}
	}
	return bitmapColumn{bitset.FromWithLength(uint(n), words)}
}
