// Package filter holds the predicate tree: what a filter type compiles to, what
// is counted, and, printed in its canonical form, the identity of a count.
//
// The text form of a tree is what plugins answer with, what caches are keyed by
// and what logs show:
//
//	true  false
//	(and E E …)  (or E E …)  (not E)
//	(in FIELD "value" …)         the field has one of the values; "" stands for none
//	(glob FIELD "pattern")       some value of the field matches; * is any run of characters
//	(within FIELD 10.0.0.0/8 …)  the address lies in one of the blocks
//	(range FIELD MIN MAX)        both ends included; _ leaves an end open
//	(computed "key")             a plugin computes it, session by session
//	(assigned "exp" "variant" …) the visitor is assigned to one of the experiment's variants
//
// A FIELD is a name, or a name with a key in JSON's string syntax:
// property["plan"], value["purchase"]. Parse reads what String prints.
package filter

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// Expr is a predicate over sessions. The set of its implementations is closed:
// Bool, And, Or, Not, In, Glob, Within, Range, Computed and Assigned.
type Expr interface {
	// String returns the text form that Parse reads.
	String() string
	// Match reports whether a session satisfies the predicate. It is the naive evaluator:
	// every other way to count must agree with it.
	Match(s *model.Session) bool
	append(b []byte) []byte
}

type (
	// Bool matches every session, or none.
	Bool bool
	// And matches where all of its parts do; without parts, everywhere.
	And []Expr
	// Or matches where one of its parts does; without parts, nowhere.
	Or []Expr
	// Not matches where its one part does not.
	Not struct{ Expr Expr }
	// In matches where a value of the text field is one of Values. The empty
	// string matches a field that has no value.
	In struct {
		Field  Field
		Values []string
	}
	// Glob matches where some value of the text field matches the pattern, in
	// which * is any run of characters, the empty one too, and all else is
	// literal. A field without a value never matches.
	Glob struct {
		Field   Field
		Pattern string
	}
	// Within matches where the address field lies in one of the blocks.
	Within struct {
		Field  Field
		Blocks []netip.Prefix
	}
	// Range matches where Min <= n <= Max for the number field's n. A Min of -Inf
	// and a Max of +Inf are open ends. A field without a number never matches. Sums of
	// values are compared as decimals, with the ends that Sums returns.
	Range struct {
		Field    Field
		Min, Max float64
	}
	// Computed matches the sessions that a computation chose, for what no other predicate
	// can say, such as pages in an order. Key names the computation. Only the host of the
	// plugins makes it; a plugin that answers with it is refused.
	Computed struct{ Key string }
	// Assigned matches the sessions of visitors who are assigned to one of the experiment's
	// variants, from the assignment on: the session in which it happened and every later one
	// of the visitor. A visitor is assigned to at most one variant of an experiment; the
	// empty string is none.
	Assigned struct {
		// Experiment and Variants are their keys.
		Experiment string
		Variants   []string
	}
)

// String returns "true" or "false".
func (e Bool) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e And) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e Or) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e Not) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e In) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e Glob) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e Within) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e Range) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e Computed) String() string { return string(e.append(nil)) }

// String returns the text form.
func (e Assigned) String() string { return string(e.append(nil)) }

func (e Bool) append(b []byte) []byte { return strconv.AppendBool(b, bool(e)) }
func (e And) append(b []byte) []byte  { return appendList(b, "(and", e) }
func (e Or) append(b []byte) []byte   { return appendList(b, "(or", e) }
func (e Not) append(b []byte) []byte  { return appendList(b, "(not", []Expr{e.Expr}) }

func appendList(b []byte, head string, parts []Expr) []byte {
	b = append(b, head...)
	for _, part := range parts {
		b = append(b, ' ')
		b = part.append(b)
	}
	return append(b, ')')
}

func (e In) append(b []byte) []byte {
	b = e.Field.append(append(b, "(in "...))
	for _, value := range e.Values {
		b = appendText(append(b, ' '), value)
	}
	return append(b, ')')
}

func (e Glob) append(b []byte) []byte {
	b = e.Field.append(append(b, "(glob "...))
	return append(appendText(append(b, ' '), e.Pattern), ')')
}

func (e Within) append(b []byte) []byte {
	b = e.Field.append(append(b, "(within "...))
	for _, block := range e.Blocks {
		b = block.AppendTo(append(b, ' '))
	}
	return append(b, ')')
}

func (e Range) append(b []byte) []byte {
	b = e.Field.append(append(b, "(range "...))
	if e.isNowhere() { // such an end has no text of its own
		return append(b, " 1 0)"...)
	}
	b = appendEnd(append(b, ' '), e.Min)
	b = appendEnd(append(b, ' '), e.Max)
	return append(b, ')')
}

func (e Computed) append(b []byte) []byte {
	return append(appendText(append(b, "(computed "...), e.Key), ')')
}

func (e Assigned) append(b []byte) []byte {
	b = appendText(append(b, "(assigned "...), e.Experiment)
	for _, variant := range e.Variants {
		b = appendText(append(b, ' '), variant)
	}
	return append(b, ')')
}

func appendEnd(b []byte, end float64) []byte {
	if math.IsInf(end, 0) {
		return append(b, '_')
	}
	return strconv.AppendFloat(b, end, 'g', -1, 64)
}

// Sums returns the ends of a range of sums, as decimals: those that model.SumOf makes of the
// doubles. Any decimal of at most 15 digits, six of them at most behind the point, is what
// its nearest double stands for, so that an end of 30.30 is exactly that. low is above high
// where no number lies between.
func (e Range) Sums() (low, high model.Sum) {
	if e.isNowhere() {
		return model.One.Sum(), model.Sum{}
	}
	return model.SumOf(e.Min), model.SumOf(e.Max)
}

// RoundEnd returns the double that is nearest to the decimal for which an end of a range of
// sums stands: 0.3 of 0.1 + 0.2. An open end stays open.
func RoundEnd(end float64) float64 {
	if math.IsInf(end, 0) {
		return end
	}
	return model.SumOf(end).Float64()
}

// isNowhere tells that an end is one that no number lies behind.
func (e Range) isNowhere() bool {
	return math.IsInf(e.Min, 1) || math.IsInf(e.Max, -1) || math.IsNaN(e.Min) || math.IsNaN(e.Max)
}

// appendText appends s in JSON's string syntax.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

// Prefix returns the block that s names: a CIDR block, or a single address. ok is false if
// s is neither. Bits behind the mask are cleared, and IPv4 addresses written as IPv6 become
// IPv4.
func Prefix(s string) (block netip.Prefix, ok bool) {
	if !strings.Contains(s, "/") {
		address, err := netip.ParseAddr(s)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, false
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	block, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if block.Addr().Is4In6() {
		if block.Bits() < 96 {
			return netip.Prefix{}, false
		}
		block = netip.PrefixFrom(block.Addr().Unmap(), block.Bits()-96)
	}
	return block.Masked(), true
}
