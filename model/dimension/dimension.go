// Package dimension lists what a session has: country, pages, length and so on. This is
// the only list (list.go); what treats dimensions alike derives from it:
//
//   - the kinds of the fields that predicates look at (model/filter);
//   - the columns that are made, stored and loaded, and their format (model/column): a
//     change of the list changes the format, and stored columns are made anew;
//   - the SQL columns that hold what a session takes from its hits, and the limits on distinct values
//     (model/store);
//   - what plugins are told of a session (plugins/host), and what tests draw at random.
//
// A new dimension takes a line of the list, a field of model.Origin, a column in
// migrations, a place in server/ingest that fills it in, a Field in model/filter, a filter
// type in plugins/builtin, and a field of the graph's Session. Whatever is forgotten does
// not compile, or fails a test.
package dimension

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Kind says how many values a session has in a dimension, and of which type.
type Kind int

const (
	// Text is at most one text; the empty one stands for none.
	Text Kind = iota + 1
	// Texts is any number of distinct texts, none of them empty.
	Texts
	// Number is one whole number.
	Number
	// KeyedText is at most one text for each key.
	KeyedText
	// KeyedNumber is at most one sum for each key.
	KeyedNumber
	// Clock is what clocks show of the start. Its keys are names of time zones (model.Zone).
	Clock
)

// Dimension is one thing that a session has. The accessors of its kind are set, the others
// are nil. Hot loops take an accessor out once, and look up no name.
type Dimension struct {
	// Name is what predicates and stored columns call it.
	Name string
	Kind Kind
	// SQL names the columns of the table of sessions that it is read from.
	SQL []string
	// Limit is the name under which the store counts a site's distinct values, of which it
	// takes --max-values; empty if their number is not limited. Dimensions with values of
	// one sort, such as pages, share a limit.
	Limit string
	// Values are all values that there are; nil if any text can be one.
	Values []string
	// Unindexed means that model/column has no column for it: predicates over it are
	// evaluated session by session, or follow from the columns of other dimensions, From.
	Unindexed bool
	From      []string

	// Text returns the value of a Text.
	Text func(*model.Session) string
	// Origin returns the place of a Text that a session takes from the first hit that knows it; nil of
	// all other dimensions.
	Origin func(*model.Origin) *string
	// Texts returns the values of a Texts. They are not to be changed.
	Texts func(*model.Session) []string
	// Number returns the number of a Number.
	Number func(*model.Session) int64
	// KeyedTexts returns the texts of a KeyedText by their keys. They are not to be changed.
	KeyedTexts func(*model.Session) map[string]string
	// Sums returns the sums of a KeyedNumber: the key is the event's name. Events without
	// values have none.
	Sums func(*model.Session) []model.EventSum
	// Shown returns what a clock shows at a time, one of the Values of a Clock. Place returns what tells the place among
	// Values of what it shows in a zone at an instant; that is not for concurrent use.
	Shown func(at time.Time) string
	Place func(zone *time.Location) func(at model.Millis) int
}

// Keyed tells whether the dimension has its values by keys. A Clock has them by zones, and without a key in that of the
// site; see filter.InZone.
func (d *Dimension) Keyed() bool { return d.Kind == KeyedText || d.Kind == KeyedNumber }

// Of returns a session's sum under a key of a KeyedNumber; ok is false where it has none.
func (d *Dimension) Of(s *model.Session, key string) (sum model.Sum, ok bool) {
	for _, event := range d.Sums(s) {
		if event.Name == key {
			return event.Sum, event.Values > 0
		}
	}
	return model.Sum{}, false
}

// All returns all dimensions, in the order of the list. They are not to be changed.
func All() []*Dimension { return slices.Clone(all) }

// Select returns the dimensions of which choose is true, in the order of the list.
func Select(choose func(*Dimension) bool) []*Dimension {
	return slices.DeleteFunc(All(), func(d *Dimension) bool { return !choose(d) })
}

// Origins returns the dimensions that a session takes from the first hits that know them.
func Origins() []*Dimension {
	return Select(func(d *Dimension) bool { return d.Origin != nil })
}

// Named returns a dimension by its name, nil where there is none.
func Named(name string) *Dimension { return named[name] }

// Fingerprint returns a positive number of 31 bits that depends on a version and on the
// names and kinds of the dimensions that have columns: columns that were stored under
// another fingerprint are made anew.
func Fingerprint(version int) int { return fingerprint(version, all) }

func fingerprint(version int, list []*Dimension) int {
	var lines []string
	for _, d := range list {
		if !d.Unindexed {
			lines = append(lines, fmt.Sprintf("%s %d\n", d.Name, d.Kind))
		}
	}
	slices.Sort(lines)
	hash := fnv.New32a()
	fmt.Fprintln(hash, version) // a hash never fails
	for _, line := range lines {
		_, _ = io.WriteString(hash, line)
	}
	return max(1, int(hash.Sum32()>>1))
}
