package filter

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

// Match reports whether the session satisfies the predicate.
func (e Bool) Match(*model.Session) bool { return bool(e) }

// Match reports whether the session satisfies the predicate.
func (e And) Match(s *model.Session) bool {
	return !slices.ContainsFunc(e, func(part Expr) bool { return !part.Match(s) })
}

// Match reports whether the session satisfies the predicate.
func (e Or) Match(s *model.Session) bool {
	return slices.ContainsFunc(e, func(part Expr) bool { return part.Match(s) })
}

// Match reports whether the session satisfies the predicate.
func (e Not) Match(s *model.Session) bool { return !e.Expr.Match(s) }

// Match reports whether the session satisfies the predicate.
func (e In) Match(s *model.Session) bool {
	return slices.ContainsFunc(e.Values, func(value string) bool { return e.Field.has(s, value) })
}

// Match reports whether the session satisfies the predicate.
func (e Glob) Match(s *model.Session) bool {
	return slices.ContainsFunc(e.Field.Texts(s), func(text string) bool { return MatchGlob(e.Pattern, text) })
}

// Match reports whether the session satisfies the predicate.
func (e Within) Match(s *model.Session) bool {
	return slices.ContainsFunc(e.Field.Texts(s), e.Contains)
}

// Contains reports whether an address, as text, lies in one of the blocks.
func (e Within) Contains(text string) bool {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	address = address.Unmap()
	return slices.ContainsFunc(e.Blocks, func(block netip.Prefix) bool { return block.Contains(address) })
}

// Match reports whether the session satisfies the predicate.
func (e Range) Match(s *model.Session) bool {
	if d := dimension.Named(e.Field.Name); d != nil && d.Kind == dimension.KeyedNumber {
		sum, ok := d.Of(s, e.Field.Key)
		low, high := e.Sums()
		return ok && low.Cmp(sum) <= 0 && sum.Cmp(high) <= 0
	}
	n, ok := e.Field.Number(s)
	return ok && e.Min <= n && n <= e.Max
}

// Match reports whether the session satisfies the predicate. The caller fills in
// Session.Computed.
func (e Computed) Match(s *model.Session) bool { return s.Computed[e.Key] }

// Match reports whether the session satisfies the predicate. The caller fills in
// Session.Assigned.
func (e Assigned) Match(s *model.Session) bool {
	variant := s.Assigned[e.Experiment]
	return variant != "" && slices.Contains(e.Variants, variant)
}

// MatchGlob reports whether all of the text matches the pattern, in which * is any run of
// characters, the empty one included, and all else is literal. Its time is at worst
// proportional to the product of the lengths.
func MatchGlob(pattern, text string) bool { return Matcher(pattern)(text) }

// Matcher returns MatchGlob of the pattern as a function that reads the pattern only once.
func Matcher(pattern string) func(text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return func(text string) bool { return text == pattern }
	}
	first, middle, last := parts[0], parts[1:len(parts)-1], parts[len(parts)-1]
	if first == "" && last == "" && len(middle) == 1 { // the most frequent of all patterns
		return func(text string) bool { return strings.Contains(text, middle[0]) }
	}
	return func(text string) bool {
		if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
			return false
		}
		text = text[len(first) : len(text)-len(last)]
		for _, part := range middle {
			at := strings.Index(text, part)
			if at < 0 {
				return false
			}
			text = text[at+len(part):]
		}
		return true
	}
}

// GlobContains reports whether every text that matches the pattern inner matches outer
// too. It can miss that in rare cases; where it says so, it is right.
func GlobContains(outer, inner string) bool {
	// A star of inner, taken as a byte that no valid UTF-8 holds, can only be
	// matched by a star of outer.
	return MatchGlob(outer, strings.ReplaceAll(inner, "*", "\xff"))
}
