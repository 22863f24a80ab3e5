package plugins

import (
	"strings"

	"github.com/goalgraph/goalgraph/model/filter"
)

// Relation tells how the field values that one argument matches relate to those that
// another matches.
type Relation int

const (
	// Disjoint means that they have no value in common.
	Disjoint Relation = iota
	// Inside means that the second has all values of the first. Equal arguments are
	// Inside, too.
	Inside
	// Around means that the first has all values of the second.
	Around
	// Overlapping is everything else, and whatever cannot be determined.
	Overlapping
)

// Values says how the values of a filter's arguments are written and what they match.
// Exact and Globs are the usual implementations.
type Values interface {
	// Normal returns the value in the normal spelling, which Expr and Relate expect,
	// or an error that tells a person what is wrong with it.
	Normal(value string) (string, error)
	// Expr returns the predicate for one value. Only the value for none may match a
	// session without a value in the field.
	Expr(field filter.Field, value string) filter.Expr
	// Relate tells how the field values of a relate to those of b.
	Relate(a, b string) Relation
}

// Exact values match themselves.
type Exact struct {
	// None is the value that stands for no value; empty if there is none.
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

// Globs are patterns in which * stands for any number of any characters. All other
// characters are literal.
type Globs struct {
	// None is the value that stands for no value; empty if there is none. No glob
	// matches it.
	None string
	// Lower is for fields in lower case; globs may then be in any case.
	Lower bool
}

// Normal returns the glob without repeated stars, in lower case if Lower is set.
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

// Expr returns a Glob, or an In if there is no star.
func (g Globs) Expr(field filter.Field, value string) filter.Expr {
	if !isGlob(value) {
		return Exact{None: g.None}.Expr(field, value)
	}
	return filter.Glob{Field: field, Pattern: value}
}

// Relate is exact for literals. Two globs of which neither contains the other count as
// Overlapping.
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
