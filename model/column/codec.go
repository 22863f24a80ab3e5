package column

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/goalgraph/goalgraph/model/dimension"
)

// encoding is the version of what Encode writes of a column. It is to be raised where
// that changes, or what a dimension says of a session.
const encoding = 5

// Format names what Encode writes: the encoding, and the dimensions that have columns.
// Columns of another format are made anew from the sessions.
var Format = dimension.Fingerprint(encoding)

// codec compresses columns. Its frames carry checksums, so that a damaged column
// is an error and not another one.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// maxColumn bounds what a stored column unpacks to, in bytes.
const maxColumn = 1 << 30

var shared = sync.OnceValues(func() (*codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxColumn), zstd.WithDecoderConcurrency(0))
	return &codec{encoder, decoder}, err
})

// Encode returns the columns of all dimensions as they are stored, each by itself. They have nothing of sessions that do not
// count.
func (s *Sessions) Encode() (map[Dimension][]byte, error) {
	codec, err := shared()
	if err != nil {
		return nil, err
	}
	stored := make(map[Dimension][]byte, len(s.columns))
	var plain []byte
	var counting Set
	if s.columns[Counting] != nil {
		counting = s.counting()
	}
	for dimension, c := range s.columns {
		if counting != nil {
			c = keep(c, counting)
		}
		plain = c.append(plain[:0])
		stored[dimension] = codec.encoder.EncodeAll(plain, nil)
	}
	return stored, nil
}

// EncodeSet returns a set as it is stored.
func EncodeSet(set Set) ([]byte, error) {
	codec, err := shared()
	if err != nil {
		return nil, err
	}
	return codec.encoder.EncodeAll(bitmapColumn{set}.append(nil), nil), nil
}

// DecodeSet returns the set that EncodeSet wrote. An error says that the data is
// damaged.
func DecodeSet(stored []byte) (Set, error) {
	codec, err := shared()
	if err != nil {
		return nil, err
	}
	plain, err := codec.decoder.DecodeAll(stored, nil)
	if err != nil {
		return nil, fmt.Errorf("stored set: %w", err)
	}
	r := &reader{data: plain}
	set := readBitmapColumn(r)
	if r.left() > 0 {
		r.fail("bytes are left")
	}
	return set.BitSet, r.err
}

// Unloaded returns columns of which none is loaded yet. Counting is the first to be loaded:
// it tells how many ordinals there are.
func Unloaded() *Sessions { return &Sessions{columns: map[Dimension]column{}} }

// Copy returns columns that can be loaded into without a change of these. The columns
// themselves are the same.
func (s *Sessions) Copy() *Sessions { return &Sessions{n: s.n, columns: maps.Clone(s.columns)} }

// Missing returns those of the dimensions that are not loaded, each once.
func (s *Sessions) Missing(dimensions []Dimension) []Dimension {
	var missing []Dimension
	for _, dimension := range dimensions {
		if s.columns[dimension] == nil && !slices.Contains(missing, dimension) {
			missing = append(missing, dimension)
		}
	}
	return missing
}

// Load takes in a dimension as Encode wrote it. An error says that the data is
// damaged, or is not of this partition: it changes nothing.
func (s *Sessions) Load(dimension Dimension, stored []byte) error {
	codec, err := shared()
	if err != nil {
		return err
	}
	plain, err := codec.decoder.DecodeAll(stored, nil)
	if err != nil {
		return fmt.Errorf("stored column %s: %w", dimension, err)
	}
	s.places = nil
	r := &reader{data: plain}
	if dimension == Counting {
		c := readBitmapColumn(r)
		if r.err == nil {
			s.columns[Counting], s.n = c, int(c.Len())
		}
		return r.err
	}
	c, covers := read(dimension, r)
	switch {
	case c == nil:
		return fmt.Errorf("stored column %s: there is no such dimension", dimension)
	case r.err != nil:
		return fmt.Errorf("%s: %w", dimension, r.err)
	case r.left() > 0:
		return fmt.Errorf("stored column %s: %d bytes are left", dimension, r.left())
	case !covers(s.n):
		return fmt.Errorf("stored column %s: it is of a partition with another number of sessions", dimension)
	}
	s.columns[dimension] = c
	return nil
}

// read reads a column. covers tells whether it can be one of a partition with n
// ordinals.
func read(name Dimension, r *reader) (c column, covers func(n int) bool) {
	kind := dimension.Number // of Visitors
	if name != Visitors {
		d := dimension.Named(string(name))
		if d == nil || d.Unindexed {
			return nil, nil
		}
		kind = d.Kind
	}
	switch kind {
	case dimension.Text:
		c := readDictionaryColumn(r)
		return c, func(n int) bool { return c.codes.len() <= n }
	case dimension.Texts:
		c := readInvertedColumn(r)
		return c, func(n int) bool { return c.n <= n }
	case dimension.Number:
		c := readIntegerColumn(r)
		return c, func(n int) bool { return c.len() == n }
	case dimension.KeyedText:
		c := readKeyedColumn(r, readDictionaryColumn)
		return c, func(n int) bool {
			for _, member := range c.members {
				if member.codes.len() > n {
					return false
				}
			}
			return true
		}
	case dimension.KeyedNumber:
		c := readKeyedColumn(r, readSparseColumn)
		return c, func(n int) bool {
			for _, member := range c.members {
				if top := len(member.ordinals); top > 0 && int(member.ordinals[top-1]) >= n {
					return false
				}
			}
			return true
		}
	}
	return nil, nil
}
