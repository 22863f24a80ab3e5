package plugins

import (
	"strings"

	"github.com/goalgraph/goalgraph/model/filter"
)

// Relation tells how the field values that one argument stands for relate to
// those of another.
type Relation int

const (
	// Disjoint arguments have no field value in common.
	Disjoint Relation = iota
	// Inside means that all of the first's are among the second's, equal ones too.
	Inside
	// Around means that all of the second's are among the first's.
	Around
	// Overlapping is everything else, and what cannot be told.
	Overlapping
)

// Values says how the values of a filter's arguments are written and what they
// stand for. Exact and Globs are the usual ones.
type Values interface {
	// Normal returns the value in the one spelling that Expr and Relate take, or
	// an error that says for a person what is wrong with it.
	Normal(value string) (string, error)
	// Expr returns the predicate of one value. It must not match a session that
	// has no value in the field, but for the value that stands for none.
	Expr(field filter.Field, value string) filter.Expr
	// Relate tells how the field values of a relate to those of b.
	Relate(a, b string) Relation
}

// Exact values stand for themselves.
type Exact struct {
	// None is the value that stands for no value, empty for nothing.
	None string
}

// Normal returns the value as it is.
func (Exact) Normal(value string) (string, error) { return value, nil }

// Expr returns an In of the value.
func (e Exact) Expr(field filter.Field, value string) filter.Expr {
	if value == e.None {
		value = ""
	}
	return filter.In{Field: field, Values: []string{value}}
}

// Relate tells equal values from others, which are disjoint.
func (Exact) Relate(a, b string) Relation {
	if a == b {
		return Inside
	}
	return Disjoint
}

// Globs are patterns in which * is any run of characters, the empty one too, and
// all else is literal.
type Globs struct {
	// None is the value that stands for no value, empty for nothing. No glob
	// matches it.
	None string
	// Lower is set where the field is in lower case and globs may come in any.
	Lower bool
}

// Normal returns the glob without repeated stars, in lower case if so chosen.
func (g Globs) Normal(value string) (string, error) {
	if err := CheckGlob("", value); err != nil {
		return "", err
	}
	for strings.Contains(value, "**") {
		value = strings.ReplaceAll(value, "**", "*")
	}
	if g.Lower {
		value = strings.ToLower(value)
	}
	return value, nil
}

// Expr returns a Glob, or an In where there is no star.
func (g Globs) Expr(field filter.Field, value string) filter.Expr {
	if !isGlob(value) {
		return Exact{None: g.None}.Expr(field, value)
	}
	return filter.Glob{Field: field, Pattern: value}
}

// Relate knows literals exactly; of two globs neither of which contains the
// other it says Overlapping.
func (g Globs) Relate(a, b string) Relation {
	switch {
	case a == b:
		return Inside
	case g.None != "" && (a == g.None || b == g.None):
		return Disjoint
	case isGlob(b) && filter.GlobContains(b, a):
		return Inside
	case isGlob(a) && filter.GlobContains(a, b):
		return Around
	case isGlob(a) && isGlob(b):
		return Overlapping
	}
	return Disjoint
}

func isGlob(value string) bool { return strings.Contains(value, "*") }
