package filter

import (
	"cmp"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Simplify returns a predicate that matches the same sessions, in canonical form: constants
// folded, Not only around leaves, And and Or flattened, parts and values sorted and distinct,
// leaves over one field merged where one leaf can say the same, and of an Or in an And, and
// the reverse, only what the other parts leave open. Simplify is idempotent. Predicates with
// the same text are equivalent; equivalent ones may differ in text.
func Simplify(e Expr) Expr {
	switch e := e.(type) {
	case And:
		return simplifyAll(e, true)
	case Or:
		return simplifyAll(e, false)
	case Not:
		return simplifyNot(e.Expr)
	case In:
		return simplifyIn(e)
	case Glob:
		return simplifyGlob(e)
	case Within:
		return simplifyWithin(e)
	case Range:
		return simplifyRange(e)
	case Assigned:
		return simplifyAssigned(e)
	default:
		return e
	}
}

// simplifyNot simplifies the Not of a predicate.
func simplifyNot(e Expr) Expr {
	switch e := e.(type) {
	case And:
		return simplifyAll(negateAll(e), false)
	case Or:
		return simplifyAll(negateAll(e), true)
	case Not:
		return Simplify(e.Expr)
	default:
		return negate(Simplify(e))
	}
}

func negateAll(parts []Expr) []Expr {
	negated := make([]Expr, len(parts))
	for i, part := range parts {
		negated[i] = Not{part}
	}
	return negated
}

// negate returns the Not of a leaf, or of the Not of one.
func negate(e Expr) Expr {
	switch e := e.(type) {
	case Bool:
		return !e
	case Not:
		return e.Expr
	}
	return Not{e}
}

// simplifyAll simplifies the parts of an And, or else of an Or.
func simplifyAll(parts []Expr, and bool) Expr {
	flat := make([]Expr, 0, len(parts))
	for _, part := range parts {
		flat = flatten(flat, Simplify(part), and)
	}
	for {
		var decided bool
		if flat, decided = simplifyFlat(flat, and); decided {
			return Bool(!and)
		}
		left, changed := prune(flat, and)
		if !changed {
			break
		}
		flat = nil
		for _, part := range left {
			flat = flatten(flat, part, and)
		}
	}
	switch {
	case len(flat) == 0:
		return Bool(and)
	case len(flat) == 1:
		return flat[0]
	case and:
		return And(flat)
	default:
		return Or(flat)
	}
}

// flatten appends a part to the parts of an And, or else of an Or: one of the same kind as its own parts.
func flatten(flat []Expr, part Expr, and bool) []Expr {
	switch e := part.(type) {
	case And:
		if and {
			return append(flat, e...)
		}
	case Or:
		if !and {
			return append(flat, e...)
		}
	}
	return append(flat, part)
}

// simplifyFlat joins and sorts parts that are simplified. decided tells that one of them decides it all.
func simplifyFlat(flat []Expr, and bool) (simple []Expr, decided bool) {
	// Joining leaves can yield a constant or a leaf that joins with another one,
	// so it goes on until nothing changes. Each round makes the list shorter.
	for {
		joined := join(flat, and)
		if len(joined) == len(flat) {
			flat = joined
			break
		}
		flat = joined
	}
	if slices.ContainsFunc(flat, func(e Expr) bool { return e == Expr(Bool(!and)) }) {
		return nil, true
	}
	return sortParts(slices.DeleteFunc(flat, func(e Expr) bool { return e == Expr(Bool(and)) }))
}

// sortParts sorts the parts by their texts and drops repeated ones. opposed tells
// that one part is another one's opposite.
func sortParts(parts []Expr) (sorted []Expr, opposed bool) {
	byText := make(map[string]Expr, len(parts))
	for _, part := range parts {
		byText[part.String()] = part
	}
	sorted = parts[:0]
	for _, text := range slices.Sorted(maps.Keys(byText)) {
		part := byText[text]
		if not, ok := part.(Not); ok {
			if _, found := byText[not.Expr.String()]; found {
				return nil, true
			}
		}
		sorted = append(sorted, part)
	}
	return sorted, false
}

// leafKey says which leaves can be joined with each other.
type leafKey struct {
	kind  byte
	field Field
}

// join makes one leaf of those that are over one field and of one kind.
func join(parts []Expr, and bool) []Expr {
	at := map[leafKey]int{}
	joined := make([]Expr, 0, len(parts))
	put := func(key leafKey, e Expr, both func(a Expr) Expr) {
		i, found := at[key]
		if !found {
			at[key] = len(joined)
			joined = append(joined, e)
			return
		}
		joined[i] = both(joined[i])
	}
	for _, part := range parts {
		e := asIn(part)
		key, ok := keyOf(e, and)
		if !ok {
			joined = append(joined, e)
			continue
		}
		put(key, e, func(a Expr) Expr {
			switch e := e.(type) {
			case In:
				return joinIn(a, e, and)
			case Range:
				return joinRange(a, e)
			case Not:
				// Not(In a) and Not(In b) is Not(In a or b), and the reverse.
				if in, ok := e.Expr.(In); ok {
					return negate(joinIn(negate(a), in, !and))
				}
				return negate(joinRange(negate(a), e.Expr.(Range)))
			}
			return a
		})
	}
	for _, i := range at {
		joined[i] = Simplify(joined[i])
	}
	excludeValues(joined, at, and)
	for i, e := range joined {
		joined[i] = asAssigned(e)
	}
	return slices.DeleteFunc(joined, func(e Expr) bool { return e == nil })
}

// keyOf returns which leaves of an And, or else of an Or, a leaf is joined with. ok is false if with none.
func keyOf(e Expr, and bool) (key leafKey, ok bool) {
	switch e := e.(type) {
	case In:
		return leafKey{'i', e.Field}, !and || isSingle(e.Field)
	case Range:
		return leafKey{'r', e.Field}, and
	case Not:
		switch e := e.Expr.(type) {
		case In:
			return leafKey{'n', e.Field}, and || isSingle(e.Field)
		case Range:
			return leafKey{'s', e.Field}, !and
		}
	}
	return key, false
}

// joinRange returns what a, a Range or a constant that joining made of one, and b have in common.
func joinRange(a Expr, b Range) Expr {
	r, ok := a.(Range)
	if !ok {
		return a
	}
	return simplifyRange(Range{b.Field, max(r.Min, b.Min), min(r.Max, b.Max)})
}

// joinIn joins a, an In or a constant that joining made of one, with b.
func joinIn(a Expr, b In, and bool) Expr {
	in, ok := a.(In)
	if !ok {
		return a
	}
	if !and {
		// Both were made by Simplify just now, so no one else sees the values. They
		// are sorted once all are there.
		return In{b.Field, append(in.Values, b.Values...)}
	}
	return simplifyIn(In{b.Field, slices.DeleteFunc(slices.Clone(in.Values), func(v string) bool {
		_, found := slices.BinarySearch(b.Values, v)
		return !found
	})})
}

// excludeValues makes one leaf of In and Not(In) of a field of one value. In an
// And, the values of the Not(In) are taken out of the In, and in an Or, the other
// way round. Of a field of many values both leaves stay.
func excludeValues(parts []Expr, at map[leafKey]int, and bool) {
	for i, part := range parts {
		in, isIn := part.(In)
		not, isNot := part.(Not)
		switch {
		case isIn && and && !isSingle(in.Field):
			if j, found := at[leafKey{'n', in.Field}]; found {
				if excluded, ok := parts[j].(Not); ok {
					parts[i] = without(in, excluded.Expr.(In))
				}
			}
		case isNot && !and:
			excluded, ok := not.Expr.(In)
			if !ok || isSingle(excluded.Field) {
				continue
			}
			if j, found := at[leafKey{'i', excluded.Field}]; found {
				if in, ok := parts[j].(In); ok {
					parts[i] = negate(without(excluded, in))
				}
			}
		}
	}
	for key, i := range at {
		j, found := at[leafKey{'n', key.field}]
		if !found || key.kind != 'i' || !isSingle(key.field) {
			continue
		}
		in, isIn := parts[i].(In)
		not, isNot := parts[j].(Not)
		if !isIn || !isNot {
			continue
		}
		if excluded := not.Expr.(In); and {
			parts[i], parts[j] = without(in, excluded), nil
		} else {
			parts[i], parts[j] = negate(without(excluded, in)), nil
		}
	}
}

// without returns a for the values that b does not have.
func without(a, b In) Expr {
	return simplifyIn(In{a.Field, slices.DeleteFunc(slices.Clone(a.Values), func(v string) bool {
		_, found := slices.BinarySearch(b.Values, v)
		return found
	})})
}

func simplifyIn(e In) Expr {
	values := slices.Clone(e.Values)
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) == 0 {
		return Bool(false)
	}
	return In{e.Field, values}
}

func simplifyAssigned(e Assigned) Expr {
	return asAssigned(simplifyIn(In{assignedTo(e.Experiment), slices.DeleteFunc(slices.Clone(e.Variants), func(v string) bool { return v == "" })}))
}

// While leaves are joined, an Assigned is an In of a field that exists nowhere else:
// the variant of an experiment is, like a field of one value, one of a list.
func assignedTo(experiment string) Field { return Field{Name: "assigned", Key: experiment} }

func isSingle(f Field) bool { return f.Name == "assigned" || f.Kind() == One }

// asIn returns an Assigned, or the Not of one, as an In; all else as it is.
func asIn(e Expr) Expr {
	switch e := e.(type) {
	case Assigned:
		return In{assignedTo(e.Experiment), e.Variants}
	case Not:
		return Not{asIn(e.Expr)}
	}
	return e
}

// asAssigned undoes asIn.
func asAssigned(e Expr) Expr {
	switch e := e.(type) {
	case In:
		if e.Field.Name == "assigned" {
			return Assigned{e.Field.Key, e.Values}
		}
	case Not:
		return Not{asAssigned(e.Expr)}
	}
	return e
}

func simplifyGlob(e Glob) Expr {
	pattern := e.Pattern
	for strings.Contains(pattern, "**") {
		pattern = strings.ReplaceAll(pattern, "**", "*")
	}
	switch {
	case pattern == "":
		return Bool(false) // a value is never empty
	case pattern == "*":
		return Not{In{e.Field, []string{""}}}
	case !strings.Contains(pattern, "*"):
		return In{e.Field, []string{pattern}}
	}
	return Glob{e.Field, pattern}
}

func simplifyWithin(e Within) Expr {
	blocks := make([]netip.Prefix, 0, len(e.Blocks))
	for _, block := range e.Blocks {
		blocks = append(blocks, block.Masked())
	}
	slices.SortFunc(blocks, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	// A block that lies in another one comes after it.
	kept := blocks[:0]
	for _, block := range blocks {
		if !slices.ContainsFunc(kept, func(outer netip.Prefix) bool { return outer.Overlaps(block) }) {
			kept = append(kept, block)
		}
	}
	if len(kept) == 0 {
		return Bool(false)
	}
	return Within{e.Field, kept}
}

func simplifyRange(e Range) Expr {
	if e.isNowhere() {
		return Bool(false)
	}
	if e.Field.Partial() { // ends that are the same decimal are the same end
		e.Min, e.Max = RoundEnd(e.Min), RoundEnd(e.Max)
	}
	if e.Min > e.Max {
		return Bool(false)
	}
	if math.IsInf(e.Min, -1) && math.IsInf(e.Max, 1) && !e.Field.Partial() {
		return Bool(true)
	}
	return Range{e.Field, e.Min + 0, e.Max + 0}
}
