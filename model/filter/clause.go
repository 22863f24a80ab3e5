package filter

import (
	"slices"
	"strings"
)

// maxClauses bounds the parts of an And that are Ors, or the reverse, among which prune looks: no filter that a person
// writes comes near.
const maxClauses = 100

// prune takes out of the Ors among the parts of an And what the other parts exclude, and leaves those out that the other
// parts imply; and the reverse for the Ands among the parts of an Or. The parts are simplified, sorted and distinct.
// changed tells that the ones that are left are to be joined anew.
func prune(parts []Expr, and bool) (left []Expr, changed bool) {
	clauses := 0
	for _, part := range parts {
		if _, isClause := clauseOf(part, and); isClause {
			clauses++
		}
	}
	if clauses == 0 || clauses > maxClauses || clauses == len(parts) && clauses == 1 {
		return parts, false
	}
	known := newFacts(parts, and)
	left = make([]Expr, 0, len(parts))
	for _, part := range parts {
		clause, isClause := clauseOf(part, and)
		if !isClause {
			left = append(left, part)
			continue
		}
		open, decided := known.open(clause)
		switch {
		case decided:
			known.forget(part)
			changed = true
		case len(open) < len(clause):
			simple := simplifyAll(open, !and)
			known.forget(part)
			known.learn(simple)
			left, changed = append(left, simple), true
		default:
			left = append(left, part)
		}
	}
	return left, changed
}

// clauseOf returns the parts of an Or in an And, or of an And in an Or.
func clauseOf(part Expr, and bool) (clause []Expr, ok bool) {
	switch e := part.(type) {
	case And:
		return e, !and
	case Or:
		return e, and
	}
	return nil, false
}

// facts are what holds where a clause of an And is looked at: the other parts. Where a clause of an Or is, the other parts
// do not hold, and the facts are their opposites.
type facts struct {
	and    bool
	texts  map[string]bool
	leaves map[leafKey]Expr
}

func newFacts(parts []Expr, and bool) *facts {
	f := &facts{and, make(map[string]bool, len(parts)), make(map[leafKey]Expr, len(parts))}
	for _, part := range parts {
		f.learn(part)
	}
	return f
}

// fact returns a part, or what it says of an And.
func (f *facts) fact(part Expr) Expr {
	if f.and {
		return part
	}
	return opposite(part)
}

func (f *facts) learn(part Expr) {
	fact := f.fact(part)
	f.texts[fact.String()] = true
	leaf := asIn(fact)
	if key, ok := keyOf(leaf, true); ok {
		f.leaves[key] = leaf
	}
}

// forget undoes learn for a clause.
func (f *facts) forget(clause Expr) { delete(f.texts, f.fact(clause).String()) }

// open returns the parts of a clause that the facts leave open. decided tells that the facts imply the clause, if it is in
// an And, or exclude it.
func (f *facts) open(clause []Expr) (open []Expr, decided bool) {
	for _, part := range clause {
		holds, fails := f.tell(f.fact(part))
		if holds {
			return nil, true
		}
		if !fails {
			open = append(open, part)
		}
	}
	return open, false
}

// tell returns whether the facts imply or exclude a predicate.
func (f *facts) tell(e Expr) (holds, fails bool) {
	if f.texts[e.String()] {
		return true, false
	}
	if f.texts[opposite(e).String()] {
		return false, true
	}
	switch e := e.(type) {
	case And:
		holds = true
		for _, part := range e {
			h, x := f.tell(part)
			holds, fails = holds && h, fails || x
		}
		return holds, fails
	case Or:
		fails = true
		for _, part := range e {
			h, x := f.tell(part)
			holds, fails = holds || h, fails && x
		}
		return holds, fails
	}
	return f.tellLeaf(asIn(e))
}

// tellLeaf returns whether a leaf over the same field implies or excludes a leaf, or the Not of one.
func (f *facts) tellLeaf(e Expr) (holds, fails bool) {
	bare, isNot := e, false
	if not, ok := e.(Not); ok {
		bare, isNot = not.Expr, true
	}
	switch e := bare.(type) {
	case In:
		if known, ok := f.leaves[leafKey{'n', e.Field}].(Not); ok {
			fails = isSubset(e.Values, known.Expr.(In).Values)
		}
		if known, ok := f.leaves[leafKey{'i', e.Field}].(In); ok {
			holds = isSubset(known.Values, e.Values)
			fails = fails || !slices.ContainsFunc(known.Values, func(v string) bool { return isSubset([]string{v}, e.Values) })
		}
	case Range:
		if known, ok := f.leaves[leafKey{'r', e.Field}].(Range); ok {
			holds = e.Min <= known.Min && known.Max <= e.Max
			fails = max(e.Min, known.Min) > min(e.Max, known.Max)
		}
	}
	if isNot {
		return fails, holds
	}
	return holds, fails
}

// isSubset tells whether all of the sorted texts are among others, which are sorted too.
func isSubset(texts, others []string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool {
		_, found := slices.BinarySearch(others, text)
		return !found
	})
}

// opposite returns the Not of a simplified predicate, in the form that Simplify gives it.
func opposite(e Expr) Expr {
	switch e := e.(type) {
	case And:
		return Or(opposites(e))
	case Or:
		return And(opposites(e))
	}
	return negate(e)
}

func opposites(parts []Expr) []Expr {
	list := make([]Expr, len(parts))
	for i, part := range parts {
		list[i] = opposite(part)
	}
	slices.SortFunc(list, func(a, b Expr) int { return strings.Compare(a.String(), b.String()) })
	return list
}
