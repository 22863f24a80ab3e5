package column

import (
	"fmt"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model/dimension"
)

// column is a bitmap, dictionary, inverted, integer, sparse or keyed column.
type column interface {
	// append writes the column, as the read function of its type reads it.
	append(b []byte) []byte
	// bytes is about how much memory it takes.
	bytes() int
}

// Dimension names a column: by the name in package dimension, or by one of the first two
// constants.
type Dimension string

const (
	// Counting are the ordinals whose session counts. Every question needs them.
	Counting Dimension = "counting"
	// Visitors are the visitors' numbers.
	Visitors Dimension = "visitors"

	// Properties are the custom properties of all keys.
	Properties Dimension = "property"
	// Values are the sums of the values of all events.
	Values Dimension = "value"
)

// indexed are the dimensions that have columns, in the order in which Put takes them.
var indexed = dimension.Select(func(d *dimension.Dimension) bool { return !d.Unindexed })

// Dimensions returns the names of all columns. Counting is the first.
func Dimensions() []Dimension {
	all := []Dimension{Counting, Visitors}
	for _, d := range indexed {
		all = append(all, Dimension(d.Name))
	}
	return all
}

// newColumn returns the column, of no sessions, of a dimension of the kind.
func newColumn(kind dimension.Kind) column {
	switch kind {
	case dimension.Text:
		return newDictionaryColumn()
	case dimension.Texts:
		return newInvertedColumn()
	case dimension.Number:
		return newIntegerColumn()
	case dimension.KeyedText:
		return newKeyedColumn[*dictionaryColumn]()
	case dimension.KeyedNumber:
		return newKeyedColumn[*sparseColumn]()
	}
	panic(fmt.Sprintf("columns of dimensions of kind %d are not known", kind))
}

// Set is a set of a partition's sessions.
type Set = *bitset.BitSet
